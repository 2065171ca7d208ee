"""Text that nobody has read, inside Markdown."""

import html
import re

import jinja2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from sentisynth_hub.core import log
from sentisynth_hub.publish.cards.escape import code, environment, escaped


RENDERER = MarkdownIt("gfm-like", {"linkify": False})
HOSTILE = [
    "| a | b |",
    "`code` ``` fence",
    "--- \n---\nlicense: mit",
    "<script>alert(1)</script><img src=x onerror=y>",
    "{{ 7 * 7 }} {% include '/etc/passwd' %}",
    "\u202egnitirw desrever\u202c \u2066x\u2069 \u200f",
    "[click](http://evil.example) https://evil.example www.evil.example me@evil.example",
    "1. one",
    "2) two",
    "+ plus",
    "=== ",
    "# heading\n- item\n1. one\n> quote\n***bold*** ~~gone~~ __x__",
    "&lt;b&gt; &amp; &#124;",
    "<!-- sentisynth:end --> <!-- sentisynth:begin -->",
    "\\| \\` \\n",
    "\ud800 lone \udfff",
    "\x00\x1b[31mred\x07",
]


def shown(markdown: str) -> str:
    """What a reader sees of a cell, tags dropped; fails where the cell is not one cell of one row."""
    rendered = RENDERER.render(f"| head |\n| --- |\n| {markdown} |\n")
    body = re.fullmatch(r".*<tbody>\s*<tr>\s*<td>(.*)</td>\s*</tr>\s*</tbody>\s*</table>\s*", rendered, re.DOTALL)
    assert body is not None, rendered
    assert "<" not in body[1], rendered
    return html.unescape(body[1])


@given(st.text(max_size=60))
@example("a.b www.x.y: (z) 'q' 3.5 +1")
def test_a_cell_shows_the_text_and_nothing_else(text: str) -> None:
    line = log.printable(re.sub(r"\s+", " ", text))
    assert shown(escaped(text)).strip() == line.strip()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    markdown = escaped(text)
    assert "\n" not in markdown
    assert not re.search(r"[|<>`{}\[\]]", markdown)
    assert not re.search(r"[\u202a-\u202e\u2066-\u2069\u200e\u200f\ud800-\udfff\x00-\x08\x1b]", markdown)
    assert "sentisynth:end" not in markdown
    assert not re.search(r"www\.|://|\w@\w", markdown)  # what GitHub's Markdown would make a link of
    shown(markdown)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_cannot_open_a_block_at_the_start_of_a_line(text: str) -> None:
    rendered = RENDERER.render(f"{escaped(text)}\n")
    assert re.fullmatch(r"<p>[^<]*</p>\s*|\s*", rendered), rendered


def test_malayalam_tamil_and_emoji_are_left_as_they_are() -> None:
    text = "നല്ല പടം ada semma 😀👍🏽"
    assert escaped(text) == text


@pytest.mark.parametrize("text", [*HOSTILE, "org/name-v1.0_x"])
def test_code_cannot_leave_its_backticks(text: str) -> None:
    assert not re.search(r"[`|\n\\$]", code(text))


def test_numbers_have_one_format_and_anything_else_is_refused() -> None:
    template = environment().from_string("{{ value }}")
    assert template.render(value=1234567) == "1,234,567"
    assert template.render(value=0.5) == "0.500"
    assert template.render(value=5e-5) == "5e-05"
    assert template.render(value=True) == "yes"
    with pytest.raises(TypeError, match="neither text nor a number"):
        template.render(value=None)


def test_a_name_that_is_not_there_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        environment().from_string("{{ nothing }}").render()
