"""Writing systems of characters and texts."""

import unicodedata
from collections import Counter
from functools import lru_cache


@lru_cache(maxsize=65536)
def script_of(character: str) -> str | None:
    """The script of a letter as the first word of its Unicode name (`Latin`, `Malayalam`, `Cjk`); None for no
    letter.
    """
    if unicodedata.category(character)[0] != "L":
        return None
    return unicodedata.name(unicodedata.normalize("NFKC", character)[0], "Unknown").split()[0].split("-")[0].title()


def scripts_of(text: str) -> Counter[str]:
    """Letters of `text` by script; marks, digits, punctuation and emoji are of none."""
    return Counter(script for character in text if (script := script_of(character)) is not None)
