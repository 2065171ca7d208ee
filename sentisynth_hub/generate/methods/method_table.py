"""The table of methods: the one list that recipe check, schema, `--method`, docs and the generate stage read."""

from sentisynth_hub.core.errors import InputError, did_you_mean
from sentisynth_hub.generate.methods.boundary import Boundary
from sentisynth_hub.generate.methods.few_shot import FewShot
from sentisynth_hub.generate.methods.ground import Ground
from sentisynth_hub.generate.methods.method import Method, MethodContext
from sentisynth_hub.generate.methods.mix import Mix
from sentisynth_hub.generate.methods.rewrite import Rewrite
from sentisynth_hub.generate.methods.verbalised import Verbalised


METHODS: tuple[type[Method], ...] = (FewShot, Rewrite, Ground, Boundary, Verbalised, Mix)
"""The methods, in the order in which they are listed."""

_BY_NAME = {each.name: each for each in METHODS}


def method_class(name: str) -> type[Method]:
    """The method that `name` means.

    Raises:
        InputError: There is none.
    """
    if name not in _BY_NAME:
        raise InputError(f"no method {name!r}{did_you_mean(name, _BY_NAME)}; there are {', '.join(_BY_NAME)}")
    return _BY_NAME[name]


def method_of(context: MethodContext) -> Method:
    """The recipe's method for one replicate.

    Raises:
        RecipeError: Its template does not suit it.
    """
    section = context.recipe.generate.method
    return method_class(section.kind)(section, context)
