"""Making a published corpus again from its published recipe, to see whether the very same rows come out.

The published recipe says everything but where natural rows and models lie on somebody's disk: those are the user's to
give. Only replicate 0 is made again, since only its corpus is published.
"""

from collections.abc import Iterator
from pathlib import Path

from sentisynth_hub.core.distributed import Processes, share_cores
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.rows import content_digest
from sentisynth_hub.core.run_folder import stage_folder
from sentisynth_hub.filter import stage as filtering
from sentisynth_hub.generate import stage as generation
from sentisynth_hub.generate.top_up import Batch, next_batch
from sentisynth_hub.natural.folds import study_samples
from sentisynth_hub.natural.stage import load_natural
from sentisynth_hub.publish.card_check import Check
from sentisynth_hub.publish.cards.published_manifest import DatasetManifest, Manifest
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.revisions import Pin, model_sections, pin_recipe


_NEEDED = ("generate", "filter")  # the study's models have no part in the rows


def rebuild(recipe: Recipe, manifest: Manifest, folder: Path) -> list[Check]:
    """Generate and filter replicate 0 again, and compare what went in and what came out with the manifest.

    Args:
        recipe: The published one, with the user's own paths put in.
        manifest: sentisynth.json of the dataset version.
        folder: Takes the run; tens of megabytes for a few thousand rows.

    Returns:
        Natural rows, models, and the content digest of the rows.

    Raises:
        InputError: The rows came from an endpoint, or a path that was not published is missing.
    """
    if not isinstance(manifest, DatasetManifest):
        raise InputError("verify --rebuild: this is a model; verify the dataset that its card names with --rebuild")
    if not all(section.repeatable for section in recipe.generators.values()):
        raise InputError(
            "verify --rebuild: the rows came from an endpoint, or were judged by one, which answers differently every "
            "time; leave it out"
        )
    share_cores()
    recipe = _without_zero_shot(recipe)
    _check_paths(recipe)
    pinned, pins = pin_recipe(recipe, _NEEDED)
    natural = load_natural(pinned)
    samples = study_samples(pinned, natural)[:1]
    refresh = manifest.generator.get("refresh", 0)
    further: list[Batch] = []
    first = None
    while True:
        generated = stage_folder(folder, "generate", version=generation.VERSION, recipe=further)
        first = first or generated
        generation.generate(
            pinned, samples, generated, Processes(), refresh=refresh, further=further, first=first, natural=natural
        )
        filtered = stage_folder(folder, "filter", version=filtering.VERSION, recipe=further)
        filtering.filter_candidates(pinned, samples, natural, generation.load(generated), filtered, Processes())
        kept = filtering.load(filtered)
        batch = next_batch(pinned, further, kept.per_label)
        if batch is None:
            break
        further = [*further, batch]
    rebuilt = content_digest(kept.kept(0))
    published = manifest.content_digest
    return [
        _models(pins, manifest),
        Check("content digest of the rows generated again", published == rebuilt, published, rebuilt),
    ]


def _without_zero_shot(recipe: Recipe) -> Recipe:
    """The recipe without the rows that only one variant of the study reads: the corpus owes them nothing."""
    content = recipe.model_dump(mode="json")
    content["study"].pop("zero_shot", None)
    content["study"]["variants"] = [name for name in content["study"]["variants"] if name != "zero_shot"]
    return recipe.with_content(content)


def _models(pins: dict[str, Pin], manifest: Manifest) -> Check:
    """Whether the models used now are among those that went into the version."""
    commits = {source["commit"] for source in manifest.licence["sources"]}
    others = [f"{path} ({pin.id} at {pin.commit[:12]})" for path, pin in pins.items() if _is_other(pin, commits)]
    return Check("models that did not go into it", not others, [], others)


def _is_other(pin: Pin, commits: set[str]) -> bool:
    return pin.repo_type == "model" and pin.commit not in commits


def _check_paths(recipe: Recipe) -> None:
    """Raise one line that names every path the user has to give."""
    missing = list(_missing_paths(recipe))
    if missing:
        raise InputError(
            f"verify --rebuild: needs {', '.join(key for key, _ in missing)}, which the version does not hold; "
            f"add {' '.join(f'{key}={form}' for key, form in missing)} to the command"
        )


def _missing_paths(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Key path and what to write, of every local file and model folder of the recipe that is not here."""
    for split, path in recipe.natural.files or ():
        if path is not None and not recipe.has_file(path, f"natural.files.{split}"):
            yield f"natural.files.{split}", "FILE"
    rows_file = recipe.generate.generator.rows_file
    if rows_file is not None and not recipe.has_file(rows_file, "generate.generator.file"):
        yield "generate.generator.file", "FILE"
    seeds = recipe.generate.prompt.seed_texts
    if seeds is not None and not recipe.has_file(seeds, "generate.prompt.seed_texts"):
        yield "generate.prompt.seed_texts", "FILE"
    texts = getattr(recipe.generate.method, "file", None)
    if texts is not None and not recipe.has_file(texts, "generate.method.file"):
        yield "generate.method.file", "FILE"
    for path, section in model_sections(recipe.model_dump(mode="json")):
        name = section["model"]
        if path.partition(".")[0] in _NEEDED and "/" not in name and not Path(name).expanduser().is_dir():
            yield f"{path}.model", "FOLDER"
