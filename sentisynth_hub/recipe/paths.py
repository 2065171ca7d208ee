"""The one resolver of every path in a recipe: recipes are shared, so a recipe may not name any file it likes.

    path = resolve(recipe_folder, "prompt.jinja2", named={}, key="generate.prompt.template")

A file counts after links are followed. It must lie inside the recipe's folder or among the shipped recipes, or the
user must have named it: with an override on the command line, or in a call from Python.
"""

from collections.abc import Collection
from pathlib import Path

from sentisynth_hub.core.errors import RecipeError, did_you_mean
from sentisynth_hub.core.files import shipped


_LARGEST = 64 << 20  # bytes of a template, a list of words or of seed texts
_READY = "../_prompts/"  # how a recipe names a ready prompt, wherever the recipe lies


def resolve(folder: Path, name: str, *, named: Collection[str], key: str) -> Path:
    """The file that `name` means in the recipe of `folder`.

    Args:
        named: Paths that the user named; they are looked for beside the recipe, then from the current folder.
        key: Key path of the recipe, for the message.

    Raises:
        RecipeError: It is not there, is no regular file, or lies outside without having been named.
    """
    try:
        if name in named:
            given = Path(name).expanduser()
            path = folder / given if (folder / given).is_file() else given
            if not path.is_file():
                raise RecipeError(f"{key}: {name} is not beside the recipe, and no file here; give the path of one")
            return path
        path = folder / name
        if not path.exists() and name.startswith(_READY):
            path = shipped("recipes") / "_prompts" / name.removeprefix(_READY)
        real = path.resolve(strict=False)
        if not any(real.is_relative_to(allowed.resolve()) for allowed in (folder, shipped("recipes"))):
            raise RecipeError(
                f"{key}: {name} lies outside the recipe's folder, where a recipe may not reach; copy it into the "
                f"folder, or name it yourself on the command line: {key}=PATH"
            )
        if not real.is_file():
            near = [other.name for other in folder.iterdir()] if folder.is_dir() else []
            kind = "is no regular file" if real.exists() else f"is not beside the recipe{did_you_mean(name, near)}"
            raise RecipeError(f"{key}: {name} {kind}; add it")
    except (OSError, ValueError) as error:  # a name of 300 characters, a null byte, a loop of links
        raise RecipeError(f"{key}: {name[:60]!r} is no path of a file ({error.__class__.__name__}); mend it") from None
    return path


def is_inside(folder: Path, name: str) -> bool:
    """Whether `name` is a regular file inside `folder`, links followed."""
    try:
        real = (folder / name).resolve()
        return real.is_file() and (
            real.is_relative_to(folder.resolve()) or real.is_relative_to(shipped("recipes").resolve())
        )
    except (OSError, ValueError):
        return False


def read_text(path: Path, key: str) -> str:
    """The text of a file that a recipe names.

    Raises:
        RecipeError: It cannot be read, is not UTF-8, or is too large for a prompt or a list of words.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise RecipeError(f"{key}: {path} has more than {_LARGEST:,} bytes; name a smaller file")
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{key}: {path} is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise RecipeError(f"{key}: {path} cannot be read ({error.strerror})") from None
