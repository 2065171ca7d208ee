"""Personal data: e-mail addresses, telephone numbers and handles in a text.

Reasons: `email`, `phone`, `handle`. Telephone numbers are found by `phonenumbers` (Google's libphonenumber): valid
numbers written with their country code anywhere, and national ones of the given regions. Names and addresses are not
looked for.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.core.text import nfc


_EMAIL = re.compile(r"[\w.+\-]+@[\w\-]+(?:\.[\w\-]+)+")
_HANDLE = re.compile(r"(?<![\w@.])@(?!\d+\b)\w[\w.]{1,29}")
_SPLIT_HANDLE = re.compile(  # as tokenised corpora have it: "@ name" where handles stand, or a name no word looks like
    r"(?:^|\bRT\s|@\s?\w+\s)\s*@\s[^\W\d]\w{1,29}"
    r"|(?<!\S)@\s(?:[^\W\d_]\w*\s?_\s?\w+|[^\W\d_]{2,}\d+\b|[^\W\d_]*[a-z][A-Z][a-z]\w*)"
)
_DIGITS = re.compile(r"\d(?:\W{0,3}\d){6}")  # fewer than seven digits are no telephone number


@dataclass(frozen=True)
class PersonalData:
    """Keeps texts in which nothing of the kind is found.

    Attributes:
        regions: ISO 3166 codes of the countries whose national numbers count, e.g. `("IN", "US")`.
    """

    regions: tuple[str, ...] = ("US", "GB", "IN")
    name: str = "personal_data"
    score_name: str = "personal_data"
    facts: Mapping[str, Any] = field(default_factory=dict)

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row; the score is 1 where something was found, else 0."""
        return [
            Decision(False, kind, 1.0) if (kind := self.find(row.text)) else Decision(True, None, 0.0) for row in rows
        ]

    def find(self, text: str) -> str | None:
        """The first kind of personal data in a text, None where there is none."""
        text = nfc(text)
        if "@" in text:
            if _EMAIL.search(text):
                return "email"
            name = _marks_as_letters(text)
            if _HANDLE.search(name) or _SPLIT_HANDLE.search(name):
                return "handle"
        return "phone" if _DIGITS.search(text) and self._has_number(text) else None

    def _has_number(self, text: str) -> bool:
        from phonenumbers import PhoneNumberMatcher

        return any(PhoneNumberMatcher(text, region).has_next() for region in self.regions)


def _marks_as_letters(text: str) -> str:
    """The text with every combining mark (a vowel sign of Malayalam, say) as a letter, which `\\w` takes it for."""
    if text.isascii():
        return text
    return "".join("x" if unicodedata.category(character)[0] == "M" else character for character in text)
