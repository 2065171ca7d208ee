"""Perplexity inside the window that natural rows span.

What is ordinary for code-mixed tweets is a surprise to an English model, so no fixed number would do: the window lies
between two quantiles of the perplexities of the replicate's own natural rows under the same scorer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import Field

from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.filter.contract import Filter, FilterContext, FilterFacts, LabelUse
from sentisynth_hub.pretrained.perplexity import perplexities
from sentisynth_hub.recipe.filter_section import Scorer
from sentisynth_hub.recipe.section import Section


class PerplexityOptions(Section):
    """Drops texts a language model finds more predictable, or more surprising, than natural rows."""

    scorer: Scorer
    """The language model."""
    lower_quantile: float = Field(default=0.01, ge=0, lt=1)
    """Quantile of the natural rows' perplexities below which a text is too predictable."""
    upper_quantile: float = Field(default=0.99, gt=0, le=1)
    """Quantile of the natural rows' perplexities above which a text is too surprising."""


class PerplexityFacts(FilterFacts):
    """The window (lowest, highest), and the natural rows it was taken from."""

    window: tuple[float, float]
    natural_median: float
    natural_rows: int


@dataclass(frozen=True)
class PerplexityWindow(Filter):
    """Keeps texts whose perplexity lies in [`lowest`, `highest`]. Build it with `window_of`.

    The score is the perplexity; a text without a token to predict has none.
    """

    scorer: Scorer
    lowest: float
    highest: float
    cache: Path | None
    learned: PerplexityFacts
    natural_ids: tuple[str, ...]

    name = "perplexity"
    score_name = "perplexity"
    reasons = {
        "too_predictable": "less perplexity than natural rows have",
        "too_surprising": "more perplexity than natural rows have",
        "unscorable": "no token to predict",
    }
    options = PerplexityOptions
    facts_type = PerplexityFacts

    @classmethod
    def build(cls, options: PerplexityOptions, context: FilterContext) -> "PerplexityWindow":
        """Take the window from the replicate's natural rows."""
        quantiles = (options.lower_quantile, options.upper_quantile)
        return cls.window_of(context.human_rows, options.scorer, quantiles, context.cache)

    @classmethod
    def window_of(
        cls, natural: Sequence[Row], scorer: Scorer, quantiles: tuple[float, float], cache: Path | None = None
    ) -> "PerplexityWindow":
        """Take the window from the `quantiles` of the natural rows' perplexities."""
        values = perplexities_of(natural, scorer, cache)
        lowest, highest = (float(value) for value in np.nanquantile(values, quantiles))
        facts = PerplexityFacts(
            window=(float(f"{lowest:.5g}"), float(f"{highest:.5g}")),
            natural_median=float(f"{np.nanmedian(values):.5g}"),
            natural_rows=len(natural),
        )
        return cls(scorer, lowest, highest, cache, facts, tuple(sorted(row.request_id for row in natural)))

    def facts(self) -> PerplexityFacts:
        """The window."""
        return self.learned

    def human_labels(self) -> Mapping[LabelUse, Sequence[str]]:
        """The natural rows whose perplexities span the window."""
        return {"scorer": self.natural_ids}

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row."""
        return [self._decide(float(value)) for value in perplexities_of(rows, self.scorer, self.cache)]

    def _decide(self, value: float) -> Decision:
        if np.isnan(value):
            return Decision(False, "unscorable")
        if value < self.lowest:
            return Decision(False, "too_predictable", value)
        if value > self.highest:
            return Decision(False, "too_surprising", value)
        return Decision(True, None, value)


def perplexities_of(rows: Sequence[Row], scorer: Scorer, cache: Path | None = None) -> npt.NDArray[np.float64]:
    """The rows' perplexities, (rows,)."""
    return perplexities(
        [row.text for row in rows],
        scorer.model,
        revision=scorer.revision,
        max_length=scorer.max_length,
        batch_size=scorer.batch_size,
        threads=scorer.threads,
        dtype=scorer.dtype,
        cache=cache,
    )
