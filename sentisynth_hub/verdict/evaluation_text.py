"""An evaluation in words: the same sentences and numbers for terminal, report and card, rendered from the data.

    print("\\n".join(table_lines(evaluation)))

Names of variants, labels and slices come from recipes and published files: whoever prints or renders them escapes
them.
"""

from collections.abc import Iterable, Iterator, Sequence

from sentisynth_hub.verdict.check_table import findings
from sentisynth_hub.verdict.evaluation import LEAST_LABEL_ROWS, LEAST_REPLICATES, Evaluation
from sentisynth_hub.verdict.evaluation_parts import Censored, Comparison, Remedy, SliceTable, Worth
from sentisynth_hub.verdict.study_checks import LARGE_OVERLAP, StudyFacts, oracle_line


_CLAIMS = {
    "nested": "about the recipe: every replicate drew its own natural rows and generated its own corpus from them",
    "conditional": "about this corpus beside these natural rows: replicates vary initialisation and order only",
    "cross_fitted": "about the recipe on data like these rows: repeated folds, generation inside each fold",
    "models": "about these models on texts like these: replicates are the runs that were given",
    "models_by_fold": "about the way these models are trained, on rows like these: every fold has a model of its own",
}


def verdict_sentence(evaluation: Evaluation) -> str:
    """The verdict in a sentence or two, with its numbers, in counts too, and with what contradicts it."""
    sentence = _verdict(evaluation)
    if evaluation.oracle_teacher:  # what is quoted from a card is this sentence, so it says it too
        sentence = f"With an oracle teacher: {sentence[0].lower()}{sentence[1:]}"
    rivals = [evaluation.against(name, evaluation.baseline) for name in evaluation.verdict.contradicted_by]
    words = [f"{rival.variant} is better than {rival.baseline}: {_numbers(rival)}" for rival in rivals if rival]
    return f"{sentence} But {'; '.join(words)}." if words else sentence


def claim(evaluation: Evaluation) -> str:
    """What the verdict is about."""
    words = _CLAIMS[evaluation.design]
    if evaluation.shared_corpus:
        words = "about this corpus beside natural rows like these: every replicate drew its own natural rows"
    elif evaluation.design == "models" and evaluation.replicates == 1:
        words = "about these two trained models on texts like these: another training run may differ"
    elif evaluation.identical:
        words = "about this corpus beside these natural rows: training again gives the same predictions"
    elif evaluation.design == "conditional" and evaluation.overlap > LARGE_OVERLAP:
        words = (
            f"about this pool of natural rows, of which two replicates share {evaluation.overlap:.0%} of theirs: "
            "it says nothing about other rows"
        )
    return words


def size(evaluation: Evaluation) -> str:
    """Replicates × test rows, and what of them is independent."""
    replicates = f"{evaluation.replicates} replicate{'' if evaluation.replicates == 1 else 's'}"
    if evaluation.identical:
        replicates = f"1 replicate ({evaluation.replicates} were run and are identical)"
    rows = f"{evaluation.items:,} test rows"
    if evaluation.clusters is not None:
        rows += f" in {evaluation.clusters:,} clusters"
    if evaluation.look is not None:
        at = ", ".join(map(str, evaluation.look.replicates))
        rows += f"; looks at {at} replicates were fixed beforehand, and the intervals of all hold together"
    return f"{replicates} × {rows}"


def count_words(comparison: Comparison) -> str:
    """The comparison in rows.

    A row is better when the variant is right on it in more replicates than the baseline is.
    """
    counts = comparison.counts
    return f"{counts.better:,} of {counts.rows:,} test rows better, {counts.worse:,} worse"


def reading(evaluation: Evaluation, comparison: Comparison) -> str:
    """What a comparison says: the verdict for the primary one, its reading for any other."""
    if comparison.family == "primary":
        outcome = evaluation.verdict.outcome
        words = {"helps": "better", "hurts": "worse"} if evaluation.of_models else {}
        return words.get(outcome, outcome)
    return f"{comparison.reading} (secondary)"


def worth_sentence(worth: Worth) -> str:
    """A worth in human labels."""
    price = f"{worth.cost_usd:.2f} dollars of generation and " if worth.cost_usd is not None else ""
    low, high = (_labels(end, censored) for end, censored in zip(worth.interval, worth.interval_censored, strict=True))
    return (
        f"{worth.variant}: {price}{worth.used} human labels bought what {_labels(worth.labels, worth.censored)} human "
        f"labels would ({low} to {high})."
    )


def label_sentence(evaluation: Evaluation, variant: str) -> str:
    """Every human label once: those behind `variant`, those of the whole study, and those it was tested with."""
    scores = evaluation.variant(variant)
    if scores is None or scores.budget is None or evaluation.study_labels is None:
        return "Human labels were not counted."
    budget, study = scores.budget, evaluation.study_labels
    used = (
        f"Human labels, each counted once: {variant} used {budget.distinct:,} in one replicate and "
        f"{budget.study_distinct:,} over all replicates; all variants together used {study.used:,}."
    )
    if study.machine:
        used += f" Models gave {study.machine:,} labels more, which are not among them."
    shared = study.used + study.test - study.total
    if not shared:
        return f"{used} The {study.test:,} test rows have labels of their own: {study.total:,} in all."
    return f"{used} Of the {study.test:,} labels tested with, {shared:,} are among them: {study.total:,} in all."


def slice_note(table: SliceTable) -> str:
    """How many slices were compared and how many were too small, and which differ."""
    compared = [row for row in table.rows if row.interval is not None]
    worse = [row.name for row in compared if row.reading == "worse"]
    better = [row.name for row in compared if row.reading == "better"]
    parts = [f"{len(compared)} of {len(table.rows)} compared"]
    if table.skipped:
        parts.append(f"{len(table.skipped)} with too few test rows left out")
    parts.append(f"better on {', '.join(better)}" if better else "better on none")
    parts.append(f"worse on {', '.join(worse)}" if worse else "worse on none")
    return "; ".join(parts)


def warnings(evaluation: Evaluation, expected: Iterable[str] | None = None) -> list[str]:
    """What a reader should know before believing the verdict: the checks that fire, each with its number.

    Args:
        expected: Variants that a reader misses, beside the control, where they were not run; None: the primary one.
    """
    return [finding.line for finding in findings(StudyFacts(evaluation, expected=expected))]


def next_step(evaluation: Evaluation) -> str | None:
    """What to run next, where the verdict suggests something."""
    if evaluation.verdict.outcome == "hurts" and not evaluation.of_models:
        return "To see which rows do harm: sentisynth study RECIPE --leave-out asked_label (or prompt_id, generator)"
    return None


def table_lines(evaluation: Evaluation) -> list[str]:
    """One line a variant: mean of the metric with its interval, difference to the baseline with its interval, and what
    that says; the verdict below.
    """
    level = f"{100 * (1 - evaluation.alpha):g} %"
    header = ["variant", evaluation.metric, f"{level} interval", f"to {evaluation.baseline}", "interval", "reads"]
    comparisons = {comparison.variant: comparison for comparison in evaluation.first_comparisons()}
    rows = [header]
    for scores in evaluation.variants:
        row = [scores.name, f"{scores.mean:.4f}", interval_words(scores.interval)]
        comparison = comparisons.get(scores.name)
        if comparison is not None:
            row += [f"{comparison.difference:+.4f}", interval_words(comparison.interval, "+")]
            row += [reading(evaluation, comparison)]
        rows.append(row + [""] * (len(header) - len(row)))
    step = next_step(evaluation)
    oracle = [oracle_line(evaluation.oracle_teacher)] if evaluation.oracle_teacher else []
    return [
        *aligned(rows),
        "",
        *oracle,
        f"verdict: {verdict_sentence(evaluation)}",
        f"         {size(evaluation)}; {claim(evaluation)}",
        *([f"         {step}"] if step is not None else []),
    ]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines with the columns one under the other."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def interval_words(interval: Sequence[float] | None, sign: str = "") -> str:
    """An interval to four places; a dash where there is none."""
    return "-" if interval is None else f"[{interval[0]:{sign}.4f}, {interval[1]:{sign}.4f}]"


def _verdict(evaluation: Evaluation) -> str:
    verdict, baseline, control = evaluation.verdict, evaluation.baseline, evaluation.control
    comparison = evaluation.against(evaluation.primary, baseline)
    if comparison is None or verdict.missing == "primary":
        return f"No verdict: the variant {evaluation.primary!r} was not run."
    if verdict.missing == "replicates":
        return f"No verdict: {evaluation.replicates} replicates; a verdict needs at least {LEAST_REPLICATES}."
    numbers = f"{_numbers(comparison)} against {baseline}{_look(evaluation)}"
    counts = count_words(comparison)
    if verdict.missing == "rare label":
        count, label = min(zip(evaluation.label_items, evaluation.labels, strict=True))
        return (
            f"No verdict: {numbers}, but label {label!r} has {count} test rows, and a verdict on {evaluation.metric} "
            f"needs {LEAST_LABEL_ROWS} independent ones of each label; {counts}."
        )
    if verdict.missing == "control":
        return f"No verdict: {numbers}, but {control} was not run, so it may be just more training steps; {counts}."
    if evaluation.of_models:
        return _models(evaluation, comparison)
    small = f", but by less than the margin of {evaluation.margin:g}" if verdict.inside_margin else ""
    if verdict.outcome == "helps":
        more = f", and better than {control}" if control is not None else ""
        return f"Helps{small}: {numbers}{more}; {counts}."
    if verdict.outcome == "just more steps":
        return (
            f"Just more steps: {numbers}, but {control} does as well, or worse by less than {evaluation.margin:g}; "
            f"{counts}."
        )
    if verdict.outcome == "hurts":
        return f"Hurts{small}: {numbers}; {counts}."
    if verdict.outcome == "no difference that matters":
        return f"No difference that matters: {numbers}, inside the margin of ±{evaluation.margin:g}; {counts}."
    above = comparison.interval is not None and comparison.interval[0] > 0
    better = f"; better than {baseline}, but it may be just more training steps" if above else ""
    return f"Too small to tell: {numbers}{better}; {counts}; {' '.join(_reach(evaluation))}"


def _look(evaluation: Evaluation) -> str:
    """Which look of how many, where a study may look again."""
    looks = evaluation.look
    return f" at look {looks.number} of {len(looks.replicates)}" if looks is not None else ""


def _models(evaluation: Evaluation, comparison: Comparison) -> str:
    """The verdict on two models somebody else trained."""
    first, second = evaluation.primary, evaluation.baseline
    numbers, counts = f"{_numbers(comparison)} in {evaluation.metric}", count_words(comparison)
    small = f", but by less than the margin of {evaluation.margin:g}" if evaluation.verdict.inside_margin else ""
    outcome = evaluation.verdict.outcome
    if outcome in ("helps", "hurts"):
        return f"{first} is {'better' if outcome == 'helps' else 'worse'} than {second}{small}: {numbers}; {counts}."
    if outcome == "no difference that matters":
        margin = f"inside the margin of ±{evaluation.margin:g}"
        return f"No difference that matters between {first} and {second}: {numbers}, {margin}; {counts}."
    return f"Too small to tell {first} from {second}: {numbers}; {counts}; {' '.join(_reach(evaluation))}"


def _numbers(comparison: Comparison) -> str:
    return f"{comparison.difference:+.4f} {interval_words(comparison.interval, '+')}"


def _reach(evaluation: Evaluation) -> Iterator[str]:
    effect, remedy = evaluation.verdict.minimum_detectable_effect, evaluation.verdict.remedy
    if effect is not None:
        yield f"this study detects gains of {effect:.4f} or more."
    yield _advice(remedy, evaluation)


def _advice(remedy: Remedy | None, evaluation: Evaluation) -> str:
    looks = evaluation.look
    if looks is not None and looks.chance is not None:
        chance = f"settles it with a probability of {looks.chance:.0%}"
        if evaluation.next_look is not None:
            return f"The study goes on to {evaluation.next_look} replicates; the last look {chance}."
        return f"It stops here: the last look, at {looks.replicates[-1]} replicates, {chance}; more test items may."
    aim = f"To detect gains of {evaluation.margin:g} (the margin)"
    rows = "test items" if evaluation.clusters is None else "independent test items"
    if remedy is None:
        return f"{aim}: more natural rows."
    if remedy.by == "nothing":
        return "Gains as large as the margin would have been detected."
    if remedy.by == "replicates":
        return f"{aim}: {remedy.replicates} replicates on the same test items, fixed before they are looked at."
    if remedy.by == "test items":
        return f"{aim}: {remedy.items:,} {rows}; more replicates alone never would."
    return f"{aim}: more {rows} and more replicates, neither alone is enough."


def _labels(labels: float, censored: Censored | None) -> str:
    prefix = {"more than the pool": "more than ", "less than the smallest": "less than ", None: ""}[censored]
    return f"{prefix}{labels:,.0f}"
