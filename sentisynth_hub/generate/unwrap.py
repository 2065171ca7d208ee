"""What a model wraps around its answer, taken off before the answer is judged.

>>> unwrap("<think>short, warm</think>\\n```\\na fine film\\n```")
'a fine film'
>>> list(json_values('Here you are: {"texts": ["a", "b"]} Enjoy!'))
[{'texts': ['a', 'b']}]

Reasoning goes first (tags of any of the usual makes), then marks that end a turn, then a code fence. What the
journal holds stays as it was sent.
"""

import json
import re
from collections.abc import Iterator
from typing import Any


_NAMES = r"(?:think|thinking|thought|thoughts|reason|reasoning|analysis|scratchpad|seed:think)"
_OPEN = re.compile(rf"<{_NAMES}>|\[THINK\]|◁think▷|<\|begin_of_thought\|>", re.IGNORECASE)
_CLOSE = re.compile(rf"</{_NAMES}>|\[/THINK\]|◁/think▷|<\|end_of_thought\|>", re.IGNORECASE)
# The channels of gpt-oss: analysis and commentary are reasoning, final is the answer.
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)[^<]*<\|message\|>")
_TURN_ENDS = (
    "</s>", "<eos>", "<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<end_of_turn>", "<|end_of_text|>", "<|end|>",
    "<|return|>", "<|end_of_solution|>", "<｜end▁of▁sentence｜>",
)  # fmt: skip
_TURN_STARTS = ("<|begin_of_solution|>",)
_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[^\n`]*\n(.*?)\n?[ \t]*\1[ \t]*$", re.DOTALL | re.MULTILINE)
_MOST_STARTS = 64  # brackets tried as the start of a JSON value


def unwrap(text: str) -> str | None:
    """The answer itself; None where the model was still reasoning when it was cut off."""
    answer = without_reasoning(text)
    return None if answer is None else without_fence(answer)


def without_reasoning(text: str) -> str | None:
    """The text after a model's reasoning, without marks that end a turn; None where the reasoning has no end."""
    channels = list(_CHANNEL.finditer(text))
    if channels:
        if channels[-1].group(1).casefold() != "final":
            return None
        text = text[channels[-1].end() :]
    answer = _answer(text)
    return None if answer is None else _without_turn_marks(answer)


def _answer(text: str) -> str | None:
    """What stands outside reasoning tags. A closing tag alone ends reasoning that began before the text."""
    parts: list[str] = []
    place = 0
    while True:
        opening, closing = _OPEN.search(text, place), _CLOSE.search(text, place)
        if opening is not None and (closing is None or opening.start() < closing.start()):
            parts.append(text[place : opening.start()])
            closing = _CLOSE.search(text, opening.end())
            if closing is None:
                return None
        elif closing is not None:
            parts.clear()
        else:
            return "".join([*parts, text[place:]])
        place = closing.end()


def _without_turn_marks(text: str) -> str:
    stripped = text.strip()
    changed = True
    while changed:
        changed = False
        for mark in _TURN_ENDS:
            if stripped.endswith(mark):
                stripped, changed = stripped.removesuffix(mark).rstrip(), True
        for mark in _TURN_STARTS:
            if stripped.startswith(mark):
                stripped, changed = stripped.removeprefix(mark).lstrip(), True
    return stripped


def without_fence(text: str) -> str:
    """The inside of a code fence where there is exactly one, whatever is said around it; else the text."""
    fences = list(_FENCE.finditer(text))
    return fences[0].group(2).strip() if len(fences) == 1 else text


def json_values(text: str) -> Iterator[Any]:
    """Yield the JSON objects and lists that stand in a text, whatever is said between them."""
    decoder = json.JSONDecoder()
    place = tries = 0
    while tries < _MOST_STARTS:
        match = _BRACKET.search(text, place)
        if match is None:
            return
        tries += 1
        try:
            value, place = decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            place = match.end()
            continue
        yield value


_BRACKET = re.compile(r"[\[{]")
