"""Planning a model version: from a saved classifier and the head to the files of one commit."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from sentisynth_hub.core.errors import DataError
from sentisynth_hub.pretrained.head_model import ENCODER_FOLDER, MODULES_FILE, read_head_model
from sentisynth_hub.publish.cards.published_manifest import ModelManifest, rounded
from sentisynth_hub.publish.checks.safety import check_model_files
from sentisynth_hub.publish.publication import Content, Publication, natural_source, release_parts
from sentisynth_hub.publish.release import ModelRelease
from sentisynth_hub.publish.repo_head import RepoHead
from sentisynth_hub.publish.versions.changes import Changes, model_changes
from sentisynth_hub.publish.versions.recipe_changes import decides_the_model


_NATURAL = ("dataset", "revision", "commit", "config_name", "splits")
_NEEDED = ("config.json", "tokenizer_config.json")
_LOCAL_PATHS = ("_name_or_path", "name_or_path")  # where transformers notes the folder a model was read from


class ModelPublication(Publication[ModelManifest]):
    """A classifier, ready to be planned against any head of `repo_id`; weight bytes alone never make a version.

    Raises:
        DataError: The folder is not a saved classifier with the recipe's labels.
        InputError: A licence is unknown or clashes.
    """

    repo_type = "model"
    manifest_kind = ModelManifest
    shows_natural_rows = False

    def __init__(self, release: ModelRelease, repo_id: str):
        texts, common, natural = release_parts(release)
        super().__init__(repo_id, texts, common, natural=natural)
        self.release = release
        self.weights = model_files(release.folder)
        check_model_files(self.weights)
        _check_labels(release)
        self.facts = self._facts()

    def changed_content(self, head: RepoHead, standing: ModelManifest) -> list[str]:
        """What the model was made from and is called by."""
        facts = self.facts
        pairs = (
            ("dataset", standing.dataset, facts["dataset"]),
            ("base model", standing.base_model, facts["base_model"]),
            ("variant", standing.variant, facts["variant"]),
            ("labels", standing.labels, self.release.recipe.labels),
        )
        return [f"{name} changed" for name, before, after in pairs if before != after]

    def changes(self, head: RepoHead | None, standing: ModelManifest | None, differences: list[str]) -> Changes:
        """What changed for whoever loads the model, and what else."""
        if standing is None:
            return model_changes(None, labels=([], []), sources=[], metadata=[])
        recipe = self.recipe_changes(head)
        sources = {"dataset changed", "base model changed", "variant changed"}
        if decides_the_model(recipe):
            sources |= {reason for reason in differences if reason.startswith("recipe.yaml changed")}
        changes = model_changes(
            standing.tag,
            labels=(standing.labels, self.release.recipe.labels),
            sources=[reason for reason in differences if reason in sources],
            metadata=[reason for reason in differences if reason not in sources and reason != "labels changed"],
        )
        changes["recipe"] = recipe
        if self.release.compared is not None and self.release.compared[0] == standing.tag:
            changes["scores"] = self.release.compared[1]
        return changes

    def content(self, standing: ModelManifest | None) -> Content:
        """Weights and tokenizer, whole."""
        return Content({}, list(self.weights), self.weights)

    def kept_content(self, standing: ModelManifest) -> Content:
        """The same files: their bytes decide nothing."""
        return Content({}, list(self.weights), {})

    def _facts(self) -> dict[str, Any]:
        release, recipe = self.release, self.release.recipe
        natural = natural_source(release.natural.source, _NATURAL)
        facts = {
            "pretty_name": recipe.publish.pretty_name or self.repo_id.split("/")[1],
            "dataset": release.dataset,
            "base_model": dict(release.base_model),
            "variant": release.variant,
            "synthetic_rows": release.synthetic_rows,
            "natural": {**natural, "test_split": recipe.natural.splits.test or "test"},
            "scores": dict(release.scores),
            "intervals": {name: list(ends) for name, ends in release.intervals.items()} or None,
            "test_rows": len(release.natural.test),
            "hyperparameters": dict(release.hyperparameters),
            "max_length": release.max_length,
            "layout": release.layout,
        }
        return cast(dict[str, Any], rounded(facts))


def model_files(folder: Path) -> dict[str, bytes | Path]:
    """Every file of the model by its path in the repo; notes of where this machine keeps its base model are taken
    out."""
    encoder = folder / ENCODER_FOLDER if (folder / MODULES_FILE).is_file() else folder
    missing = [name for name in _NEEDED if not (encoder / name).is_file()]
    if missing or not list(encoder.glob("*.safetensors")):
        raise DataError(f"{folder}: not a saved classifier: {(missing or ['*.safetensors'])[0]} is missing")
    files: dict[str, bytes | Path] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(".") and name != "README.md":
            files[name] = _without_paths(path) if path.name in _NEEDED else path
    return files


def _without_paths(path: Path) -> bytes:
    content = json.loads(path.read_text("utf-8"))
    kept = {key: value for key, value in content.items() if key not in _LOCAL_PATHS}
    return (json.dumps(kept, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode("utf-8")


def _check_labels(release: ModelRelease) -> None:
    if (release.folder / MODULES_FILE).is_file():
        names = list(read_head_model(release.folder).labels)
    else:
        config: Mapping[str, Any] = json.loads((release.folder / "config.json").read_text("utf-8"))
        names = [name for _, name in sorted(config.get("id2label", {}).items(), key=lambda pair: int(pair[0]))]
    if names != release.recipe.labels:
        raise DataError(
            f"{release.folder}: config.json: id2label is {names}, the recipe's labels are {release.recipe.labels}"
        )
