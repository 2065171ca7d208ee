"""Texts that repeat the prompt instead of answering it, or carry their label as an annotation.

Reasons: `prompt_echo` (a field name, a control token or a run of words of the template), `label_word`. The score is 1
for an echo and 0 else.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.metrics.words import ngrams, words


_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_FIELD = re.compile(r"(?:^|\n)[\s\-*#\d.)]*([^\W\d_][\w ]{0,30}?)\s*[::]")  # `Review:` at the start of a line
_CONTROL = re.compile(r"<\|[^|<>]{1,40}\|>|\[/?INST\]|</?s>|```|^\s*[\[{]\s*\"", re.IGNORECASE)
_COMMON_FIELDS = ("text", "label", "sentiment", "input", "output", "prompt", "user", "assistant", "system")


@dataclass(frozen=True)
class Echo:
    """Keeps texts without traces of the prompt.

    Build it with `Echo.of_template`.
    """

    instruction_ngrams: frozenset[tuple[str, ...]]
    fields: re.Pattern[str]
    label_words: re.Pattern[str] | None
    ngram: int
    name: str = "echo"
    score_name: str = "echo"
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_template(cls, template: str, *, ngram: int, label_names: Iterable[str] = ()) -> "Echo":
        """Make the filter for one prompt.

        Args:
            template: The jinja2 template's source, "" where there is none; what it says outside the braces is looked
                for.
            ngram: Words of the template in a row that are an echo.
            label_names: Labels and what they are called in the prompt; empty: label words are not looked for.
        """
        said = _JINJA.split(template)
        found = {run for part in said for run in ngrams(words(part), ngram)}
        names = {match.strip().lower() for part in said for match in _FIELD.findall(part)} | set(_COMMON_FIELDS)
        fields = re.compile(rf"(?:^|\n)\W*(?:{_either(names)}|example)\s*\d*\s*[::]", re.IGNORECASE)
        labels = [name for name in label_names if name.strip()]
        return cls(frozenset(found), fields, _label_annotation(labels) if labels else None, ngram)

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row."""
        return [self._decide(row.text) for row in rows]

    def _decide(self, text: str) -> Decision:
        if _CONTROL.search(text) or self.fields.search(text):
            return Decision(False, "prompt_echo", 1.0)
        if not self.instruction_ngrams.isdisjoint(ngrams(words(text), self.ngram)):
            return Decision(False, "prompt_echo", 1.0)
        if self.label_words is not None and self.label_words.search(text):
            return Decision(False, "label_word", 1.0)
        return Decision(True, None, 0.0)


def _label_annotation(labels: Sequence[str]) -> re.Pattern[str]:
    """A label that is set apart: alone, before a colon, in brackets at an end, after an arrow, as a hashtag."""
    name = f"(?:{_either(labels)})"
    return re.compile(
        rf"^\W*{name}\W*$|^\W*{name}\s*[::]|^\s*[(\[<]{name}[)\]>]|[(\[<]{name}[)\]>]\W*$"
        rf"|(?:->|→|=>)\s*{name}\W*$|#{name}\b",
        re.IGNORECASE,
    )


def _either(names: Iterable[str]) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=lambda name: (-len(name), name)))
