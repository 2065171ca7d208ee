"""`natural:` where the human-labelled rows come from, and how many of them the study pretends to have."""

from typing import Literal

from pydantic import Field, model_validator

from sentisynth_hub.core.preprocess import Step
from sentisynth_hub.recipe.section import Section


_ROUNDING = 1e-6  # thirds written with a few digits fewer than this are a mistake, not a share


class NaturalFiles(Section):
    """Local files (CSV, JSONL or Parquet) in place of a Hub dataset."""

    train: str
    """Labelled rows to draw from."""
    validation: str | None = None
    """Labelled rows for development; None: taken out of train."""
    test: str | None = None
    """Labelled rows that are looked at once, at the end; None: taken out of train."""


class NaturalSplits(Section):
    """Names of the splits of the Hub dataset."""

    train: str = "train"
    """Split to draw training rows from."""
    validation: str | None = "validation"
    """Split for development; None: taken out of train."""
    test: str | None = "test"
    """Split looked at once, at the end; None: taken out of train."""


class Natural(Section):
    """The natural (human-labelled) data."""

    dataset: str | None = None
    """Hub dataset id; or give `files`."""
    revision: str | None = None
    """Tag, branch or commit of the dataset."""
    config_name: str | None = None
    """Subset of the Hub dataset."""
    splits: NaturalSplits = NaturalSplits()
    """Names of its splits."""
    files: NaturalFiles | None = None
    """Local files in place of a Hub dataset."""
    text_column: str = "text"
    """Column with the text; a list of words is joined by spaces."""
    label_column: str = "label"
    """Column with the label: a name, or an integer of a ClassLabel."""
    cluster: str | None = None
    """Column that says which rows belong together: author, thread, document. Test rows of one value are judged as one;
    an empty cell is a row alone.
    """
    label_names: dict[str, str | None] | None = None
    """What the source's labels are called here, e.g. `{"0": negative, "4": positive}`; rows of a label that is called
    null are left out. None: as they are.
    """
    preprocess: list[Step] = []
    """What is done to every text, natural and synthetic: `urls`, `mentions`, `emoji_names`, `punctuation`; see
    docs/concepts/training.md.
    """
    preprocessed: bool = False
    """The natural rows went through `preprocess` before they came here, so it is done to the other texts only."""
    licence: str | None = None
    """Licence of the natural data as a Hub licence id; None: read from the dataset's card."""
    publish_rows: bool = False
    """Publish natural rows inside the dataset too (their licence must allow it)."""
    rows_per_label: int | None = Field(default=None, ge=1)
    """Low-resource sample of each replicate: human labels a class, all of which train under `cross_validated`; None:
    all of them, or `rows`.
    """
    validation_per_label: int | None = Field(default=None, ge=1)
    """Further rows a label of each replicate, from the validation split; None: none where `rows_per_label` or `rows`
    is given and cross-validated, as many as training rows where they are held out.
    """
    validation: Literal["cross_validated", "held_out"] = "cross_validated"
    """What chooses penalties, steps and weights. cross_validated: folds over all rows of the replicate, which then all
    train. held_out: the validation rows, which train nothing and are charged all the same; for large data.
    """
    rows: int | None = Field(default=None, ge=1)
    """Low-resource sample of each replicate: training rows over all labels, in place of `rows_per_label`."""
    validation_rows: int | None = Field(default=None, ge=1)
    """Further rows over all labels, from the validation split, with the same shares; None: as for
    `validation_per_label`.
    """
    label_shares: dict[str, float] | None = None
    """Share of each label in `rows` and `validation_rows`, e.g. `{negative: 0.95, positive: 0.05}`; None: the
    source's own shares. Test rows stay as they are.
    """
    test_rows: int | None = Field(default=None, ge=1)
    """At most this many test rows, drawn once for all replicates; None: all of them."""
    overlap: Literal["stop", "drop_from_train"] = "stop"
    """What to do with train rows whose normalised text stands in validation or test too."""

    @model_validator(mode="after")
    def _one_source(self) -> "Natural":
        if (self.dataset is None) == (self.files is None):
            raise ValueError("give either `dataset` (a Hub id) or `files` (local paths)")
        return self

    @model_validator(mode="after")
    def _one_way_to_sample(self) -> "Natural":
        for rows, per_label in (("rows", "rows_per_label"), ("validation_rows", "validation_per_label")):
            if getattr(self, rows) is not None and getattr(self, per_label) is not None:
                raise ValueError(f"`{rows}` and `{per_label}` are both given; set one of them to null")
        if self.label_shares is None:
            return self
        if self.rows is None and self.validation_rows is None:
            raise ValueError("label_shares: they are shares of `rows`; give `rows` too (and rows_per_label=null)")
        if min(self.label_shares.values(), default=0) <= 0 or abs(sum(self.label_shares.values()) - 1) > _ROUNDING:
            raise ValueError(f"label_shares: {self.label_shares} are not positive numbers that sum to 1")
        return self
