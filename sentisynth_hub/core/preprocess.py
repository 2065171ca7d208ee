"""The preprocessing of arXiv 2411.00691 as an option: mentions, URLs, punctuation, emoji as words.

>>> preprocess("@ana lloré 😂😂 https://t.co/x", ["mentions", "urls", "emoji_names"])
'lloré face with tears of joy face with tears of joy'

A student that was trained on preprocessed text must be given preprocessed text: `sentisynth predict --preprocess` does
it for a file. Text stays NFC, and nothing here looks at a script: marks, joiners and letters are never touched.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator
from typing import Literal, get_args

from sentisynth_hub.core.text import nfc


Step = Literal["urls", "mentions", "emoji_names", "punctuation"]
"""What may be done to a text; always in this order, whatever the order in a recipe.

urls: `https://…`, `www.…`, what a cut-off tweet has left of one (`http…`), and `https // t . co / …` or
`https // t co / …` as some tokenisers leave it, go.
mentions: `@name`, and `@ name` as some tokenisers leave it, go; an e-mail address stays.
emoji_names: an emoji becomes its English CLDR name (😂: face with tears of joy), one name a sequence.
punctuation: punctuation and ASCII symbols go; `#` and `@` at the start of a word stay, and so do apostrophes, hyphens
and underscores inside one.
"""
STEPS: tuple[Step, ...] = get_args(Step)

_URL = re.compile(
    r"\bhttps?\s*:?\s*/{0,2}\s*(?:…|$)"  # cut off where the tweet was
    r"|(?:https?\s*:?\s*//|www\.)(?:\s*t(?:\s*\.)?\s+co\s*/)?\s?\S*",
    re.IGNORECASE,
)
_MENTION = re.compile(r"(?<![\w.@])@ ?[^\s@:,;!?\"'’()\[\]{}]+")
_INSIDE = frozenset("'’-_")
_STARTS = frozenset("#@")
_SYMBOLS = frozenset("$+<=>^`|~")


def preprocess(text: str, steps: Collection[Step]) -> str:
    """`text` with the steps carried out and white space collapsed, in NFC.

    Where nothing would be left (a text that is one link), and where there are no steps, the NFC text itself: no row is
    lost.
    """
    if not steps:
        return nfc(text)
    changed = nfc(text)
    if "urls" in steps:
        changed = _URL.sub(" ", changed)
    if "mentions" in steps:
        changed = _MENTION.sub(" ", changed)
    if "emoji_names" in steps:
        changed = _named(changed)
    if "punctuation" in steps:
        changed = "".join(_without_punctuation(changed))
    return nfc(" ".join(changed.split())) or nfc(text)


def _named(text: str) -> str:
    import emoji

    def name(character: str, data: dict[str, str]) -> str:
        return f" {data['en'].strip(':').replace('_', ' ')} "

    return emoji.replace_emoji(text, replace=name)


def _without_punctuation(text: str) -> Iterator[str]:
    for place, character in enumerate(text):
        if unicodedata.category(character)[0] != "P" and character not in _SYMBOLS:
            yield character
            continue
        before, after = text[place - 1 : place], text[place + 1 : place + 2]
        starts = character in _STARTS and _in_word(after) and not _in_word(before)
        inside = character in _INSIDE and _in_word(before) and _in_word(after)
        yield character if starts or inside else " "


def _in_word(character: str) -> bool:
    """Whether it is a letter, mark or digit; nothing, at an end of the text, is not."""
    return character == "_" or (character != "" and unicodedata.category(character)[0] in "LMN")
