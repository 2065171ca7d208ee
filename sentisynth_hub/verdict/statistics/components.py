"""How much of an effect's variance each factor of a question accounts for, from a balanced table.

    found = variance_components(values, ["prompt", "draw"])         # values (levels of A, levels of B, replicates)

Estimates are those of the analysis of variance: every mean square is set equal to its expectation under random
effects and the equations are solved (Searle, Casella and McCulloch 1992, Variance Components, chapter 4: balanced
data); a component that comes out negative is zero, and shares are of the sum. With a, b levels and R replicates:

    one factor    E(MS_A) = σ²_E + R σ²_A                     E(MS_R) = σ²_E + a σ²_R
    two, crossed  E(MS_A) = σ²_E + R σ²_AB + bR σ²_A          E(MS_R) = σ²_E + ab σ²_R
                  E(MS_B) = σ²_E + R σ²_AB + aR σ²_B          E(MS_AB) = σ²_E + R σ²_AB
    B in R        E(MS_A) = σ²_E + b σ²_AR + bR σ²_A          E(MS_AR) = σ²_E + b σ²_AR
                  E(MS_R) = σ²_E + b σ²_AR + a σ²_B + ab σ²_R E(MS_B) = σ²_E + a σ²_B

Replicates are a block: replicate r draws the same natural rows in every cell. "B in R" is for a factor whose levels
have nothing in common from replicate to replicate, such as the draw of the demonstrations. All cells are scored on the
same test items, so the items' luck moves all cells alike and is in none of these components.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import fdtrc

from sentisynth_hub.core.errors import DataError
from sentisynth_hub.metrics.classification import Array
from sentisynth_hub.verdict.evaluation_parts import Record


REPLICATE = "replicate"
RESIDUAL = "residual"


class VarianceSource(Record):
    """One source of variance.

    `component` is a variance of the response; `share` its part of the sum of all; `p` of the F test that the component
    is zero, against the mean square that has the same expectation but for it (None for the residual, and where no
    single mean square has).
    """

    name: str
    df: int
    mean_square: float
    component: float
    share: float
    p: float | None


class Components(Record):
    """Variance shares. `nested`: the factor inside replicates, if any. `levels`: mean response by factor and level."""

    replicates: int
    nested: str | None
    sources: tuple[VarianceSource, ...]
    levels: dict[str, dict[str, float]]


def variance_components(
    values: Array, factors: Mapping[str, Sequence[str]], *, nested: str | None = None
) -> Components:
    """Work out the components of a balanced table.

    Args:
        values: Response, (levels of the first factor, [levels of the second,] replicates).
        factors: Names of one or two factors, and of their levels, in the order of the axes.
        nested: The factor whose levels mean something else in every replicate (only with two factors).

    Raises:
        DataError: Fewer than two replicates or levels, or another number of axes.
    """
    names = list(factors)
    if values.ndim != len(names) + 1 or len(names) not in (1, 2) or min(values.shape) < 2:
        raise DataError(
            f"variance shares: a table of {' × '.join(map(str, values.shape))} for {len(names)} factors and the "
            "replicates; two of everything are needed"
        )
    if nested is not None and nested == names[0]:  # the formulas have the nested one second
        values, names = values.swapaxes(0, 1), names[::-1]
    if len(names) == 1:
        sources = _one_factor(values, names[0])
    elif nested is None:
        sources = _crossed(values, *names)
    else:
        sources = _nested(values, *names)
    total = sum(source.component for source in sources)
    shares = [source.component / total if total else 0.0 for source in sources]
    levels = {
        name: dict(zip(factors[name], _means(values, axis).ravel().tolist(), strict=True))
        for axis, name in enumerate(names)
    }
    return Components(
        replicates=values.shape[-1],
        nested=nested,
        sources=tuple(
            source.model_copy(update={"share": share}) for source, share in zip(sources, shares, strict=True)
        ),
        levels=levels,
    )


def _one_factor(y: Array, a: str) -> list[VarianceSource]:
    n_a, n_r = y.shape
    df = {a: n_a - 1, REPLICATE: n_r - 1, RESIDUAL: (n_a - 1) * (n_r - 1)}
    ss = {a: n_r * _squares(_means(y, 0) - y.mean()), REPLICATE: n_a * _squares(_means(y, 1) - y.mean())}
    ms = _mean_squares(y, ss, df)
    return [
        _source(a, df, ms, (ms[a] - ms[RESIDUAL]) / n_r, RESIDUAL),
        _source(REPLICATE, df, ms, (ms[REPLICATE] - ms[RESIDUAL]) / n_a, RESIDUAL),
        _source(RESIDUAL, df, ms, ms[RESIDUAL], None),
    ]


def _crossed(y: Array, a: str, b: str) -> list[VarianceSource]:
    n_a, n_b, n_r = y.shape
    both = f"{a} × {b}"
    df = {a: n_a - 1, b: n_b - 1, both: (n_a - 1) * (n_b - 1), REPLICATE: n_r - 1}
    df[RESIDUAL] = (n_a * n_b - 1) * (n_r - 1)
    of_a, of_b, of_r, grand = _means(y, 0), _means(y, 1), _means(y, 2), y.mean()
    ss = {
        a: n_b * n_r * _squares(of_a - grand),
        b: n_a * n_r * _squares(of_b - grand),
        both: n_r * _squares(_means(y, 0, 1) - of_a - of_b + grand),
        REPLICATE: n_a * n_b * _squares(of_r - grand),
    }
    ms = _mean_squares(y, ss, df)
    return [
        _source(a, df, ms, (ms[a] - ms[both]) / (n_b * n_r), both),
        _source(b, df, ms, (ms[b] - ms[both]) / (n_a * n_r), both),
        _source(both, df, ms, (ms[both] - ms[RESIDUAL]) / n_r, RESIDUAL),
        _source(REPLICATE, df, ms, (ms[REPLICATE] - ms[RESIDUAL]) / (n_a * n_b), RESIDUAL),
        _source(RESIDUAL, df, ms, ms[RESIDUAL], None),
    ]


def _nested(y: Array, a: str, b: str) -> list[VarianceSource]:
    n_a, n_b, n_r = y.shape
    both = f"{a} × {REPLICATE}"
    df = {a: n_a - 1, both: (n_a - 1) * (n_r - 1), b: n_r * (n_b - 1), REPLICATE: n_r - 1}
    df[RESIDUAL] = n_r * (n_a - 1) * (n_b - 1)
    of_a, of_r, grand = _means(y, 0), _means(y, 2), y.mean()
    ss = {
        a: n_b * n_r * _squares(of_a - grand),
        both: n_b * _squares(_means(y, 0, 2) - of_a - of_r + grand),
        b: n_a * _squares(_means(y, 1, 2) - of_r),
        REPLICATE: n_a * n_b * _squares(of_r - grand),
    }
    ms = _mean_squares(y, ss, df)
    of_replicates = (ms[REPLICATE] - ms[both] - ms[b] + ms[RESIDUAL]) / (n_a * n_b)
    return [
        _source(a, df, ms, (ms[a] - ms[both]) / (n_b * n_r), both),
        _source(both, df, ms, (ms[both] - ms[RESIDUAL]) / n_b, RESIDUAL),
        _source(b, df, ms, (ms[b] - ms[RESIDUAL]) / n_a, RESIDUAL),
        _source(REPLICATE, df, ms, of_replicates, None),
        _source(RESIDUAL, df, ms, ms[RESIDUAL], None),
    ]


def _means(y: Array, *kept: int) -> Array:
    """Means over every axis but the kept ones, with all axes still there."""
    return np.asarray(y.mean(axis=tuple(axis for axis in range(y.ndim) if axis not in kept), keepdims=True))


def _squares(deviations: Array) -> float:
    return float((deviations**2).sum())


def _mean_squares(y: Array, ss: Mapping[str, float], df: Mapping[str, int]) -> dict[str, float]:
    """Mean squares of the sources; what is left of the whole sum of squares is the residual's."""
    left = max(_squares(y - y.mean()) - sum(ss.values()), 0.0)  # rounding may leave a negative one
    return {name: value / df[name] for name, value in {**ss, RESIDUAL: left}.items()}


def _source(
    name: str, df: Mapping[str, int], ms: Mapping[str, float], component: float, against: str | None
) -> VarianceSource:
    p = None
    if against is not None and ms[against] > 0:
        p = float(fdtrc(df[name], df[against], ms[name] / ms[against]))
    return VarianceSource(name=name, df=df[name], mean_square=ms[name], component=max(component, 0.0), share=0.0, p=p)
