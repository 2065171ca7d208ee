"""`publish:` what goes to the Hub, where, under which licence, and what must hold before it does."""

import reprlib

from pydantic import Field, field_validator

from sentisynth_hub.core.repo_ids import repo_id_problem
from sentisynth_hub.recipe.section import Section


class Gates(Section):
    """What must hold for a new version; leaks and an overspent budget stop publishing in any case."""

    non_inferiority_margin: float | None = Field(default=None, gt=0, lt=1)
    """The new model must be shown, with an interval, to score less than this much lower on the natural test rows than
    the last published one; None: it may score up to `study.margin` lower, and nothing need be shown."""
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    """Rate of letting a worse model pass: the lower bound of the difference has this one-sided level."""


class Publish(Section):
    """The publish stage."""

    dataset: str | None = None
    """Repo id of the dataset, `namespace/name`; None: not published."""
    model: str | None = None
    """Repo id of the model, `namespace/name`; None: not published."""
    private: bool = True
    """New repos are private unless this says false; an existing repo stays as it is."""
    licence: str | None = None
    """Licence of what is published, as a Hub licence id."""
    licence_reasons: dict[str, str] = {}
    """Why a source whose licence is unknown or seems to forbid it may be used all the same, by its id; printed on the
    cards."""
    pretty_name: str | None = None
    """Title of the cards; None: made from the repo id."""
    allow_personal_data: bool = False
    """Publish kept rows although they hold e-mail addresses, telephone numbers or handles."""
    allow_invented_keys: bool = False
    """Publish kept rows although they hold what looks like an access token or a private key. Set this after reading
    them: a model invents such strings. Recipe, prompt and cards are never published with one."""
    gates: Gates = Gates()
    """What must hold before a new version is published."""

    @field_validator("dataset", "model")
    @classmethod
    def _repo_id(cls, repo_id: str | None) -> str | None:
        problem = None if repo_id is None else repo_id_problem(repo_id)
        if problem is not None:
            raise ValueError(f"found {reprlib.repr(repo_id)}: {problem}")
        return repo_id
