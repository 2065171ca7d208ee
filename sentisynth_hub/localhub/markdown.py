"""Cards as the Hub shows them: markdown to HTML, then only what a well-kept sanitiser lets through.

Cards hold generated text, so they are hostile input: no script, no style, no frame, no image from elsewhere.
"""

from urllib.parse import quote, unquote, urlsplit

import nh3
from markdown_it import MarkdownIt


_LONGEST = 1_000_000  # characters; longer text is shown as it is
_TAGS = nh3.ALLOWED_TAGS - {"area", "map"}


def render(text: str, *, images_at: str, links_at: str) -> str:
    """HTML for a card's markdown.

    Args:
        text: the markdown.
        images_at: the address relative image paths are taken from, ending in "/".
        links_at: the address relative links are taken from, ending in "/".
    """
    if len(text) > _LONGEST:
        return f"<pre>{nh3.clean_text(text)}</pre>"
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tokens = parser.parse(text)
    for token in tokens:
        if token.type in ("th_open", "td_open") and token.attrs:  # inline styles are not let through
            token.attrs = {"align": str(token.attrs["style"]).removeprefix("text-align:")}
    html = parser.renderer.render(tokens, parser.options, {})

    def place(tag: str, attribute: str, value: str) -> str | None:
        if attribute == "src":
            return _relative(value, images_at)
        if attribute == "href" and not value.startswith("#") and _relative(value, links_at):
            return _relative(value, links_at)
        return value

    return nh3.clean(html, tags=_TAGS, attribute_filter=place, link_rel="noopener noreferrer nofollow")


def _relative(path: str, base: str) -> str | None:
    """`path` placed under `base`; None where it is an address of its own, or tries to leave `base`.

    Browsers take `%2e` for a dot and a backslash for a slash, so both are looked for as browsers see them.
    """
    try:
        parts = urlsplit(path)
    except ValueError:
        return None
    plain = unquote(parts.path).replace("\\", "/")
    if parts.scheme or parts.netloc or plain.startswith("/") or ".." in plain.split("/"):
        return None
    return base + quote(parts.path.removeprefix("./"), safe="/%") + (f"#{parts.fragment}" if parts.fragment else "")
