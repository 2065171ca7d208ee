"""What every section of a recipe shares."""

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A part of a recipe: unknown keys are errors, values are never changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ModelRef(Section):
    """A model on the Hub (or a folder), pinned."""

    model: str = Field(min_length=1)
    """Hub id such as `google-bert/bert-base-multilingual-cased`, or a local folder."""
    revision: str | None = None
    """Tag, branch or commit; the commit it resolves to goes into the manifest."""
