"""From a key and the raters' exports to human_evaluation.json, its sentences and its table."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sentisynth_hub.annotate.agreement import MISSING
from sentisynth_hub.annotate.rating_files import FORMAT_RESULT, RESULT_FILE, Export, Key
from sentisynth_hub.annotate.ratings import Confusion, HumanEvaluation, HumanRecord, Mean, RatingDifference
from sentisynth_hub.annotate.statistics_of_ratings import Ratings, evaluate_ratings
from sentisynth_hub.core.errors import InputError


LEAST_ANSWERED = 0.5
"""Raters who answered a smaller share of the questions are left out: rows they left open would be left out for all."""
RESAMPLES = 1999


def score_exports(key: Key, exports: Sequence[Export], *, alpha: float = 0.05) -> HumanRecord:
    """Judge the exports of one sheet, one a rater.

    Raises:
        InputError: No rater answered enough, or krippendorff is not installed.
    """
    try:
        import krippendorff  # noqa: F401
    except ImportError:
        raise InputError("annotate score needs krippendorff; pip install 'sentisynth-hub[annotate]'") from None
    questions = 3 * len(key.items)
    enough = [export for export in exports if questions - _open(key, export) >= LEAST_ANSWERED * questions]
    left_out = [export.rater for export in exports if export not in enough]
    if not enough:
        raise InputError(f"no rater answered {LEAST_ANSWERED:.0%} of the questions or more; ask them to go on")
    ratings = make_ratings(key, enough)
    evaluation = evaluate_ratings(
        ratings,
        accuracy_margin=key.margins.accuracy,
        naturalness_margin=key.margins.naturalness,
        alpha=alpha,
        resamples=RESAMPLES,
        seed=key.seed,
    )
    missing = sum(_open(key, export) for export in enough)
    return {
        "format": FORMAT_RESULT,
        "version": 1,
        "sheet": key.sheet,
        "recipe": key.recipe,
        "content_digest": key.content_digest,
        "settings": key.settings,
        **evaluation,
        "missing": missing,
        "left_out": left_out,
        "sentences": _sentences(evaluation),
        "warnings": _warnings(key, evaluation, missing, left_out),
    }


def make_ratings(key: Key, exports: Sequence[Export]) -> Ratings:
    """The answers as (raters, rows) arrays, rows in the order of the key."""
    place = {item.id: number for number, item in enumerate(key.items)}
    shape = (len(exports), len(key.items))
    label = np.full(shape, MISSING)
    naturalness, machine = np.full(shape, np.nan), np.full(shape, np.nan)
    for rater, export in enumerate(exports):
        for answer in export.answers:
            row = place[answer.id]
            if answer.label is not None:
                label[rater, row] = key.labels.index(answer.label)
            if answer.naturalness is not None:
                naturalness[rater, row] = answer.naturalness
            if answer.source is not None:
                machine[rater, row] = answer.source == "machine"
    return Ratings(
        labels=tuple(key.labels),
        raters=tuple(export.rater for export in exports),
        synthetic=np.array([item.origin == "synthetic" for item in key.items]),
        given=np.array([key.labels.index(item.label) for item in key.items]),
        strata=tuple(item.stratum for item in key.items),
        label=label,
        naturalness=naturalness,
        machine=machine,
    )


def result_path(where: Path, key: Key) -> Path:
    """human_evaluation.json in the key's run folder; where that is not on this machine, in the one the key lies in.

    Beside the key where it lies in none, and where rows of other settings were rated too: that is not a result about
    the recipe's corpus.
    """
    beside = where.resolve().parent
    if key.settings != [""]:
        return beside / RESULT_FILE
    run = Path(key.run)
    if not run.is_dir():
        run = beside.parents[1] if beside.parent.name == "annotate" else beside
    return run / RESULT_FILE


def score_lines(record: HumanRecord) -> list[str]:
    """The result as lines of plain text."""
    rows, raters = record["rows"], record["raters"]
    title = f"{rows['natural']} natural and {rows['synthetic']} synthetic rows, {raters} rater{'s' * (raters != 1)}"
    lines = [title, "", *record["sentences"], "", f"{'':<26} {'natural':>24} {'synthetic':>24}"]
    for name, pair in (
        ("label as given", record["label_match"]),
        ("said to be a machine's", record["said_machine"]),
        ("naturalness (1 to 5)", record["naturalness"]),
    ):
        lines.append(f"{name:<26} {_shown(pair['natural']):>24} {_shown(pair['synthetic']):>24}")
    lines.append("")
    for question, agreement in record["agreement"].items():
        assert isinstance(agreement, dict)
        lines.append(f"Krippendorff's alpha, {question:<12} {_alpha(agreement['alpha'], agreement['interval'])}")
    for origin, given in (("natural", "natural label"), ("synthetic", "label asked for")):
        confusion: Confusion = record["confusion"][origin]  # type: ignore[literal-required]
        lines += ["", f"{given} (down) and the label most raters gave (across)"]
        lines.append(" ".join([f"{'':<16}", *(f"{name[:12]:>12}" for name in [*record["labels"], "no majority"])]))
        for label, counts in zip(record["labels"], confusion["counts"], strict=True):
            lines.append(" ".join([f"{label[:16]:<16}", *(f"{count:>12}" for count in counts)]))
    if record["strata"]:
        lines += [
            "",
            f"{'stratum':<32} {'rows':>5} {'label as given':>24} {'told rightly':>24} {'less natural by':>24}",
        ]
        for stratum in record["strata"]:
            cells = [_shown(stratum["label_match"]), _shown(stratum["tell"]), _shown(stratum["naturalness"])]
            lines.append(f"{stratum['name']:<32} {stratum['rows']:>5} " + " ".join(f"{cell:>24}" for cell in cells))
    lines += ["", f"{'rater':>5} {'rows':>5} {'told rightly':>13} {'naturalness: natural':>21} {'synthetic':>10}"]
    for one_rater in record["per_rater"]:
        sides = one_rater["naturalness"]
        lines.append(
            f"{one_rater['rater']:>5} {one_rater['answered']:>5} {_number(one_rater['told_rightly']):>13} "
            f"{_number(sides['natural']):>21} {_number(sides['synthetic']):>10}"
        )
    return lines


def _open(key: Key, export: Export) -> int:
    """Questions the rater left open."""
    given = sum(
        (answer.label is not None) + (answer.naturalness is not None) + (answer.source is not None)
        for answer in export.answers
    )
    return 3 * len(key.items) - given


_ALONE = "One rater: nothing can be said of others"


def _sentences(evaluation: HumanEvaluation) -> list[str]:
    tell, gap = evaluation["tell"], evaluation["naturalness"]["difference"]
    sentences = []
    if tell is not None:
        says = {
            "better": "Raters can tell natural from synthetic rows",
            "worse": "Raters take natural rows for synthetic ones and the other way round",
            "no difference that matters": f"Raters cannot tell: within {tell['margin']:g} of chance",
            "undecided": "Whether raters can tell is not decided",
            "no verdict": _ALONE,
        }[tell["reading"]]
        sentences.append(f"{says}: accuracy {_shown(tell)}, chance {tell['null']:g}.")
    if gap is not None:
        says = {
            "better": "Natural rows sound more natural",
            "worse": "Synthetic rows sound more natural than natural ones",
            "no difference that matters": f"Both sound as natural, within {gap['margin']:g} points",
            "undecided": "Whether natural rows sound more natural is not decided",
            "no verdict": _ALONE,
        }[gap["reading"]]
        sentences.append(f"{says}: naturalness, natural minus synthetic, {_signed(gap)} points.")
    return sentences


def _warnings(key: Key, evaluation: HumanEvaluation, missing: int, left_out: Sequence[int]) -> list[str]:
    warnings = []
    if left_out:
        who = ", ".join(map(str, left_out))
        warnings.append(f"Left out, under {LEAST_ANSWERED:.0%} of the questions answered: rater {who}.")
    if missing:
        warnings.append(f"{missing} answers were left open; a row a rater left open is left out of that question.")
    absent = key.raters - evaluation["raters"] - len(left_out)
    if absent:
        warnings.append(f"The sheet was made for {key.raters} raters; {absent} of them gave no answers.")
    if evaluation["raters"] == 1:
        warnings.append("One rater: no agreement, and no interval, can be given.")
    return warnings


def _alpha(value: float | None, interval: tuple[float, float] | None) -> str:
    return (
        "not defined"
        if value is None
        else f"{value:.3f}" + (f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else "")
    )


def _shown(estimate: Mean | RatingDifference | None) -> str:
    if estimate is None:
        return "-"
    low_high = estimate["interval"]
    return f"{estimate['value']:.3f}" + (f" [{low_high[0]:.3f}, {low_high[1]:.3f}]" if low_high else "")


def _signed(difference: RatingDifference) -> str:
    low_high = difference["interval"]
    return f"{difference['value']:+.3f}" + (f" [{low_high[0]:+.3f}, {low_high[1]:+.3f}]" if low_high else "")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
