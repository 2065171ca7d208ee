"""Script and language.

Scripts are those of the natural rows. Languages are judged by lingua over whole texts, and only where lingua knows
every language of the recipe (it knows no romanised Indic language, and no Malayalam at all).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.filter.contract import Filter, FilterContext, FilterFacts
from sentisynth_hub.metrics.scripts import scripts_of
from sentisynth_hub.metrics.word_languages import lingua_name
from sentisynth_hub.recipe.section import Section


_NATURAL_QUANTILE = 0.01  # natural rows would hardly be dropped by a limit below this quantile of theirs
_SCRIPT_SHARE = 0.001  # of the natural rows' letters: a script rarer than that is an accident


class LanguageOptions(Section):
    """Drops texts in a script the natural rows are not written in, or in none of the recipe's languages."""

    scripts: list[str] | None = None
    """Unicode scripts (`Latin`, `Malayalam`); left out: those of the natural rows."""
    max_other_script: float = Field(default=0.1, ge=0, le=1)
    """Share of a text's letters that may be of other scripts."""
    min_confidence: float = Field(default=0.1, ge=0, le=1)
    """Probability that the text is in one of the recipe's languages; used where lingua knows all of them."""


class LanguageFacts(FilterFacts):
    """Which scripts count, and by what languages are judged."""

    scripts: list[str]
    judged_by: str
    min_confidence: float | None
    """None where languages are not judged."""


@dataclass(frozen=True)
class Language(Filter):
    """Keeps texts in the natural rows' scripts and the recipe's languages. Build it with `like`.

    The score is the probability of the recipe's languages where that was judged, else the share of letters in the
    natural rows' scripts.
    """

    scripts: frozenset[str]
    max_other_script: float
    detector: Any
    languages: tuple[Any, ...]
    min_confidence: float

    name = "language"
    score_name = "language"
    reasons = {
        "other_script": "too many letters of a script that natural rows are not written in",
        "other_language": "lingua takes the text for another language",
    }
    options = LanguageOptions
    facts_type = LanguageFacts

    @classmethod
    def build(cls, options: LanguageOptions, context: FilterContext) -> "Language":
        """Take scripts and confidence from the replicate's natural rows."""
        return cls.like(context.human_rows, context.recipe.language, **options.model_dump())

    @classmethod
    def like(
        cls,
        natural: Sequence[Row],
        languages: Sequence[str],
        *,
        scripts: Sequence[str] | None,
        max_other_script: float,
        min_confidence: float,
    ) -> "Language":
        """Take the scripts, and how sure lingua is of real text, from natural rows.

        The limit of the confidence is `min_confidence`, or a low quantile of the natural rows' own where that is
        lower.
        """
        counts = sum((scripts_of(row.text) for row in natural), start=scripts_of(""))
        letters = counts.total()
        if scripts is None:
            scripts = [script for script, count in counts.items() if count >= _SCRIPT_SHARE * letters]
        detector, names = _detector(languages)
        limit = min_confidence
        if detector is not None and natural:
            confidences = _confidences(detector, names, [row.text for row in natural])
            limit = min(limit, float(np.quantile(confidences, _NATURAL_QUANTILE)))
        return cls(frozenset(scripts), max_other_script, detector, names, limit)

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row."""
        shares = [self._script_share(row.text) for row in rows]
        if self.detector is None:
            scores = shares
        else:
            scores = _confidences(self.detector, self.languages, [row.text for row in rows])
        return [self._decide(share, score) for share, score in zip(shares, scores, strict=True)]

    def facts(self) -> LanguageFacts:
        """Scripts and limit."""
        judged = self.detector is not None
        return LanguageFacts(
            scripts=sorted(self.scripts),
            judged_by="scripts and lingua" if judged else "scripts",
            min_confidence=round(self.min_confidence, 4) if judged else None,
        )

    def _decide(self, share: float, score: float) -> Decision:
        if share < 1 - self.max_other_script:
            return Decision(False, "other_script", share)
        if self.detector is not None and score < self.min_confidence:
            return Decision(False, "other_language", score)
        return Decision(True, None, score)

    def _script_share(self, text: str) -> float:
        """Share of the letters that are of the allowed scripts; 1 for a text without letters."""
        counts = scripts_of(text)
        letters = counts.total()
        return sum(counts[script] for script in self.scripts) / letters if letters else 1.0


def _detector(languages: Sequence[str]) -> tuple[Any, tuple[Any, ...]]:
    """lingua's detector over all it knows and the recipe's languages in its terms; (None, ()) where it lacks one."""
    import lingua

    names = [lingua_name(language) for language in languages]
    if None in names:
        return None, ()
    builder = lingua.LanguageDetectorBuilder.from_all_languages().with_low_accuracy_mode()
    return builder.build(), tuple(getattr(lingua.Language, str(name)) for name in names)


def _confidences(detector: Any, languages: Sequence[Any], texts: Sequence[str]) -> list[float]:
    """Probability that each text is in one of `languages`."""
    by_text = detector.compute_language_confidence_values_in_parallel(list(texts))
    return [sum(each.value for each in values if each.language in languages) for values in by_text]
