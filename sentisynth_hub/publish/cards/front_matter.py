"""The metadata block (YAML front matter) of dataset and model cards, as the Hub reads it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from sentisynth_hub.core.errors import PublishError
from sentisynth_hub.publish.cards.published_manifest import ConfigRecord, DatasetManifest, ModelManifest


TAGS = ["synthetic", "sentisynth-hub"]
_FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_SENTIMENT = {"positive", "negative", "neutral", "mixed", "very positive", "very negative"}
_SIZES = [(10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M")]


def split_card(card: str) -> tuple[dict[str, Any], str]:
    """Part a card into its metadata and its text; no front matter is empty metadata.

    Raises:
        PublishError: The front matter is not a YAML mapping.
    """
    match = _FRONT.match(card)
    if match is None:
        return {}, card
    try:
        metadata = yaml.safe_load(match[1]) or {}
    except yaml.YAMLError as error:
        raise PublishError(
            f"README.md: its metadata is not YAML ({str(error).splitlines()[0]}); mend it on the Hub"
        ) from None
    if not isinstance(metadata, dict):
        raise PublishError("README.md: its metadata is not a YAML mapping; mend it on the Hub")
    return metadata, card[match.end() :]


def merged(existing: Mapping[str, Any], generated: Mapping[str, Any]) -> dict[str, Any]:
    """The generated keys, then the keys people added; tags people added stay behind the generated ones."""
    tags = list(generated["tags"])
    found = existing.get("tags") or []
    tags += [tag for tag in (found if isinstance(found, list) else [found]) if tag not in tags]
    return {**generated, "tags": tags} | {key: value for key, value in existing.items() if key not in generated}


def front_matter(metadata: Mapping[str, Any]) -> str:
    """Metadata as the block that opens a card."""
    body = yaml.safe_dump(dict(metadata), allow_unicode=True, sort_keys=False, width=10_000)
    return f"---\n{body}---\n"


def dataset_metadata(manifest: DatasetManifest) -> dict[str, Any]:
    """Metadata of a dataset card: every config explicit, with its features and sizes."""
    natural_included = "natural" in manifest["configs"]
    natural_id = manifest["natural"].get("dataset")
    machine = ["machine-generated"]
    return {
        **_common(manifest),
        "task_categories": ["text-classification"],
        "task_ids": [
            "sentiment-classification" if set(manifest["labels"]) <= _SENTIMENT else "multi-class-classification"
        ],
        "multilinguality": ["multilingual" if len(manifest["language"]) > 1 else "monolingual"],
        "language_details": ", ".join(manifest["language"]),
        "annotations_creators": machine + (["expert-generated"] if natural_included else []),
        "language_creators": machine + (["found"] if natural_included else []),
        "source_datasets": [natural_id or "original"],
        "size_categories": [size_category(manifest["configs"]["default"]["rows"])],
        "tags": [*TAGS, "text"],
        "configs": [_config(name, record) for name, record in manifest["configs"].items()],
        "dataset_info": [_info(name, record, manifest["labels"]) for name, record in manifest["configs"].items()],
    }


def model_metadata(manifest: ModelManifest) -> dict[str, Any]:
    """Metadata of a model card, with a model-index pinned to the test data's commit."""
    natural = manifest["natural"]
    used = [dataset["id"] for dataset in [manifest["dataset"]] if dataset is not None]
    used += [natural["dataset"]] if natural.get("dataset") else []
    metadata = {
        **_common(manifest),
        "library_name": manifest.get("layout", "transformers"),
        "pipeline_tag": "text-classification",
        "datasets": used,
        "metrics": ["f1", "accuracy"],
        "tags": [*TAGS, "text-classification"],
        "model-index": [_index(manifest)],
    }
    if "/" in manifest["base_model"]["id"]:  # a folder has no page to link to
        metadata |= {"base_model": manifest["base_model"]["id"], "base_model_relation": "finetune"}
    return metadata


def size_category(rows: int) -> str:
    """The Hub's name for a number of rows."""
    return next((name for limit, name in _SIZES if rows < limit), "10M<n<100M")


def feature(name: str, kind: str, labels: Sequence[str]) -> dict[str, Any]:
    """One column as `dataset_info` writes it; kinds are Arrow's names, `label` (a ClassLabel) and `list<...>`."""
    if kind == "label":
        return {"name": name, "dtype": {"class_label": {"names": {str(i): label for i, label in enumerate(labels)}}}}
    if kind.startswith("list<"):
        return {"name": name, "list": kind[5:-1]}
    return {"name": name, "dtype": kind}


def _common(manifest: DatasetManifest | ModelManifest) -> dict[str, Any]:
    languages = list(dict.fromkeys(tag.split("-")[0].lower() for tag in manifest["language"]))
    return {"pretty_name": manifest["pretty_name"], "language": languages, "license": manifest["licence"]["id"]}


def _config(name: str, record: ConfigRecord) -> dict[str, Any]:
    files = {"config_name": name, "data_files": [{"split": "train", "path": sorted(record["files"])}]}
    return files | ({"default": True} if name == "default" else {})


def _info(name: str, record: ConfigRecord, labels: Sequence[str]) -> dict[str, Any]:
    return {
        "config_name": name,
        "features": [feature(column, kind, labels) for column, kind in record["columns"].items()],
        "splits": [{"name": "train", "num_bytes": record["num_bytes"], "num_examples": record["rows"]}],
        "download_size": sum(record["files"].values()),
        "dataset_size": record["num_bytes"],
    }


def _index(manifest: ModelManifest) -> dict[str, Any]:
    natural = manifest["natural"]
    dataset: dict[str, Any] = {
        "type": natural.get("dataset") or "unpublished",
        "name": natural.get("dataset") or f"natural test rows of {manifest['recipe']['name']}, not published",
        "split": natural.get("test_split") or "test",
    }
    if natural.get("config_name"):
        dataset["config"] = natural["config_name"]
    if natural.get("commit"):
        dataset["revision"] = natural["commit"]
    metrics = [
        {"type": "accuracy" if name == "accuracy" else "f1", "value": value, "name": name}
        for name, value in sorted(manifest["scores"].items())
    ]
    task = {"type": "text-classification", "name": "Text Classification"}
    return {
        "name": manifest["repo_id"].split("/")[1],
        "results": [{"task": task, "dataset": dataset, "metrics": metrics}],
    }
