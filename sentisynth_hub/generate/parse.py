"""From a completion to candidate texts, or to the reason why there is none. A label is never guessed.

Reasons: `error` (no answer after all attempts) · `refusal` · `unfinished` (cut off at the token limit) · `empty` ·
`several_lines` (a preamble or a list came with the text) · `template_leak` (the prompt's own words came back) ·
`not_json` · `missing_text` (fewer texts than asked for) · `surplus_text` (more than asked for).
"""

import json
import re
from dataclasses import dataclass

from sentisynth_hub.core.rows import Completion, Request
from sentisynth_hub.core.text import nfc


VERSION = 1
_QUOTES = {'"': '"', "“": "”", "«": "»", "„": "“", "'": "'", "‘": "’"}
_LEAK_LENGTH = 6  # a shorter lead-in, a dash or "Q:", may stand in any text
_FENCE = re.compile(r"\A```[a-z]*\n(.*?)\n?```\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Parsed:
    """One text of a completion; `reason` is None where it became a candidate, else `text` is whatever there was."""

    text: str
    reason: str | None = None


def parse(completion: Completion, request: Request, texts_per_call: int = 1) -> list[Parsed]:
    """Return the texts of a completion in their order: at least `texts_per_call` of them, good or not."""
    if completion.finish_reason in ("error", "refusal"):
        return [Parsed(nfc(completion.text), completion.finish_reason)] * texts_per_call
    if texts_per_call == 1:
        reason = "unfinished" if completion.finish_reason == "length" else None
        return [_one(completion.text, request, reason)]
    texts = _json_texts(completion.text)
    if texts is None:
        reason = "unfinished" if completion.finish_reason == "length" else "not_json"
        return [Parsed(nfc(completion.text), reason)] + [Parsed("", reason)] * (texts_per_call - 1)
    parsed = [_one(text, request, None if i < texts_per_call else "surplus_text") for i, text in enumerate(texts)]
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


def _json_texts(raw: str) -> list[str] | None:
    """The strings of `{"texts": [...]}` or of a bare list, in a code fence or not; None where it is neither."""
    fenced = _FENCE.match(raw.strip())
    try:
        value = json.loads(fenced.group(1) if fenced else raw)
    except ValueError:
        return None
    if isinstance(value, dict):
        value = value.get("texts")
    return value if isinstance(value, list) and all(isinstance(text, str) for text in value) else None
