"""Whether a card says what its manifest says, word for word, or in another toolkit's words but with the same numbers.

A manifest names the toolkit that wrote the card, and anyone can write any name there. So a card in other words is not
believed: its verdict sentence and every number on it must still be the manifest's, and that its words could not be
compared is said and counted.
"""

import html
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from sentisynth_hub import __version__
from sentisynth_hub.core.errors import PublishError
from sentisynth_hub.publish.cards.front_matter import split_card
from sentisynth_hub.publish.cards.render import generated_part, words_outside
from sentisynth_hub.publish.repo_head import RepoHead
from sentisynth_hub.verdict.evaluation import Evaluation, parse_evaluation
from sentisynth_hub.verdict.evaluation_parts import Outcome
from sentisynth_hub.verdict.evaluation_text import verdict_sentence


_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)  # identifiers and examples, not claims
_NUMBER = re.compile(r"(?<![\w.])[+\-]?\d[\d,]*(?:\.\d+)?(?:[eE][+\-]?\d+)?")
_BOLD = re.compile(r"\*\*([^*]{1,2000})\*\*")
_SHOWN = 5


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: what is published, what was recomputed, and whether they agree (None: it could
    not be looked at)."""

    name: str
    agrees: bool | None
    published: Any
    recomputed: Any

    def record(self) -> dict[str, Any]:
        """JSON-ready."""
        return dict(vars(self))


def check_card(head: RepoHead, render: Callable[[str], str]) -> Iterator[Check]:
    """Compare README.md at `head` with what this toolkit makes of the manifest there.

    Args:
        render: Gives the card for the one that stands there, whose words outside the markers it keeps.
    """
    card = head.text("README.md") or ""
    name = "card says what the manifest says"
    try:
        rendered, body = render(card), _readable(generated_part(split_card(card)[1]))
    except PublishError as error:
        yield Check(name, False, "one generated part", str(error))
        return
    added = words_outside(split_card(card)[1])
    if added:
        yield Check("words that people added to the card", None, "not checked", f"{len(added):,} characters")
    if card == rendered:
        yield Check(name, True, "equal", "equal")
        return
    assert head.manifest is not None
    toolkit = head.manifest.toolkit
    same = toolkit == __version__
    other = f"other words; written by sentisynth-hub {toolkit}, compare with that version"
    yield Check(name, False if same else None, "equal", "different" if same else other)
    record = head.manifest.evaluation
    if record is not None:
        yield _verdict_check(parse_evaluation(record), body, same)
    allowed = {*_numbers(_readable(generated_part(split_card(rendered)[1]))), *_numbers_of(head.manifest.content())}
    metadata, expected = split_card(card)[0], split_card(rendered)[0]
    allowed.update(_numbers_of(expected))
    numbers = [*_numbers(body), *_numbers_of({key: metadata[key] for key in expected if key in metadata})]
    strange = [number for number in numbers if _canonical(number) not in allowed and number not in allowed]
    yield Check("numbers on the card that are not the manifest's", not strange, [], strange[:_SHOWN])
    changed = [key for key, value in expected.items() if key != "tags" and metadata.get(key) != value]
    yield Check("metadata of the card", not changed or (False if same else None), [], changed)


def _verdict_check(evaluation: Evaluation, body: str, same_toolkit: bool) -> Check:
    """Whether every bold statement of an outcome is the evaluation's: in this toolkit's own sentence, or, on a card of
    another one's words, at least of the same outcome (its numbers are compared with all the others)."""
    sentence = _plain(verdict_sentence(evaluation))
    bold = [statement for statement in _BOLD.findall(body) if _outcome_of(statement) is not None]
    if evaluation.of_models:  # a sentence that names models begins with no outcome
        agrees = f"**{sentence}**" in body
    elif same_toolkit:
        agrees = bool(bold) and all(statement == sentence for statement in bold)
    else:
        agrees = bool(bold) and all(_outcome_of(statement) == evaluation.verdict.outcome for statement in bold)
    return Check("verdict on the card", agrees, sentence, "; ".join(bold) or "none")


def _outcome_of(statement: str) -> str | None:
    """The outcome that a statement begins with."""
    start = statement.lower().removeprefix("with an oracle teacher: ")
    return next((outcome for outcome in get_args(Outcome) if start.startswith(outcome)), None)


def _readable(text: str) -> str:
    """What a reader sees of a card, without comments and code, entities as the characters they stand for."""
    readable, place = "", 0
    while (start := text.find("<!--", place)) >= 0:
        readable += text[place:start]
        end = text.find("-->", start)
        place = len(text) if end < 0 else end + 3
    return _plain(_CODE.sub(" ", readable + text[place:]))


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(text)).replace("\u2212", "-")


def _numbers(text: str) -> list[str]:
    return [match[0] for match in _NUMBER.finditer(text)]


def _numbers_of(value: Any) -> Iterator[str]:
    """Every number of a manifest as it may be printed, those inside its texts included."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _numbers(str(key))
            yield from _numbers_of(inner)
            if key == "alpha" and isinstance(inner, float):
                yield f"{100 * (1 - inner):.1f}"  # the level of an interval
    elif isinstance(value, list):
        for inner in value:
            yield from _numbers_of(inner)
    elif isinstance(value, str):
        yield from _numbers(_plain(value))
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, int):
        yield str(value)
    elif isinstance(value, float):
        yield from (f"{value:.{digits}f}" for digits in range(1, 7))
        yield from (f"{value:.2g}", f"{value:.6g}", f"{100 * value:.1f}")


def _canonical(number: str) -> str:
    """A printed number as `_numbers_of` spells it: no separators, no plus."""
    return number.replace(",", "").removeprefix("+")
