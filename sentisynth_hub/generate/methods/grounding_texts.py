"""The unlabelled texts that prompts are grounded in: read from the recipe's source, and found again by their ids."""

from collections.abc import Iterable, Mapping
from typing import Any

from sentisynth_hub.core.cells import Columns, text_cell
from sentisynth_hub.core.errors import DataError
from sentisynth_hub.core.open_records import Records, open_dataset
from sentisynth_hub.core.preprocess import preprocess
from sentisynth_hub.core.read_files import read_file
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.untrusted import loads_untrusted
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.method_section import GroundOptions
from sentisynth_hub.recipe.paths import read_text


TEXT = "ground"
"""The attribute that names the text a prompt was grounded in, by its id."""
_KEY = "generate.method"


def grounding_rows(recipe: Recipe) -> list[Row]:
    """The texts of the recipe's source, each once, in the order of their ids.

    Raises:
        DataError, RecipeError: The source is not there, has no such column, or no text.
    """
    section = recipe.generate.method
    assert isinstance(section, GroundOptions)
    texts = [preprocess(text, recipe.natural.preprocess) for text in _texts(recipe, section)]
    rows = {row.id: row for row in (Row(text, None) for text in texts if text.strip())}
    if not rows:
        raise DataError(f"{_KEY}: its source has no text; name one that has")
    return [rows[name] for name in sorted(rows)]


def _texts(recipe: Recipe, section: GroundOptions) -> Iterable[str]:
    if section.file is not None:
        path = recipe.local_file(section.file, f"{_KEY}.file")
        if path.suffix == ".txt":
            return read_text(path, f"{_KEY}.file").split("\n")
        records = Records(str(path), read_file(path))
    else:
        assert section.dataset is not None
        dataset = open_dataset(
            section.dataset, config_name=section.config_name, revision=section.revision, key=f"{_KEY}.dataset"
        )
        records = dataset.split(section.split, f"{_KEY}.split")
    columns = Columns(section.text_column, None, f"set {_KEY}.text_column")
    cells = (text_cell(record, columns, f"{records.name}: row {number}") for number, record in records.rows)
    return [text for text in cells if text is not None]


def texts_in_prompts(recipe: Recipe, lineage: Iterable[Mapping[str, Any]]) -> list[Row]:
    """The unlabelled texts that stood in the prompts of these lines of a lineage."""
    if not isinstance(recipe.generate.method, GroundOptions):
        return []
    attributes = [loads_untrusted(line["attributes"] or "{}") for line in lineage]
    used = {each.get(TEXT) for each in attributes if isinstance(each, dict)}
    return [row for row in grounding_rows(recipe) if row.id in used]
