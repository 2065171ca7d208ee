"""The table of filters: the one list that recipe check, schema, `--help`, docs and the filter stage read.

A name in a recipe's `filter:` section is that of a filter here, of one that an installed package declares in the
entry point group `sentisynth_hub.filters`, or `module:object` for a class the user's environment can import.
"""

import hashlib
import inspect
from pathlib import Path

from sentisynth_hub.core.errors import RecipeError, did_you_mean
from sentisynth_hub.core.plugins import is_object_path, load_outside, outside_names
from sentisynth_hub.filter.code_mixing_window import CodeMixingWindow
from sentisynth_hub.filter.confident_learning import ConfidentLearning
from sentisynth_hub.filter.conflicting_labels import ConflictingLabels
from sentisynth_hub.filter.contract import Filter
from sentisynth_hub.filter.diversity_selection import DiversitySelection
from sentisynth_hub.filter.echo import Echo
from sentisynth_hub.filter.exact_duplicates import ExactDuplicates
from sentisynth_hub.filter.judge import Judge
from sentisynth_hub.filter.language import Language
from sentisynth_hub.filter.length import Length
from sentisynth_hub.filter.mixing_match import MixingMatch
from sentisynth_hub.filter.near_duplicates import NearDuplicates
from sentisynth_hub.filter.overlap import Overlap
from sentisynth_hub.filter.perplexity_window import PerplexityWindow
from sentisynth_hub.filter.personal_data import PersonalData
from sentisynth_hub.filter.refusals import Refusals
from sentisynth_hub.filter.semantic_duplicates import SemanticDuplicates
from sentisynth_hub.filter.teacher import Teacher
from sentisynth_hub.recipe.section import Section


GROUP = "sentisynth_hub.filters"
"""Entry point group in which an installed package declares filters of its own."""

FILTERS: tuple[type[Filter], ...] = (
    Length,
    Language,
    Echo,
    Refusals,
    PersonalData,
    ConflictingLabels,
    ExactDuplicates,
    NearDuplicates,
    SemanticDuplicates,
    Overlap,
    CodeMixingWindow,
    Teacher,
    Judge,
    PerplexityWindow,
    ConfidentLearning,
    DiversitySelection,
    MixingMatch,
)
"""The package's own filters, in the order in which they are listed."""

_BUILT_IN = {each.name: each for each in FILTERS}


def filter_names() -> list[str]:
    """Names a recipe can use: the package's own, then those of installed packages."""
    return [*_BUILT_IN, *(name for name in outside_names(GROUP) if name not in _BUILT_IN)]


def filter_class(key: str, *, own: bool = True) -> type[Filter]:
    """The filter that `key` names in a recipe.

    Args:
        own: The user answers for the recipe, so that `module:object` is allowed.

    Raises:
        RecipeError: There is none, it cannot be imported, or it does not keep the contract.
    """
    if key in _BUILT_IN:
        return _BUILT_IN[key]
    if key not in outside_names(GROUP) and not is_object_path(key):
        names = filter_names()
        raise RecipeError(f"unknown filter {key!r}{did_you_mean(key, names)}; there are {', '.join(names)}")
    return _checked(load_outside(key, GROUP, where="filter", own=own), key)


def code_version(kind: type[Filter]) -> int | str:
    """What tells two states of a filter's code apart: its `version`, and for a user's own the digest of its file."""
    if kind in FILTERS:
        return kind.version
    source = inspect.getsourcefile(kind)
    return f"{kind.version}-{hashlib.sha256(Path(source).read_bytes()).hexdigest()[:16] if source else ''}"


def _checked(kind: object, key: str) -> type[Filter]:
    """`kind` as a filter.

    Raises:
        RecipeError: It is no filter; says what it lacks.
    """
    if not (isinstance(kind, type) and issubclass(kind, Filter)):
        raise RecipeError(
            f"filter {key!r} is {repr(kind)[:60]}; it has to be a subclass of sentisynth_hub.filter.contract.Filter"
        )
    lacking = [name for name in ("name", "score_name", "reasons", "options") if not hasattr(kind, name)]
    lacking += sorted(kind.__abstractmethods__)
    if lacking:
        raise RecipeError(f"filter {key!r}: {kind.__name__} has no {', no '.join(lacking)}; add what is missing")
    if not (isinstance(kind.options, type) and issubclass(kind.options, Section)):
        raise RecipeError(f"filter {key!r}: {kind.__name__}.options has to be a subclass of recipe.section.Section")
    if kind.name in _BUILT_IN:
        raise RecipeError(f"filter {key!r}: its name {kind.name!r} is that of a filter of the package; choose another")
    return kind
