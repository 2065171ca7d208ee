"""A program that has nothing but the JSON Schema and a user's facts writes a recipe that `recipes check` takes."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from sentisynth_hub.cli import sentisynth
from sentisynth_hub.core.errors import RecipeError
from tests.support.tiny import tiny_encoder


def printed(*arguments: str) -> Any:
    result = CliRunner().invoke(sentisynth, arguments)
    if result.exception is not None:
        raise result.exception
    return json.loads(result.stdout)


class Writer:
    """Fills in what the schema requires, and what the facts name; it knows no key by itself."""

    def __init__(self, schema: dict[str, Any], facts: dict[str, Any]):
        self.schema, self.facts = schema, facts

    def write(self, part: dict[str, Any], path: str = "") -> Any:
        if path in self.facts:
            return self.facts[path]
        part = self._resolved(part, path)
        if "const" in part:
            return part["const"]
        if "properties" in part:
            wanted = [
                name for name in part["properties"] if name in part.get("required", []) or self._named(path, name)
            ]
            return {name: self.write(part["properties"][name], f"{path}.{name}".lstrip(".")) for name in wanted}
        raise AssertionError(f"{path}: the schema needs a value ({part}) that no fact gives")

    def _named(self, path: str, name: str) -> bool:
        key = f"{path}.{name}".lstrip(".")
        return any(fact == key or fact.startswith(f"{key}.") for fact in self.facts)

    def _resolved(self, part: dict[str, Any], path: str) -> dict[str, Any]:
        if "$ref" in part:
            return dict(self.schema["$defs"][part["$ref"].rpartition("/")[2]])
        if "discriminator" in part:
            kind = self.facts[f"{path}.{part['discriminator']['propertyName']}"]
            return self._resolved({"$ref": part["discriminator"]["mapping"][kind]}, path)
        if "anyOf" in part:
            return self._resolved(next(each for each in part["anyOf"] if each.get("type") != "null"), path)
        return part


@pytest.fixture
def facts(tmp_path: Path) -> dict[str, Any]:
    tables = {
        "reviews": [(f"review {place} of a phone", ("bad", "good")[place % 2]) for place in range(60)],
        "synthetic": [(f"machine text {place} on phones", ("bad", "good")[place % 2]) for place in range(40)],
    }
    folder = tmp_path / "phones"
    folder.mkdir()
    for name, rows in tables.items():
        with open(folder / f"{name}.csv", "w", encoding="utf-8", newline="") as handle:
            csv.writer(handle).writerows([("review", "stars"), *rows])
    tiny_encoder(folder / "encoder")
    return {
        "name": "phones",
        "description": "Phone reviews.",
        "language": ["en"],
        "labels": ["bad", "good"],
        "natural.files.train": "reviews.csv",
        "natural.text_column": "review",
        "natural.label_column": "stars",
        "generate.generator.kind": "rows",
        "generate.generator.written_by": "another tool",
        "generate.generator.file": "synthetic.csv",
        "generate.generator.text_column": "review",
        "generate.generator.label_column": "stars",
        "generate.candidates": 40,
        "filter.length.min_tokens": 2,
        "study.student.model": str(folder / "encoder"),
        "study.mode": "head",
        "study.design": "conditional",  # nobody knows what the writer of the rows saw
    }


def test_a_recipe_written_from_the_schema_alone_is_right(facts: dict[str, Any], tmp_path: Path) -> None:
    schema = printed("schema")
    recipe = Writer(schema, facts).write(schema)
    (tmp_path / "phones" / "recipe.yaml").write_text(yaml.safe_dump(recipe, allow_unicode=True))
    (checked,) = printed("recipes", "check", str(tmp_path / "phones"), "--json")
    assert checked["name"] == "phones"
    recipe["generate"]["candidate"] = recipe["generate"].pop("candidates")
    (tmp_path / "phones" / "recipe.yaml").write_text(yaml.safe_dump(recipe, allow_unicode=True))
    with pytest.raises(RecipeError, match="candidates") as caught:
        printed("recipes", "check", str(tmp_path / "phones"), "--json")
    assert "\n" not in str(caught.value)
