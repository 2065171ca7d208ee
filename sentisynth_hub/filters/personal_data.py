"""Personal data: e-mail addresses, telephone numbers and handles in a text.

Reasons: `email`, `phone`, `handle`. Telephone numbers are found by `phonenumbers` (Google's libphonenumber): valid
numbers written with their country code anywhere, and national ones of the given regions. Names and addresses are not
looked for.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sentisynth_hub.rows import Decision, Row
from sentisynth_hub.text import nfc


_EMAIL = re.compile(r"[\w.+\-]+@[\w\-]+(?:\.[\w\-]+)+")
_HANDLE = re.compile(r"(?<![\w@.])@(?!\d+\b)\w[\w.]{1,29}")
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
            if _HANDLE.search(text):
                return "handle"
        return "phone" if _DIGITS.search(text) and self._has_number(text) else None

    def _has_number(self, text: str) -> bool:
        from phonenumbers import PhoneNumberMatcher

        return any(PhoneNumberMatcher(text, region).has_next() for region in self.regions)
