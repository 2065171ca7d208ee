"""evaluation.json: what a study found, as data. Whoever shows it renders the words from it (`evaluation_text.py`).

    evaluation = read_evaluation(folder / "evaluation.json")
    evaluation.verdict.outcome, evaluation.comparisons[0].interval

It holds no clock, no duration, no path and no sentence. A file that does not fit is refused in one line: evaluations
come from run folders and from published repositories, so they are read as anyone's input.
"""

import json
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationError, model_validator

from sentisynth_hub.core.errors import DataError
from sentisynth_hub.recipe.study_section import Metric
from sentisynth_hub.verdict.evaluation_parts import (
    Comparison,
    ControlCheck,
    Count,
    Design,
    DistanceGain,
    Factorial,
    LearningCurve,
    Look,
    MetricDifference,
    Name,
    Record,
    ReplicateCounts,
    Share,
    SliceTable,
    StudyLabels,
    Unanswered,
    VariantScores,
    Verdict,
    Worth,
)


LAYOUT = 2
MOST_BYTES = 64_000_000
"""A larger evaluation.json is not one of ours."""
LEAST_REPLICATES = 5
"""Fewer replicates give numbers but no verdict."""
LEAST_CHANCE = 0.1
"""A further look that is less probable to settle the verdict is not taken."""
LEAST_LABEL_ROWS = 10
"""Fewer test rows of a label give no verdict on a metric in which every label weighs the same: with at
most two rows its 95 % intervals miss a gain in that label in 16 % of simulated studies (docs/results/dependence.md).
"""


class Evaluation(Record):
    """evaluation.json.

    Everything but `verdict` and the comparisons of family `primary` is secondary: it explains, and proves nothing
    alone.

    Attributes:
        layout: Version of this file's layout.
        metric: What the verdict is about.
        design: What a replicate is.
        replicates: Replicates of the study, as run.
        shared_corpus: Nested design: all replicates have one corpus, whose writer saw none of their labels.
        identical: All replicates predict the same (a head on one natural sample), so they count as one.
        overlap: Mean share of their natural rows that two replicates have in common.
        items: Test rows.
        clusters: Groups of test rows that belong together, single rows included; None where each row stands alone.
        largest_cluster: Rows of the largest; 1 where each stands alone.
        labels: Label names; `label_items` their test rows.
        margin: Smallest difference that matters to the user.
        alpha: Rate of false verdicts allowed.
        power: Of the minimum detectable effect.
        resamples: Of the crossed bootstrap.
        primary: The variant the verdict is about.
        baseline: What it is compared with.
        control: The baseline's rows for as many steps; None where the question has no such control.
        verdict: What comes out.
        comparisons: All differences, the primary ones first.
        variants: Scores of every variant.
        controls: Whether the controls behave.
        by_replicate: Discordant rows, replicate by replicate.
        other_metrics: The primary difference on the other metrics.
        factorial: Imbalance or coverage, where all four variants were run.
        by_label, slices, distance: Where the primary variant gains and loses.
        curve, worth: The natural learning curve and what variants are worth on it.
        study_labels: Human labels of the whole study, where it kept count.
        look: Which look of how many this is; None where there is one.
        looks: How often these test rows have been looked at, this time included, where that is known.
        oracle_teacher: Labels the filters' teacher learned from where it saw all natural training rows; 0: it did not.
        abstaining_teachers: Replicates in which the filters' teacher knew no more than a guess and dropped nothing.
        shipped: The variant that ships, chosen before a test row was read.
        unanswered: Variants of which nothing is claimed, since the model asked named too few labels.
    """

    layout: Literal[2] = 2
    metric: Metric
    design: Design
    replicates: Annotated[int, Field(ge=1)]
    shared_corpus: bool = False
    identical: bool = False
    overlap: Share = 0.0
    items: Annotated[int, Field(ge=1)]
    clusters: Count | None = None
    largest_cluster: Count = 1
    labels: tuple[Name, ...]
    label_items: tuple[Count, ...]
    margin: Annotated[float, Field(ge=0)]
    alpha: Share
    power: Share
    resamples: Count
    primary: Name
    baseline: Name
    control: Name | None
    verdict: Verdict
    comparisons: tuple[Comparison, ...]
    variants: tuple[VariantScores, ...]
    controls: tuple[ControlCheck, ...] = ()
    by_replicate: tuple[ReplicateCounts, ...] = ()
    other_metrics: tuple[MetricDifference, ...] = ()
    factorial: Factorial | None = None
    by_label: SliceTable | None = None
    slices: SliceTable | None = None
    distance: DistanceGain | None = None
    curve: LearningCurve | None = None
    worth: tuple[Worth, ...] = ()
    study_labels: StudyLabels | None = None
    look: Look | None = None
    looks: Count | None = None
    oracle_teacher: Count = 0
    abstaining_teachers: Count = 0
    shipped: Name | None = None
    unanswered: tuple[Unanswered, ...] = ()

    FILE: ClassVar[str] = "evaluation.json"

    @model_validator(mode="after")
    def _parts_fit(self) -> "Evaluation":
        if len(self.labels) != len(self.label_items):
            raise ValueError("labels and label_items differ in length")
        names = [variant.name for variant in self.variants]
        if len(set(names)) != len(names):
            raise ValueError("a variant is there twice")
        unknown = {name for pair in self.comparisons for name in (pair.variant, pair.baseline)} - set(names)
        if unknown:
            raise ValueError(f"comparisons name variants that are not there: {', '.join(sorted(unknown))}")
        return self

    @property
    def of_models(self) -> bool:
        """Whether this is about models that somebody else trained, and not about a study of synthetic rows."""
        return self.design in ("models", "models_by_fold")

    @property
    def next_look(self) -> int | None:
        """Replicates of the look that may still settle the verdict; None where it is settled, or hardly can be."""
        look = self.look
        if look is None or look.number == len(look.replicates):
            return None
        hopeful = look.chance is not None and look.chance >= LEAST_CHANCE
        return look.replicates[look.number] if hopeful or self.verdict.missing == "replicates" else None

    def variant(self, name: str) -> VariantScores | None:
        """Scores of a variant; None where it was not run."""
        return next((variant for variant in self.variants if variant.name == name), None)

    def against(self, variant: str, baseline: str) -> Comparison | None:
        """One comparison; None where it was not made."""
        pairs = (pair for pair in self.comparisons if (pair.variant, pair.baseline) == (variant, baseline))
        return next(pairs, None)

    def first_comparisons(self) -> list[Comparison]:
        """Each variant's comparison with the baseline, in the order of the variants."""
        pairs = (self.against(variant.name, self.baseline) for variant in self.variants)
        return [comparison for comparison in pairs if comparison is not None]

    def record(self) -> dict[str, Any]:
        """The content of evaluation.json, JSON-ready."""
        return self.model_dump(mode="json")


def read_evaluation(path: Path) -> Evaluation:
    """Read evaluation.json.

    Raises:
        DataError: No such file, or its content is no evaluation of this layout.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; run `sentisynth study` on the recipe")
    if path.stat().st_size > MOST_BYTES:
        raise DataError(f"{path}: larger than {MOST_BYTES:,} bytes; it is no evaluation of a study")
    return _parse(path.read_bytes(), str(path))


def parse_evaluation(record: object, where: str = "evaluation") -> Evaluation:
    """The evaluation in a JSON value that was read elsewhere, e.g. in a published manifest.

    Raises:
        DataError: It is no evaluation of this layout.
    """
    return _parse(json.dumps(record).encode("utf-8"), where)


def _parse(content: bytes, where: str) -> Evaluation:
    try:
        return Evaluation.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        if b'"schema"' in content and first["loc"] != ("layout",) and b'"layout"' not in content:
            raise DataError(
                f"{where}: written in layout 1 by an older version, this one reads {LAYOUT}; run the study again"
            ) from None
        raise DataError(f"{where}: {place[:200]}: {first['msg']}; run the study again") from None
    except RecursionError:
        raise DataError(f"{where}: nested too deeply to be an evaluation; run the study again") from None
