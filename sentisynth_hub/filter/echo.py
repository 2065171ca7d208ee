"""Texts that repeat the prompt instead of answering it, or carry their label as an annotation."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import Field

from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.filter.contract import Filter, FilterContext
from sentisynth_hub.metrics.words import ngrams, words
from sentisynth_hub.recipe.section import Section


_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_FIELD = re.compile(r"(?:^|\n)[\s\-*#\d.)]*([^\W\d_][\w ]{0,30}?)\s*[::]")  # `Review:` at the start of a line
_CONTROL = re.compile(r"<\|[^|<>]{1,40}\|>|\[/?INST\]|</?s>|```|^\s*[\[{]\s*\"", re.IGNORECASE)
_COMMON_FIELDS = ("text", "label", "sentiment", "input", "output", "prompt", "user", "assistant", "system")


class EchoOptions(Section):
    """Drops texts that repeat the prompt or give their label away."""

    ngram: int = Field(default=5, ge=2)
    """A run of this many words of the prompt template is an echo."""
    label_words: bool = True
    """Drop texts with a label set apart as an annotation: `positive: …`, `… (negative)`, `#neutral`."""


@dataclass(frozen=True)
class Echo(Filter):
    """Keeps texts without traces of the prompt; the score is 1 for an echo and 0 else. Build it with `of_template`."""

    instruction_ngrams: frozenset[tuple[str, ...]]
    fields: re.Pattern[str]
    label_words: re.Pattern[str] | None
    ngram: int

    name = "echo"
    score_name = "echo"
    reasons = {
        "prompt_echo": "a field name, a control token or a run of words of the prompt",
        "label_word": "the label stands apart, as an annotation",
    }
    options = EchoOptions

    @classmethod
    def build(cls, options: EchoOptions, context: FilterContext) -> "Echo":
        """Take the phrases from the recipe's own prompt, the label words from its labels and verbalizers."""
        recipe = context.recipe
        has_template = recipe.has_file(recipe.generate.prompt.template, "generate.prompt.template")
        template = recipe.template_file.read_text("utf-8") if has_template else ""
        names = [*recipe.labels, *recipe.generate.prompt.verbalizers.values()] if options.label_words else []
        return cls.of_template(template, ngram=options.ngram, label_names=names)

    @classmethod
    def of_template(cls, template: str, *, ngram: int, label_names: Iterable[str] = ()) -> "Echo":
        """Make the filter for one prompt.

        Args:
            template: The jinja2 template's source, "" where there is none; what it says outside the braces is looked
                for.
            ngram: Words of the template in a row that are an echo.
            label_names: Labels and what they are called in the prompt; empty: label words are not looked for.
        """
        instructions = _JINJA.split(template)
        runs = {run for part in instructions for run in ngrams(words(part), ngram)}
        names = {match.strip().lower() for part in instructions for match in _FIELD.findall(part)}
        names |= set(_COMMON_FIELDS)
        fields = re.compile(rf"(?:^|\n)\W*(?:{_either(names)}|example)\s*\d*\s*[::]", re.IGNORECASE)
        labels = [name for name in label_names if name.strip()]
        return cls(frozenset(runs), fields, _label_annotation(labels) if labels else None, ngram)

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
