"""A linear head on a frozen encoder, as one folder that `sentence-transformers` loads.

    save_head_model(folder, "org/encoder", None, weights, ["negative", "positive"], max_length=64)
    read_head_model(folder).probabilities(["a fine film"])           # (1, 2)

The layout is that library's own: an encoder, mean pooling, (unit length,) and a dense layer without activation, so
that `SentenceTransformer(folder).encode(texts)` gives the logits. It holds JSON and safetensors, no pickle, no code.
The encoder lies in a folder of its own: a root `config.json` would let `pipeline("text-classification")` open the
encoder and make up a head of random weights.

Reading needs no more than `transformers`. What is read may come from anybody, so every module is checked, and one that
is none of these four kinds is refused.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sentisynth_hub.core.errors import InputError
from sentisynth_hub.pretrained.embeddings import embed, unit
from sentisynth_hub.pretrained.load_model import cut_length, load_pretrained


MODULES_FILE = "modules.json"
ENCODER_FOLDER, POOLING_FOLDER, NORMALIZE_FOLDER, DENSE_FOLDER = "0_Transformer", "1_Pooling", "2_Normalize", "3_Dense"
FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]
"""Patterns of the files that such a repo is opened from."""

_KINDS = ("Transformer", "Pooling", "Normalize", "Dense")
_TYPE = "sentence_transformers.models."  # the names that every version of the library understands
_PROMPT = "classification"  # name of the prefix among the library's prompts
_IDENTITY = "torch.nn.modules.linear.Identity"
_FOLDER = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*)?")  # beside modules.json, or where it lies itself
_LONGEST = 1_000_000  # tokens; a tokenizer that knows no limit says 10^30
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class HeadModel:
    """An encoder and the linear head on its pooled features.

    Attributes:
        encoder: Folder of the encoder and its tokenizer.
        labels: Label names, in the order of the logits.
        weights: (dimensions + 1, labels) float64, the last row being the bias.
        max_length: Tokens a text is cut to, special tokens included.
        prefix: Put before every text.
        unit_length: Whether features are scaled to L2 length 1 before the head reads them.
    """

    encoder: Path
    labels: tuple[str, ...]
    weights: Array
    max_length: int
    prefix: str = ""
    unit_length: bool = False

    def probabilities(self, texts: Sequence[str]) -> Array:
        """Probability of each label, (texts, labels).

        Each text goes through the encoder by itself and on one thread, so that it gets the same answer whatever stands
        beside it and whatever the machine.
        """
        features = embed(
            texts, str(self.encoder), prefix=self.prefix, max_length=self.max_length, batch_size=1, threads=1
        )
        logits = (unit(features) if self.unit_length else features) @ self.weights[:-1] + self.weights[-1]
        odds = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(odds / odds.sum(1, keepdims=True))


def save_head_model(
    folder: Path,
    encoder: str,
    revision: str | None,
    weights: Array,
    labels: Sequence[str],
    *,
    max_length: int,
    prefix: str = "",
    unit_length: bool = False,
) -> None:
    """Write the encoder (Hub id or folder) with its head to `folder`; the other arguments are those of `HeadModel`."""
    import torch
    from safetensors.numpy import save_file

    torch.manual_seed(0)  # a pooler that the checkpoint lacks is made up; it is not used, but it is written
    tokenizer, model = load_pretrained("encoder", encoder, revision=revision, dtype="float32")
    model.config.id2label = dict(enumerate(labels))
    model.config.label2id = {label: i for i, label in enumerate(labels)}
    max_length = tokenizer.model_max_length = cut_length(tokenizer, max_length)
    model.save_pretrained(folder / ENCODER_FOLDER)
    tokenizer.save_pretrained(folder / ENCODER_FOLDER)
    dimensions = len(weights) - 1
    _write(
        folder / ENCODER_FOLDER / "sentence_bert_config.json", {"max_seq_length": max_length, "do_lower_case": False}
    )
    pooling = {
        "word_embedding_dimension": dimensions,
        "pooling_mode_mean_tokens": True,
        "pooling_mode_cls_token": False,
    }
    _write(folder / POOLING_FOLDER / "config.json", pooling)
    if unit_length:
        _write(folder / NORMALIZE_FOLDER / "config.json", {})
    dense = {"in_features": dimensions, "out_features": len(labels), "bias": True, "activation_function": _IDENTITY}
    _write(folder / DENSE_FOLDER / "config.json", dense)
    tensors = {"linear.weight": weights[:-1].T, "linear.bias": weights[-1]}
    save_file(
        {name: np.ascontiguousarray(tensor, dtype=np.float32) for name, tensor in tensors.items()},
        folder / DENSE_FOLDER / "model.safetensors",
    )
    prompt = {"prompts": {_PROMPT: prefix}, "default_prompt_name": _PROMPT} if prefix else {}
    _write(folder / "config_sentence_transformers.json", prompt)
    paths = (ENCODER_FOLDER, POOLING_FOLDER, *([NORMALIZE_FOLDER] if unit_length else []), DENSE_FOLDER)
    modules = [
        {"idx": place, "name": str(place), "path": path, "type": _TYPE + path.split("_")[1]}
        for place, path in enumerate(paths)
    ]
    _write(folder / MODULES_FILE, modules)  # last: it is what says that the folder is such a model


def read_head_model(folder: Path, name: str | None = None) -> HeadModel:
    """Read what `save_head_model` wrote, or what `sentence-transformers` wrote of the same modules.

    Args:
        name: What messages call it; default: the folder.

    Raises:
        InputError: A module is missing, of another kind, or does not fit the others; nothing of it was run.
    """
    return _Reader(folder, name or str(folder)).read()


@dataclass(frozen=True)
class _Reader:
    folder: Path
    name: str

    def read(self) -> HeadModel:
        places = self._modules()
        encoder = self.folder / places["Transformer"]
        if not list(encoder.glob("*.safetensors")):
            raise self._refused(f"{places['Transformer'] or '.'} holds no safetensors; other formats can hold code")
        config = self._mapping(encoder / "config.json")
        self._check_pooling(self._mapping(self.folder / places["Pooling"] / "config.json"))
        self._check_dense(self._mapping(self.folder / places["Dense"] / "config.json"))
        weights = self._weights(places["Dense"])
        labels = self._labels(config, weights.shape[1])
        return HeadModel(encoder, labels, weights, self._max_length(encoder), self._prefix(), "Normalize" in places)

    def _modules(self) -> dict[str, str]:
        """Folder of each module by its kind."""
        modules = self._json(self.folder / MODULES_FILE)
        places: dict[str, str] = {}
        for module in modules if isinstance(modules, list) else []:
            kind, path = (module.get("type"), module.get("path")) if isinstance(module, dict) else (None, None)
            if not isinstance(kind, str) or not isinstance(path, str):
                raise self._refused(f"{MODULES_FILE} names a module without a type or a path")
            library, _, short = kind.rpartition(".")
            if library.split(".")[0] != "sentence_transformers" or short not in _KINDS:
                raise self._refused(f"{MODULES_FILE} names the module {kind!r}; only {', '.join(_KINDS)} are opened")
            if not _FOLDER.fullmatch(path):
                raise self._refused(f"{MODULES_FILE} names the path {path!r}; a module lies in a folder beside it")
            places[short] = path
        expected = [kind for kind in _KINDS if kind in places or kind != "Normalize"]
        if "Dense" not in places:
            raise self._refused(
                "it gives embeddings and has no trained classification head (no Dense module with safetensors); "
                "name a fine-tuned classifier"
            )
        if list(places) != expected or len(modules) != len(expected):
            raise self._refused(f"its modules are {', '.join(places)}; expected {', '.join(expected)}, in this order")
        return places

    def _check_pooling(self, config: dict[str, Any]) -> None:
        mode = config.get("pooling_mode")
        flags = [key for key, value in config.items() if key.startswith("pooling_mode_") and value]
        if mode not in (None, "mean", ["mean"]) or (mode is None and flags != ["pooling_mode_mean_tokens"]):
            raise self._refused(f"it pools by {mode or ', '.join(flags) or 'nothing'}; only the mean is opened")

    def _check_dense(self, config: dict[str, Any]) -> None:
        expected = {"activation_function": _IDENTITY, "use_residual": False}
        expected |= {"module_input_name": "sentence_embedding", "module_output_name": "sentence_embedding"}
        for key, value in expected.items():
            if (key in config or key == "activation_function") and config.get(key) != value:
                raise self._refused(f"its dense layer has {key} {config.get(key)!r}; only {value!r} is opened")

    def _max_length(self, encoder: Path) -> int:
        """Tokens a text is cut to: the library writes it in one of two files, by its version."""
        for name, key in (
            ("sentence_bert_config.json", "max_seq_length"),
            ("tokenizer_config.json", "model_max_length"),
        ):
            path = encoder / name
            length = self._mapping(path).get(key) if path.exists() else None
            if length is not None:
                break
        if not isinstance(length, int) or isinstance(length, bool) or not 1 <= length <= _LONGEST:
            raise self._refused(f"{name}: {key} is {length!r}; expected a number of tokens from 1 to {_LONGEST:,}")
        return length

    def _weights(self, place: str) -> Array:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        path = self.folder / place / "model.safetensors"
        try:
            tensors = load_file(path)
        except (OSError, SafetensorError) as error:
            raise self._refused(f"{place}/model.safetensors cannot be read: {error}") from error
        weight, bias = (tensors.get(f"linear.{part}") for part in ("weight", "bias"))
        if weight is None or bias is None or weight.ndim != 2 or bias.shape != weight.shape[:1]:
            shapes = {key: tensor.shape for key, tensor in tensors.items()}
            raise self._refused(f"{place}/model.safetensors is no linear layer: it holds {shapes}")
        weights = np.concatenate([weight.T, bias[None]]).astype(np.float64)
        if not np.isfinite(weights).all():
            raise self._refused(f"{place}/model.safetensors holds weights that are no finite numbers")
        return np.asarray(weights)

    def _labels(self, config: dict[str, Any], count: int) -> tuple[str, ...]:
        names = config.get("id2label")
        labels = [names.get(str(i)) for i in range(count)] if isinstance(names, dict) else []
        if len(labels) != count or not all(isinstance(label, str) for label in labels) or len(set(labels)) != count:
            raise self._refused(f"config.json: id2label is {names!r}; expected {count} different names")
        return tuple(str(label) for label in labels)

    def _prefix(self) -> str:
        path = self.folder / "config_sentence_transformers.json"
        config = self._mapping(path) if path.exists() else {}
        prompt = config.get("default_prompt_name")
        if prompt is None:
            return ""
        prompts = config.get("prompts")
        text = prompts.get(prompt) if isinstance(prompts, dict) and isinstance(prompt, str) else None
        if not isinstance(text, str):
            raise self._refused(f"{path.name}: the prompt {prompt!r} that it names is not there")
        return text

    def _mapping(self, path: Path) -> dict[str, Any]:
        content = self._json(path)
        if not isinstance(content, dict):
            raise self._refused(f"{path.relative_to(self.folder)} is no mapping")
        return content

    def _json(self, path: Path) -> Any:
        try:
            return json.loads(path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            why = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read: {error}"
            raise self._refused(f"{path.relative_to(self.folder)} {why}") from error

    def _refused(self, why: str) -> InputError:
        return InputError(f"{self.name}: {why}")


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2, sort_keys=True) + "\n", "utf-8")
