"""The metadata block (YAML front matter) of dataset and model cards, as the Hub reads it."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import yaml

from sentisynth_hub.core.errors import PublishError
from sentisynth_hub.core.safe_yaml import YamlError, load_yaml
from sentisynth_hub.publish.cards.published_manifest import (
    BaseManifest,
    ConfigRecord,
    DatasetManifest,
    GivenDatasetManifest,
    GivenModelManifest,
    ModelManifest,
)


if TYPE_CHECKING:
    from huggingface_hub import EvalResult


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
        metadata = load_yaml(match[1]) or {}
    except YamlError as error:
        raise PublishError(f"README.md: its metadata is not YAML ({error}); mend it on the Hub") from None
    if not isinstance(metadata, dict):
        raise PublishError("README.md: its metadata is not a YAML mapping; mend it on the Hub")
    return metadata, card[match.end() :]


def merged(existing: Mapping[str, Any], generated: Mapping[str, Any]) -> dict[str, Any]:
    """The generated keys, then the keys people added; tags people added stay behind the generated ones."""
    tags = list(generated["tags"])
    old_tags = existing.get("tags") or []
    tags += [tag for tag in (old_tags if isinstance(old_tags, list) else [old_tags]) if tag not in tags]
    return {**generated, "tags": tags} | {key: value for key, value in existing.items() if key not in generated}


def front_matter(metadata: Mapping[str, Any]) -> str:
    """Metadata as the block that opens a card."""
    body = yaml.safe_dump(dict(metadata), allow_unicode=True, sort_keys=False, width=10_000)
    return f"---\n{body}---\n"


def dataset_metadata(manifest: DatasetManifest) -> dict[str, Any]:
    """Metadata of a dataset card: every config explicit, with its features and sizes."""
    from huggingface_hub import DatasetCardData

    natural_included = "natural" in manifest.configs
    machine = ["machine-generated"]
    card = DatasetCardData(
        pretty_name=manifest.pretty_name,
        language=_languages(manifest),
        license=manifest.licence["id"],
        task_categories=["text-classification"],
        task_ids=["sentiment-classification" if set(manifest.labels) <= _SENTIMENT else "multi-class-classification"],
        multilinguality=["multilingual" if len(manifest.language) > 1 else "monolingual"],
        language_details=list(manifest.language),
        annotations_creators=machine + (["expert-generated"] if natural_included else []),
        language_creators=machine + (["found"] if natural_included else []),
        source_datasets=[manifest.natural.get("dataset") or "original"],
        size_categories=[size_category(manifest.configs["default"]["rows"])],
        tags=[*TAGS, "text"],
        configs=[_config(name, record) for name, record in manifest.configs.items()],
        dataset_info=[_info(name, record, manifest.labels) for name, record in manifest.configs.items()],
    )
    return dict(card.to_dict())  # type: ignore[no-untyped-call]


def model_metadata(manifest: ModelManifest) -> dict[str, Any]:
    """Metadata of a model card, with a model-index pinned to the test data's commit. A model that learned from no
    synthetic row names no synthetic dataset and has no such tag."""
    from huggingface_hub import ModelCardData

    natural = manifest.natural.get("dataset")
    used = [manifest.dataset["id"]] if manifest.dataset is not None else []
    used += [natural] if natural else []
    base = manifest.base_model["id"]
    card = ModelCardData(
        pretty_name=manifest.pretty_name,
        language=_languages(manifest),
        license=manifest.licence["id"],
        library_name=manifest.layout or "transformers",
        pipeline_tag="text-classification",
        datasets=used or None,
        metrics=["f1", "accuracy"],
        tags=[*(TAGS if manifest.synthetic_rows != 0 else TAGS[1:]), "text-classification"],
        model_name=manifest.repo_id.split("/")[1],
        eval_results=_results(manifest),
        base_model=base if "/" in base else None,  # a folder has no page to link to
        base_model_relation="finetune" if "/" in base else None,
    )
    return dict(card.to_dict())  # type: ignore[no-untyped-call]


def given_dataset_metadata(manifest: GivenDatasetManifest) -> dict[str, Any]:
    """Metadata of the card of a data set that was there already."""
    from huggingface_hub import DatasetCardData

    labels = manifest.labels
    task = "sentiment-classification" if set(labels) <= _SENTIMENT else "multi-class-classification"
    features = [feature(name, kind, labels) for name, kind in manifest.columns.items()]
    splits = manifest.splits
    card = DatasetCardData(
        pretty_name=manifest.pretty_name,
        language=_languages(manifest),
        license=manifest.licence["id"],
        task_categories=["text-classification"] if labels else None,
        task_ids=[task] if labels else None,
        language_details=list(manifest.language),
        source_datasets=list(manifest.made_from) or None,
        size_categories=[size_category(sum(record["rows"] for record in splits.values()))],
        tags=[*(TAGS if manifest.synthetic else TAGS[1:]), "text"],
        configs=[
            {
                "config_name": "default",
                "data_files": [{"split": name, "path": sorted(record["files"])} for name, record in splits.items()],
            }
        ],
        dataset_info={
            "features": features,
            "splits": [
                {"name": name, "num_bytes": record["num_bytes"], "num_examples": record["rows"]}
                for name, record in splits.items()
            ],
            "download_size": sum(sum(record["files"].values()) for record in splits.values()),
            "dataset_size": sum(record["num_bytes"] for record in splits.values()),
        },
    )
    return dict(card.to_dict())  # type: ignore[no-untyped-call]


def given_model_metadata(manifest: GivenModelManifest) -> dict[str, Any]:
    """Metadata of the card of a model that was there already."""
    from huggingface_hub import ModelCardData

    base = manifest.base_model
    card = ModelCardData(
        pretty_name=manifest.pretty_name,
        language=_languages(manifest),
        license=manifest.licence["id"],
        library_name=manifest.layout,
        pipeline_tag="text-classification",
        datasets=[name.partition("@")[0] for name in manifest.trained_on] or None,
        tags=[*TAGS[1:], "text-classification"],
        base_model=base,
        base_model_relation="finetune" if base else None,
    )
    return dict(card.to_dict())  # type: ignore[no-untyped-call]


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


def _languages(manifest: BaseManifest) -> list[str]:
    """The languages alone, as the Hub's filter knows them."""
    return list(dict.fromkeys(tag.split("-")[0].lower() for tag in manifest.language))


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


def _results(manifest: ModelManifest) -> "list[EvalResult]":
    """The scores as the Hub's model-index has them."""
    from huggingface_hub import EvalResult

    natural = manifest.natural
    return [
        EvalResult(
            task_type="text-classification",
            task_name="Text Classification",
            dataset_type=natural.get("dataset") or "unpublished",
            dataset_name=natural.get("dataset") or f"natural test rows of {manifest.recipe['name']}, not published",
            dataset_config=natural.get("config_name"),
            dataset_split=natural.get("test_split") or "test",
            dataset_revision=natural.get("commit"),
            metric_type="accuracy" if name == "accuracy" else "f1",
            metric_name=name,
            metric_value=value,
        )
        for name, value in sorted(manifest.scores.items())
    ]
