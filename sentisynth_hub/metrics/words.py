"""Words for comparing and counting, in any script."""

import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence


_ASCII_WORD = re.compile(r"[a-z0-9]+(?:'[a-z0-9]+)*")
_JOINERS = "\u200c\u200d"  # non-joiner and joiner stand inside words of Indic and Arabic scripts
_UNSPACED = re.compile(  # Thai, Lao, Myanmar, Khmer, kana, Han: written without spaces, so each character is a unit
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


def words(text: str) -> list[str]:
    """Lower-case words of `text` (NFKC) without punctuation, symbols and emoji.

    A word is a run of letters, their marks, and digits; in scripts written without spaces it is one character.
    """
    folded = unicodedata.normalize("NFKC", text).lower()
    if folded.isascii():
        return _ASCII_WORD.findall(folded)
    pieces: list[str] = []
    for is_word, run in itertools.groupby(folded, _in_word):
        if is_word:
            word = "".join(run)
            pieces += _split_unspaced(word) if _UNSPACED.search(word) else [word]
    return pieces


def ngrams(items: Sequence[str], n: int) -> Iterator[tuple[str, ...]]:
    """Yield every run of `n` neighbouring items; none where there are fewer."""
    return zip(*(items[start:] for start in range(n)), strict=False)


def _in_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN" or character in _JOINERS or character == "'"


def _split_unspaced(word: str) -> list[str]:
    parts: list[str] = []
    for character in word:
        mark = unicodedata.category(character)[0] == "M"
        joins = parts and (mark or not (_UNSPACED.match(character) or _UNSPACED.match(parts[-1])))
        parts[-1:] = [parts[-1] + character] if joins else [*parts[-1:], character]
    return parts
