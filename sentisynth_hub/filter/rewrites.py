"""Light rewrites: texts that say a natural row's words again with a few characters changed, added or left out.

Two texts are rewrites of each other when, over their normalised forms,

- their sets of five-character runs have a Jaccard similarity of at least `min_jaccard`;
- or one is short (under 12 characters) and their sets of two-character runs have, once repeated characters are
  written once ("sooo goood" is "so god") and a text of emoji alone is the set of its emoji: runs of five are too
  coarse for short texts;
- or one is a text of at least 20 characters, too short to hold a run of `ngram` words, and stands whole in the other.

Normalised forms have no white space, so nothing depends on how a script divides words.
"""

import re
from collections.abc import Sequence
from functools import cached_property

from sentisynth_hub.core.text import emoji_of, normalised
from sentisynth_hub.metrics.minhash import TextIndex
from sentisynth_hub.metrics.words import words


_SHORT = 12  # characters of a form; a longer one has enough runs of five
_SHORT_RUN = 2
_LEAST_CONTAINED = 20  # characters: a shorter phrase stands in other texts by chance
_BORDER = "\n"  # between the forms that are searched together; no normalised form of several characters holds one
_REPEATED = re.compile(r"(.{1,2}?)\1+", re.DOTALL)


class RewriteIndex:
    """Natural texts, and which other texts are light rewrites of one of them; made when first asked."""

    def __init__(self, texts: Sequence[str], min_jaccard: float, ngram: int):
        self._texts, self._min_jaccard, self._ngram = texts, min_jaccard, ngram

    @cached_property
    def _forms(self) -> list[str]:
        return list(dict.fromkeys(normalised(text) for text in self._texts))

    @cached_property
    def _long(self) -> TextIndex:
        return TextIndex(self._forms, self._min_jaccard)

    @cached_property
    def _short_forms(self) -> list[str]:
        """The short texts, and those that are not too long to be similar to a short one."""
        return [form for form in map(_short_form, self._texts) if len(form) <= self._longest_beside_short]

    @cached_property
    def _short(self) -> TextIndex:
        return TextIndex(self._short_forms, self._min_jaccard, _SHORT_RUN)

    @cached_property
    def _all(self) -> str:
        return _BORDER.join(self._forms)

    @cached_property
    def _contained(self) -> dict[str, list[str]]:
        """The texts that are looked for inside others, by their first characters."""
        by_start: dict[str, list[str]] = {}
        for text in self._texts:
            form = normalised(text)
            if self._may_be_contained(text, form):
                by_start.setdefault(form[:_LEAST_CONTAINED], []).append(form)
        return by_start

    @property
    def _longest_beside_short(self) -> float:
        """The length from which a form cannot be similar enough to a short one."""
        return _SHORT / self._min_jaccard + 1

    def similarities(self, texts: Sequence[str]) -> list[float | None]:
        """For each text its similarity to the natural text it rewrites, None where it rewrites none.

        The similarity is the Jaccard similarity; for a text that stands in another, the share of the longer one's
        characters.
        """
        forms = [normalised(text) for text in texts]
        similarities = [None if near is None else near.jaccard for near in self._long.nearest(forms)]
        rest = [place for place, similarity in enumerate(similarities) if similarity is None]
        short = [
            (place, form) for place in rest if len(form := _short_form(texts[place])) <= self._longest_beside_short
        ]
        for (place, form), near in zip(short, self._short.nearest([form for _, form in short]), strict=True):
            if near is not None and min(len(form), len(self._short_forms[near.place])) < _SHORT:
                similarities[place] = near.jaccard
        for place in rest:
            if similarities[place] is None:
                similarities[place] = self._containment(texts[place], forms[place])
        return similarities

    def _containment(self, text: str, form: str) -> float | None:
        """The share of the longer text that the shorter one makes up, where one stands whole in the other."""
        if self._contained:
            for start in range(len(form) - _LEAST_CONTAINED + 1):
                for inner in self._contained.get(form[start : start + _LEAST_CONTAINED], ()):
                    if form.startswith(inner, start):
                        return len(inner) / len(form)
        if self._may_be_contained(text, form) and (place := self._all.find(form)) >= 0:
            begin, end = self._all.rfind(_BORDER, 0, place) + 1, self._all.find(_BORDER, place)
            return len(form) / ((end if end >= 0 else len(self._all)) - begin)
        return None

    def _may_be_contained(self, text: str, form: str) -> bool:
        return len(form) >= _LEAST_CONTAINED and len(words(text)) < self._ngram


def _short_form(text: str) -> str:
    """The normalised text with repeated characters written once; of a text without letters its distinct emoji."""
    form = normalised(text)
    if not any(character.isalnum() for character in form):
        form = emoji_of(text) or form
    return _REPEATED.sub(r"\1", form)
