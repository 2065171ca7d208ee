"""`sentisynth recipes list|check|copy` and `sentisynth schema`."""

import json
import shutil
from pathlib import Path

import click
import yaml

from sentisynth_hub.errors import InputError
from sentisynth_hub.recipe import Recipe, find_recipe, list_recipes, load_recipe, recipe_schema
from sentisynth_hub.recipe.question import list_questions, load_cells


@click.group()
def recipes() -> None:
    """List, check and copy recipes."""


@recipes.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
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
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=1))
        return
    for recipe in found:
        click.echo(f"{recipe['name']:<24} {recipe['description']}")
    click.echo("Next: sentisynth recipes copy NAME, edit the copy, sentisynth run NAME", err=True)


@recipes.command()
@click.argument("names", nargs=-1)
def check(names: tuple[str, ...]) -> None:
    """Check recipes by name or path, with their scales, questions and the files they name; all that come with the
    toolkit when none is named.
    """
    chosen = list(names) or [str(path) for path in list_recipes()]
    for name in chosen:
        recipe = load_recipe(name)
        for checked in (recipe, *(load_recipe(name, scale=scale) for scale in recipe.scales)):
            _read_files(checked)
        scales = f" (scales: {', '.join(recipe.scales)})" if recipe.scales else ""
        click.echo(f"ok  {recipe.name}{scales}")
        for question in list_questions(name):
            cells = load_cells(name, question)
            click.echo(
                f"ok  {recipe.name} --question {question} ({len(cells)} {'cell' if len(cells) == 1 else 'cells'})"
            )


def _read_files(recipe: Recipe) -> None:
    """Read what the recipe names beside itself: template, seed texts, lexicon."""
    from sentisynth_hub.prompts import PromptTemplate
    from sentisynth_hub.training.augment import read_lexicon

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
    click.echo(f"Next: edit {target}/recipe.yaml, then sentisynth run {target}", err=True)


@click.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of a recipe, for editors."""
    click.echo(json.dumps(recipe_schema(), ensure_ascii=False, indent=1))
