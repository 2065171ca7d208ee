"""The three forms of a text: as written (NFC), normalised (for comparing), and its id.

Nothing here strips non-ASCII, assumes spaces between words or assumes that a script has case.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable


class _Dropped(dict[int, int | None]):
    """A translation table that drops white space, punctuation and symbols, filled as characters are met."""

    def __missing__(self, code: int) -> int | None:
        character = chr(code)
        drop = character.isspace() or unicodedata.category(character)[0] in "PS"
        return self.setdefault(code, None if drop else code)


class _Symbols(dict[int, int | None]):
    """A translation table that drops everything but emoji and other pictures (category So)."""

    def __missing__(self, code: int) -> int | None:
        return self.setdefault(code, code if unicodedata.category(chr(code)) == "So" else None)


_SYMBOLS = _Symbols()
_EMOJI_STYLE = "\ufe0f"  # asks for a coloured picture: the same emoji with and without it
_EMOTICON = re.compile(  # the eyes and the mouth are caught, the nose is not
    r"([:;=])[-~'^o]?([)(\]\[{}|/\\*]|[DPpOo3](?!\w))|(?<!\w)([8xX])-?([)(]|[DP](?!\w))|([)(])[-'^]?([:;=])|(<)(3)"
)
_URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_DROPPED = _Dropped()
_ASCII_DROPPED = bytes(code for code in range(128) if _DROPPED[code] is None)
_SURROGATES = re.compile("[\ud800-\udfff]")


def nfc(text: str) -> str:
    """Return `text` in Unicode's composed form, with lone surrogates (not encodable in UTF-8) as U+FFFD."""
    return text if text.isascii() else _SURROGATES.sub("\ufffd", unicodedata.normalize("NFC", text))


def normalised(text: str) -> str:
    """Return the form by which two texts count as the same.

    NFKC, lower case, without URLs, characters of categories P (punctuation) and S (symbols), and all white space.
    Where
    nothing is left, the NFC text itself, so that rows of different emoji stay apart.
    """
    folded = (text if text.isascii() else unicodedata.normalize("NFKC", nfc(text))).lower()
    if "http" in folded or "www." in folded:
        folded = _URL.sub("", folded)
    if folded.isascii():  # bytes lose characters ten times as fast as strings do
        return folded.encode("ascii").translate(None, _ASCII_DROPPED).decode("ascii") or nfc(text)
    return folded.translate(_DROPPED) or nfc(text)


def emoji_of(text: str) -> str:
    """Return the distinct emoji and emoticons of a text, sorted; skin tones, noses and repetitions left out.

    >>> emoji_of("so good :-)) 😀😀")
    ':)😀'
    """
    marks = {"".join(filter(None, match)) for match in _EMOTICON.findall(_URL.sub("", text))}
    if not text.isascii():
        marks |= set(nfc(text).translate(_SYMBOLS))
    return "".join(sorted(marks))


def distinct_form(text: str) -> str:
    """Return the form by which two texts of different labels count as the same: `normalised`, and the emoji.

    Where labels differ an emoji may be all that tells them apart: "see you tonight 😀", "see you tonight 😡".
    """
    return f"{normalised(text)}\0{emoji_of(text)}".replace(_EMOJI_STYLE, "")


def text_id(text: str) -> str:
    """Return the id of a row: the first 16 hex digits of the sha256 of its NFC text, and of nothing else."""
    return hashlib.sha256(nfc(text).encode("utf-8")).hexdigest()[:16]


def text_ids(texts: Iterable[str]) -> list[str]:
    """`text_id` of many texts that are in NFC already."""
    sha256 = hashlib.sha256
    return [sha256(text.encode("utf-8")).hexdigest()[:16] for text in texts]


def digest(parts: Iterable[str]) -> str:
    """Return the sha256 (64 hex digits) of `parts`, each closed by a newline; no part may hold a newline itself."""
    running = hashlib.sha256()
    for part in parts:
        running.update(part.encode("utf-8"))
        running.update(b"\n")
    return running.hexdigest()


def tokens(text: str) -> list[str]:
    """Split into words for counting: runs of letters, marks and digits, and every other visible character alone.

    Marks (Malayalam vowel signs, combining accents) and joiners stay with their letters; an emoji is a token.
    """
    return _ASCII_TOKEN.findall(text) if text.isascii() else _TOKEN.findall(nfc(text))


def count_tokens(text: str) -> int:
    """Return `len(tokens(text))`, sooner."""
    if not text.isascii():
        return len(tokens(text))
    kinds = text.encode("ascii").translate(_KINDS)
    return kinds.count(b".") + len(kinds.replace(b".", b" ").split())


_KINDS = bytes(  # of ASCII characters: w stands in words, a full stop is a token of its own
    ord(" ") if chr(code).isspace() else ord("w") if chr(code).isalnum() or chr(code) == "'" else ord(".")
    for code in range(256)
)
_ASCII_TOKEN = re.compile(r"[A-Za-z0-9']+|\S")  # what _TOKEN comes to on ASCII text, three times as fast
_TOKEN = re.compile(
    r"(?:[^\W_]|[\u0300-\u036f\u0900-\u0903\u093a-\u094f\u0d00-\u0d03\u0d3b-\u0d4d\u0d57\u0d62\u0d63\u200c\u200d'’])+|\S"
)
