"""Code-mixing inside the range of the natural rows. Reasons: `less_mixed`, `more_mixed`.

The windows of CMI and I-index lie between two quantiles of the replicate's own natural rows under the same tagger. A
text most of whose words the tagger does not know is not judged and stays. The score is the CMI.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.metrics.code_mixing import Tags, cmi, i_index, unknown_share
from sentisynth_hub.metrics.word_languages import WordTagger


@dataclass(frozen=True)
class CodeMixing:
    """Keeps texts whose CMI and I-index lie in their windows (lowest, highest). Build it with `window_of`."""

    tagger: WordTagger
    cmi_window: tuple[float, float]
    switch_window: tuple[float, float]
    max_unknown: float
    facts: Mapping[str, Any] = field(default_factory=dict)
    name: str = "code_mixing"
    score_name: str = "cmi"

    @classmethod
    def window_of(
        cls, natural: Sequence[Row], tagger: WordTagger, quantiles: tuple[float, float], max_unknown: float
    ) -> "CodeMixing":
        """Take the windows from natural rows' quantiles, rows with too many unknown words left out."""
        tags = [tagger.tags(row.text) for row in natural]
        known = [each for each in tags if unknown_share(each) <= max_unknown] or [[]]
        cmi_window, switch_window = (
            (float(np.quantile(values, quantiles[0])), float(np.quantile(values, quantiles[1])))
            for values in ([cmi(each) for each in known], [i_index(each) for each in known])
        )
        facts = {
            "tagger": tagger.description,
            "cmi_window": [round(value, 3) for value in cmi_window],
            "i_index_window": [round(value, 4) for value in switch_window],
            "natural_unknown_share": round(float(np.mean([unknown_share(each) for each in tags])) if tags else 0.0, 4),
            "natural_rows": len(natural),
        }
        return cls(tagger, cmi_window, switch_window, max_unknown, facts)

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row."""
        return [self._decide(self.tagger.tags(row.text)) for row in rows]

    def _decide(self, tags: Tags) -> Decision:
        mixed = cmi(tags)
        if unknown_share(tags) > self.max_unknown:
            return Decision(True, None, mixed)
        for value, (lowest, highest) in ((mixed, self.cmi_window), (i_index(tags), self.switch_window)):
            if value < lowest:
                return Decision(False, "less_mixed", mixed)
            if value > highest:
                return Decision(False, "more_mixed", mixed)
        return Decision(True, None, mixed)
