"""The table of variants: what a study can compare, and everything a reader of a recipe has to know of each.

>>> variant("shuffled_labels").control
'does not help'
>>> variant("natural_100").publishable    # it trains on labels that the recipe's user does not have
False

Whatever lists variants reads this table: the check of a recipe, training, the label budget, the price, the controls,
what may be published, docs, `--help` and the JSON Schema. The rows of each are made in `study/variants.py`, which a
test holds to this table.

A variant from outside the package has an entry point in the group `sentisynth_hub.variants`, or is named in the recipe
as `module:object`; both lead to a `StudyVariant` (`sentisynth_hub.study.variants`), which carries its own line of the
table.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

from sentisynth_hub.core.errors import RecipeError
from sentisynth_hub.core.plugins import is_object_path, load_outside, outside_names


GROUP = "sentisynth_hub.variants"
"""Group of the entry points by which other packages add variants."""

Corpus = Literal["none", "kept", "unfiltered", "labels"]
"""What of the generator's work a variant is made of: nothing; rows the filters kept, or that their teacher weighed;
candidates no filter has seen; labels of the generator's model for texts that people wrote."""

Control = Literal["helps", "does not help"]


@dataclass(frozen=True)
class Variant:
    """One line of the table.

    Attributes:
        name: As a recipe writes it; a family has one placeholder in angle brackets, `natural_<n>`.
        help: One line that says what it trains on.
        corpus: What of the generator's work it is made of; decides which labels and which dollars it is charged for.
        budget: `own`: fine-tuning tries multiples of the epochs its own rows take; `matched`: multiples of the steps
            that natural and kept rows take together.
        publishable: Whether its model may be published: trained, on nothing a user of the recipe would not have.
        control: For a control, what a sound study must find; None for every other variant.
        trained: False where a model is asked for the answers instead.
        needs: Section of `study` that must be given.
        pattern: For a family, the regular expression of its names; one group, the number.
    """

    name: str
    help: str
    corpus: Corpus = "none"
    budget: Literal["own", "matched"] = "matched"
    publishable: bool = True
    control: Control | None = None
    trained: bool = True
    needs: str | None = None
    pattern: str | None = None

    def number(self, name: str) -> float | None:
        """The number in `name`, where this is a family it belongs to; None where it does not belong to it."""
        match = re.fullmatch(self.pattern, name) if self.pattern is not None else None
        return float(match.group(1)) if match else None


VARIANTS: tuple[Variant, ...] = (
    Variant(
        "natural", "the best of `natural_methods`, which need no language model, chosen on the natural rows",
        budget="own",
    ),
    Variant("plain", "the natural rows alone, trained as every other variant is", budget="own"),
    Variant("natural_repeated", "the natural rows for mixed's number of steps: is it just more steps?"),
    Variant("rebalanced", "the natural rows, resampled so that every label has as many"),
    Variant("self_training", "natural rows and unlabelled natural texts, labelled by a student of the natural rows"),
    Variant(
        "setfit", "the natural rows, on whose pairs SetFit tunes the encoder itself before it fits a head (head mode; "
        "extra `setfit`)",
        budget="own",
    ),
    Variant("eda", "natural rows and as many noised copies of them as there are kept rows"),
    Variant(
        "word_translation", "natural rows and copies of them with words replaced from a lexicon",
        needs="word_translation",
    ),
    Variant("synthetic", "the kept synthetic rows alone", corpus="kept"),
    Variant("unfiltered", "natural rows and every candidate, nothing filtered", corpus="unfiltered"),
    Variant("kept", "natural rows and the synthetic rows that the filters kept", corpus="kept"),
    Variant(
        "weighted", "natural rows and all rows the teacher judged, each weighted by the probability of its label",
        corpus="kept",
    ),
    Variant(
        "synthetic_then_natural", "first the kept synthetic rows, then the natural ones, from there on", corpus="kept"
    ),
    Variant(
        "mixed", "the best of `mixed_methods` with the best weight of synthetic rows, zero among them, chosen on the "
        "natural rows",
        corpus="kept",
    ),
    Variant(
        "mixed_natural_prior", "as kept, with the synthetic rows cut to the natural rows' label shares", corpus="kept"
    ),
    Variant("gradual", "stages with a falling share of synthetic rows", corpus="kept"),
    Variant(
        "pseudo_label", "natural rows and natural texts labelled by the generator's model", corpus="labels"
    ),
    Variant(
        "llm_classifier", "the generator's model asked for the label; nothing is trained", corpus="labels",
        publishable=False, trained=False,
    ),
    Variant(
        "zero_shot", "human rows of `zero_shot`, in another language or genre, and none of the natural training rows",
        budget="own", publishable=False, needs="zero_shot",
    ),
    Variant(
        "shuffled_labels", "control: natural and kept rows, the kept rows' labels shuffled, with the best weight",
        corpus="kept", publishable=False, control="does not help",
    ),
    Variant(
        "extra_natural", "control: as many new human rows as there are kept rows",
        publishable=False, control="helps",
    ),
    Variant(
        "natural_<n>", "the natural rows with n of each label: a point of the learning curve", budget="own",
        publishable=False, pattern=r"natural_([1-9][0-9]*)",
    ),
    Variant(
        "mixed_<r>x", "as kept, with at most r synthetic rows a natural row: a point of a ratio sweep", corpus="kept",
        pattern=r"mixed_([0-9]+(?:\.[0-9]+)?)x",
    ),
)  # fmt: skip
"""Every variant of the package, the simplest first: of two as good in the folds, the one named first ships."""

FAMILIES = tuple(line for line in VARIANTS if line.pattern is not None)
_BY_NAME = {line.name: line for line in VARIANTS if line.pattern is None}


def names() -> list[str]:
    """Names of all variants a recipe may list, families by their pattern, those of other packages included."""
    return [*(line.name for line in VARIANTS), *outside_names(GROUP)]


def is_known(name: str) -> bool:
    """Whether a recipe may list `name`; what lies outside the package is not imported to find out."""
    return built_in(name) is not None or is_object_path(name) or name in outside_names(GROUP)


def built_in(name: str) -> Variant | None:
    """The package's own line for `name`, None where it has none."""
    if name in _BY_NAME:
        return _BY_NAME[name]
    return next((line for line in FAMILIES if line.number(name) is not None), None)


class OutsideVariant(Protocol):
    """What a variant of another package has: its line of the table (and its rows, which the study knows of)."""

    line: Variant


def variant(name: str) -> Variant:
    """The line of the table for `name`.

    Raises:
        RecipeError: There is no such variant, or what it leads to outside the package is none.
    """
    line = built_in(name)
    return line if line is not None else outside(name).line


def outside(name: str) -> OutsideVariant:
    """Import what `name` leads to outside the package; a stranger's recipe was refused when it was read.

    Raises:
        RecipeError: It cannot be imported, or has no line of the table.
    """
    target: Any = load_outside(name, GROUP, where="study.variants", own=True)
    if not isinstance(getattr(target, "line", None), Variant):
        raise RecipeError(
            f"study.variants: {name} is a {type(target).__name__} and no StudyVariant; see docs/how-to/study.md"
        )
    return cast(OutsideVariant, target)
