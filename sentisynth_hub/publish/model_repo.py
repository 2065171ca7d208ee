"""Planning a model version: from a saved classifier and the head to the files of one commit."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from sentisynth_hub import __version__
from sentisynth_hub.core.errors import DataError, PublishError
from sentisynth_hub.core.files import canonical_json
from sentisynth_hub.pretrained.head_model import ENCODER_FOLDER, MODULES_FILE, read_head_model
from sentisynth_hub.publish.card_figures import Pictures
from sentisynth_hub.publish.cards.published_manifest import MANIFEST_FILE, SCHEMA, ModelManifest, rounded
from sentisynth_hub.publish.cards.render import render_changelog, render_model_card
from sentisynth_hub.publish.checks.licences import gather_licences
from sentisynth_hub.publish.checks.safety import NaturalTexts, check_files, check_model_files
from sentisynth_hub.publish.dataset_repo import manifest_text
from sentisynth_hub.publish.release import ModelRelease, publishable_recipe, recipe_digest
from sentisynth_hub.publish.repo_head import RepoHead
from sentisynth_hub.publish.version_plan import Plan
from sentisynth_hub.publish.versions.changes import Changes, model_changes
from sentisynth_hub.publish.versions.tags import FIRST


_VOLATILE = ("toolkit", "inputs_digest")
_NEEDED = ("config.json", "tokenizer_config.json")
_LOCAL_PATHS = ("_name_or_path", "name_or_path")  # where transformers notes the folder a model was read from


class ModelPublication:
    """A checked model release, ready to be planned against any head of `repo_id`.

    Raises:
        DataError: The folder is not a saved classifier with the recipe's labels.
        InputError: A licence is unknown or clashes.
    """

    repo_type = "model"

    def __init__(self, release: ModelRelease, repo_id: str):
        self.release, self.repo_id = release, repo_id
        self.weights = _model_files(release.folder)
        check_model_files(self.weights)
        self.texts = {"recipe.yaml": publishable_recipe(release.recipe)}
        self.natural = NaturalTexts(release.natural)
        _check_labels(release)
        self.facts = self._facts()
        self.pictures = Pictures(self.facts["evaluation"])

    def plan(self, head: RepoHead | None) -> Plan:
        """Decide what to do about `head`; weight bytes alone never make a version.

        Raises:
            PublishError: The head cannot be built upon, or a planned file may not be published.
        """
        found = cast(ModelManifest, head.manifest) if head is not None and head.manifest is not None else None
        if found is not None and "base_model" not in found:
            raise PublishError(f"{self.repo_id}: its {MANIFEST_FILE} is not a model's; name another repo")
        changes = self._changes(head, found)
        if changes is None:
            assert head is not None
            assert head.version is not None
            return Plan(self.repo_id, "model", head.commit, head.version, None, {}, ())
        version = FIRST if head is None or head.version is None else head.version.next(changes["level"])
        figures, drawn = self.pictures.plan(head, found)
        manifest = self._manifest(version.tag[1:], changes, figures)
        additions: dict[str, bytes | Path] = {**self.weights, **self._files(manifest, head), **drawn}
        old = set(found["files"]) if found is not None else set()
        stale = (old - set(manifest["files"])) & head.paths if head is not None else set()
        parent = head.commit if head is not None else None
        return Plan(self.repo_id, "model", parent, version, changes, additions, tuple(sorted(stale)))

    def _facts(self) -> dict[str, Any]:
        release, recipe = self.release, self.release.recipe
        facts = {
            "schema": SCHEMA,
            "repo_id": self.repo_id,
            "recipe": {
                "name": recipe.name,
                "description": recipe.description,
                "digest": recipe_digest(self.texts["recipe.yaml"]),
            },
            "pretty_name": recipe.publish.pretty_name or self.repo_id.split("/")[1],
            "language": recipe.language,
            "labels": recipe.labels,
            "licence": gather_licences(recipe, release.pins),
            "evaluation": release.evaluation,
            "dataset": release.dataset,
            "base_model": dict(release.base_model),
            "variant": release.variant,
            "natural": _natural(release),
            "scores": dict(release.scores),
            "test_rows": len(release.natural.test),
            "hyperparameters": dict(release.hyperparameters),
            "label_budget": release.label_budget,
            "max_length": release.max_length,
            "layout": release.layout,
            "files": sorted([*self.weights, *self.texts, "README.md", "CHANGELOG.md", MANIFEST_FILE]),
        }
        return cast(dict[str, Any], rounded(facts))

    def _changes(self, head: RepoHead | None, found: ModelManifest | None) -> Changes | None:
        """What changed since the head; None where nothing did."""
        if head is None or found is None:
            return model_changes(None, labels=([], []), sources=[], metadata=[])
        sources = [
            f"{word} changed"
            for word, key in (("dataset", "dataset"), ("recipe", "recipe"), ("base model", "base_model"))
            if found[key] != self.facts[key]  # type: ignore[literal-required]
        ]
        metadata = [
            f"{key.replace('_', ' ')} changed"
            for key, value in self.facts.items()
            if key not in ("dataset", "recipe", "base_model", "labels", "files")
            and canonical_json(found.get(key)) != canonical_json(value)
        ]
        figures, _ = self.pictures.plan(head, found)
        metadata += ["files changed"] if found["files"] != sorted([*self.facts["files"], *figures]) else []
        metadata += [f"{path} restored" for path in found["files"] if path not in head.paths]
        existing = head.text("README.md") or ""
        if not metadata and not sources and render_model_card(found, existing) != existing:
            metadata.append("card changed")
        if found["labels"] == self.facts["labels"] and not sources and not metadata:
            return None
        return model_changes(
            f"v{found['version']}", labels=(found["labels"], self.facts["labels"]), sources=sources, metadata=metadata
        )

    def _manifest(self, version: str, changes: Changes, figures: list[str]) -> ModelManifest:
        made = {
            **self.facts,
            "files": sorted([*self.facts["files"], *figures]),
            **({"figures": figures} if figures else {}),
            "toolkit": __version__,
            "inputs_digest": self.release.inputs_digest,
            "version": version,
            "changes": changes,
        }
        return cast(ModelManifest, rounded(made))

    def _files(self, manifest: ModelManifest, head: RepoHead | None) -> dict[str, bytes]:
        existing = {
            path: (head.text(path) if head is not None else None) or "" for path in ("README.md", "CHANGELOG.md")
        }
        texts = {
            **self.texts,
            "README.md": render_model_card(manifest, existing["README.md"]),
            "CHANGELOG.md": render_changelog(manifest, existing["CHANGELOG.md"]),
            MANIFEST_FILE: manifest_text(manifest),
        }
        check_files(texts, self.natural)
        return {path: content.encode("utf-8") for path, content in texts.items()}


def _model_files(folder: Path) -> dict[str, bytes | Path]:
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


def _natural(release: ModelRelease) -> dict[str, Any]:
    source = release.natural.source
    names = ("dataset", "revision", "commit", "config_name", "splits")
    natural = {"dataset": None, "commit": None, **{name: source[name] for name in names if name in source}}
    return {**natural, "test_split": release.recipe.natural.splits.test or "test"}
