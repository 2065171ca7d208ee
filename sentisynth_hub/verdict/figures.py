"""The figures of a study: learning curve, effects, confusion and slices. A pure function of the evaluation.

    for name, svg in draw(evaluation).items(): ...      # names: effects, curve, confusion, labels, slices, distance

Words stay words in the SVG of the report, so that a browser draws any script with its own fonts; label names are never
read as mathematics. The cards get PNG, since the Hub does not show SVG files everywhere.
"""

import io
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from sentisynth_hub.verdict.evaluation import Evaluation
from sentisynth_hub.verdict.evaluation_parts import Interval, SliceTable


INK, FAINT, ACCENT, SECOND = "#1f2933", "#9aa5b1", "#0b6e99", "#c2410c"
_DPI = 110
_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "sentisynth",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
}


def draw(evaluation: Evaluation) -> dict[str, str]:
    """Draw every figure the evaluation has the numbers for; the same numbers give the same SVG, byte for byte."""
    return {
        name: _svg(function, evaluation, width, height)
        for name, (possible, function, width, height) in _figures(evaluation).items()
        if possible
    }


def draw_png(evaluation: Evaluation, names: Sequence[str]) -> dict[str, bytes]:
    """Draw the named figures as PNG, those that the evaluation has the numbers for; bytes depend on this machine's
    fonts."""
    figures = _figures(evaluation)
    return {
        name: _saved(function, evaluation, (width, height), format="png", dpi=_DPI, metadata={"Software": None})
        for name, (possible, function, width, height) in figures.items()
        if possible and name in names
    }


def _figures(evaluation: Evaluation) -> dict[str, tuple[bool, Callable[..., None], float, float]]:
    """Whether there is something to draw, who draws it, width and height in inches."""
    effects = len(evaluation.first_comparisons())
    arms = 2 if evaluation.variant(evaluation.primary) else 1
    slices = len(evaluation.slices.rows) if evaluation.slices else 0
    by_label = len(evaluation.by_label.rows) if evaluation.by_label else 0
    return {
        "effects": (effects > 0, _draw_effects, 7.5, 1.2 + 0.36 * effects),
        "curve": (evaluation.curve is not None, _draw_curve, 7.5, 3.6),
        "confusion": (True, _draw_confusion, 4.6 * arms, 3.8),
        "labels": (by_label > 0, _draw_labels, 7.5, 1.2 + 0.36 * by_label),
        "slices": (slices > 0, _draw_slices, 7.5, 1.2 + 0.36 * slices),
        "distance": (evaluation.distance is not None, _draw_distance, 7.5, 2.8),
    }


def _svg(function: Callable[..., None], evaluation: Evaluation, width: float, height: float) -> str:
    saved = _saved(function, evaluation, (width, height), format="svg", metadata={"Date": None, "Creator": None})
    text = saved.decode("utf-8")
    return text[text.index("<svg") :]  # without the XML prologue, so that it stands in HTML


def _saved(function: Callable[..., None], evaluation: Evaluation, size: tuple[float, float], **saving: Any) -> bytes:
    """A figure of `size` (inches) as `function` draws it."""
    import matplotlib
    from matplotlib.figure import Figure

    settings = {**_SETTINGS, "font.sans-serif": _fonts()} if saving["format"] == "png" else _SETTINGS
    buffer = io.BytesIO()
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # Some script may have no font here; a browser that draws an SVG's words has its own.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure = Figure(figsize=size, layout="constrained")
        function(figure, evaluation)
        figure.savefig(buffer, **saving)
    return buffer.getvalue()


def _fonts() -> list[str]:
    """matplotlib's own font, then Noto's for the scripts it lacks, as far as they are installed."""
    import matplotlib
    from matplotlib.font_manager import fontManager

    noto = sorted({font.name for font in fontManager.ttflist if font.name.startswith("Noto Sans")})
    return [matplotlib.rcParams["font.sans-serif"][0], *noto]


def _draw_effects(figure: Any, evaluation: Evaluation) -> None:
    rows = evaluation.first_comparisons()
    margin = evaluation.margin
    _forest(
        figure,
        [_with_labels(evaluation, row.variant) for row in rows],
        [row.difference for row in rows],
        [row.interval for row in rows],
        [ACCENT if row.family == "primary" else INK for row in rows],
        f"difference to {evaluation.baseline} in {evaluation.metric}; shaded: smaller than the margin of {margin:g}",
        margin,
    )


def _with_labels(evaluation: Evaluation, name: str) -> str:
    """The variant's name, with its human labels where they are not as many as the baseline's."""
    budgets = [scores.budget for each in (evaluation.baseline, name) if (scores := evaluation.variant(each))]
    if len(budgets) < 2 or budgets[0] is None or budgets[1] is None or budgets[0].distinct == budgets[1].distinct:
        return name
    return f"{name} ({budgets[1].distinct:,} labels, not {budgets[0].distinct:,})"


def _draw_labels(figure: Any, evaluation: Evaluation) -> None:
    table = evaluation.by_label
    assert table is not None
    pair = f"{evaluation.primary} to {evaluation.baseline}"
    _table_forest(figure, table, f"difference of {pair} in {table.metric}, by true label")


def _draw_slices(figure: Any, evaluation: Evaluation) -> None:
    table = evaluation.slices
    assert table is not None
    pair = f"{evaluation.primary} to {evaluation.baseline}"
    _table_forest(figure, table, f"difference of {pair} in {table.metric}, by slice")


def _draw_distance(figure: Any, evaluation: Evaluation) -> None:
    assert evaluation.distance is not None
    table = evaluation.distance.bins
    _table_forest(
        figure, table, f"difference in {table.metric}, by the test item's distance to its nearest natural row"
    )


def _table_forest(figure: Any, table: SliceTable, title: str) -> None:
    """Slices as a forest: blue where the interval lies above 0, red where below, pale where there are too few rows."""
    colours = {"better": ACCENT, "worse": SECOND, "undecided": INK, "too few rows": FAINT}
    _forest(
        figure,
        [f"{row.name} ({row.items})" for row in table.rows],
        [row.difference for row in table.rows],
        [row.interval for row in table.rows],
        [colours[row.reading] for row in table.rows],
        title,
        None,
    )


def _forest(
    figure: Any,
    names: Sequence[str],
    values: Sequence[float],
    intervals: Sequence[Interval | None],
    colours: Sequence[str],
    title: str,
    margin: float | None,
) -> None:
    axes = figure.add_subplot()
    if margin is not None:
        axes.axvspan(-margin, margin, color=FAINT, alpha=0.2, lw=0)
    axes.axvline(0, color=FAINT, lw=1)
    for place, (value, interval, colour) in enumerate(zip(values, intervals, colours, strict=True)):
        if interval is not None:
            axes.plot(interval, [place, place], color=colour, lw=2, solid_capstyle="butt")
        axes.plot([value], [place], "o", color=colour, ms=6)
        axes.annotate(
            f"{value:+.3f}", (value, place), xytext=(0, 7), textcoords="offset points", ha="center", fontsize=8
        )
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.8)
    axes.set_title(title, fontsize=10, loc="left")


def _draw_curve(figure: Any, evaluation: Evaluation) -> None:
    curve = evaluation.curve
    assert curve is not None
    axes = figure.add_subplot()
    axes.plot(curve.labels, curve.fitted, color=INK, lw=2, label="natural rows alone (monotone fit)")
    axes.plot(curve.labels, curve.scores, "o", color=INK, ms=5)
    ends = list(curve.scores)
    for name, labels in zip(curve.variants, curve.labels, strict=True):
        scores = evaluation.variant(name)
        if scores is not None and scores.interval is not None:
            axes.plot([labels, labels], scores.interval, color=INK, lw=1.2)
            ends += scores.interval
    room = 0.15 * max(max(ends) - min(ends), 0.01)
    low, high = min(ends) - room, max(ends) + room
    for worth, colour in zip(evaluation.worth, (ACCENT, SECOND, FAINT), strict=False):
        variant = evaluation.variant(worth.variant)
        if variant is None:
            continue
        if not low <= variant.mean <= high:  # one bad variant would press the curve flat: name its score instead
            edge = low if variant.mean < low else high
            marker = "v" if variant.mean < low else "^"
            label = f"{worth.variant} ({variant.mean:.3f}, outside)"
            axes.plot([worth.used], [edge], marker, color=colour, ms=7, clip_on=False, label=label)
            continue
        axes.axhline(variant.mean, color=colour, lw=1, ls=":")
        axes.plot([worth.used], [variant.mean], "D", color=colour, ms=6, label=worth.variant)
        if variant.interval is not None:
            axes.plot([worth.used, worth.used], variant.interval, color=colour, lw=1.2)
        if worth.censored is None:
            axes.plot([worth.labels], [variant.mean], "|", color=colour, ms=16, mew=2)
    axes.set_ylim(low, high)
    axes.set_xscale("log")
    ticks = sorted(set(curve.labels))
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("human labels used, validation included")
    axes.set_ylabel(evaluation.metric)
    axes.legend(frameon=False, loc="lower right")


def _draw_confusion(figure: Any, evaluation: Evaluation) -> None:
    names = (evaluation.baseline, evaluation.primary)
    variants = [variant for name in names if (variant := evaluation.variant(name)) is not None]
    labels = evaluation.labels
    for place, variant in enumerate(variants):
        axes = figure.add_subplot(1, len(variants), place + 1)
        shares = [[count / max(sum(row), 1) for count in row[: len(labels)]] for row in variant.confusion]
        axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolor="white")
        axes.invert_yaxis()
        axes.set_aspect("equal")
        for i, row in enumerate(shares):
            for j, share in enumerate(row):
                axes.text(
                    j + 0.5, i + 0.5, f"{share:.0%}", ha="center", va="center", color="white" if share > 0.55 else INK
                )
        axes.set_xticks([i + 0.5 for i in range(len(labels))], labels, rotation=25, ha="right")
        axes.set_yticks([i + 0.5 for i in range(len(labels))], labels)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        axes.set_title(variant.name, fontsize=10)
