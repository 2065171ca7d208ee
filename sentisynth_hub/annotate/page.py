"""The page people rate on: one HTML file that works offline, asks nothing of any network and keeps answers itself.

All its data is text nobody has read. It stands in one JSON block that no text can close, reaches the screen through
`textContent` alone, and a content security policy lets only the page's own script and style run, named by digest.
"""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import yaml

from sentisynth_hub.annotate.rating_files import KEY_FILE, DisagreementKey, Key
from sentisynth_hub.annotate.sheet import Sheet
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.files import read_json, replaced, shipped, write_json


TEMPLATE = "annotate.html.jinja2"
PAGE_FILE = "rate.html"
SPACE_FOLDER = "space"


def write_sheet(sheet: Sheet, folder: Path, title: str) -> dict[str, Path]:
    """Write page, static Space and private key into `folder`; returns their paths as `page`, `space` and `key`.

    Raises:
        InputError: The folder holds the key of another sheet, whose answers could not be scored without it.
    """
    key = folder / KEY_FILE
    if key.exists() and read_json(key).get("sheet") != sheet.key.sheet:
        raise InputError(f"{key}: the key of another sheet; its answers would be lost with it: choose another --out")
    page = render_page(sheet, title)
    _write(folder / PAGE_FILE, page)
    _write(folder / SPACE_FOLDER / "index.html", page)
    _write(folder / SPACE_FOLDER / "README.md", space_card(title, mixed=isinstance(sheet.key, Key)))
    write_json(key, sheet.key.model_dump(mode="json"))
    key.chmod(0o600)
    return {"page": folder / PAGE_FILE, "space": folder / SPACE_FOLDER, "key": key}


def render_page(sheet: Sheet, title: str) -> str:
    """The page as HTML. Nothing in it tells a natural row from a synthetic one."""
    import jinja2
    from markupsafe import Markup

    folder = shipped("dataset_cards")
    style, script = ((folder / name).read_text("utf-8") for name in ("annotate.css", "annotate.js"))
    questions = ["label"] if isinstance(sheet.key, DisagreementKey) else ["label", "naturalness", "source"]
    data = {
        "sheet": sheet.key.sheet,
        "labels": sheet.key.labels,
        "questions": questions,
        "rows": [{"id": item.id, "text": sheet.texts[item.id]} for item in sheet.key.items],
        "orders": sheet.orders,
    }
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    return environment.get_template(TEMPLATE).render(
        title=title,
        labels=sheet.key.labels,
        questions=questions,
        rows=len(sheet.key.items),
        raters=sheet.key.raters,
        style=Markup(style),  # noqa: S704 (our own file)
        script=Markup(script),  # noqa: S704 (our own file)
        style_hash=Markup(_digest(style)),  # noqa: S704
        script_hash=Markup(_digest(script)),  # noqa: S704
        data=Markup(embedded_json(data)),  # noqa: S704 (no character of markup is left in it)
    )


def embedded_json(value: Any) -> str:
    """JSON for inside a `<script>` element: no `<`, `>` or `&`, so no text can end the element or open a comment."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def space_card(title: str, *, mixed: bool = True) -> str:
    """README.md of the static Space; `mixed`: people's texts and a machine's stand on it."""
    metadata = {
        "title": " ".join(f"Rate texts: {title}".split())[:100],  # a line break could end the metadata
        "emoji": "📝",
        "colorFrom": "blue",
        "colorTo": "gray",
        "sdk": "static",
        "app_file": "index.html",
        "pinned": False,
        "tags": ["sentisynth-hub"],
    }
    front = yaml.safe_dump(metadata, allow_unicode=True, sort_keys=False, width=10_000)
    return (
        f"---\n{front}---\n\nA page on which people rate texts"
        f"{', some written by people and some by a machine' if mixed else ''}. It "
        "sends nothing anywhere: answers stay in the rater's browser until the rater downloads them.\n"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _write(path: Path, text: str) -> None:
    with replaced(path) as temporary:
        temporary.write_text(text, "utf-8")
