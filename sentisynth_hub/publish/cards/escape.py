"""Making text that nobody has read safe inside Markdown, and the jinja2 environment that does it to every value.

A template's own text goes out as written. Whatever a `{{ }}` prints is escaped: Markdown and HTML characters become
entities, line breaks become spaces, control and direction-override characters become visible escapes. So a generated
row can neither end a table cell, open a fence or a tag, start front matter, nor turn the reading order of what
follows.
"""

import re
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup

from sentisynth_hub.core import log
from sentisynth_hub.core.files import shipped


_SPECIAL = re.compile(r"""[!-/:-@\[-`{-~]""")
_HARMLESS = re.compile(
    r"(?<!\d)\.(?=\s|$)|(?<!\d)\)|[,;:?!%'(](?=\s|$)|(?<=[^\W_])[-'/_](?=[^\W_])|[+](?=\d)|(?<=\d)\.(?=\d)|[,%(]"
)
_SMALL = 0.001  # numbers below this (learning rates) are shown with their exponent
_CENTS = 0.1  # dollars below this are shown with two significant digits
_BREAKS = re.compile(r"\s+")


def markdown(value: Any) -> Markup:
    """Finish one printed value: numbers by their own format, text escaped, `Markup` as it is.

    Raises:
        TypeError: Anything else; a template prints texts and numbers only.
    """
    if isinstance(value, Markup | jinja2.Undefined):
        return Markup(value)  # of an undefined name: raises its own error, which says the name
    if isinstance(value, bool):
        return Markup("yes" if value else "no")
    if isinstance(value, int):
        return Markup(f"{value:,}")
    if isinstance(value, float):
        return Markup(f"{value:.3f}" if value == 0 or abs(value) >= _SMALL else f"{value:.2g}")
    if isinstance(value, str):
        return escaped(value)
    raise TypeError(f"a card template printed {value!r}, which is neither text nor a number")


def escaped(text: str) -> Markup:
    """Escape `text` for a line of Markdown or a table cell."""
    line = log.printable(_BREAKS.sub(" ", text))
    harmless = {match.start() for match in _HARMLESS.finditer(line)}
    # The text is escaped character by character right here, so marking the result as safe is sound.
    return Markup(_SPECIAL.sub(lambda match: match[0] if match.start() in harmless else f"&#{ord(match[0])};", line))


def code(text: str) -> Markup:
    """Text for inside backticks or a fence, where entities are not read: only characters that cannot leave it are
    kept."""
    return Markup(re.sub(r"[^\w .,:;/@=+\-\[\](){}'\"<>*#%&!?]", "", log.printable(_BREAKS.sub(" ", text))))


def cut(text: str, width: int) -> str:
    """`text` cut to `width` characters with an ellipsis."""
    return text if len(text) <= width else text[: width - 1] + "…"


def signed(value: float) -> Markup:
    """A difference with its sign."""
    return Markup(f"{value:+.3f}".replace("-", "−"))


def percent(value: float) -> Markup:
    """A share as a percentage."""
    return Markup(f"{100 * value:.1f} %")


def usd(value: float) -> Markup:
    """An amount of dollars, with more digits the smaller it is."""
    return Markup(f"${value:,.2f}" if value >= _CENTS or value == 0 else f"${value:.2g}")


@cache
def environment() -> jinja2.Environment:
    """The templates of `dataset_cards/`; a name that is not there is an error, never an empty string."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(shipped("dataset_cards")),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        finalize=markdown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters.update(code=code, cut=cut, signed=signed, percent=percent, usd=usd)
    return templates
