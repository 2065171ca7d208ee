"""Opening any text classifier, ours or not, by one function.

    classifier = open_classifier("org/model", "v1.0.0")
    classifier.predict(["a fine film", "a dull one"])                # ["positive", "negative"]

Two formats are opened, neither with code of the repo's own: what `AutoModelForSequenceClassification` loads, whose
answers are those of plain `pipeline()`, and a linear head on an encoder in the layout of `sentence-transformers`
(`head_model.py`). Texts are answered one by one on the CPU: the same text gets the same answer in any file.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.hub_endpoint import LIBRARY, refusal
from sentisynth_hub.pretrained.head_model import FILES, MODULES_FILE, read_head_model
from sentisynth_hub.pretrained.load_model import load_pretrained


Layout = Literal["transformers", "sentence-transformers"]
"""The library that loads a model, as the Hub's `library_name` spells it."""
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class TextClassifier:
    """An opened text classifier.

    Attributes:
        source: Hub id or folder, as messages call it.
        layout: The library that loads it.
        labels: Label names, in the order of the columns of `probabilities`.
        score: Probabilities of some texts, (texts, labels).
    """

    source: str
    layout: Layout
    labels: tuple[str, ...]
    score: Callable[[Sequence[str]], Array]

    def probabilities(self, texts: Sequence[str]) -> Array:
        """Probability of each label, (texts, labels) float64."""
        if not texts:
            return np.zeros((0, len(self.labels)))
        return np.asarray(self.score(texts), dtype=np.float64)

    def predict(self, texts: Sequence[str]) -> list[str]:
        """The likeliest label of each text; of equally likely ones the first."""
        return [self.labels[i] for i in self.probabilities(texts).argmax(1)]


def open_classifier(source: Path | str, revision: str | None = None) -> TextClassifier:
    """Open a Hub model or a folder.

    Args:
        revision: Tag, branch or commit on the Hub.

    Raises:
        InputError: There is no such model, or it has no trained classification head: its answers would be made up.
    """
    name = str(source)
    folder = Path(source).expanduser()
    if folder.is_dir():
        return _open(name, folder, None, (folder / MODULES_FILE).is_file())
    if isinstance(source, Path) or name.startswith(("/", ".", "~")):
        raise InputError(f"{name}: there is no such folder; name a model's folder or its id on the Hub")
    return _open(name, None, revision, _has_modules(name, revision))


def _open(name: str, folder: Path | None, revision: str | None, modules: bool) -> TextClassifier:
    if not modules:
        return _stock(name, folder, revision)
    if folder is None:
        from huggingface_hub import snapshot_download

        folder = Path(snapshot_download(name, revision=revision, allow_patterns=FILES, **LIBRARY))
    if (folder / "model_head.pkl").is_file() or (folder / "config_setfit.json").is_file():
        raise InputError(
            f"{name}: its head is a pickle (SetFit's model_head.pkl), which can hold code and is not opened; save the "
            "model with a safetensors head, or name another"
        )
    model = read_head_model(folder, name)
    return TextClassifier(name, "sentence-transformers", model.labels, model.probabilities)


def _has_modules(repo_id: str, revision: str | None) -> bool:
    """Whether the repo has a `modules.json`.

    Raises:
        InputError: There is no such repo or revision that this user may read.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    try:
        hf_hub_download(repo_id, MODULES_FILE, revision=revision, **LIBRARY)
    except EntryNotFoundError:  # or not known to be there without a network: then `transformers` decides
        return False
    except Exception as error:
        if (why := refusal(error, "model", revision)) is None:
            raise
        raise InputError(f"{repo_id}: {why}") from None
    return True


def _stock(name: str, folder: Path | None, revision: str | None) -> TextClassifier:
    """What `AutoModelForSequenceClassification` loads, asked through plain `pipeline()`."""
    from transformers import pipeline

    tokenizer, model = load_pretrained("classifier", name if folder is None else str(folder), revision=revision)
    labels = tuple(str(model.config.id2label[i]) for i in range(model.config.num_labels))
    if len(labels) < 2 or len(set(labels)) != len(labels):
        raise InputError(f"{name}: its labels are {', '.join(labels)}; a classifier has two or more different ones")
    answer = pipeline("text-classification", model=model, tokenizer=tokenizer, device="cpu")

    def score(texts: Sequence[str]) -> Array:
        """`truncation` matters for texts longer than the encoder reads, which the plain call refuses."""
        rows = []
        for text in log.progress("predictions", texts, total=len(texts)):
            by_label = {item["label"]: item["score"] for item in answer(text, top_k=None, truncation=True)}
            rows.append([by_label[label] for label in labels])
        return np.array(rows, dtype=np.float64)

    return TextClassifier(name, "transformers", labels, score)
