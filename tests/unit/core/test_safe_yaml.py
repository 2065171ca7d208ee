"""YAML of strangers: read in bounded time, or refused with one line."""

import contextlib
import json
import math
import time
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sentisynth_hub.core import safe_yaml
from sentisynth_hub.core.safe_yaml import YamlError, load_yaml


MIB = 1 << 20


@pytest.fixture(params=["libyaml", "python"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both parsers PyYAML may have."""
    monkeypatch.setattr(safe_yaml, "_Parser", yaml.CSafeLoader if request.param == "libyaml" else yaml.SafeLoader)


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# nothing\n", None),
        ("--- 1\n", 1),
        ("a: 1\nb: [x, -2.5, {c: null}]\n", {"a": 1, "b": ["x", -2.5, {"c": None}]}),
        ("- 2e-5\n- 1.5E3\n- 0x1f\n- .5\n- +7", [2e-5, 1500.0, 31, 0.5, 7]),
        ("[.inf, -.Inf, 1e400]", [math.inf, -math.inf, math.inf]),
        ("[true, False, ~, Null, ]", [True, False, None, None]),
        ("[no, yes, on, off, n]", ["no", "yes", "on", "off", "n"]),
        ("[012, 08, 1_000, 12:30, 2026-01-02, 0o17]", ["012", "08", "1_000", "12:30", "2026-01-02", "0o17"]),
        ("['1', \"true\", '', !!str 2, ! 3]", ["1", "true", "", "2", "3"]),
        ("[!!int '4', !!float 5, !!bool 'true', !!null '']", [4, 5.0, True, None]),
        ("'<<': 1", {"<<": 1}),
        ("नमस्ते: 😀 \u200d\ntext: |\n  a\n  b: c\n", {"नमस्ते": "😀 \u200d", "text": "a\nb: c\n"}),
        ("? a\n: b", {"a": "b"}),
        ("0: negative\n1: positive\n", {0: "negative", 1: "positive"}),
        ("\ufeffa: 1", {"a": 1}),
        ("a: b % c\nd: |\n  % e\n", {"a": "b % c", "d": "% e\n"}),
    ],
)
def test_what_is_read(text: str, value: Any) -> None:
    assert load_yaml(text) == value


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: &x 1\nb: *x", "line 2: aliases (*x)"),
        ("&x [*x]", "aliases"),
        ("a: 1\n<<: {b: 2}", "line 2: merge keys"),
        ("%TAG ! tag:yaml.org,2002:\n--- !bool x", "directives"),
        ("a\n...\n%YAML 1.1\n--- b", "directives"),
        ("a: !!bool x", "line 1: 'x' is not what its tag"),
        ("a: !!int ''", "is not what its tag"),
        ("a: !!float ''", "is not what its tag"),
        ("a: !!null x", "is not what its tag"),
        ("a: !!int 1:30", "is not what its tag"),
        ("a: !!timestamp 2026-01-02", "tag 'tag:yaml.org,2002:timestamp' is not read"),
        ("a: !!timestamp x", "is not read"),
        ("a: !!binary '='", "is not read"),
        ("!!set {a, b}", "is not read"),
        ("!!omap [a: 1]", "is not read"),
        ("a: !!str [b]", "is not read"),
        ("!!map [a]", "is not read"),
        ("!!python/object/apply:os.system [x]", "is not read"),
        ("!!python/name:os.system", "is not read"),
        ("a: !<%1b[8m%0a> b", r"'\x1b[8m\n' is not read"),
        ('a: "\\ud800"', ""),
        ("a: \udfff", ""),
        ("a: \x00", ""),
        ("a: \x1b[2J", ""),
        ("a: 1\nb: 2\na: 3", "line 3: key 'a' is written twice"),
        ("{a: 1, 'a': 2}", "written twice"),
        ("1: a\n1: b", "written twice"),
        ("[a, b]: c", "as a key is not read"),
        ("? {a: b}\n: c", "as a key is not read"),
        ("4611686018427387902: a", "as a key; quote it"),
        ("a: " + "9" * 321, "a number of 321 digits"),
        ("a: 1\n---\nb: 2", "line 2: a second document"),
        ("a: b: c", "line 1: mapping values are not allowed"),
        ("[" * 65 + "]" * 65, "nested more than 64 deep"),
        ("- " * 70 + "a", "nested more than 64 deep"),
        ("'" + "a" * MIB + "'", "1,048,578 characters; at most 1,048,576"),
    ],
)
def test_what_is_refused(text: str, reason: str) -> None:
    with pytest.raises(YamlError) as refused:
        load_yaml(text)
    message = str(refused.value)
    assert reason in message
    assert len(message) < 200
    assert message.isprintable()


def test_a_number_may_be_as_long_as_the_largest_float() -> None:
    assert load_yaml(f"{10**308}") == 10**308


def test_there_is_a_limit_to_the_values() -> None:
    assert len(load_yaml("[" + "a," * 99_999 + "]")) == 99_999
    with pytest.raises(YamlError, match="more than 100,000 values"):
        load_yaml("[" + "a," * 100_001 + "]")


def test_the_caller_sets_the_limit() -> None:
    assert load_yaml("a: 1", limit=4) == {"a": 1}
    with pytest.raises(YamlError, match="5 characters; at most 4"):
        load_yaml("a: 12", limit=4)


@pytest.mark.parametrize(
    "piece",
    [
        "[],",
        "{},",
        "a,",
        "&a a,",
        "!!str a,",
        '"\\n",',
        "[",
        "{a: ",
        "? ",
        "- ",
        "#\n",
        "a\n",
        " a: \n",
        "\n",
        ":",
        "%",
        "k: v\n",
    ],
)
@pytest.mark.parametrize("start", ["", "[", "a: >\n ", '"'])
def test_a_mebibyte_of_anything_takes_a_moment(start: str, piece: str) -> None:
    text = (start + piece * MIB)[:MIB]
    before = time.thread_time()
    with contextlib.suppress(YamlError):
        load_yaml(text)
    assert time.thread_time() - before < 8  # 38 s a megabyte with PyYAML's own parser and loader


def test_no_key_collides_with_the_others() -> None:
    modulus = 2**61 - 1  # integers that differ by it have one hash
    keys = "".join(f"{index * modulus}: a\n" for index in range(1, 20_000))
    with pytest.raises(YamlError, match="as a key; quote it"):
        load_yaml(keys)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
structured = st.lists(
    st.sampled_from(
        [*"[]{}:,-?!&*#|>%@`'\"\n\t\r\\ ~a1.", "!!", "!!int ", "<<: ", "---\n", "\ud800", "é", "\x85", "\u2028"]
    )
)


@given(values)
def test_what_json_says_is_read_alike(value: Any) -> None:
    # JSON is YAML, but for control characters, which YAML wants escaped
    text = json.dumps(value, ensure_ascii=False)
    if all(character.isprintable() or character == " " for character in text):
        assert load_yaml(text) == value


@given(values)
def test_what_pyyaml_writes_in_quotes_is_read_alike(value: Any) -> None:
    assert load_yaml(yaml.safe_dump(value, allow_unicode=True, default_style='"')) == value


@settings(max_examples=300)
@given(st.text() | structured.map("".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    reason, value = "", None
    try:
        value = load_yaml(text)
    except YamlError as refused:
        reason = str(refused)
    assert reason.isprintable()
    json.dumps(value, ensure_ascii=False).encode()  # no surrogates, nothing but plain values
