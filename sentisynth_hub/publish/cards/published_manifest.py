"""The shape of `sentisynth.json`, the manifest at the root of every published repo: all a card says comes from it.

It holds no clock, no duration, no path and no endpoint. Floats are rounded to 6 significant digits, so that the same
result computed twice gives the same manifest.
"""

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

from sentisynth_hub.annotate.ratings import HumanSummary
from sentisynth_hub.publish.versions.changes import Changes
from sentisynth_hub.publish.versions.corpus_statistics import Statistics


SCHEMA = 1
MANIFEST_FILE = "sentisynth.json"
_DIGITS = 6


class ConfigRecord(TypedDict):
    """One config of a dataset, split `train`.

    `digest`: sha256 over its canonical lines without floats (for `default`: the content digest). `values_digest`: the
    same with the floats. `columns`: name to type. `num_bytes`: size in memory; `files`: bytes by path in the repo.
    """

    rows: int
    digest: str
    values_digest: str
    columns: dict[str, str]
    num_bytes: int
    files: dict[str, int]


class FunnelStep(TypedDict):
    """Rows one filter dropped for one reason."""

    filter: str
    reason: str
    rejected: int


class LicenceSource(TypedDict):
    """A dataset or model that went into what is published; `reason` is a person's, where the recipe gives one."""

    id: str
    repo_type: str
    commit: str
    licence: str | None
    reason: str | None


class Licence(TypedDict):
    """Licence of what is published, and of all that went into it."""

    id: str
    sources: list[LicenceSource]


class StudyCost(TypedDict):
    """What generating the corpora of all replicates took; `replicates`: how many had one of their own."""

    replicates: int
    requests: int
    prompt_tokens: int
    completion_tokens: int
    usd: float | None


class Cost(TypedDict):
    """What the rows took. `usd` None: no price is known. `usd_per_kept`: dollars a kept row; `human_usd_per_row`:
    from the recipe. `study`: what the study's claim took in all, where it rests on more corpora than this one."""

    study: NotRequired[StudyCost]
    requests: int
    prompt_tokens: int
    completion_tokens: int
    usd: float | None
    usd_per_kept: float | None
    human_usd_per_row: float


class RecipeRecord(TypedDict):
    """Which recipe; `digest` is of the published recipe.yaml."""

    name: str
    description: str
    digest: str


class Common(TypedDict):
    """What both kinds of manifest have."""

    schema: int
    toolkit: str
    repo_id: str
    version: str
    inputs_digest: str
    recipe: RecipeRecord
    pretty_name: str
    language: list[str]
    labels: list[str]
    licence: Licence
    evaluation: dict[str, Any] | None
    changes: Changes
    files: list[str]
    figures: NotRequired[list[str]]


class DatasetManifest(Common):
    """Manifest of a dataset repo. `human_evaluation`: what people said of these very rows, where they were asked."""

    content_digest: str
    configs: dict[str, ConfigRecord]
    statistics: Statistics
    natural_statistics: Statistics
    score_filter: tuple[str, str, float] | None
    candidates: int
    funnel: list[FunnelStep]
    hidden: int
    label_budget: dict[str, Any] | None
    cost: Cost
    generator: dict[str, Any]
    natural: dict[str, Any]
    prompt_digest: str | None
    personal_data_checked: bool
    examples: list[tuple[str, str]]
    looks: int
    model: NotRequired[str]
    human_evaluation: NotRequired[HumanSummary]


class ModelManifest(Common):
    """Manifest of a model repo. `dataset`: id, version tag and commit of the synthetic rows, None where they were not
    published."""

    dataset: dict[str, str] | None
    base_model: dict[str, Any]
    variant: str
    natural: dict[str, Any]
    scores: dict[str, float]
    test_rows: int
    hyperparameters: dict[str, Any]
    label_budget: dict[str, Any] | None
    max_length: int | None
    layout: NotRequired[str]  # versions before it existed hold what `transformers` loads


def rounded(value: Any) -> Any:
    """`value` with every float inside rounded to 6 significant digits, tuples as lists: what JSON would give back."""
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, Mapping):
        return {str(key): rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    return value
