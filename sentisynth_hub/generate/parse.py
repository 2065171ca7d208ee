"""From a completion to candidate texts, or to the reason why there is none. A label is never guessed.

What a model wraps around its answer is taken off first (`unwrap`).

Reasons: `error` (no answer after all attempts) · `refusal` · `unfinished` (cut off, at the token limit or by the
server, or still reasoning) · `empty` · `several_lines` (a preamble or a list came with the text) · `template_leak`
(the prompt's own words came back) · `not_json` · `missing_text` (fewer texts than asked for) ·
`surplus_text` (more than asked for).
"""

from dataclasses import dataclass
from typing import Any

from sentisynth_hub.core.rows import Completion, Request
from sentisynth_hub.core.text import nfc
from sentisynth_hub.core.untrusted import loads_untrusted
from sentisynth_hub.generate.unwrap import json_values, unwrap


VERSION = 2
_QUOTES = {'"': '"', "“": "”", "«": "»", "„": "“", "'": "'", "‘": "’"}
_LEAK_LENGTH = 6  # a shorter lead-in, a dash or "Q:", may stand in any text


@dataclass(frozen=True, slots=True)
class Parsed:
    """One text of a completion; `reason` is None where it became a candidate, else `text` is whatever there was."""

    text: str
    reason: str | None = None


def parse(completion: Completion, request: Request, texts_per_call: int = 1) -> list[Parsed]:
    """Return the texts of a completion in their order: at least `texts_per_call` of them, good or not."""
    if completion.finish_reason in ("error", "refusal"):
        return [Parsed(nfc(completion.text), completion.finish_reason)] * texts_per_call
    answer = unwrap(completion.text)
    unfinished = completion.finish_reason in ("length", "interrupted") or answer is None
    if texts_per_call == 1:
        if unfinished or answer is None:
            return [_one(completion.text if answer is None else answer, request, "unfinished")]
        return [_one(_single_text(answer), request, None)]
    texts = None if answer is None else _json_texts(answer)
    if texts is None:
        reason = "unfinished" if unfinished else "not_json"
        return [Parsed(nfc(completion.text), reason)] + [Parsed("", reason)] * (texts_per_call - 1)
    parsed = [
        Parsed("", "not_json") if text is None else _one(text, request, None if i < texts_per_call else "surplus_text")
        for i, text in enumerate(texts)
    ]
    return parsed + [Parsed("", "missing_text")] * (texts_per_call - len(texts))


def _one(raw: str, request: Request, reason: str | None) -> Parsed:
    text = _unquoted(nfc(raw).strip())
    if reason is None and not text:
        reason = "empty"
    if reason is None and len(text.splitlines()) > 1:
        reason = "several_lines"
    lead_in = _lead_in(request)
    if reason is None and len(lead_in) >= _LEAK_LENGTH and lead_in in text.casefold():
        reason = "template_leak"
    return Parsed(text, reason)


def _unquoted(text: str) -> str:
    """Without one pair of quotes around the whole text, as chat models like to add."""
    inner = text[1:-1]
    if len(text) > 1 and _QUOTES.get(text[0]) == text[-1] and text[0] not in inner and text[-1] not in inner:
        return inner.strip()
    return text


def _lead_in(request: Request) -> str:
    """The words a raw prompt ends with ("Positive review:"): a text that repeats them runs on into a next example."""
    return request.prompt.rpartition("\n")[2].strip().casefold() if isinstance(request.prompt, str) else ""


def _single_text(answer: str) -> str:
    """The one text of an answer that is JSON although nobody asked for it; any other answer as it is."""
    if answer[:1] not in ("{", "["):
        return answer
    try:
        value = loads_untrusted(answer)
    except ValueError:
        return answer
    texts = _texts_of(value)
    if texts is not None and len(texts) == 1 and texts[0] is not None:
        return texts[0]
    text = _text_of(value)
    return answer if text is None else text


def _json_texts(answer: str) -> list[str | None] | None:
    """The texts of `{"texts": [...]}` or of a bare list, whatever is said around it, or of objects with a text one
    after the other; None in the place of an item that holds none, and where there is no list at all.
    """
    values = list(json_values(answer))
    for value in values:
        if (texts := _texts_of(value)) is not None:
            return texts
    singles = [_text_of(value) for value in values]
    return singles if len(singles) > 1 and None not in singles else None


def _texts_of(value: Any) -> list[str | None] | None:
    """The texts of a list, or of an object's list `texts` or only list."""
    if isinstance(value, dict):
        lists = [item for item in value.values() if isinstance(item, list)]
        value = value.get("texts") if "texts" in value else lists[0] if len(lists) == 1 else None
    if not isinstance(value, list):
        return None
    texts = [_text_of(item) for item in value]
    return texts if any(text is not None for text in texts) else None


def _text_of(value: Any) -> str | None:
    """A string, an object's only string, or the one under a usual name; None where there is none."""
    if isinstance(value, dict):
        strings = [item for item in value.values() if isinstance(item, str)]
        named = [value[name] for name in _TEXT_NAMES if isinstance(value.get(name), str)]
        value = named[0] if named else strings[0] if len(strings) == 1 else None
    return value if isinstance(value, str) else None


_TEXT_NAMES = ("text", "review", "sentence", "comment", "tweet", "message", "content", "output", "answer", "response")
