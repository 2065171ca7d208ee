"""`sentisynth publish`, `diff`, `verify`, `runs` and `jobs`."""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sentisynth_hub.cli import options
from sentisynth_hub.cli.given_options import given_options, only_with_to, publish_given
from sentisynth_hub.core import log
from sentisynth_hub.core.errors import DriftError, InputError, SentisynthError
from sentisynth_hub.core.hub_endpoint import use_hub
from sentisynth_hub.pipeline import open_pipeline
from sentisynth_hub.recipe import Recipe, load_recipe


_ALLOW = "publish.allow_personal_data="

if TYPE_CHECKING:
    from sentisynth_hub.natural.splits import NaturalData
    from sentisynth_hub.pipeline import Pipeline
    from sentisynth_hub.publish.card_check import Check
    from sentisynth_hub.publish.commit import Published


@click.command()
@options.of_a_run
@given_options
@click.option("--only", type=click.Choice(["dataset", "model"]), help="Publish just this one.")
@click.option("--dry-run", is_flag=True, help="Print what would be published and why; write nothing.")
@click.option("--create-pr", is_flag=True, help="Propose the new version as a pull request.")
@click.option("--no-run", is_flag=True, help="Run no stage: fail where one is not complete.")
@click.option(
    "--allow-worse",
    is_flag=True,
    help="Publish the model although it scores lower than the last published one on the same test rows.",
)
@click.option(
    "--check", is_flag=True, help="Only say whether the inputs changed: prints changed=true or changed=false."
)
@click.option("--refresh", is_flag=True, help="With --check: say that there is something to do.")
@click.option(
    "--summary", type=click.Path(path_type=Path), help="Append the change as Markdown, e.g. $GITHUB_STEP_SUMMARY."
)
@options.as_json
def publish(
    recipe: str,
    overrides: tuple[str, ...],
    hub: str | None,
    runs: Path,
    scale: str | None,
    only: str | None,
    dry_run: bool,
    create_pr: bool,
    no_run: bool,
    allow_worse: bool,
    check: bool,
    refresh: bool,
    summary: Path | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Publish the dataset and the model of RECIPE: one commit and one tag each, or nothing where nothing changed.

    Stages that are not complete are run first. With --to, what is in a FILE (CSV, JSONL, Parquet), in a FOLDER with a
    file a split, or in the FOLDER of a saved classifier is published as it is, without a recipe: a computed version,
    a card from the rows and your own words, and every digest read back and compared.
    """
    if given["to"] is not None:
        use_hub(hub)
        publish_given(recipe, given, create_pr=create_pr, dry_run=dry_run, as_json=as_json)
        return
    only_with_to(given)
    loaded = load_recipe(recipe, overrides, scale=scale)
    pipeline = open_pipeline(loaded, hub=hub, runs=runs)
    pipeline.may_run = not no_run
    if check:
        changed = refresh or not _unchanged(pipeline)
        options.show({"changed": changed}, [f"changed={'true' if changed else 'false'}"], as_json)
        return
    from sentisynth_hub.publish.stage import publish_run

    with pipeline.lock():
        stages = pipeline.through("model")
        published = publish_run(
            pipeline, stages, only=only, create_pr=create_pr, dry_run=dry_run, allow_worse=allow_worse
        )
    results = [version for version in published if version is not None]
    if not results:
        raise InputError(f"recipe {loaded.name}: publish names no {only or 'repo'}; name one")
    if summary is not None:
        _append_summary(summary, results)
    lines: list[str] = []
    for result in results:
        lines += result.plan.lines() if dry_run and result.plan is not None else result.lines()
    options.show([result.record() for result in results], lines, as_json)
    first = results[0]
    options.next_step(
        "the same without --dry-run" if dry_run else f"sentisynth verify {first.repo_id}@{first.version}"
    )


@click.command()
@click.argument("before")
@click.argument("after")
@options.hub
@options.as_json
def diff(before: str, after: str, hub: str | None, as_json: bool) -> None:
    """Show what changed from BEFORE to AFTER: each a REPO@TAG, or a run folder (runs/NAME).

    Rows added, removed and relabelled with examples, and the drift of balance, length, diversity and code-mixing.
    """
    use_hub(hub)
    from sentisynth_hub.publish import diff as difference

    sides = difference.read_side(before), difference.read_side(after)
    options.show(difference.record(*sides), difference.lines(*sides), as_json)


@click.command()
@click.argument("version", metavar="REPO@TAG")
@options.overrides
@options.hub
@click.option("--rebuild", is_flag=True, help="Generate the rows again from the published recipe (local generators).")
@click.option("--strict", is_flag=True, help="Fail where something could not be checked, too.")
@options.as_json
def verify(
    version: str, overrides: tuple[str, ...], hub: str | None, rebuild: bool, strict: bool, as_json: bool
) -> None:
    """Compute a published version's digests, and every number of its card that the data can give, again.

    `key=value` says where local files of the published recipe lie here: natural.files.train=reviews.csv,
    generate.generator.model=FOLDER. What counts as personal data is decided here, not by the publisher;
    publish.allow_personal_data=true accepts it. Exit code 1 where something does not agree.
    """
    use_hub(hub)
    from sentisynth_hub.publish.verify import published_recipe, read_version, verify_dataset, verify_model
    from sentisynth_hub.publish.verify_given import is_given, verify_given

    head = read_version(version)
    tag = version.partition("@")[2]
    if is_given(head):
        _say_checks(version, verify_given(head, tag), strict, as_json)
        return
    with tempfile.TemporaryDirectory(prefix="sentisynth-") as folder:
        recipe = published_recipe(head, Path(folder), overrides)
        natural = _natural(recipe, overrides)
        if head.repo_type == "dataset":
            accepted = (
                any(override.startswith(_ALLOW) for override in overrides) and recipe.publish.allow_personal_data
            )
            checks = verify_dataset(head, tag, natural, allow_personal_data=accepted)
        else:
            checks = verify_model(head, tag, natural)
        if rebuild and head.manifest is not None:
            from sentisynth_hub.publish.rebuild import rebuild as generate_again

            checks += generate_again(recipe, head.manifest, Path(folder) / "run")
    _say_checks(version, checks, strict, as_json)


def _say_checks(version: str, checks: "list[Check]", strict: bool, as_json: bool) -> None:
    """Show every check.

    Raises:
        DriftError: One does not agree, or, under `strict`, could not be made.
    """
    options.show([check.record() for check in checks], [_check_line(check) for check in checks], as_json)
    wrong = [check.name for check in checks if check.agrees is False]
    unchecked = [check.name for check in checks if check.agrees is None]
    count = f"{len(unchecked)} could not be made" + (f" ({', '.join(unchecked)})" if unchecked else "")
    if wrong:
        raise DriftError(f"{version}: {len(wrong)} of {len(checks)} checks do not agree: {', '.join(wrong)}; {count}")
    if unchecked and strict:
        raise DriftError(f"{version}: none of {len(checks)} checks disagrees, but {count}, and --strict asks for all")
    log.info(f"{len(checks)} checks: {len(checks) - len(unchecked)} agree, {count}")


@click.group()
def runs() -> None:
    """Keep a run folder, journal included, in a private dataset repo."""


def _run_command(action: str) -> Callable[..., None]:
    @click.argument("recipe")
    @click.option("--repo", help="Private dataset repo; default: the published dataset's id with -runs.")
    @options.hub
    @options.runs
    @options.as_json
    def command(recipe: str, repo: str | None, hub: str | None, runs: Path, as_json: bool) -> None:
        use_hub(hub)
        from sentisynth_hub.publish.run_backup import restore_run, save_run

        loaded = load_recipe(recipe)
        repo_id = repo or _run_repo(loaded)
        folder = runs / loaded.name
        count = (restore_run if action == "restore" else save_run)(folder, repo_id)
        done = "restored from" if action == "restore" else "saved to"
        record = {"action": action, "repo_id": repo_id, "folder": str(folder), "files": count}
        options.show(record, [f"{count} files {done} {repo_id}"], as_json)
        there = f"sentisynth runs restore {recipe} --repo {repo_id}, on another machine"
        options.next_step(f"sentisynth run {recipe}" if action == "restore" else there)

    return command


runs.command("restore", help="Fetch what RECIPE's run folder lacks, so that nothing is generated or paid for twice.")(
    _run_command("restore")
)
runs.command("save", help="Send what is new in RECIPE's run folder.")(_run_command("save"))


@click.command()
@click.argument("recipe")
@options.overrides
@click.option("--flavor", default="cpu-upgrade", show_default=True, help="Hardware, as `hf jobs hardware` lists it.")
@click.option("--timeout", default="6h", show_default=True, help="Longest the job may take.")
@click.option("--submit", is_flag=True, help="Submit it; without this it is only shown.")
@options.as_json
def jobs(recipe: str, overrides: tuple[str, ...], flavor: str, timeout: str, submit: bool, as_json: bool) -> None:
    """Show RECIPE as a Hugging Face Job, or submit it."""
    from sentisynth_hub.publish.ci.jobs import plan_job, submit_job

    job = plan_job(load_recipe(recipe, overrides), recipe, overrides, flavor=flavor, timeout=timeout)
    if submit:
        url = submit_job(job)
        options.show(job.record() | {"url": url}, [url], as_json)
        return
    options.show(job.record(), [job.shell()], as_json)
    options.next_step("the same with --submit, or run the line above")


def _unchanged(pipeline: "Pipeline") -> bool:
    """Whether every repo the recipe names already has what these inputs give, its tag included."""
    from sentisynth_hub.publish.commit import already_published

    publish = pipeline.recipe.publish
    repos = [("dataset", publish.dataset), ("model", publish.model)]
    standing = [
        already_published(pipeline.inputs_digest, repo_id, kind) for kind, repo_id in repos if repo_id is not None
    ]
    return all(version is not None and version.tagged for version in standing)


def _append_summary(path: Path, results: "list[Published]") -> None:
    from sentisynth_hub.publish.cards.escape import escaped

    with open(path, "a", encoding="utf-8") as handle:
        for result in results:
            handle.write(f"### {escaped(result.repo_id)} {escaped(result.version)}\n\n{escaped(result.why)}\n\n")
            changes = result.plan.changes if result.plan is not None else None
            if changes is not None and changes["before"] is not None and changes["after"] is not None:
                handle.write(_summary_table(changes))


def _summary_table(changes: Any) -> str:
    rows = ["| | before | after |", "| --- | ---: | ---: |"]
    for name in ("rows", "words_mean", "distinct_2", "cmi_mean"):
        rows.append(f"| {name} | {changes['before'][name]} | {changes['after'][name]} |")
    return "\n".join(rows) + "\n\n"


def _natural(recipe: Recipe, overrides: tuple[str, ...]) -> "NaturalData | None":
    """The natural rows of a published recipe, None where this machine may not read them; what the user named has to be
    readable."""
    from sentisynth_hub.natural.stage import load_natural

    if any(override.startswith("natural.") for override in overrides):
        return load_natural(recipe)
    with suppress(SentisynthError):
        return load_natural(recipe)
    return None


def _check_line(check: "Check") -> str:
    mark = {True: "ok ", False: "NO ", None: "-- "}[check.agrees]
    detail = "" if check.agrees else f": published {check.published}, recomputed {check.recomputed}"
    return mark + log.printable(check.name, 120) + log.printable(detail, 300)


def _run_repo(recipe: Recipe) -> str:
    repo_id = recipe.publish.dataset or recipe.publish.model
    if repo_id is None:
        raise InputError(f"recipe {recipe.name}: publishes nothing, so name a repo with --repo")
    return f"{repo_id}-runs"
