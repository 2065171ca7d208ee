"""Perplexity inside the window that natural rows span. Reasons: `too_predictable`, `too_surprising`, `unscorable`.

The window lies between two quantiles of the perplexities of the replicate's own natural rows under the same scorer:
what is ordinary for code-mixed tweets is a surprise to an English model, so no fixed number would do. The score is the
perplexity; a text without a token to predict has none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.pretrained.perplexity import perplexities
from sentisynth_hub.recipe.filter_section import Scorer


@dataclass(frozen=True)
class Perplexity:
    """Keeps texts whose perplexity lies in [`lowest`, `highest`]. Build it with `window_of`."""

    scorer: Scorer
    lowest: float
    highest: float
    cache: Path | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    name: str = "perplexity"
    score_name: str = "perplexity"

    @classmethod
    def window_of(
        cls, natural: Sequence[Row], scorer: Scorer, quantiles: tuple[float, float], cache: Path | None = None
    ) -> "Perplexity":
        """Take the window from the `quantiles` of the natural rows' perplexities."""
        values = perplexities_of(natural, scorer, cache)
        lowest, highest = (float(value) for value in np.nanquantile(values, quantiles))
        facts = {
            "window": [float(f"{lowest:.5g}"), float(f"{highest:.5g}")],
            "natural_median": float(f"{np.nanmedian(values):.5g}"),
            "natural_rows": len(natural),
            "human_labels": {"scorer": sorted(row.request_id for row in natural)},
        }
        return cls(scorer, lowest, highest, cache, facts)

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
