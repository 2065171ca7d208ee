"""What a run hands over to be published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sentisynth_hub.core.rows import Rejected, Row
from sentisynth_hub.natural.splits import NaturalData
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.revisions import Pin


@dataclass(frozen=True)
class DatasetRelease:
    """A corpus with everything its repo will say about it.

    Attributes:
        recipe: As pinned (revisions are commits).
        prompt_text: Source of the prompt template; "" where the rows were given and nobody was asked.
        pins: What the recipe's repos and files resolved to, by key path.
        natural: All natural rows; they are kept out of what is published, and measured for comparison.
        kept: Rows that passed every filter, in the order they were asked for.
        rejected: The others, rows that could not be parsed included: kept + rejected = all.
        lineage: One mapping a row of kept + rejected: request_id, prompt_id, demonstration_ids, model, model_revision,
            system_fingerprint, sampling, seed, sample_index, prompt_tokens, completion_tokens, cost_usd, attributes.
        funnel: `filter`, `reason`, `rejected` in the order of the filters; must agree with `rejected`.
        generation: The generate stage's manifest: `model`, `prompt_digest`, `num_shots` and the costs of `replicates`
            are read; `refresh`: how often everything was asked anew (with other seeds).
        requests: Requests that were answered.
        evaluation: evaluation.json, None where no study was run.
        inputs_digest: Digest of all that decides what is published.
        dataset_model: Repo id of the model trained on it, if one is published.
        human_evaluation: human_evaluation.json, None where people were not asked.
    """

    recipe: Recipe
    prompt_text: str
    pins: Mapping[str, Pin]
    natural: NaturalData
    kept: Sequence[Row]
    rejected: Sequence[Rejected]
    lineage: Sequence[Mapping[str, Any]]
    funnel: Sequence[Mapping[str, Any]]
    generation: Mapping[str, Any]
    requests: int
    evaluation: Mapping[str, Any] | None
    inputs_digest: str
    label_budget: Mapping[str, Any] | None = None
    dataset_model: str | None = None
    human_evaluation: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class ModelRelease:
    """A fine-tuned classifier with everything its repo will say about it.

    Attributes:
        recipe, pins, natural, evaluation, inputs_digest, label_budget: As for `DatasetRelease`.
        folder: config.json, safetensors, tokenizer.
        variant: Variant of the study it is replicate 0 of.
        scores: This very checkpoint's scores on the natural test rows, by metric key.
        base_model: `id` and `commit`.
        dataset: `id`, `version` (tag) and `commit` of the published synthetic rows; None where they are not published.
        hyperparameters: Name to text or number, as the card shows them.
        max_length: Tokens a training text was cut to.
    """

    recipe: Recipe
    pins: Mapping[str, Pin]
    natural: NaturalData
    folder: Path
    variant: str
    scores: Mapping[str, float]
    base_model: Mapping[str, Any]
    dataset: Mapping[str, str] | None
    evaluation: Mapping[str, Any] | None
    inputs_digest: str
    label_budget: Mapping[str, Any] | None = None
    hyperparameters: Mapping[str, str | int | float] = field(default_factory=dict)
    max_length: int | None = None


def publishable_recipe(recipe: Recipe) -> str:
    """The recipe as YAML that anyone may read: no endpoint address, no path of a machine; the prompt lies beside
    it."""
    content = recipe.model_dump(mode="json", exclude_unset=True, exclude={"scales": True})
    content["generate"]["generator"].pop("base_url", None)
    if recipe.generate.generator.kind != "rows":
        content["generate"].setdefault("prompt", {})["template"] = "prompt.jinja2"
    files = content["natural"].get("files")
    if files:
        content["natural"]["files"] = {split: path and Path(path).name for split, path in files.items()}
    for source in (content["generate"]["generator"], content["study"].get("zero_shot")):
        if source and source.get("file"):
            source["file"] = Path(source["file"]).name
    return yaml.safe_dump(_without_paths(content), allow_unicode=True, sort_keys=False, width=120)


def _without_paths(value: Any) -> Any:
    """`value` with every absolute or home path inside cut to its last part."""
    if isinstance(value, str):
        return Path(value).name if value.startswith(("/", "~")) and "\n" not in value else value
    if isinstance(value, dict):
        return {key: _without_paths(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_paths(inner) for inner in value]
    return value
