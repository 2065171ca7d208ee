"""`study:` which variants are compared, on what, by what student."""

from typing import Literal

from pydantic import Field

from sentisynth_hub.recipe.base import Section


Metric = Literal["macro_f1", "accuracy", "weighted_f1"]


class Student(Section):
    """The classifier that is trained, and finally published."""

    model: str = Field(min_length=1)
    """Encoder: Hub id or folder."""
    revision: str | None = None
    """Tag, branch or commit."""
    max_length: int = Field(default=64, ge=8)
    """Tokens a text is cut to."""
    prefix: str = ""
    """Put before every text, where the encoder was trained with one (e5: `query: `)."""
    epochs: float = Field(default=4, gt=0)
    """Passes over the variant's training rows; matched variants use the largest variant's number of steps."""
    learning_rate: float = Field(default=5e-5, gt=0)
    """Peak learning rate of AdamW, linear warm-up and decay."""
    batch_size: int = Field(default=32, ge=1)
    """Rows a step, over all processes."""
    weight_decay: float = Field(default=0.01, ge=0)
    """AdamW's weight decay."""
    warmup_ratio: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps with rising learning rate."""


class Study(Section):
    """The study stage."""

    student: Student
    """Who is trained."""
    mode: Literal["finetune", "head"] = "finetune"
    """Trials fine-tune the whole student, or train a head on frozen features (an instrument: minutes for a whole grid)."""
    design: Literal["nested", "conditional"] = "nested"
    """nested: every replicate has its own natural sample and corpus; conditional: one sample, one corpus."""
    replicates: int = Field(default=10, ge=1)
    """Replicates; under 5 there are numbers but no verdict."""
    variants: list[str] = ["natural", "natural_repeated", "synthetic", "unfiltered", "mixed"]
    """What is compared; see docs/concepts/evidence.md."""
    metric: Metric = "macro_f1"
    """The one metric of the verdict."""
    margin: float = Field(default=0.02, gt=0, lt=1)
    """A difference smaller than this does not matter to you."""
    parallel: Literal["data", "trial"] = "trial"
    """Under a launch of several processes: share each batch, or share out the trials."""
