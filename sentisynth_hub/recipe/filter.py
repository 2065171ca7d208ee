"""`filter:` which candidates stay. The order of the keys is the order of the filters; a missing key is a filter not used."""

from pydantic import Field

from sentisynth_hub.recipe.base import ModelRef, Section


class LengthFilter(Section):
    """Drops texts that are empty, too short, too long or cut off."""

    min_tokens: int = Field(default=3, ge=1)
    """Words and symbols a text must have."""
    max_tokens: int = Field(default=80, ge=1)
    """Words and symbols a text may have."""


class ExactDuplicatesFilter(Section):
    """Keeps the first of the rows whose normalised text is equal."""


class OverlapFilter(Section):
    """Drops rows that stand in validation, test or the demonstrations."""

    ngram: int = Field(default=8, ge=2)
    """A shared run of this many words counts as overlap too."""


class TeacherFilter(Section):
    """A classifier trained on the replicate's own natural rows must agree with the asked label."""

    teacher: ModelRef
    """Encoder; frozen, with a logistic regression on its mean-pooled features."""
    min_confidence: float = Field(default=0.6, ge=0, le=1)
    """Probability the teacher must give the asked label."""


class Filter(Section):
    """The filter stage: one key a filter."""

    length: LengthFilter | None = None
    """Length in words."""
    exact_duplicates: ExactDuplicatesFilter | None = None
    """Equal normalised texts."""
    overlap: OverlapFilter | None = None
    """Leaks from evaluation data and demonstrations."""
    teacher: TeacherFilter | None = None
    """Teacher agreement and confidence."""
