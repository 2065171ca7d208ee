"""Code-mixing inside the range of the natural rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.filter.contract import Filter, FilterContext, FilterFacts
from sentisynth_hub.metrics.code_mixing import Tags, cmi, i_index, unknown_share
from sentisynth_hub.metrics.word_languages import WordTagger
from sentisynth_hub.recipe.section import Section


class CodeMixingOptions(Section):
    """Drops texts mixed less, or more, than natural rows are."""

    lower_quantile: float = Field(default=0.01, ge=0, lt=1)
    """Quantile of the natural rows' CMI and I-index below which a text is mixed too little."""
    upper_quantile: float = Field(default=0.99, gt=0, le=1)
    """Quantile of the natural rows' CMI and I-index above which a text is mixed too much."""
    max_unknown: float = Field(default=0.5, ge=0, le=1)
    """Share of a text's words the tagger may not know; beyond it the measures say nothing and the text stays."""


class CodeMixingFacts(FilterFacts):
    """The windows (lowest, highest), and what they were taken from."""

    tagger: str
    cmi_window: tuple[float, float]
    i_index_window: tuple[float, float]
    natural_unknown_share: float
    natural_rows: int


@dataclass(frozen=True)
class CodeMixingWindow(Filter):
    """Keeps texts whose CMI and I-index lie in their windows (lowest, highest). Build it with `window_of`.

    The windows lie between two quantiles of the replicate's own natural rows under the same tagger. A text most of
    whose words the tagger does not know is not judged and stays. The score is the CMI.
    """

    tagger: WordTagger
    cmi_window: tuple[float, float]
    switch_window: tuple[float, float]
    max_unknown: float
    learned: CodeMixingFacts

    name = "code_mixing"
    score_name = "cmi"
    reasons = {
        "less_mixed": "languages mix less than in natural rows",
        "more_mixed": "languages mix more than in natural rows",
    }
    options = CodeMixingOptions
    facts_type = CodeMixingFacts

    @classmethod
    def build(cls, options: CodeMixingOptions, context: FilterContext) -> "CodeMixingWindow":
        """Take the windows from the replicate's natural rows."""
        quantiles = (options.lower_quantile, options.upper_quantile)
        return cls.window_of(context.human_rows, WordTagger(context.recipe.language), quantiles, options.max_unknown)

    @classmethod
    def window_of(
        cls, natural: Sequence[Row], tagger: WordTagger, quantiles: tuple[float, float], max_unknown: float
    ) -> "CodeMixingWindow":
        """Take the windows from natural rows' quantiles, rows with too many unknown words left out."""
        tags = [tagger.tags(row.text) for row in natural]
        judged = [each for each in tags if unknown_share(each) <= max_unknown] or [[]]
        cmi_window, switch_window = (
            (float(np.quantile(values, quantiles[0])), float(np.quantile(values, quantiles[1])))
            for values in ([cmi(each) for each in judged], [i_index(each) for each in judged])
        )
        facts = CodeMixingFacts(
            tagger=tagger.description,
            cmi_window=(round(cmi_window[0], 3), round(cmi_window[1], 3)),
            i_index_window=(round(switch_window[0], 4), round(switch_window[1], 4)),
            natural_unknown_share=round(float(np.mean([unknown_share(each) for each in tags])) if tags else 0.0, 4),
            natural_rows=len(natural),
        )
        return cls(tagger, cmi_window, switch_window, max_unknown, facts)

    def facts(self) -> CodeMixingFacts:
        """The windows."""
        return self.learned

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
