"""Script and language. Reasons: `other_script`, `other_language`.

Scripts are those of the natural rows. Languages are judged by lingua over whole texts, and only where lingua knows
every language of the recipe (it knows no romanised Indic language, and no Malayalam at all). The score is the
probability of the recipe's languages where that was judged, else the share of letters in the natural rows' scripts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.metrics.scripts import scripts_of
from sentisynth_hub.metrics.word_languages import lingua_name


_NATURAL_QUANTILE = 0.01  # natural rows would hardly be dropped by a limit below this quantile of theirs
_SCRIPT_SHARE = 0.001  # of the natural rows' letters: a script rarer than that is an accident


@dataclass(frozen=True)
class Language:
    """Keeps texts in the natural rows' scripts and the recipe's languages. Build it with `like`."""

    scripts: frozenset[str]
    max_other_script: float
    detector: Any
    languages: tuple[Any, ...]
    min_confidence: float
    facts: Mapping[str, Any] = field(default_factory=dict)
    name: str = "language"
    score_name: str = "language"

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
        chosen = scripts if scripts is not None else [s for s, n in counts.items() if n >= _SCRIPT_SHARE * letters]
        detector, known = _detector(languages)
        limit = min_confidence
        if detector is not None and natural:
            confidences = _confidences(detector, known, [row.text for row in natural])
            limit = min(limit, float(np.quantile(confidences, _NATURAL_QUANTILE)))
        facts = {
            "scripts": sorted(chosen),
            "judged_by": "scripts and lingua" if detector is not None else "scripts",
            "min_confidence": round(limit, 4) if detector is not None else None,
        }
        return cls(frozenset(chosen), max_other_script, detector, known, limit, facts)

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row."""
        shares = [self._script_share(row.text) for row in rows]
        if self.detector is None:
            scores = shares
        else:
            scores = _confidences(self.detector, self.languages, [row.text for row in rows])
        return [self._decide(share, score) for share, score in zip(shares, scores, strict=True)]

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
    found = detector.compute_language_confidence_values_in_parallel(list(texts))
    return [sum(each.value for each in values if each.language in languages) for values in found]
