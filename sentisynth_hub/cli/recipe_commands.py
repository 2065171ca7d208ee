"""`sentisynth recipes list|check|copy` and `sentisynth schema`."""

import json
import re
import shutil
from dataclasses import asdict
from pathlib import Path

import click

from sentisynth_hub.cli import options
from sentisynth_hub.core.errors import InputError, RecipeError
from sentisynth_hub.recipe import find_recipe, list_recipes, load_recipe, recipe_schema
from sentisynth_hub.recipe.load import RECIPE_FILE, read_yaml
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
@click.option(
    "--write", is_flag=True, help="Ask the Hub whether this token may write to the repos the recipe publishes to."
)
@options.hub
@options.as_json
def check(names: tuple[str, ...], online: bool, write: bool, hub: str | None, as_json: bool) -> None:
    """Check recipes before anything is run: by name or path, or all that come with the toolkit.

    Reads every scale and question and every file they name, compares labels, looks for texts that stand in two splits,
    renders a prompt, and opens models in folders. What lies on a Hub is looked up with --online; --write asks who may
    write where, and under which licence, and writes nothing.

    \b
    Example:
      sentisynth recipes check recipes/reviews
    """
    from sentisynth_hub.core.hub_endpoint import use_hub
    from sentisynth_hub.plan.check_recipe import check_recipe

    use_hub(hub)
    checked = [
        check_recipe(name, online=online, needs_data=bool(names), write=write)
        for name in names or map(str, list_recipes())
    ]
    options.show(
        [asdict(recipe) for recipe in checked], [line for recipe in checked for line in recipe.lines], as_json
    )


@recipes.command("copy")
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option("--method", help="How its rows come about, such as rewrite (docs/how-to/generate.md lists them).")
def copy_(name: str, folder: Path | None, method: str | None) -> None:
    """Copy recipe NAME to FOLDER (default: recipes/NAME here), to change and own it."""
    source = find_recipe(name).parent
    content = None if method is None else _with_method(source, method)
    target = folder or Path("recipes") / source.name
    if target.exists():
        raise InputError(f"{target}: is there already; name another folder")
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    if content is not None:
        (target / RECIPE_FILE).write_text(content, "utf-8")
        try:
            load_recipe(str(target))
        except RecipeError:
            shutil.rmtree(target)
            raise
    click.echo(str(target))
    options.next_step(f"edit {target}/recipe.yaml, then sentisynth run {target}")


def _with_method(source: Path, method: str) -> str:
    """The YAML of the recipe in a folder, with a method at the head of its `generate` section, in place of the one
    that stands there.

    Raises:
        InputError: There is no such method, or the section is written in a way that no line can be put into.
    """
    from sentisynth_hub.generate.methods.method_table import method_class

    lines = method_class(method).recipe_lines()
    read_yaml(source / RECIPE_FILE)  # one line where it is no YAML
    content = (source / RECIPE_FILE).read_text("utf-8")
    parts = re.split(r"(?m)^generate:[ \t]*(?:#.*)?\n", content)
    if len(parts) != 2:  # noqa: PLR2004 (before and after)
        raise InputError("--method: the recipe has no `generate:` on a line of its own; add `method:` to it by hand")
    before, after = parts
    after = re.sub(r"(?m)\A((?:[ \t#].*\n|\n)*?)  method:.*\n(?:    .*\n)*", r"\1", after)
    return f"{before}generate:\n" + "".join(f"  {line}\n" for line in lines) + after


@click.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of a recipe, for editors."""
    click.echo(json.dumps(recipe_schema(), ensure_ascii=False, indent=1))
