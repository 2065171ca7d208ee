"""`publish:` what goes to the Hub, where, under which licence."""

from sentisynth_hub.recipe.base import Section


class Publish(Section):
    """The publish stage."""

    dataset: str | None = None
    """Repo id of the dataset, `namespace/name`; None: not published."""
    model: str | None = None
    """Repo id of the model, `namespace/name`; None: not published."""
    private: bool = True
    """New repos are private unless this says false."""
    licence: str | None = None
    """Licence of what is published, as a Hub licence id."""
    pretty_name: str | None = None
    """Title of the cards; None: made from the repo id."""
