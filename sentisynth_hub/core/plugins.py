"""Parts a user brings along: installed under an entry point group, or named as `module:object`.

Both name what the user's own environment can import already. No folder is added to Python's search path: a recipe that
someone hands over cannot bring code of its own.
"""

import importlib
import re
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from sentisynth_hub.core.errors import InputError


_NAME = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*")


def is_object_name(text: str) -> bool:
    """Whether `text` is written `module:object` or `package.module:object`."""
    return _NAME.fullmatch(text) is not None


def load_object(name: str) -> Any:
    """Import the object that `module:object` names.

    Raises:
        InputError: The module cannot be imported, or has no such object.
    """
    module_name, _, attribute = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever a user's module raises while it is imported
        raise InputError(
            f"{name}: module {module_name!r} cannot be imported ({type(error).__name__}: {error}); install it, or put "
            "its folder on PYTHONPATH"
        ) from error
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise InputError(f"{name}: module {module_name!r} has no {attribute!r}; check the name") from None


def installed_parts(group: str) -> dict[str, EntryPoint]:
    """The entry points that installed packages declare in `group`, by name; nothing is imported."""
    return {each.name: each for each in entry_points(group=group)}


def load_part(part: EntryPoint) -> Any:
    """Import what an entry point names.

    Raises:
        InputError: It cannot be imported.
    """
    try:
        return part.load()
    except Exception as error:  # a broken package is the user's to mend, not a traceback of ours
        raise InputError(
            f"{part.name}: the installed package's {part.value} cannot be imported ({type(error).__name__}: {error}); "
            "mend or uninstall it"
        ) from error
