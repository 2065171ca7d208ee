"""Rows made from natural rows without a language model: the cheap rivals a synthetic corpus has to beat.

Both keep the label of the row they change. Words are what white space divides; a text without any stays as it is.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sentisynth_hub.core.errors import DataError
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.text import nfc
from sentisynth_hub.recipe import Recipe


EDA_SHARE = 0.1  # of a text's words changed by one operation, as EDA's authors advise for small data


def eda_rows(rows: Sequence[Row], count: int, random: Any) -> list[tuple[Row, Row]]:
    """`count` noised copies of `rows`, each row as often as any other, and beside each the row it was made from.

    Easy data augmentation (Wei & Zou 2019) without the operations that need a thesaurus: one of swapping two words,
    deleting words and inserting words the text already has.
    """
    return [
        (replace(row, text=_noised(row.text, random), request_id=f"{row.request_id}:eda{i}"), row)
        for i, row in enumerate(_cycled(rows, count, random))
    ]


def translated_rows(rows: Sequence[Row], count: int, recipe: Recipe, random: Any) -> list[tuple[Row, Row]]:
    """`count` copies of `rows` with a share of their words replaced from the recipe's lexicon, synthetic code-mixing
    by dictionary, and beside each the row it was made from.

    Raises:
        DataError: The lexicon cannot be read, or no word of the rows is in it.
    """
    settings = recipe.study.word_translation
    assert settings is not None
    lexicon = read_lexicon(recipe.local_file(settings.lexicon, "study.word_translation.lexicon"))
    if not any(word.lower() in lexicon for row in rows for word in row.text.split()):
        raise DataError(
            f"study.word_translation.lexicon: {settings.lexicon} has no word of the natural rows; is it their "
            "language?"
        )
    return [
        (
            replace(
                row, text=_translated(row.text, lexicon, settings.share, random), request_id=f"{row.request_id}:wt{i}"
            ),
            row,
        )
        for i, row in enumerate(_cycled(rows, count, random))
    ]


def read_lexicon(path: Path) -> dict[str, list[str]]:
    """Read `word TAB translation` lines; a word may have several translations. Words are compared in lower case.

    Raises:
        DataError: There is no such file, or a line is not two columns.
    """
    if not path.is_file():
        raise DataError(
            f"study.word_translation.lexicon: {path}: no such file; put a TSV of words and translations there"
        )
    lexicon: dict[str, list[str]] = {}
    for number, line in enumerate(path.read_text("utf-8").split("\n"), 1):
        if not line.strip():
            continue
        word, tab, translation = nfc(line).partition("\t")
        if not tab or not word.strip() or not translation.strip():
            raise DataError(f"{path}: line {number} is not `word TAB translation`; mend it")
        lexicon.setdefault(word.strip().lower(), []).append(translation.strip())
    return lexicon


def _cycled(rows: Sequence[Row], count: int, random: Any) -> list[Row]:
    order: list[int] = []
    while len(order) < count:
        order += list(random.permutation(len(rows)))
    return [rows[i] for i in order[:count]]


def _noised(text: str, random: Any) -> str:
    words = text.split()
    changes = max(1, round(EDA_SHARE * len(words)))
    operation = random.integers(3)
    if len(words) < 2:
        return text
    if operation == 0:
        for _ in range(changes):
            i, j = random.integers(0, len(words), 2)
            words[i], words[j] = words[j], words[i]
    elif operation == 1:
        kept = [word for word in words if random.random() >= EDA_SHARE]
        words = kept or [words[random.integers(len(words))]]
    else:
        for _ in range(changes):
            words.insert(random.integers(len(words) + 1), words[random.integers(len(words))])
    return " ".join(words)


def _translated(text: str, lexicon: dict[str, list[str]], share: float, random: Any) -> str:
    words = text.split()
    places = [i for i, word in enumerate(words) if word.lower() in lexicon]
    for i in random.permutation(places)[: max(1, round(share * len(places)))] if places else []:
        choices = lexicon[words[i].lower()]
        words[i] = choices[random.integers(len(choices))]
    return " ".join(words)
