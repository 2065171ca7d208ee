"""What others send: JSON and text from servers, answers and files that this project did not write."""

import json
import re
from typing import Any


def loads_untrusted(content: str | bytes) -> Any:
    """Parse JSON that anybody may have written.

    Raises:
        ValueError: It is not JSON, not UTF-8, or nested so deeply that it cannot be read.
    """
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def clean_text(text: str) -> str:
    """`text` with every character that UTF-8, YAML or a terminal cannot take replaced by U+FFFD.

    These are lone surrogates (half an emoji), control characters that are not white space, and the noncharacters
    U+FFFE and U+FFFF.
    """
    return _UNUSABLE.sub("\ufffd", text)


_UNUSABLE = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")  # \x1c-\x1f are white space


def one_line(text: str, length: int = 200) -> str:
    """The first `length` characters of a message on one line, cleaned: for errors that quote a server."""
    line = " ".join(clean_text(text[: 4 * length]).split())
    return line if len(line) <= length else line[: length - 1] + "…"
