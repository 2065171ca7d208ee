"""What every section of a recipe shares."""

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Section(BaseModel):
    """A part of a recipe: unknown keys are errors, values are never changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ModelRef(Section):
    """A model on the Hub (or a folder), pinned."""

    model: str = Field(min_length=1)
    """Hub id such as `google-bert/bert-base-multilingual-cased`, or a local folder."""
    revision: str | None = None
    """Tag, branch or commit; the commit it resolves to goes into the manifest."""


class RowSource(Section):
    """Labelled rows: a split of a Hub dataset, or a local file."""

    dataset: str | None = None
    """Hub dataset id; or give `file`."""
    revision: str | None = None
    """Tag, branch or commit of the dataset."""
    config_name: str | None = None
    """Subset of the Hub dataset."""
    split: str = "train"
    """Split of the Hub dataset."""
    file: str | None = None
    """Local file (CSV, JSONL or Parquet) in place of a Hub dataset."""
    text_column: str = "text"
    """Column with the text; a list of words is joined by spaces."""
    label_column: str = "label"
    """Column with the label: a name, or an integer of a ClassLabel."""
    label_names: dict[str, str | None] | None = None
    """What the source's labels are called here; rows of a label that is called null are left out."""

    @model_validator(mode="after")
    def _one_source(self) -> "RowSource":
        if (self.dataset is None) == (self.file is None):
            raise ValueError("give either `dataset` (a Hub id) or `file` (a local path)")
        return self
