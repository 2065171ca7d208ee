"""Parts from outside the package: an installed package's entry point, or an object named as `module:object`.

Importing either runs its code. Entry points were installed by the user. A `module:object` is only looked up for a
recipe on disk whose folder the user allowed, never for one that came from a Hub: the caller says which it is.
"""

import importlib
from importlib.metadata import EntryPoint, entry_points

from sentisynth_hub.core.errors import RecipeError


def outside_names(group: str) -> list[str]:
    """The names that installed packages register in an entry point group, sorted."""
    return sorted({point.name for point in entry_points(group=group)})


def is_object_path(name: str) -> bool:
    """Whether `name` is written `module:object`."""
    module, colon, attribute = name.partition(":")
    return bool(colon) and all(part.isidentifier() for part in [*module.split("."), *attribute.split(".")])


def load_outside(name: str, group: str, *, where: str, own: bool) -> object:
    """Import what `name` leads to.

    Args:
        group: Entry point group, such as `sentisynth_hub.providers`.
        where: Key of the recipe that names it, for the error.
        own: The user answers for the recipe, so that `module:object` is allowed.

    Raises:
        RecipeError: There is nothing of that name, it cannot be imported, or a stranger's recipe names it.
    """
    point: EntryPoint | None = next((point for point in entry_points(group=group) if point.name == name), None)
    if point is None and not is_object_path(name):
        raise RecipeError(f"{where}: {name!r} is neither built in nor an entry point of {group}; install its package")
    if point is None and not own:
        raise RecipeError(
            f"{where}: {name!r} names Python code, which a recipe may do only where you answer for it; read the "
            "recipe and that code, then allow it once: sentisynth trust FOLDER_OF_THE_RECIPE"
        )
    try:
        if point is not None:
            return point.load()
        module, _, attribute = name.partition(":")
        target: object = importlib.import_module(module)
        for part in attribute.split("."):
            target = getattr(target, part)
        return target
    except Exception as error:  # whatever that code does on import
        raise RecipeError(f"{where}: {name!r} cannot be imported ({type(error).__name__}: {error})") from error
