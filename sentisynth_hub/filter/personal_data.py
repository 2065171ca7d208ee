"""Personal data: e-mail addresses, telephone numbers and handles in a text.

Telephone numbers are recognised by `phonenumbers` (Google's libphonenumber): valid numbers written with their country
code anywhere, and national ones of the given regions. Names and addresses are not looked for. What an anonymiser puts
in the place of a handle (`@user`, `@USER_3`) is nobody's handle.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.core.text import nfc
from sentisynth_hub.filter.contract import Filter, FilterContext
from sentisynth_hub.recipe.section import Section


if TYPE_CHECKING:
    import pyarrow as pa

_EMAIL = re.compile(r"[\w.+\-]+@[\w\-]+(?:\.[\w\-]+)+")
_HANDLE = re.compile(r"(?<![\w@.])@(?!\d+\b)\w[\w.]{1,29}")
_SPLIT_HANDLE = re.compile(  # as tokenised corpora have it: "@ name" where handles stand, or a name no word looks like
    r"(?:^|\bRT\s|@\s?\w+\s)\s*@\s[^\W\d]\w{1,29}"
    r"|(?<!\S)@\s(?:[^\W\d_]\w*\s?_\s?\w+|[^\W\d_]{2,}\d+\b|[^\W\d_]*[a-z][A-Z][a-z]\w*)"
)
_DIGITS = re.compile(r"\d(?:\W{0,3}\d){6}")  # fewer than seven digits are no telephone number
_MAYBE = r"@|\p{Nd}(?s:.{0,3}\p{Nd}){6}"
"""Stands in every text that `find` finds something in: for Arrow, whose expressions know no `\\W` of all scripts."""
_MASK = re.compile(  # of a handle, whole and also as tokenisers split it
    r"(?<![\w@.])@\s?(?:user(?:name)?|usuario|usuária?|utilisateur|benutzer|mention|handle|screen_?name|person|nutzer"
    r"|anon(?:ym(?:ous|i[sz]ed)?)?|x{3,})[_\-]?\d*(?![\w.]*\w)",
    re.IGNORECASE,
)


class PersonalDataOptions(Section):
    """Drops texts with an e-mail address, a telephone number or a handle."""

    regions: list[str] = ["US", "GB", "IN"]
    """ISO 3166 codes of the countries whose national telephone numbers count."""


@dataclass(frozen=True)
class PersonalData(Filter):
    """Keeps texts in which nothing of the kind stands; the score is 1 where something does, else 0.

    Attributes:
        regions: ISO 3166 codes of the countries whose national numbers count, e.g. `("IN", "US")`.
    """

    regions: tuple[str, ...] = ("US", "GB", "IN")

    name = "personal_data"
    score_name = "personal_data"
    reasons = {"email": "an e-mail address", "phone": "a telephone number", "handle": "the handle of a person"}
    options = PersonalDataOptions
    version = 2

    @classmethod
    def build(cls, options: PersonalDataOptions, context: FilterContext) -> "PersonalData":
        """Take the regions from the recipe."""
        return cls(tuple(options.regions))

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row."""
        return [
            Decision(False, kind, 1.0) if (kind := self.find(row.text)) else Decision(True, None, 0.0) for row in rows
        ]

    def find(self, text: str) -> str | None:
        """The first kind of personal data in a text, None where there is none."""
        text = nfc(text)
        if "@" in text:
            if _EMAIL.search(text):
                return "email"
            names = _MASK.sub("", _marks_as_letters(text))
            if _HANDLE.search(names) or _SPLIT_HANDLE.search(names):
                return "handle"
        return "phone" if _DIGITS.search(text) and self._has_number(text) else None

    def find_in(self, texts: "pa.Array") -> dict[int, str]:
        """Place and kind of every text of an Arrow array in which `find` finds something; most are only glanced at."""
        import pyarrow.compute as pc

        places = pc.indices_nonzero(pc.fill_null(pc.match_substring_regex(texts, _MAYBE), False))
        suspects = zip(places.to_pylist(), texts.take(places).to_pylist(), strict=True)
        return {place: kind for place, text in suspects if (kind := self.find(text)) is not None}

    def _has_number(self, text: str) -> bool:
        from phonenumbers import PhoneNumberMatcher

        return any(PhoneNumberMatcher(text, region).has_next() for region in self.regions)


def _marks_as_letters(text: str) -> str:
    """The text with every combining mark (a vowel sign of Malayalam, say) as a letter, which `\\w` takes it for."""
    if text.isascii():
        return text
    return "".join("x" if unicodedata.category(character)[0] == "M" else character for character in text)
