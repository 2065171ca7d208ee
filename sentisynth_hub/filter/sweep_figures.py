"""Figures of sweeps and corpus reports (matplotlib, extra `report`)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sentisynth_hub.core.errors import InputError


_COLOURS = {"synthetic": "#d95f02", "natural": "#1b7837"}  # told apart without colour vision too


def draw_sweep(points: Sequence[Mapping[str, Any]], key: str, path: Path) -> None:
    """Draw yield, distinct_2 and macro_f1 over the swept values, one panel each."""
    plt = _pyplot()
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
    values = [point["value"] for point in points]
    for axis, name in zip(axes, ("yield", "distinct_2", "macro_f1"), strict=True):
        heights = [float("nan") if point[name] is None else point[name] for point in points]
        axis.plot(values, heights, marker="o", color=_COLOURS["synthetic"])
        axis.set(xlabel=key.removeprefix("filter."), title=name)
    spread = [point["macro_f1_sd"] or 0.0 for point in points]
    means = [point["macro_f1"] for point in points]
    low = [mean - sd for mean, sd in zip(means, spread, strict=True)]
    high = [mean + sd for mean, sd in zip(means, spread, strict=True)]
    axes[2].fill_between(values, low, high, alpha=0.2, color=_COLOURS["synthetic"])
    baseline = points[0]["natural_macro_f1"]
    axes[2].axhline(baseline, color=_COLOURS["natural"], linestyle="--", label="natural rows only")
    axes[2].legend()
    _save(figure, path)


def draw_distributions(distributions: Mapping[str, Mapping[str, Sequence[float]]], folder: Path) -> list[Path]:
    """Draw each measure's distribution over synthetic and natural rows to `<folder>/<measure>.png`.

    Args:
        distributions: Measure to side (`synthetic`, `natural`) to the rows' values.
    """
    import numpy as np

    plt = _pyplot()
    paths = []
    for measure, sides in distributions.items():
        figure, axis = plt.subplots(figsize=(5, 3.2), layout="constrained")
        bins = np.histogram_bin_edges(np.concatenate([np.asarray(values) for values in sides.values()]), bins=30)
        for side, values in sides.items():
            shares = np.full(len(values), 1 / max(1, len(values)))
            axis.hist(values, bins=bins, weights=shares, histtype="step", label=side, color=_COLOURS[side])
        axis.set(xlabel=measure, ylabel="share of rows")
        axis.legend()
        paths.append(folder / f"{measure}.png")
        _save(figure, paths[-1])
    return paths


def _pyplot() -> Any:
    try:
        import matplotlib
    except ImportError:
        raise InputError("figures need matplotlib; pip install 'sentisynth-hub[report]'") from None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def _save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    _pyplot().close(figure)
