"""Licences: of everything that went into what is published, and whether they allow it.

A licence that is not stated, or not known here, stops publishing, and so does one that clashes with the licence
chosen. The way on is always the same and always a person's decision: name the source in `publish.licence_reasons`
with a reason, which the cards then print. This is a safety net for honest mistakes, not legal advice.
"""

from collections.abc import Mapping

from sentisynth_hub.core.errors import RecipeError
from sentisynth_hub.publish.cards.published_manifest import Licence, LicenceSource
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.revisions import GIVEN_ROWS, ZERO_SHOT, Pin


PERMISSIVE = frozenset(
    [
        "apache-2.0",
        "mit",
        "bsd",
        "bsd-2-clause",
        "bsd-3-clause",
        "bsd-3-clause-clear",
        "isc",
        "zlib",
        "unlicense",
        "wtfpl",
        "cc0-1.0",
        "pddl",
        "cc-by-2.0",
        "cc-by-2.5",
        "cc-by-3.0",
        "cc-by-4.0",
        "odc-by",
        "afl-3.0",
        "artistic-2.0",
        "cdla-permissive-1.0",
        "cdla-permissive-2.0",
        "ms-pl",
        "ncsa",
        "postgresql",
        "ecl-2.0",
    ]
)
SHARE_ALIKE = frozenset(
    [
        "cc-by-sa-3.0",
        "cc-by-sa-4.0",
        "odbl",
        "cdla-sharing-1.0",
        "gpl",
        "gpl-2.0",
        "gpl-3.0",
        "agpl-3.0",
        "lgpl",
        "lgpl-2.1",
        "lgpl-3.0",
        "gfdl",
        "mpl-2.0",
    ]
)
NON_COMMERCIAL = frozenset(
    ["cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0"]
)
NO_DERIVATIVES = frozenset(["cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0"])
KNOWN = PERMISSIVE | SHARE_ALIKE | NON_COMMERCIAL | NO_DERIVATIVES


def gather_licences(recipe: Recipe, pins: Mapping[str, Pin], *, written_by_generator: bool = True) -> Licence:
    """The licence of what is published, and of its sources.

    Args:
        written_by_generator: Whether anything of it came from the generator; not so for a model that learned from
            natural rows alone.

    Raises:
        RecipeError: No licence is chosen, or sources' licences are unknown or clash; names all of them, and the
            choices.
    """
    licence = recipe.publish.licence
    if licence is None:
        raise RecipeError(
            "publish.licence: missing; choose the licence of what is published, e.g. apache-2.0 or cc-by-4.0"
        )
    sources = [_source(path, pin, recipe) for path, pin in _distinct(pins).items()]
    sources += _endpoint(recipe) if written_by_generator else []
    problems = {
        source["id"]: f"{source['repo_type']} {source['id']} {problem}"
        for source in sources
        if source["reason"] is None and (problem := clash(source["licence"], licence)) is not None
    }
    if problems:
        reasons = ", ".join(f"{name}: your reason" for name in problems)
        raise RecipeError(
            f"publish.licence: {'; '.join(problems.values())}; choose another source or licence, or say under "
            f"publish.licence_reasons why each may be used: {{{reasons}}}"
        )
    return {"id": licence, "sources": sources}


def clash(licence: str | None, target: str) -> str | None:
    """Why something under `licence` may not be published under `chosen`; None where nothing speaks against it."""
    if licence is None or not licence.strip():
        return "states no licence"
    for name in (part.strip().lower() for part in licence.split(",")):
        if name not in KNOWN:
            return f"has the licence {name!r}, of which is not known here what it allows"
        if name in NO_DERIVATIVES:
            return f"has the licence {name}, which allows no derived work to be published"
        if name in SHARE_ALIKE and name != target:
            return f"has the licence {name}, which asks for the same licence, not {target}"
        if name in NON_COMMERCIAL and target not in NON_COMMERCIAL:
            return f"has the licence {name}, which forbids commercial use, while {target} allows it"
        if "-sa-" in name and name in NON_COMMERCIAL and name != target:
            return f"has the licence {name}, which asks for the same licence, not {target}"
    return None


def _distinct(pins: Mapping[str, Pin]) -> dict[str, Pin]:
    """Each source of what is published once, by the first key of the recipe that names it."""
    first: dict[tuple[str, str, str], str] = {}
    for path, pin in pins.items():
        if path != ZERO_SHOT:
            first.setdefault((pin.repo_type, pin.id, pin.commit), path)
    return {path: pins[path] for path in first.values()}


def _source(path: str, pin: Pin, recipe: Recipe) -> LicenceSource:
    generator = recipe.generate.generator
    stated = recipe.natural.licence if path.partition(".")[0] == "natural" else None
    if path == GIVEN_ROWS:
        stated = generator.stated_licence
    licence = stated or pin.licence
    reason = recipe.publish.licence_reasons.get(pin.id)
    return {"id": pin.id, "repo_type": pin.repo_type, "commit": pin.commit, "licence": licence, "reason": reason}


def _endpoint(recipe: Recipe) -> list[LicenceSource]:
    """A model behind an endpoint is no repo: its provider's terms decide, and a person has to have read them."""
    names = dict.fromkeys(section.name for section in recipe.generators.values() if section.leaves_machine)
    reasons = recipe.publish.licence_reasons
    return [
        {"id": name, "repo_type": "model", "commit": "", "licence": None, "reason": reasons.get(name)}
        for name in names
    ]
