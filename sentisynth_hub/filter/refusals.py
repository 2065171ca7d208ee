"""Refusals and boilerplate: what a model says instead of a text, or around one.

Phrases are looked for in English, Spanish, French, German, Portuguese and romanised Hindi. A phrase that natural
training rows use is not looked for: there it is ordinary speech.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.filter.contract import Filter, FilterContext, FilterFacts
from sentisynth_hub.recipe.section import Section


_REFUSALS = (
    r"\bas an? (?:ai|artificial intelligence|(?:large )?language model|assistant)\b",
    r"\bi(?:'m| am) (?:just |only )?an? (?:ai|language model|virtual assistant)\b",
    r"\bi(?:'m| am) (?:sorry|afraid)\W{1,3}(?:but )?(?:i|as)\b.{0,20}(?:can'?t|cannot|unable|not able|won'?t)\b",
    r"\bi (?:can'?t|cannot|can not|am unable to|'m unable to|am not able to|won'?t) "
    r"(?:assist|help (?:you )?with|comply|fulfil|provide|generate|create|write|produce|continue)\b",
    r"\bi (?:must|have to) decline\b",
    r"\b(?:violates?|against) (?:the |my |our )?(?:content |usage )?(?:policy|policies|guidelines)\b",
    r"\bcomo (?:un |uma? )?(?:modelo de (?:lenguaje|linguagem)|ia|inteligencia artificial)\b",
    r"\b(?:lo siento|desculpe)\W{1,3}(?:pero |mas )?(?:no|não) (?:puedo|posso)\b",
    r"\ben tant qu(?:e |')(?:ia|intelligence artificielle|modèle de langage)\b",
    r"\bals (?:ki|sprachmodell)\b",
    r"\bmain (?:ek )?(?:ai|language model) h(?:oo|u)n\b",
)
_BOILERPLATE = (
    r"^\W*(?:sure|certainly|of course|absolutely|okay|ok)\b[^.\n]{0,12}"
    r"\b(?:here|i)(?:'s|'re|'ll| is| are| can| will)\b",
    r"^\W*here(?:'s| is| are)\b.{0,60}\b(?:example|text|review|sentence|comment|tweet|response|version|sample)s?\b",
    r"\bhope (?:this|that|it) helps\b",
    r"\blet me know if you(?:'d| would)? (?:like|need|want)\b",
    r"\b(?:feel free to|please) (?:ask|reach out|provide (?:more|the))\b",
    r"\blorem ipsum\b",
    r"\[(?:insert|your|name|product|movie)\b[^\]]{0,30}\]",
    r"\bthis (?:text|review|sentence|comment|tweet|example) (?:is|expresses|conveys|shows) (?:a |an )?(?:\w+ )?"
    r"(?:positive|negative|neutral|sentiment)\b",
)


class RefusalsOptions(Section):
    """Drops refusals, talk about being a model, and phrases that frame an answer (`Sure, here is …`)."""


class RefusalFacts(FilterFacts):
    """How many of the phrases natural rows use, so that they are not looked for."""

    phrases_natural_rows_use: int


@dataclass(frozen=True)
class Refusals(Filter):
    """Keeps texts without such phrases; the score is 1 where one stands and 0 else. Build it with `unlike`."""

    refusals: tuple[re.Pattern[str], ...]
    boilerplate: tuple[re.Pattern[str], ...]

    name = "refusals"
    score_name = "refusal"
    reasons = {
        "refusal": "the model declines, or speaks of being a model",
        "boilerplate": "a phrase frames the answer",
    }
    options = RefusalsOptions
    facts_type = RefusalFacts

    @classmethod
    def build(cls, options: RefusalsOptions, context: FilterContext) -> "Refusals":
        """Look for the phrases that no natural row of the replicate uses."""
        return cls.unlike(context.human_rows)

    @classmethod
    def unlike(cls, natural: Iterable[Row] = ()) -> "Refusals":
        """Take the phrases that no natural row uses."""
        texts = [_plain(row.text) for row in natural]
        return cls(_unused(_REFUSALS, texts), _unused(_BOILERPLATE, texts))

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row."""
        return [self._decide(_plain(row.text)) for row in rows]

    def facts(self) -> RefusalFacts:
        """How many phrases natural rows use."""
        unused = len(self.refusals) + len(self.boilerplate)
        return RefusalFacts(phrases_natural_rows_use=len(_REFUSALS) + len(_BOILERPLATE) - unused)

    def _decide(self, text: str) -> Decision:
        for reason, phrases in (("refusal", self.refusals), ("boilerplate", self.boilerplate)):
            if any(phrase.search(text) for phrase in phrases):
                return Decision(False, reason, 1.0)
        return Decision(True, None, 0.0)


def _unused(phrases: Sequence[str], texts: Sequence[str]) -> tuple[re.Pattern[str], ...]:
    compiled = [re.compile(phrase, re.IGNORECASE) for phrase in phrases]
    return tuple(phrase for phrase in compiled if not any(phrase.search(text) for text in texts))


def _plain(text: str) -> str:
    """Typographic apostrophes as plain ones."""
    return text.replace("\u2019", "'")
