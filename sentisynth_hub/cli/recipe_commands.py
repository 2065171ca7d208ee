"""`sentisynth recipes list|check|copy` and `sentisynth schema`."""

import json
import shutil
from pathlib import Path
from typing import Any

import click
import yaml

from sentisynth_hub.cli import options
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.recipe import Recipe, find_recipe, list_recipes, load_recipe, recipe_schema
from sentisynth_hub.recipe.question import list_questions, load_cells


@click.group()
def recipes() -> None:
    """List, check and copy recipes."""


@recipes.command("list")
@options.as_json
def list_(as_json: bool) -> None:
    """List the recipes that come with the toolkit."""
    found = [
        {
            "name": content["name"],
            "description": content["description"],
            "scales": sorted(content.get("scales", {})),
            "questions": list_questions(str(path)),
            "path": str(path),
        }
        for path in list_recipes()
        for content in [yaml.safe_load(path.read_text("utf-8"))]
    ]
    options.show(found, [f"{recipe['name']:<24} {recipe['description']}" for recipe in found], as_json)
    options.next_step("sentisynth recipes copy NAME, edit the copy, sentisynth run NAME")


@recipes.command()
@click.argument("names", nargs=-1)
@options.as_json
def check(names: tuple[str, ...], as_json: bool) -> None:
    """Check recipes by name or path, with their scales, questions and the files they name; all that come with the
    toolkit when none is named.
    """
    found: list[dict[str, Any]] = []
    for name in list(names) or [str(path) for path in list_recipes()]:
        recipe = load_recipe(name)
        for checked in (recipe, *(load_recipe(name, scale=scale) for scale in recipe.scales)):
            _read_files(checked)
        questions = {question: len(load_cells(name, question)) for question in list_questions(name)}
        found.append({"name": recipe.name, "scales": list(recipe.scales), "questions": questions})
    options.show(found, [line for record in found for line in _check_lines(record)], as_json)


def _check_lines(record: dict[str, Any]) -> list[str]:
    scales = f" (scales: {', '.join(record['scales'])})" if record["scales"] else ""
    cells = record["questions"].items()
    return [f"ok  {record['name']}{scales}"] + [
        f"ok  {record['name']} --question {question} ({count} {'cell' if count == 1 else 'cells'})"
        for question, count in cells
    ]


def _read_files(recipe: Recipe) -> None:
    """Read what the recipe names beside itself: template, seed texts, lexicon."""
    from sentisynth_hub.generate.prompts import PromptTemplate
    from sentisynth_hub.study.augment import read_lexicon

    if recipe.generate.generator.kind != "rows":
        _ = PromptTemplate(recipe).seed_texts
    if recipe.study.word_translation is not None:
        read_lexicon(recipe.local_file(recipe.study.word_translation.lexicon))


@recipes.command("copy")
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
def copy_(name: str, folder: Path | None) -> None:
    """Copy recipe NAME to FOLDER (default: recipes/NAME here), to change and own it."""
    source = find_recipe(name).parent
    target = folder or Path("recipes") / source.name
    if target.exists():
        raise InputError(f"{target}: is there already; name another folder")
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    click.echo(str(target))
    options.next_step(f"edit {target}/recipe.yaml, then sentisynth run {target}")


@click.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of a recipe, for editors."""
    click.echo(json.dumps(recipe_schema(), ensure_ascii=False, indent=1))
