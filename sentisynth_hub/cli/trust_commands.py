"""`sentisynth trust`: which servers may get a key that a recipe names, and which recipes may name Python code."""

from pathlib import Path

import click

from sentisynth_hub.cli import options
from sentisynth_hub.core import log


@click.command()
@click.argument("place", metavar="[HOST|FOLDER]", required=False)
@click.option("--remove", is_flag=True, help="Take the permission back.")
@options.as_json
def trust(place: str | None, remove: bool, as_json: bool) -> None:
    """Allow HOST to get API keys, or the recipe in FOLDER to name Python code; or list what is allowed.

    A recipe names its server and the variable that holds the key. The key is sent to the provider it belongs to, to
    the server that OPENAI_BASE_URL or an override on the command line names, and to hosts allowed here, once for all
    recipes; to no other. A recipe may name a generator, filter or variant of its own as module:object, which is run;
    read it before you allow its folder. Both lists are yours alone: no recipe can change them.

    \b
    Example:
      sentisynth trust llm.example.org
      sentisynth trust localhost:8000 --remove
      sentisynth trust recipes/reviews
    """
    from sentisynth_hub.recipe import trust as gate
    from sentisynth_hub.recipe.load import RECIPE_FILE

    if place is None:
        hosts, folders = gate.trusted_hosts(), gate.trusted_recipes()
        allowed = {"hosts": hosts, "recipes": folders, "file": str(gate.trust_file())}
        options.show(allowed, [*hosts, *folders], as_json)
        if not hosts and not folders and not as_json:
            log.info("nothing is allowed yet; keys go to their own providers only, and no recipe names Python code")
        return
    folder = Path(place).parent if Path(place).name == RECIPE_FILE else Path(place)
    if (folder / RECIPE_FILE).is_file():
        name, removed = str(folder.resolve()), remove and gate.distrust_recipe(folder)
        if not remove:
            gate.trust_recipe(folder)
        kind, may = "recipe", "may name Python code from now on"
    else:
        name, removed = gate.check_host(place), remove and gate.distrust(place)
        if not remove:
            gate.trust(place)
        kind, may = "host", f"may get API keys from now on ({gate.trust_file()})"
    if remove:
        outcome = "removed" if removed else "was not allowed"
        options.show({kind: name, "removed": removed}, [f"{name}: {outcome}"], as_json)
    else:
        options.show({kind: name}, [f"{name}: {may}"], as_json)
