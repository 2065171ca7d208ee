"""The shape of `sentisynth.json`, the manifest at the root of every published repo: all a card says comes from it.

It holds no clock, no duration, no path and no endpoint. Floats are rounded to 6 significant digits, so that the same
result computed twice gives the same manifest.
"""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NotRequired, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator
from typing_extensions import TypedDict  # pydantic reads no other before Python 3.12

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import PublishError
from sentisynth_hub.core.repo_ids import repo_id_problem
from sentisynth_hub.publish.versions.changes import Changes
from sentisynth_hub.publish.versions.corpus_statistics import Statistics


SCHEMA = 2
"""Format of the manifest; 2: digests leave the hashes of hidden texts out, changes name the recipe's keys."""
MANIFEST_FILE = "sentisynth.json"
_DIGITS = 6
_LONGEST = 64 << 20  # characters


def _inside_the_repo(path: str) -> str:
    if not path or path.startswith("/") or "\\" in path or not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise ValueError(f"{path[:80]!r} is no path inside a repo")
    return path


def _repo_id(repo_id: str) -> str:
    problem = repo_id_problem(repo_id)
    if problem is not None:
        raise ValueError(problem)
    return repo_id


FilePath = Annotated[str, AfterValidator(_inside_the_repo)]
"""A file's path in its repo."""


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
    files: dict[FilePath, int]


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
    human_usd_per_row: float | None


class RecipeRecord(TypedDict):
    """Which recipe; `digest` is of the published recipe.yaml."""

    name: str
    description: str
    digest: str


class BaseModelRecord(TypedDict):
    """The pretrained model that was fine-tuned; `commit`: of a Hub repo, or the sha256 of a folder."""

    id: str
    commit: NotRequired[str | None]


class GeneratorRecord(TypedDict):
    """Who wrote the rows. `num_shots`: demonstrations a prompt; `refresh`: how often everything was asked anew."""

    id: str
    commit: str | None
    num_shots: int | None
    refresh: NotRequired[int]


class MixingRecord(TypedDict):
    """How far the rows' code-mixing is from that of natural rows (Kolmogorov-Smirnov, 0 to 1), before and after the
    filter that matches it."""

    cmi_before: float
    cmi_after: float
    switches_before: float
    switches_after: float


class NaturalRecord(TypedDict):
    """Where the natural rows come from: ids, commits and counts, never a path. `splits`: digests and counts by
    split."""

    dataset: str | None
    commit: str | None
    revision: NotRequired[str | None]
    config_name: NotRequired[str | None]
    licence: NotRequired[str | None]
    splits: NotRequired[dict[str, dict[str, Any]]]
    left_out: NotRequired[Any]
    test_split: NotRequired[str]


class TrainedOn(TypedDict):
    """The published synthetic rows that a model learned from: repo id, version tag and commit."""

    id: str
    version: str
    commit: str


class SplitRecord(TypedDict):
    """One split of a data set that was there already: `digest` is a sha256 over its lines, every column counted."""

    rows: int
    digest: str
    num_bytes: int
    files: dict[FilePath, int]


class BaseManifest(BaseModel):
    """What every manifest has; every key is required, but for those that may be None. `earlier`: tags of the versions
    before, newest first."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)

    format: int = Field(alias="schema", ge=1)
    repo_id: Annotated[str, AfterValidator(_repo_id)]
    pretty_name: str
    language: list[str]
    labels: list[str]
    licence: Licence
    evaluation: dict[str, Any] | None
    toolkit: str
    version: str = Field(pattern=r"^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})$")
    changes: Changes
    files: list[FilePath]
    figures: list[FilePath] | None = None
    earlier: list[str] | None = None

    @property
    def tag(self) -> str:
        """The tag that names this version."""
        return f"v{self.version}"

    def content(self) -> dict[str, Any]:
        """JSON-ready, in the order of a manifest; what is optional and not there is left out."""
        content = self.model_dump(mode="json", by_alias=True)
        return {key: value for key, value in content.items() if value is not None or key not in OPTIONAL}

    def text(self) -> str:
        """sentisynth.json: an item a line."""
        return json.dumps(self.content(), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


class _RunManifest(BaseManifest):
    """What the manifests of a recipe's run have beside that."""

    labels: list[str] = Field(min_length=1)
    recipe: RecipeRecord
    natural: NaturalRecord
    label_budget: dict[str, Any] | None
    inputs_digest: str


class DatasetManifest(_RunManifest):
    """Manifest of a dataset repo. `human_evaluation`: what people said of these very rows, where they were asked;
    `looks`: how often the test rows were looked at, over the versions or on the machine that published, and `recipes`
    by how many recipes there; `test_set`: their digest. `mixing`: where code-mixing was matched."""

    content_digest: str
    configs: dict[str, ConfigRecord]
    statistics: Statistics
    natural_statistics: Statistics
    score_filter: tuple[str, str, float] | None
    candidates: int
    funnel: list[FunnelStep]
    hidden: int
    cost: Cost
    generator: GeneratorRecord
    prompt_digest: str | None
    personal_data_checked: bool
    examples: list[tuple[str, str]]
    looks: int
    recipes: int | None = None
    test_set: str | None = None
    model: str | None = None
    human_evaluation: dict[str, Any] | None = None
    mixing: MixingRecord | None = None

    @field_validator("configs")
    @classmethod
    def _has_rows(cls, configs: dict[str, ConfigRecord]) -> dict[str, ConfigRecord]:
        missing = {"default", "unfiltered", "rejected", "lineage"} - set(configs)
        if missing:
            raise ValueError(f"no config {min(missing)!r}")
        return configs


class ModelManifest(_RunManifest):
    """Manifest of a model repo. `dataset`: the synthetic rows it learned from; None where it learned from none, or
    where they were not published; `synthetic_rows`: how many they were; `layout`: of the library that loads it."""

    dataset: TrainedOn | None
    base_model: BaseModelRecord
    variant: str
    synthetic_rows: int | None = None
    layout: Literal["transformers", "sentence-transformers"] | None = None
    scores: dict[str, float]
    intervals: dict[str, tuple[float, float]] | None = None
    test_rows: int
    hyperparameters: dict[str, Any]
    max_length: int | None


class GivenDatasetManifest(BaseManifest):
    """Manifest of a data set that was there already. `columns`: name to type. `synthetic`: whether a machine wrote the
    texts, where the owner says so. `repeated`: rows that repeat a text, `in_split` and, of other splits, `in_train`.
    `gates`: what it was asked for before it was published."""

    splits: dict[str, SplitRecord] = Field(min_length=1)
    columns: dict[str, str]
    text_column: str
    label_column: str | None
    synthetic: bool | None
    made_from: list[str]
    statistics: Statistics
    repeated: dict[str, int]
    examples: list[tuple[str, str]]
    gates: list[str]

    @field_validator("splits")
    @classmethod
    def _has_columns(cls, splits: dict[str, SplitRecord]) -> dict[str, SplitRecord]:
        bad = [name for name in splits if not re.fullmatch(r"\w+(\.\w+)*", name)]
        if bad:
            raise ValueError(f"{bad[0][:80]!r} is no name of a split")
        return splits


class GivenModelManifest(BaseManifest):
    """Manifest of a classifier that was there already. `weights`: sha256 of every file of the model, by path.
    `scores` stand on `test_rows` rows; empty where nobody measured."""

    labels: list[str] = Field(min_length=1)
    layout: Literal["transformers", "sentence-transformers"]
    base_model: str | None
    trained_on: list[str]
    weights: dict[FilePath, str]
    scores: dict[str, float]
    test_rows: int


OPTIONAL = frozenset(
    {
        "earlier",
        "figures",
        "human_evaluation",
        "intervals",
        "layout",
        "mixing",
        "model",
        "recipes",
        "synthetic_rows",
        "test_set",
    }
)
Manifest = DatasetManifest | ModelManifest | GivenDatasetManifest | GivenModelManifest


def read_manifest(text: str, where: str) -> Manifest:
    """Read sentisynth.json, whoever wrote it.

    Args:
        where: What to call it in a message.

    Raises:
        PublishError: A newer toolkit wrote it, or it is no manifest; names the key.
    """
    if len(text) > _LONGEST:
        raise PublishError(f"{where}: {len(text):,} characters are no {MANIFEST_FILE}; restore it from the last tag")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise PublishError(f"{where}: is no JSON object and cannot be read; restore it from the last version's tag")
    written_in = content.get("schema")
    if isinstance(written_in, int) and written_in > SCHEMA:
        raise PublishError(f"{where}: was published by a newer sentisynth-hub; update this one")
    kinds: dict[str, type[BaseManifest]] = {
        "configs": DatasetManifest,
        "splits": GivenDatasetManifest,
        "weights": GivenModelManifest,
    }
    kind: type[BaseManifest] = next((kind for key, kind in kinds.items() if key in content), ModelManifest)
    try:
        return cast(Manifest, kind.model_validate(content))
    except (ValidationError, RecursionError) as error:
        raise PublishError(
            f"{where}: cannot be read ({_first(error)}); restore it from the last version's tag"
        ) from None


def _first(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return "nested too deep"
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return log.printable(f"{place}: {first['msg']}", 200)


def rounded(value: Any) -> Any:
    """`value` with every float inside rounded to 6 significant digits, tuples as lists: what JSON would give back."""
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, Mapping):
        return {str(key): rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    return value
