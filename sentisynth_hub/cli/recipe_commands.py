"""`sentisynth recipes list|check|copy` and `sentisynth schema`."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import click

from sentisynth_hub.cli import options
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.recipe import find_recipe, list_recipes, recipe_schema
from sentisynth_hub.recipe.load import read_yaml
from sentisynth_hub.recipe.question import list_questions


@click.group()
def recipes() -> None:
    """List, check and copy recipes."""


@recipes.command("list")
@options.as_json
def list_(as_json: bool) -> None:
    """List the recipes that come with the toolkit."""
    records = [
        {
            "name": content["name"],
            "description": content["description"],
            "scales": sorted(content.get("scales", {})),
            "questions": list_questions(str(path)),
            "path": str(path),
        }
        for path in list_recipes()
        for content in [read_yaml(path)]
    ]
    options.show(records, [f"{recipe['name']:<24} {recipe['description']}" for recipe in records], as_json)
    options.next_step("sentisynth recipes copy NAME, edit the copy, sentisynth run NAME")


@recipes.command()
@click.argument("names", nargs=-1)
@click.option("--online", is_flag=True, help="Look up models and datasets on the Hub too, and read the rows there.")
@options.hub
@options.as_json
def check(names: tuple[str, ...], online: bool, hub: str | None, as_json: bool) -> None:
    """Check recipes before anything is run: by name or path, or all that come with the toolkit.

    Reads every scale and question and every file they name, compares labels, looks for texts that stand in two splits,
    renders a prompt, and opens models in folders. What lies on a Hub is looked up with --online.

    \b
    Example:
      sentisynth recipes check recipes/reviews
    """
    from sentisynth_hub.core.hub_endpoint import use_hub
    from sentisynth_hub.plan.check_recipe import check_recipe

    use_hub(hub)
    checked = [check_recipe(name, online=online, needs_data=bool(names)) for name in names or map(str, list_recipes())]
    options.show(
        [asdict(recipe) for recipe in checked], [line for recipe in checked for line in recipe.lines], as_json
    )


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
