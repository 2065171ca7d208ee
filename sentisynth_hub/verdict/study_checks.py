"""What the numbered checks look at and what they say where they fire; the table of them is `check_table.py`."""

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


def oracle_line(labels: int) -> str:
    """What is said wherever a study with an oracle teacher is shown."""
    return (
        f"oracle teacher: it learned from {labels:,} natural training labels, not from the replicate's own "
        "alone, so this is a comparison and not a claim about few labels"
    )


def of_study(messages: Callable[[Evaluation], Iterator[str]]) -> Callable[[StudyFacts], Iterator[str]]:
    """A check that looks at the evaluation."""
    return lambda facts: messages(facts.evaluation) if facts.evaluation is not None else iter(())


def of_model(messages: Callable[[ShippedModel], Iterator[str]]) -> Callable[[StudyFacts], Iterator[str]]:
    """A check that looks at the model that ships."""
    return lambda facts: messages(facts.model) if facts.model is not None else iter(())


def oracle_teacher(evaluation: Evaluation) -> Iterator[str]:
    """The teacher saw labels that nobody with this budget has."""
    if evaluation.oracle_teacher:
        yield oracle_line(evaluation.oracle_teacher)


def oracle_validation(evaluation: Evaluation) -> Iterator[str]:
    """More labels chose than taught."""
    if any(variant.budget is not None and variant.budget.oracle_validation for variant in evaluation.variants):
        yield "oracle validation: more human labels for validation than for training"


def clusters(evaluation: Evaluation) -> Iterator[str]:
    """Test rows that belong together."""
    if evaluation.clusters is not None:
        yield (
            f"{evaluation.items:,} test rows are {evaluation.clusters:,} independent ones: some are near-duplicates "
            f"or belong together (largest cluster {evaluation.largest_cluster:,}); the intervals allow for it"
        )


def shared_rows(evaluation: Evaluation) -> Iterator[str]:
    """Replicates that share natural rows."""
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


def looks(evaluation: Evaluation) -> Iterator[str]:
    """Test rows that were looked at more often than the study's design allows for."""
    planned = 1 if evaluation.look is None else evaluation.look.number
    if evaluation.looks is not None and evaluation.looks > planned:
        assumed = "one look" if planned == 1 else f"{planned} looks"
        times = evaluation.looks
        yield f"these test rows have been looked at {times} times; the level of the verdict assumes {assumed}"


def rare_label(evaluation: Evaluation) -> Iterator[str]:
    """A label with few test rows."""
    for label, count in zip(evaluation.labels, evaluation.label_items, strict=True):
        if count < FEW_LABEL_ROWS:
            yield f"label {label!r} has {count} test items: little can be said of it, and macro-F1 hangs on it"


def few_replicates(evaluation: Evaluation) -> Iterator[str]:
    """Too few replicates for a verdict."""
    if evaluation.verdict.missing == "replicates":
        yield f"{evaluation.replicates} replicates give numbers and no verdict; {LEAST_REPLICATES} are the fewest"


def missing_variant(facts: StudyFacts) -> Iterator[str]:
    """A variant that a reader misses."""
    evaluation = facts.evaluation
    if evaluation is None:
        return
    expected: Sequence[str | None] = [evaluation.primary] if facts.expected is None else list(facts.expected)
    for name in dict.fromkeys([*expected, evaluation.control]):
        if name and evaluation.variant(name) is None:
            yield f"variant {name!r} was not run"


def identical_replicates(evaluation: Evaluation) -> Iterator[str]:
    """Replicates that are one."""
    if evaluation.identical and evaluation.replicates > 1:
        yield (
            f"all {evaluation.replicates} replicates predict the same, so they count as one: training again shows "
            "nothing new"
        )


def teacher_without_skill(evaluation: Evaluation) -> Iterator[str]:
    """A teacher that knows no more than a guess."""
    if evaluation.abstaining_teachers:
        yield (
            f"in {evaluation.abstaining_teachers} of {evaluation.replicates} replicates the filters' teacher knew no "
            "more than a guess and abstained: there no row was kept or dropped for its label"
        )


def failed_control(evaluation: Evaluation) -> Iterator[str]:
    """A control that reads as it must not."""
    for control in evaluation.controls:
        if not control.passed:
            yield f"control {control.variant} should be {control.expected} and reads {control.reading}"


def low_power(evaluation: Evaluation) -> Iterator[str]:
    """A study that sees large gains only, and shows none so large."""
    effect = evaluation.verdict.minimum_detectable_effect
    primary = evaluation.against(evaluation.primary, evaluation.baseline)
    if effect is None or (primary is not None and abs(primary.difference) >= effect):
        return
    if effect > _MANY_MARGINS * evaluation.margin:
        yield (
            f"low power: this study finds gains of {effect:.4f} or more, and the margin is {evaluation.margin:g}; "
            "smaller ones are missed, and a gain that is found is probably smaller than it looks"
        )


def contradiction(evaluation: Evaluation) -> Iterator[str]:
    """Another variant gains where the primary one does not."""
    names = evaluation.verdict.contradicted_by
    if names:
        yield (
            f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} better than {evaluation.baseline} by more than "
            f"the margin, with the same rows of which {evaluation.primary} is said: {evaluation.verdict.outcome}"
        )


def missing_answers(evaluation: Evaluation) -> Iterator[str]:
    """Rows without an answer."""
    for part in evaluation.unanswered:
        counts = f"{part.missing:,} of {part.questions:,} answers"
        yield f"{part.variant}: {counts} name no label, so nothing is claimed of it"
    silent = {part.variant for part in evaluation.unanswered}
    for variant in evaluation.variants:
        if variant.no_answer > MOST_MISSING and variant.name not in silent:
            yield f"{variant.name} has no answer for {variant.no_answer:.0%} of the test rows, which count as wrong"


def worse_than_natural(evaluation: Evaluation) -> Iterator[str]:
    """What ships is worse than natural rows alone."""
    shipped = None if evaluation.shipped is None else evaluation.variant(evaluation.shipped)
    natural = evaluation.variant(evaluation.baseline)
    if shipped is not None and natural is not None and shipped.mean < natural.mean - evaluation.margin:
        yield (
            f"the model that ships is {shipped.name}, {evaluation.metric} {shipped.mean:.4f}, where "
            f"{natural.name} has {natural.mean:.4f}: it was chosen on other rows than these"
        )


def constant_model(model: ShippedModel) -> Iterator[str]:
    """One label for every row."""
    if model.constant_label is not None:
        yield (
            f"the model ({model.variant}) answers {model.constant_label!r} to every one of {model.test_items} test "
            "rows; it has learnt nothing that tells them apart: it needs more rows or more steps"
        )


def nearly_uniform_model(model: ShippedModel) -> Iterator[str]:
    """Probabilities that say nothing."""
    if model.constant_label is None and model.nearly_uniform:
        yield (
            f"the model ({model.variant}) is nearly uniform: its answers have a mean probability of "
            f"{model.confidence:.2f}, knowing nothing gives {1 / model.labels:.2f}; its probabilities mean "
            "little, and more rows or more steps may help"
        )


def changed_answers(model: ShippedModel) -> Iterator[str]:
    """The saved model is not quite the one that was judged."""
    if model.changed_answers:
        yield (
            f"the saved model answers {model.changed_answers} of {model.test_items} test rows otherwise than the "
            "student that was judged; its own scores are those of the saved model"
        )
