"""A whole run: choose the Hub, stop early when nothing changed, walk the stages, publish, say what came of it.

result = run_recipe(load_recipe("quickstart"), hub="local")
print("\\n".join(summary_lines(result)))
"""

import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.hub_endpoint import use_hub
from sentisynth_hub.core.run_folder import RUNS
from sentisynth_hub.pipeline import Pipeline, open_pipeline
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.verdict.evaluation import Evaluation
from sentisynth_hub.verdict.evaluation_text import label_sentence, table_lines, warnings
from sentisynth_hub.verdict.look_count import LookCount


if TYPE_CHECKING:
    from sentisynth_hub.generate.result import GenerateResult
    from sentisynth_hub.model.saved_model import ModelResult
    from sentisynth_hub.publish.commit import Published


@dataclass(frozen=True)
class RunResult:
    """What a run left behind.

    Attributes:
        recipe: Its name.
        endpoint: Hub it read from and published to.
        unchanged: Tags by repo id where the Hub already has what this recipe gives; then nothing was run and the rest
            is empty.
        evaluation: What the study found.
        funnel: Rows of replicate 0 by filter and reason, with `candidates` and `kept`.
        looks: How often the test rows have been looked at, over recipes.
        model: The model to use, what it was trained on, and its own score.
        dataset, classifier: What was published; None with `--no-publish` or where the recipe names no repo.
        account: What was left out of the natural rows, what generation took, how long this run was: a line each.
    """

    recipe: str
    endpoint: str
    unchanged: dict[str, str]
    evaluation: Evaluation | None = None
    funnel: dict[str, Any] | None = None
    looks: LookCount | None = None
    model: "ModelResult | None" = None
    dataset: "Published | None" = None
    classifier: "Published | None" = None
    account: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "recipe": self.recipe,
            "endpoint": self.endpoint,
            "unchanged": self.unchanged,
            "evaluation": self.evaluation.record() if self.evaluation is not None else None,
            "funnel": self.funnel,
            "test_set": self.looks.model_dump(mode="json") if self.looks else None,
            "model": str(self.model.folder) if self.model else None,
            "variant": self.model.variant if self.model else None,
            "model_scores": self.model.model_dump(mode="json")["test_scores"] if self.model else None,
            "dataset": self.dataset.record() if self.dataset else None,
            "classifier": self.classifier.record() if self.classifier else None,
            "account": list(self.account),
        }


def run_recipe(
    recipe: Recipe,
    *,
    hub: str | None = None,
    runs: Path = RUNS,
    publish: bool = True,
    refresh: bool = False,
    create_pr: bool = False,
    processes: Processes | None = None,
) -> RunResult:
    """Run every stage of a recipe, in order, and publish.

    Args:
        hub: `local` for the embedded Hub, None for the one that HF_ENDPOINT names.
        runs: Folder of run folders.
        publish: Publish to the repos the recipe names; with False nothing leaves this machine.
        refresh: Ask the generator anew, and look anew although the Hub already has this recipe's result.
        create_pr: Propose the new versions as pull requests.

    Raises:
        InputError: Recipe, data or launch are wrong; nothing was spent.
        StageError, PublishError: A stage or the Hub failed; the next run continues from what is complete.
    """
    started = time.monotonic()
    endpoint = use_hub(hub)
    pipeline = open_pipeline(recipe, hub=hub, runs=runs, refresh=refresh, processes=processes)
    repos = _repos(recipe) if publish else {}
    if publish:
        _check_publishable(pipeline, repos)
    with pipeline.lock():
        unchanged = {} if refresh else _unchanged(pipeline, repos)
        if repos and len(unchanged) == len(repos):
            return RunResult(recipe.name, endpoint, unchanged)
        results = pipeline.through("model")
        result = RunResult(
            recipe.name,
            endpoint,
            {},
            results.verdict,
            results.funnel,
            results.look_count,
            results.model,
            account=(
                *left_out_lines(results.natural.source),
                *cost_lines(results.generate),
                _duration(time.monotonic() - started),
            ),
        )
        if not repos or not pipeline.processes.is_main:
            return result
        from sentisynth_hub.publish.stage import publish_run

        dataset, classifier = publish_run(pipeline, results, create_pr=create_pr)
        return RunResult(**{**vars(result), "dataset": dataset, "classifier": classifier})


def summary_lines(result: RunResult) -> list[str]:
    """The run in the reader's words: where things are, the funnel, the table with the verdict, the label budget, what
    to do next."""
    if result.unchanged:
        tags = [f"  {repo_id}  {tag}" for repo_id, tag in result.unchanged.items()]
        return [
            "Nothing changed: the Hub already has what this recipe gives. No commit, no tag.",
            *tags,
            # fmt: skip
            "Next: change the recipe or the prompt, or run again with --refresh to ask the generator anew.",
        ]
    assert result.evaluation is not None
    assert result.funnel is not None
    assert result.looks is not None
    assert result.model is not None
    lines = [
        "",
        *_funnel_lines(result.funnel),
        "",
        *table_lines(result.evaluation),
        "",
        *_budget_lines(result.evaluation),
        f"note: {result.looks.sentence()}",
        "",
        *result.account,
        f"the model: {result.model.summary(result.evaluation.metric)}",
        *(f"  warning: {line}" for line in result.model.warnings()),
    ]
    for kind, published in (("dataset", result.dataset), ("model", result.classifier)):
        if published is not None:
            lines.append(f"{kind:<8} {published.url}  {published.version}  ({published.why})")
    if result.dataset or result.classifier:
        lines += ["", f"endpoint {result.endpoint}", *_next_lines(result)]
    else:
        folder = result.model.folder
        lines += [f"Use this model: {folder} (trained on {result.model.variant})",
                  f'Next: {_command_folder()}sentisynth predict {folder} "a text of yours"']  # fmt: skip
    return lines


def _repos(recipe: Recipe) -> dict[str, str]:
    """Repo id and type of everything the recipe publishes."""
    named = {"dataset": recipe.publish.dataset, "model": recipe.publish.model}
    repos = {repo_id: repo_type for repo_type, repo_id in named.items() if repo_id is not None}
    if not repos:
        raise InputError(
            f"recipe {recipe.name}: publish names neither a dataset nor a model; name one, or run with --no-publish"
        )
    for repo_id in repos:
        if repo_id.startswith("YOUR-NAME/"):
            raise InputError(
                f"publish: {repo_id} still says YOUR-NAME; put your Hub name there, or run with --no-publish"
            )
    return repos


def _check_publishable(pipeline: Pipeline, repos: dict[str, str]) -> None:
    """Find out before anything is spent what would stop publishing at the end: licences, and who may write where."""
    from sentisynth_hub.publish.checks.publishable import check_publishable

    check_publishable(pipeline.recipe, pipeline.pins)


def _unchanged(pipeline: Pipeline, repos: dict[str, str]) -> dict[str, str]:
    """Tags by repo id where the Hub has what this recipe gives; the first process sets a tag that is missing."""
    from sentisynth_hub.publish.commit import already_published, set_missing_tag

    tags = {
        repo_id: already_published(pipeline.inputs_digest, repo_id, repo_type) for repo_id, repo_type in repos.items()
    }
    pipeline.processes.wait()  # every process has looked before one of them publishes
    standing = {repo_id: version for repo_id, version in tags.items() if version is not None}
    if pipeline.processes.is_main:
        for repo_id, version in standing.items():
            if not version.tagged:
                set_missing_tag(repo_id, repos[repo_id])
    return {repo_id: version.tag for repo_id, version in standing.items()}


def left_out_lines(source: dict[str, Any]) -> list[str]:
    """What of the natural rows was read and not used, by split and reason."""
    parts = [
        f"{split}: {', '.join(f'{count:,} {reason}' for reason, count in read['left_out'].items())}"
        for split, read in source.get("splits", {}).items()
        if read.get("left_out")
    ]
    shared = sum(count for count in (source.get("left_out") or {}).values() if isinstance(count, int))
    parts += [f"{shared:,} that stand in a split that is evaluated on"] if shared else []
    return [f"natural rows left out: {'; '.join(parts)}"] if parts else []


def cost_lines(generated: "GenerateResult") -> list[str]:
    """What generation took, over all replicates; nothing where the rows were given."""
    corpora = generated.replicates.values()
    tokens = sum(corpus.tokens for corpus in corpora)
    if not tokens:
        return []
    cost = "" if generated.cost_usd is None else f", ${generated.cost_usd:,.4f}"
    count = "one corpus" if len(corpora) == 1 else f"{len(corpora)} corpora"
    return [f"generation: {sum(corpus.requests for corpus in corpora):,} requests, {tokens:,} tokens{cost} ({count})"]


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"this run took {f'{minutes} min ' if minutes else ''}{rest} s"


def _funnel_lines(funnel: dict[str, Any]) -> list[str]:
    lines = [f"funnel of replicate 0: {funnel['requests']} requests"]
    lines += [f"  - {step['rejected']:>6}  {step['filter']}: {step['reason']}" for step in funnel["funnel"]]
    labels = ", ".join(f"{label} {count}" for label, count in funnel["per_label"].items())
    lines.append(f"  = {funnel['kept']:>6}  kept ({labels})")
    for name, rows in funnel["writers"].items():
        lines.append(f"    {rows['kept']:>6}  of {rows['candidates']:,} rows by {name}")
    return lines


def _budget_lines(evaluation: Evaluation) -> list[str]:
    lines = ["human labels used (one replicate, each label once)"]
    for variant in evaluation.variants:
        if variant.budget is not None:
            uses = ", ".join(f"{use} {count}" for use, count in variant.budget.uses.items() if count)
            lines.append(f"  {variant.name:<18} {variant.budget.distinct:>6}  ({uses})")
    lines.append(f"  {label_sentence(evaluation, evaluation.primary)}")
    return [*lines, *(f"note: {warning}" for warning in warnings(evaluation))]


def _next_lines(result: RunResult) -> list[str]:
    folder = _command_folder()
    lines = ["Next, in a shell of your own:"]
    if "127.0.0.1" in result.endpoint:
        lines.append(f'  eval "$({folder}sentisynth hub env)"')
    if result.dataset is not None:
        load = f"datasets.load_dataset('{result.dataset.repo_id}', revision='{result.dataset.version}')"
        lines.append(f'  {folder}python -c "import datasets; print({load})"')
    if result.classifier is not None:
        model = f"{result.classifier.repo_id} --revision {result.classifier.version}"
        lines.append(f"  {folder}sentisynth predict {model} 'a text of yours'")
    return lines


def _command_folder() -> str:
    """What to type before `sentisynth`: nothing where the shell finds it, else this environment's folder."""
    here = Path(sys.executable).parent
    command = shutil.which("sentisynth")
    if command is not None and Path(command).parent == here:
        return ""
    return f"{os.path.relpath(here)}/" if here.is_relative_to(Path.cwd()) else f"{here}/"
