"""YAML that strangers wrote: recipes, the front matter of cards, rendered chat prompts.

`load_yaml` builds plain Python values from the parser's events, one after the other. There is no graph of nodes, no
recursion and no table of constructors, so there is nothing to recurse into and nothing that a tag could call:

- no aliases, merge keys and directives: a few bytes of them grow into gigabytes or hours;
- no tags but the core ones (`!!str`, `!!int`, `!!float`, `!!bool`, `!!null`, `!!seq`, `!!map`);
- limits on the length of the text, the number of values and the depth;
- a key that is written twice is an error, not the last of the two.

Unquoted words are read as in the core schema of YAML 1.2, so `2e-5` is a number. What only YAML 1.1 takes for more
than a word stays the string that was written: `no` is a language code, `012` an identifier, `12:30` a time,
`2026-01-02` a date.
"""

import re
from collections.abc import Callable, Hashable, Iterator
from typing import Any, NoReturn

import yaml


LONGEST = 1 << 20  # characters
_MOST_VALUES = 100_000
_DEEPEST = 64
_LONGEST_NUMBER = 320  # characters; the largest float, written out, has 309
_LONGEST_KEY_NUMBER = 18  # characters; longer ones can be made to collide in a dict
_SHOWN = 60  # characters of the text in a message

_TAG = "tag:yaml.org,2002:"
_DIRECTIVE = re.compile(r"(?:\A|[\n\r\x85\u2028\u2029])\ufeff?%")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_ZEROS = re.compile(r"[-+]?0[0-9]+")
_BOOLEANS = {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_NULLS = {"", "~", "null", "Null", "NULL"}
# The same events from libyaml, which is some twenty times faster, wherever PyYAML was built with it.
_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NO_KEY = object()


class YamlError(ValueError):
    """A text is not YAML that we read; the message is one line that says where and what."""


def load_yaml(text: str, *, limit: int = LONGEST) -> Any:
    """Read one YAML document into dicts, lists, strings, numbers, booleans and None.

    Args:
        text: The document; an empty one is None.
        limit: Most characters of `text`.

    Raises:
        YamlError: It is not YAML, or holds what is not read here (see above). Nothing else is ever raised.
    """
    if len(text) > limit:
        raise YamlError(f"the YAML has {len(text):,} characters; at most {limit:,} are read")
    if _DIRECTIVE.search(text):
        raise YamlError("directives (lines that begin with %) are not read; remove them")
    try:
        return _build(yaml.parse(text, Loader=_Parser))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise YamlError(f"line {line}: {_one_line(error.problem or error.context or 'not YAML')}") from None
    except yaml.reader.ReaderError as error:
        raise YamlError(f"character {error.position}: {_one_line(error.reason)}") from None
    except UnicodeEncodeError as error:
        raise YamlError(f"character {error.start}: half of a surrogate pair, which is not Unicode text") from None
    except yaml.YAMLError as error:
        raise YamlError(_one_line(str(error))) from None


class _Open:
    """A mapping or list whose end has not come yet; `key` is the one whose value comes next."""

    def __init__(self, value: dict[Any, Any] | list[Any]):
        self.value = value
        self.key: object = _NO_KEY


def _build(events: Iterator[Any]) -> Any:
    root: list[Any] = []
    stack: list[_Open] = [_Open(root)]
    number, documents = 0, 0
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                _refuse(event, "a second document begins here; only one is read")
        elif isinstance(event, yaml.AliasEvent):
            _refuse(event, f"aliases (*{_clip(event.anchor)}) are not read; write the value out")
        elif isinstance(event, yaml.ScalarEvent):
            number += 1
            _add(stack[-1], _scalar(event), event)
        elif isinstance(event, yaml.CollectionStartEvent):
            number += 1
            value = _collection(event)
            _add(stack[-1], value, event)
            stack.append(_Open(value))
            if len(stack) > _DEEPEST:
                _refuse(event, f"nested more than {_DEEPEST} deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            stack.pop()
        if number > _MOST_VALUES:
            _refuse(event, f"more than {_MOST_VALUES:,} values")
    return root[0] if root else None


def _add(place: _Open, value: Any, event: Any) -> None:
    """Put a value where it belongs: the end of a list, the next key of a mapping, or the value of that key."""
    if isinstance(place.value, list):
        place.value.append(value)
    elif place.key is _NO_KEY:
        place.key = _key(value, place.value, event)
    else:
        place.value[place.key] = value
        place.key = _NO_KEY


def _key(value: Any, mapping: dict[Any, Any], event: Any) -> Hashable:
    if isinstance(value, dict | list):
        _refuse(event, "a mapping or list as a key is not read")
    if not isinstance(value, str) and len(event.value) > _LONGEST_KEY_NUMBER:
        _refuse(event, f"the number {_clip(event.value)} as a key; quote it")
    if value == "<<" and event.implicit[0]:
        _refuse(event, "merge keys (<<) are not read; write the keys out")
    if value in mapping:
        _refuse(event, f"key {_clip(value)!r} is written twice")
    return value  # type: ignore[no-any-return]


def _collection(event: Any) -> dict[Any, Any] | list[Any]:
    value: dict[Any, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
    expected = "map" if isinstance(value, dict) else "seq"
    if event.tag not in (None, "!", _TAG + expected):
        _refuse(event, f"tag {_clip(event.tag)!r} is not read; remove it")
    return value


def _scalar(event: Any) -> Any:
    text = event.value
    if not text.isascii():
        text.encode()  # "\ud800" in quotes: PyYAML's own parser lets it through
    if event.tag is None:
        return _unquoted(event) if event.implicit[0] else text
    convert = _CORE.get(event.tag)
    if convert is None:
        _refuse(event, f"tag {_clip(event.tag)!r} is not read; remove it")
    try:
        return convert(text)
    except (KeyError, ValueError):
        _refuse(event, f"{_clip(text)!r} is not what its tag {_clip(event.tag)!r} says")


def _unquoted(event: Any) -> Any:
    """What a word without quotes means."""
    text = event.value
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text[0] not in "-+.0123456789" or _ZEROS.fullmatch(text):
        return text
    convert = _integer if _INTEGER.fullmatch(text) else _float if _FLOAT.fullmatch(text) else None
    if convert is None:
        return text
    if len(text) > _LONGEST_NUMBER:
        _refuse(event, f"a number of {len(text):,} digits; quote it")
    return convert(text)


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text) or len(text) > _LONGEST_NUMBER:
        raise ValueError(text)
    return int(text, 0)


def _float(text: str) -> float:
    if not _FLOAT.fullmatch(text) or len(text) > _LONGEST_NUMBER:
        raise ValueError(text)
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


def _null(text: str) -> None:
    if text not in _NULLS:
        raise ValueError(text)


_CORE: dict[str, Callable[[str], Any]] = {
    "!": str,
    _TAG + "str": str,
    _TAG + "int": _integer,
    _TAG + "float": _float,
    _TAG + "bool": _BOOLEANS.__getitem__,
    _TAG + "null": _null,
}


def _refuse(event: Any, reason: str) -> NoReturn:
    raise YamlError(f"line {event.start_mark.line + 1}: {reason}")


def _clip(value: object) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _one_line(text: str) -> str:
    return _clip(" ".join(text.split()))
