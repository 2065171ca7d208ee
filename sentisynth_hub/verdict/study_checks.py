"""What a reader should know before believing a study, as numbered checks: one table, from which come the notes of
every summary, card and report, `sentisynth check`, and docs/reference/checks.md.

    for finding in findings(StudyFacts(evaluation)):
        finding.code, finding.message

1xx: the design and its rows. 2xx: the filter. 3xx: the result. 4xx: the model that ships. A number is never given to
another check.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from sentisynth_hub.verdict.evaluation import LEAST_REPLICATES, Evaluation


FEW_LABEL_ROWS = 20
"""A label with fewer test rows is warned of."""
LARGE_OVERLAP = 0.05
"""Replicates that share less of their natural rows need no word about it."""
MOST_MISSING = 0.05
"""Share of test rows without an answer from which on a variant's score means little."""
UNIFORM = 0.05
"""Above what knowing nothing gives, the mean probability of the answer from which it says something."""
_MANY_MARGINS = 2.0  # a detectable gain of more margins than this is low power


@dataclass(frozen=True)
class ShippedModel:
    """What is known of the model that ships; see `model.saved_model.ModelResult`."""

    variant: str
    labels: int
    test_items: int
    confidence: float
    changed_answers: int
    constant_label: str | None

    @property
    def nearly_uniform(self) -> bool:
        """Whether its answers are hardly more probable than with no knowledge at all."""
        return self.confidence < 1 / self.labels + UNIFORM


@dataclass(frozen=True)
class StudyFacts:
    """What the checks look at; a part that is None is not looked at.

    `expected`: variants that a reader misses, beside the control, where they were not run; None: the primary one.
    """

    evaluation: Evaluation | None = None
    model: ShippedModel | None = None
    expected: Iterable[str] | None = None


@dataclass(frozen=True)
class StudyCheck:
    """One check: what it means where it fires, and the way out."""

    code: str
    name: str
    meaning: str
    way_out: str
    messages: Callable[[StudyFacts], Iterator[str]]


@dataclass(frozen=True)
class Finding:
    """A check that fired."""

    code: str
    name: str
    message: str

    @property
    def line(self) -> str:
        """For people."""
        return f"{self.code}: {self.message}"


def findings(facts: StudyFacts) -> list[Finding]:
    """Every check that fires, in the order of the table."""
    return [Finding(check.code, check.name, message) for check in CHECKS for message in check.messages(facts)]


def oracle_line(labels: int) -> str:
    """What is said wherever a study with an oracle teacher is shown."""
    return (
        f"oracle teacher: it learned from all {labels:,} natural training labels, not from the replicate's own, so "
        "this is a comparison and not a claim about few labels"
    )


def _of_study(messages: Callable[[Evaluation], Iterator[str]]) -> Callable[[StudyFacts], Iterator[str]]:
    return lambda facts: messages(facts.evaluation) if facts.evaluation is not None else iter(())


def _of_model(messages: Callable[[ShippedModel], Iterator[str]]) -> Callable[[StudyFacts], Iterator[str]]:
    return lambda facts: messages(facts.model) if facts.model is not None else iter(())


def _oracle_teacher(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.oracle_teacher:
        yield oracle_line(evaluation.oracle_teacher)


def _oracle_validation(evaluation: Evaluation) -> Iterator[str]:
    if any(variant.budget is not None and variant.budget.oracle_validation for variant in evaluation.variants):
        yield "oracle validation: more human labels for validation than for training"


def _clusters(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.clusters is not None:
        yield (
            f"{evaluation.items:,} test rows are {evaluation.clusters:,} independent ones: some are near-duplicates "
            f"or belong together (largest cluster {evaluation.largest_cluster:,}); the intervals allow for it"
        )


def _shared_rows(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.design == "nested" and evaluation.overlap > LARGE_OVERLAP:
        yield (
            f"two replicates share {evaluation.overlap:.0%} of their natural rows, so they are not independent; the "
            "intervals are wider for it, and a larger pool of natural rows would make them narrower"
        )
    elif evaluation.design == "conditional" and evaluation.overlap > LARGE_OVERLAP:
        yield (
            f"two replicates share {evaluation.overlap:.0%} of their natural rows, most of a small pool: the verdict "
            "is about this pool and says nothing of other rows"
        )


def _looks(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.looks is not None and evaluation.looks > 1:
        yield (
            f"these test rows have been looked at {evaluation.looks} times; the level of the verdict assumes one look"
        )


def _rare_label(evaluation: Evaluation) -> Iterator[str]:
    for label, count in zip(evaluation.labels, evaluation.label_items, strict=True):
        if count < FEW_LABEL_ROWS:
            yield f"label {label!r} has {count} test items: little can be said of it, and macro-F1 hangs on it"


def _few_replicates(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.verdict.missing == "replicates":
        yield f"{evaluation.replicates} replicates give numbers and no verdict; {LEAST_REPLICATES} are the fewest"


def _missing_variant(facts: StudyFacts) -> Iterator[str]:
    evaluation = facts.evaluation
    if evaluation is None:
        return
    expected: Sequence[str | None] = [evaluation.primary] if facts.expected is None else list(facts.expected)
    for name in dict.fromkeys([*expected, evaluation.control]):
        if name and evaluation.variant(name) is None:
            yield f"variant {name!r} was not run"


def _identical(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.identical and evaluation.replicates > 1:
        yield (
            f"all {evaluation.replicates} replicates predict the same, so they count as one: training again shows "
            "nothing new"
        )


def _teacher_without_skill(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.abstaining_teachers:
        yield (
            f"in {evaluation.abstaining_teachers} of {evaluation.replicates} replicates the filters' teacher knew no "
            "more than a guess and abstained: there no row was kept or dropped for its label"
        )


def _failed_control(evaluation: Evaluation) -> Iterator[str]:
    for control in evaluation.controls:
        if not control.passed:
            yield f"control {control.variant} should be {control.expected} and reads {control.reading}"


def _low_power(evaluation: Evaluation) -> Iterator[str]:
    effect = evaluation.verdict.minimum_detectable_effect
    if effect is not None and effect > _MANY_MARGINS * evaluation.margin:
        yield (
            f"low power: this study finds gains of {effect:.4f} or more, {effect / evaluation.margin:.1f} times the "
            "margin; smaller ones are missed, and a gain that is found is probably smaller than it looks"
        )


def _contradiction(evaluation: Evaluation) -> Iterator[str]:
    names = evaluation.verdict.contradicted_by
    if names:
        yield (
            f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} better than {evaluation.baseline} by more than "
            f"the margin, with the same rows of which {evaluation.primary} is said: {evaluation.verdict.outcome}"
        )


def _missing_answers(evaluation: Evaluation) -> Iterator[str]:
    for variant in evaluation.variants:
        if variant.no_answer > MOST_MISSING:
            yield f"{variant.name} has no answer for {variant.no_answer:.0%} of the test rows, which count as wrong"


def _worse_than_natural(evaluation: Evaluation) -> Iterator[str]:
    shipped = None if evaluation.shipped is None else evaluation.variant(evaluation.shipped)
    natural = evaluation.variant(evaluation.baseline)
    if shipped is not None and natural is not None and shipped.mean < natural.mean - evaluation.margin:
        yield (
            f"the model that ships is {shipped.name}, {evaluation.metric} {shipped.mean:.4f}, where "
            f"{natural.name} has {natural.mean:.4f}: it was chosen on other rows than these"
        )


def _constant(model: ShippedModel) -> Iterator[str]:
    if model.constant_label is not None:
        yield (
            f"the model ({model.variant}) answers {model.constant_label!r} to every one of {model.test_items} test "
            "rows; it has learnt nothing that tells them apart: it needs more rows or more steps"
        )


def _nearly_uniform(model: ShippedModel) -> Iterator[str]:
    if model.constant_label is None and model.nearly_uniform:
        yield (
            f"the model ({model.variant}) is nearly uniform: its answers have a mean probability of "
            f"{model.confidence:.2f}, knowing nothing gives {1 / model.labels:.2f}; its probabilities mean "
            "little, and more rows or more steps may help"
        )


def _changed_answers(model: ShippedModel) -> Iterator[str]:
    if model.changed_answers:
        yield (
            f"the saved model answers {model.changed_answers} of {model.test_items} test rows otherwise than the "
            "student that was judged; its own scores are those of the saved model"
        )


CHECKS = (
    StudyCheck(
        "SH101",
        "oracle teacher",
        "The filters' teacher learned from labels that nobody with this budget has. What it keeps is better than a "
        "user's own teacher would keep.",
        "Leave `filter.teacher.labels: oracle` out for a claim; keep it to see what a better teacher could do.",
        _of_study(_oracle_teacher),
    ),
    StudyCheck(
        "SH102",
        "oracle validation",
        "More labels chose penalties and steps than any model learned from, so the scores are better than a user with "
        "this training budget would see.",
        "Use `natural.validation: cross_validated`, where all labels train, or lower `natural.validation_per_label`.",
        _of_study(_oracle_validation),
    ),
    StudyCheck(
        "SH103",
        "clusters in the test rows",
        "Near-duplicates, or texts of one author or thread, are right or wrong together and tell little more than one "
        "row. The intervals count each group once; a study elsewhere that does not is too sure.",
        "Nothing has to be done. More independent test rows make the intervals narrower; more copies do not.",
        _of_study(_clusters),
    ),
    StudyCheck(
        "SH104",
        "shared rows of replicates",
        "The pool of natural rows is not much larger than the samples drawn from it, so that replicates are partly "
        "the same study. Up to half of their rows the interval allows for it; beyond, the verdict is about this pool.",
        "Bring more natural rows, lower `natural.rows_per_label`, or cross-fit.",
        _of_study(_shared_rows),
    ),
    StudyCheck(
        "SH105",
        "test rows looked at before",
        "Whoever looks again until the answer pleases finds effects that are not there: with five looks at 5 % it is "
        "13 to 20 % false verdicts.",
        "Decide the number of replicates beforehand (`sentisynth plan`), or take test rows that nobody has looked at.",
        _of_study(_looks),
    ),
    StudyCheck(
        "SH106",
        "rare label",
        "Macro-F1 gives every label the same weight, and one with a handful of test rows moves it by whole points.",
        "Bring test rows of the label, merge it with another, or judge by `study.metric: accuracy`.",
        _of_study(_rare_label),
    ),
    StudyCheck(
        "SH107",
        "too few replicates",
        "The spread over replicates cannot be told from so few.",
        f"Set `study.replicates` to {LEAST_REPLICATES} or more; `sentisynth plan` says how many.",
        _of_study(_few_replicates),
    ),
    StudyCheck(
        "SH108",
        "variant not run",
        "Without the primary variant there is no verdict; without its control a gain may be just more training steps.",
        "Name the variant in `study.variants` and run the study again; what is trained already stays.",
        _missing_variant,
    ),
    StudyCheck(
        "SH109",
        "identical replicates",
        "A head on one natural sample and one corpus has nothing that varies. The interval speaks of test rows alone.",
        "Set `study.replicates: 1`, or `study.design: nested` for a claim about the recipe.",
        _of_study(_identical),
    ),
    StudyCheck(
        "SH201",
        "filter without skill",
        "A teacher that cannot tell the labels apart on human rows would drop right rows and keep wrong ones, so it "
        "drops none: what `mixed` shows is not what the recipe's confidence filter does.",
        "Give the teacher more labels or a better encoder (`filter.teacher.teacher.model`), or leave it out.",
        _of_study(_teacher_without_skill),
    ),
    StudyCheck(
        "SH301",
        "failed control",
        "`shuffled_labels` must not help and `extra_natural` must. Where a control reads otherwise, the study "
        "measures something else than its rows: steps, length, a leak, or chance.",
        "Look for texts in two splits (`sentisynth recipes check`) and at the funnel; do not publish a claim.",
        _of_study(_failed_control),
    ),
    StudyCheck(
        "SH302",
        "low power",
        "The study can see large gains only. Most true gains end as too small to tell; one that is found is found in "
        "part because chance made it larger.",
        "`sentisynth plan` says how many test rows and replicates would do. Read the interval, not the estimate.",
        _of_study(_low_power),
    ),
    StudyCheck(
        "SH303",
        "variant that contradicts the verdict",
        "Another way to use the same rows gains where the primary one does not: the rows may be good and their use is "
        "not. It is a secondary comparison, at the simultaneous level.",
        "Look at what the filter drops; make the other way one of `study.mixed_methods` and study new test rows.",
        _of_study(_contradiction),
    ),
    StudyCheck(
        "SH304",
        "missing answers",
        "A row without an answer counts as wrong. With many of them the score says how often the model answers, not "
        "what it knows.",
        "Look at the answers (`runs/…/labels`), give `generate.sampling.max_new_tokens` more room.",
        _of_study(_missing_answers),
    ),
    StudyCheck(
        "SH401",
        "shipped model worse than natural",
        "The variant that ships is chosen on rows that train, since test rows choose nothing. On the test rows it is "
        "worse than natural rows alone by more than the margin.",
        "Ship natural rows' model (leave the other variants out of `study.variants`), or more natural rows.",
        _of_study(_worse_than_natural),
    ),
    StudyCheck(
        "SH402",
        "model with one answer",
        "The model gives one label to every test row.",
        "More rows, more steps (`study.student.epochs`), or a look at the labels of the training rows.",
        _of_model(_constant),
    ),
    StudyCheck(
        "SH403",
        "nearly uniform model",
        "The model's labels may be right and its probabilities still say nothing.",
        "More rows or more steps; use its labels and not its probabilities.",
        _of_model(_nearly_uniform),
    ),
    StudyCheck(
        "SH404",
        "saved model answers otherwise",
        "Rounding on another device moves a row or two; more would mean that what ships is not what was judged.",
        "A row or two: nothing. More: report it, and run `sentisynth study` again on the device the model is for.",
        _of_model(_changed_answers),
    ),
)
"""All checks, by number."""
