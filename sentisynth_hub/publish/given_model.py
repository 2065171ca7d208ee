"""Publishing a classifier that is there already, in the folder it was saved to.

MAJOR: the labels changed. MINOR: weights or configuration changed, or what it was trained from. PATCH: the card and
the scores. Nothing is opened with code of its own, and no pickle is published.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import DataError
from sentisynth_hub.pretrained.head_model import MODULES_FILE, read_head_model
from sentisynth_hub.publish.cards.published_manifest import GivenModelManifest, rounded
from sentisynth_hub.publish.checks.safety import check_model_files
from sentisynth_hub.publish.given_dataset import Description
from sentisynth_hub.publish.model_repo import model_files
from sentisynth_hub.publish.publication import Content, Publication
from sentisynth_hub.publish.repo_head import RepoHead
from sentisynth_hub.publish.versions.changes import Changes, ScoreChange, model_changes


_LEFT_OUT = {"optimizer.pt", "scheduler.pt", "scaler.pt", "training_args.bin", "trainer_state.json"}
"""What `Trainer` leaves beside a model to go on training; nobody who loads the model reads it."""
_PICKLES = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".h5", ".msgpack"}


class GivenModelPublication(Publication[GivenModelManifest]):
    """A saved classifier, ready to be planned against any head of `repo_id`.

    Args:
        folder: As `save_pretrained` leaves it, or a linear head in the layout of sentence-transformers.
        base_model: Hub id of what it was trained from; None: not said.
        datasets: Hub ids of what it was trained on, `id@tag` for a version.
        scores: Score by metric on test rows; empty: not measured.
        test_rows: How many test rows `scores` stand on.
        compared: Tag of the last version, and its scores beside these on the same test rows.

    Raises:
        DataError: The folder is no saved classifier, or holds a pickle.
    """

    repo_type = "model"
    manifest_kind = GivenModelManifest
    shows_natural_rows = True

    def __init__(
        self,
        folder: Path,
        description: Description,
        repo_id: str,
        *,
        base_model: str | None = None,
        datasets: Sequence[str] = (),
        scores: Mapping[str, float] | None = None,
        test_rows: int = 0,
        evaluation: Mapping[str, Any] | None = None,
        compared: tuple[str, ScoreChange] | None = None,
    ):
        self.labels = folder_labels(folder)
        common = {
            "language": list(description.language),
            "labels": self.labels,
            "licence": {"id": description.licence, "sources": []},
            "evaluation": evaluation,
        }
        super().__init__(repo_id, {}, common, people=description.text)
        self.compared = compared
        self.files = _publishable_files(folder)
        check_model_files(self.files)
        head = (folder / MODULES_FILE).is_file()
        self.facts = cast(
            dict[str, Any],
            rounded(
                {
                    "pretty_name": description.pretty_name,
                    "layout": "sentence-transformers" if head else "transformers",
                    "base_model": base_model,
                    "trained_on": list(datasets),
                    "weights": {path: _sha256(content) for path, content in self.files.items()},
                    "scores": dict(scores or {}),
                    "test_rows": test_rows,
                }
            ),
        )

    def changed_content(self, head: RepoHead, standing: GivenModelManifest) -> list[str]:
        """Files that differ, and what the model was made from."""
        before, now = standing.weights, self.facts["weights"]
        changed = [f"{path} changed" for path in now if path in before and before[path] != now[path]]
        changed += [f"{path} added" for path in now if path not in before]
        changed += [f"{path} removed" for path in before if path not in now]
        pairs = (
            ("labels", standing.labels, self.labels),
            ("base model", standing.base_model, self.facts["base_model"]),
            ("training data", standing.trained_on, self.facts["trained_on"]),
        )
        return changed + [f"{name} changed" for name, old, new in pairs if old != new]

    def changes(self, head: RepoHead | None, standing: GivenModelManifest | None, differences: list[str]) -> Changes:
        """What changed for whoever loads the model, and what else."""
        if head is None or standing is None:
            return model_changes(None, labels=([], []), sources=[], metadata=[])
        content = set(self.changed_content(head, standing)) - {"labels changed"}
        changes = model_changes(
            standing.tag,
            labels=(standing.labels, self.labels),
            sources=[reason for reason in differences if reason in content],
            metadata=[reason for reason in differences if reason not in content and reason != "labels changed"],
        )
        if self.compared is not None and self.compared[0] == standing.tag:
            changes["scores"] = self.compared[1]
        return changes

    def content(self, standing: GivenModelManifest | None) -> Content:
        """Every file, whole: the Hub's client sends only what the Hub lacks."""
        return Content({}, list(self.files), self.files)

    def kept_content(self, standing: GivenModelManifest) -> Content:
        """The head's own files."""
        return Content({}, list(standing.weights), {})


def folder_labels(folder: Path) -> list[str]:
    """Label names of a saved classifier, in the order of its outputs.

    Raises:
        DataError: The folder holds no classifier.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give the folder the model was saved to")
    if (folder / MODULES_FILE).is_file():
        return list(read_head_model(folder).labels)
    try:
        config: Mapping[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
        names = {int(place): str(name) for place, name in config["id2label"].items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        raise DataError(
            f"{folder}: config.json is missing or names no labels (id2label), so this is no saved classifier; save it "
            "with model.save_pretrained(folder) and tokenizer.save_pretrained(folder)"
        ) from None
    return [names[place] for place in sorted(names)]


def weight_digests(folder: Path) -> dict[str, str]:
    """sha256 of every file that is published of a model, by path."""
    return {path: _sha256(content) for path, content in _publishable_files(folder).items()}


def _publishable_files(folder: Path) -> dict[str, bytes | Path]:
    files = {path: content for path, content in model_files(folder).items() if Path(path).name not in _LEFT_OUT}
    checkpoints = [path for path in files if path.startswith("checkpoint-")]
    files = {path: content for path, content in files.items() if path not in checkpoints}
    pickles = [path for path in files if Path(path).suffix in _PICKLES or Path(path).name.startswith("rng_state")]
    if pickles:
        raise DataError(
            f"{folder}: {pickles[0]} is a pickle or of a kind that is not published; save the model as safetensors "
            "and take it out of the folder"
        )
    if checkpoints:
        log.info(f"{folder}: its checkpoints ({len(checkpoints)} files) are left out")
    return files


def _sha256(content: bytes | Path) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with open(content, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
