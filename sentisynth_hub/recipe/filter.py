"""`filter:` which candidates stay. The order of the keys is the order of the filters; a missing key is a filter not
used.
"""

from typing import Any

from pydantic import Field, model_validator

from sentisynth_hub.recipe.base import ModelRef, Section


class Encoder(ModelRef):
    """A frozen encoder whose mean-pooled features are used."""

    prefix: str = ""
    """Put before every text, as e5 models want `query: `."""
    max_length: int = Field(default=128, ge=8)
    """Tokens a text is cut to."""
    threads: int = Field(default=2, ge=1)
    """CPU threads; fixed in the recipe because another number rounds otherwise."""


class LengthFilter(Section):
    """Drops texts that are empty, too short or too long."""

    min_tokens: int = Field(default=3, ge=1)
    """Words and symbols a text must have."""
    max_tokens: int = Field(default=80, ge=1)
    """Words and symbols a text may have."""


class EchoFilter(Section):
    """Drops texts that repeat the prompt or give their label away."""

    ngram: int = Field(default=5, ge=2)
    """A run of this many words of the prompt template is an echo."""
    label_words: bool = True
    """Drop texts with a label set apart as an annotation: `positive: …`, `… (negative)`, `#neutral`."""


class ExactDuplicatesFilter(Section):
    """Keeps the first of the rows whose normalised text is equal."""


class OverlapFilter(Section):
    """Drops rows that stand in validation, test, the demonstrations or, word for word, anywhere else in train."""

    ngram: int = Field(default=8, ge=2)
    """A shared run of this many words counts as overlap too."""


class PersonalDataFilter(Section):
    """Drops texts with an e-mail address, a telephone number or a handle."""

    regions: list[str] = ["US", "GB", "IN"]
    """ISO 3166 codes of the countries whose national telephone numbers count."""


class TeacherFilter(Section):
    """A classifier trained on the replicate's own natural rows must agree with the row's label."""

    teacher: Encoder
    """Encoder; frozen, with a logistic regression on its mean-pooled features."""
    min_confidence: float = Field(default=0.6, ge=0, le=1)
    """Calibrated probability the teacher must give the row's label."""


class Filter(Section):
    """The filter stage: one key a filter."""

    length: LengthFilter | None = None
    """Length in words."""
    echo: EchoFilter | None = None
    """The prompt or the label in the text."""
    exact_duplicates: ExactDuplicatesFilter | None = None
    """Equal normalised texts."""
    overlap: OverlapFilter | None = None
    """Leaks from evaluation data and demonstrations."""
    personal_data: PersonalDataFilter | None = None
    """E-mail addresses, telephone numbers, handles."""
    teacher: TeacherFilter | None = None
    """Teacher agreement and confidence."""
    order: list[str] = []
    """The filters used, in the order they run; left out: the order of the keys."""

    @model_validator(mode="before")
    @classmethod
    def _order_of_keys(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        used = [key for key, value in content.items() if key != "order" and value is not None]
        order = content.get("order") or used
        if set(used) <= set(cls.model_fields) and sorted(order) != sorted(used):  # an unknown key has its own message
            raise ValueError(f"order: {order} does not name each of the used filters {used} once")
        return {**content, "order": order}
