"""What a run hands over to be published."""

import json
import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from sentisynth_hub.core.repo_ids import repo_id_problem
from sentisynth_hub.core.rows import Rejected, Row
from sentisynth_hub.core.text import digest
from sentisynth_hub.natural.splits import NaturalData
from sentisynth_hub.pretrained.classifier import Layout
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.revisions import Pin
from sentisynth_hub.verdict.look_count import LookCount


if TYPE_CHECKING:
    from sentisynth_hub.publish.versions.changes import ScoreChange


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
        mixing: How far code-mixing is from that of natural rows, as `MixingRecord`; None where it was not matched.
        test_set: How often the test rows had been looked at; None where that is not known.
        hiding_key: Key of the hashes that stand for hidden texts; random, never published, and kept with the run so
            that the same text has the same hash in every version.
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
    mixing: Mapping[str, float] | None = None
    test_set: LookCount | None = None
    hiding_key: str = field(default_factory=lambda: secrets.token_hex(32))

    @property
    def synthetic_rows(self) -> int:
        """Rows that a generator wrote."""
        return len(self.kept)


@dataclass(frozen=True)
class ModelRelease:
    """A trained classifier with everything its repo will say about it.

    Attributes:
        recipe, pins, natural, evaluation, inputs_digest, label_budget: As for `DatasetRelease`.
        folder: The saved model, in the `layout` of the library that loads it.
        variant: Variant of the study it is replicate 0 of.
        scores: This very checkpoint's scores on the natural test rows, by metric key.
        intervals: Their 95 % intervals over those rows, (low, high).
        base_model: `id` and `commit`.
        dataset: `id`, `version` (tag) and `commit` of the published synthetic rows; None where they are not published.
        hyperparameters: Name to text or number, as the card shows them.
        max_length: Tokens a training text was cut to.
        synthetic_rows: Rows of the corpus it learned from; 0 where it learned from natural rows alone, and then
            `dataset` is None and nothing it publishes names a synthetic data set.
        compared: The tag of the last published version and both models' scores on the same test rows; None: they were
            not compared.
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
    synthetic_rows: int | None = None
    compared: "tuple[str, ScoreChange] | None" = None
    layout: Layout = "transformers"
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def publishable_recipe(recipe: Recipe) -> str:
    """The recipe as YAML that anyone may read: no endpoint address, of a path its last part; the prompt lies beside
    it."""
    content = recipe.model_dump(mode="json", exclude_unset=True, exclude={"scales": True})
    if recipe.generate.generator.has_prompt:
        content["generate"].setdefault("prompt", {})["template"] = "prompt.jinja2"
    # The name of a model behind an endpoint is of the server's making.
    served = {(*key.split("."), "model") for key, section in recipe.generators.items() if section.leaves_machine}
    return yaml.safe_dump(
        {key: _without_paths(value, (key,), served) for key, value in content.items()},
        allow_unicode=True,
        sort_keys=False,
        width=120,
    )


def recipe_digest(text: str) -> str:
    """Digest of a published recipe.yaml, as a manifest records it."""
    return digest([json.dumps(text)])


_NAMES_A_FILE = frozenset({"dataset", "file", "lexicon", "model", "seed_texts", "template"})
_PATH = re.compile(r"(?<![\w/:.~\\])(?:file://|~[\w.\-]*/|[A-Za-z]:[\\/]|\\\\|\.{1,2}[\\/]|/(?=[^\s/]+/))[^\s'\"<>|]*")


def last_part(path: str) -> str:
    """The name at the end of a path of any system: `enc` of `/home/me/enc`, `..\\\\enc` and `file:///srv/enc/`."""
    return re.split(r"[\\/]+", path.rstrip("\\/"))[-1]


def _without_paths(value: Any, key: tuple[str, ...], served: Collection[tuple[str, ...]]) -> Any:
    """`value` without endpoints' addresses, and with of every path inside it the last part; ids of Hub repos stay."""
    if isinstance(value, dict):
        return {
            last_part_of_paths(name): _without_paths(inner, (*key, name), served)
            for name, inner in value.items()
            if name != "base_url"
        }
    if isinstance(value, list):
        return [_without_paths(inner, key, served) for inner in value]
    if not isinstance(value, str):
        return value
    is_file = key[-1] in _NAMES_A_FILE or key[:-1] == ("natural", "files")
    if not is_file or key in served:
        return last_part_of_paths(value)
    is_repo = repo_id_problem(value) is None and not Path(value).expanduser().exists()
    return value if is_repo and key[-1] in ("dataset", "model") else last_part(value)


def last_part_of_paths(text: str) -> str:
    """`text` with every path in it cut to its last part; a text that is one, spaces and all, as a whole."""
    if _PATH.match(text) and "\n" not in text:
        return last_part(text)
    return _PATH.sub(lambda match: last_part(match[0]), text)
