"""`study:` which variants are compared, on what, by what student."""

import difflib
import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from sentisynth_hub.recipe.section import RowSource, Section


Metric = Literal["macro_f1", "accuracy", "weighted_f1"]

VARIANTS = {
    "natural": "the natural rows, for their own best budget",
    "natural_repeated": "the same rows for mixed's number of steps: is it just more steps?",
    "rebalanced": "the natural rows, resampled so that every label has as many",
    "synthetic": "the kept synthetic rows alone",
    "unfiltered": "natural rows and every candidate, nothing filtered",
    "mixed": "natural rows and kept synthetic rows",
    "mixed_natural_prior": "as mixed, with the synthetic rows cut to the natural rows' label shares",
    "gradual": "stages with a falling share of synthetic rows",
    "eda": "natural rows and as many noised copies of them as mixed has synthetic rows",
    "word_translation": "natural rows and copies of them with words replaced from a lexicon",
    "pseudo_label": "natural rows and natural texts labelled by the generator's model",
    "llm_classifier": "the generator's model asked for the label; nothing is trained",
    "zero_shot": "human rows of `zero_shot`, in another language or genre, and none of the natural training rows",
    "shuffled_labels": "control: as mixed, the synthetic rows' labels shuffled; must not help",
    "extra_natural": "control: as many new human rows as mixed has synthetic ones; must help",
}
"""Variant names a recipe may list, with one line each; `natural_<n>` and `mixed_<r>x` come on top."""

ASKED_VARIANTS = ("llm_classifier", "pseudo_label")
"""Variants made of the labels that the generator's own model gives when it is asked for them."""

NATURAL_OF_SIZE = re.compile(r"natural_([1-9][0-9]*)")
"""`natural_100`: natural with 100 rows a label, a point of the learning curve."""
MIXED_AT_RATIO = re.compile(r"mixed_([0-9]+(?:\.[0-9]+)?)x")
"""`mixed_2x`: mixed with at most two synthetic rows a natural row, a point of a ratio sweep."""


class Student(Section):
    """The classifier that is trained, and finally published."""

    model: str = Field(min_length=1)
    """Encoder: Hub id or folder."""
    revision: str | None = None
    """Tag, branch or commit."""
    max_length: int = Field(default=64, ge=8)
    """Tokens a training text is cut to; when predicting, the student reads as far as its encoder can, as `pipeline()`
    does.
    """
    prefix: str = ""
    """Put before every text whose frozen features are computed (e5: `query: `); fine-tuning does without, as
    `pipeline()` does.
    """
    epochs: float = Field(default=4, gt=0)
    """Passes over natural and kept rows together: that number of steps is what every variant but `natural` trains for.
    """
    budgets: list[float] = Field(default=[1, 2, 4], min_length=1)
    """Multiples of `epochs` tried for `natural` beside the matched number of steps; the best on natural validation is
    taken.
    """
    early_stopping: int | None = Field(default=None, ge=1)
    """Instead of `budgets`: `natural` trains for the largest of them and stops after so many epochs without a better
    validation score.
    """
    learning_rate: float = Field(default=5e-5, gt=0)
    """Peak learning rate of AdamW, linear warm-up and decay."""
    batch_size: int = Field(default=32, ge=1)
    """Rows a step, over all processes."""
    gradient_accumulation: int = Field(default=1, ge=1)
    """Parts a step's rows are computed in, one after the other, where the memory is small; the result is the same."""
    weight_decay: float = Field(default=0.01, ge=0)
    """AdamW's weight decay."""
    warmup_ratio: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps with rising learning rate."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Number format of the training arithmetic; auto: bfloat16 on a GPU that has it, else float32. Weights stay
    float32.
    """
    threads: int = Field(default=2, ge=1)
    """CPU threads a process; fixed in the recipe because another number rounds otherwise."""
    checkpoint_steps: int | None = Field(default=None, ge=1)
    """Steps between checkpoints inside a trial, from which a killed trial goes on; None: a killed trial starts again.
    """


class GradualStage(Section):
    """One stage of `gradual`: all natural rows and a share of the synthetic ones."""

    synthetic_share: float = Field(ge=0, le=1)
    """Share of the kept rows in this stage; a later stage's rows are among an earlier one's where its share is
    smaller.
    """
    learning_rate: float | None = Field(default=None, gt=0)
    """Peak learning rate of the stage, warm-up restarted; None: the student's."""


class Gradual(Section):
    """The schedule of `gradual`."""

    preset: Literal["paper"] | None = None
    """`paper`: the five stages of arXiv 2411.00691 (50k, 25k, 15k, 5k, 0 rows; 1e-6, 2e-6, 2e-6, 4e-6, 2e-6), 3 epochs
    each.
    """
    stages: list[GradualStage] = Field(
        default=[GradualStage(synthetic_share=share) for share in (1, 0.5, 0.25, 0)], min_length=1
    )
    """The stages, in order."""
    epochs: float | None = Field(default=None, gt=0)
    """Passes a stage; None: mixed's number of steps, shared out by the stages' rows, so that the comparison is
    matched.
    """

    @model_validator(mode="before")
    @classmethod
    def _fill_preset(cls, content: object) -> object:
        if not isinstance(content, dict) or content.get("preset") is None or "stages" in content:
            return content
        shares, rates = (1, 0.5, 0.3, 0.1, 0), (1e-6, 2e-6, 2e-6, 4e-6, 2e-6)
        stages = [{"synthetic_share": share, "learning_rate": rate} for share, rate in zip(shares, rates, strict=True)]
        return {"epochs": 3, **content, "stages": stages}


class WordTranslation(Section):
    """How `word_translation` makes its rows."""

    lexicon: str
    """TSV beside the recipe, a word and its translation a line; a word may have several lines."""
    share: float = Field(default=0.3, gt=0, le=1)
    """Share of a text's words that are replaced, of those in the lexicon."""


class ZeroShot(RowSource):
    """Labelled rows of another language or genre: what `zero_shot` trains on in place of natural rows."""

    rows: int | None = Field(default=None, ge=1)
    """Rows each replicate draws, with the source's label shares; None: all of them."""


class CrossFitting(Section):
    """Repeated stratified folds in place of separate test rows, for data of under 1,000 rows."""

    folds: int = Field(default=5, ge=2)
    """Folds; each is the test set once a repetition."""


class Study(Section):
    """The study stage."""

    student: Student
    """Who is trained."""
    mode: Literal["finetune", "head"] = "finetune"
    """Trials fine-tune the whole student, or train a head on frozen features (minutes for a whole grid). The published
    model is one of them.
    """
    design: Literal["nested", "conditional"] = "nested"
    """nested: every replicate has its own natural sample and corpus; conditional: one sample, one corpus."""
    replicates: int = Field(default=10, ge=1)
    """Replicates; under 5 there are numbers but no verdict."""
    variants: list[str] = ["natural", "natural_repeated", "synthetic", "unfiltered", "mixed"]
    """What is compared; see docs/concepts/training.md. `natural_100` is natural with 100 rows a label, `mixed_2x` a
    ratio of 2.
    """
    gradual: Gradual = Gradual()
    """Schedule of the variant `gradual`."""
    word_translation: WordTranslation | None = None
    """What the variant `word_translation` needs."""
    zero_shot: ZeroShot | None = None
    """Where the rows of the variant `zero_shot` come from."""
    cross_fitting: CrossFitting | None = None
    """Test every natural row once a repetition instead of holding test rows out; None: the test split."""
    metric: Metric = "macro_f1"
    """The one metric of the verdict."""
    margin: float = Field(default=0.02, gt=0, lt=1)
    """A difference smaller than this does not matter to you."""
    parallel: Literal["data", "trial"] = "trial"
    """Under a launch of several processes: share each batch, or share out the trials."""
    trackers: list[Literal["tensorboard", "trackio"]] = []
    """Where losses and scores are logged too, through Accelerate."""

    @field_validator("variants")
    @classmethod
    def _variants_are_known(cls, variants: list[str]) -> list[str]:
        for name in variants:
            if name not in VARIANTS and not NATURAL_OF_SIZE.fullmatch(name) and not MIXED_AT_RATIO.fullmatch(name):
                near = difflib.get_close_matches(name, VARIANTS, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise ValueError(
                    f"unknown variant {name!r}{hint} (known: {', '.join(VARIANTS)}, natural_<n>, mixed_<r>x)"
                )
        if len(set(variants)) != len(variants):
            raise ValueError(f"a variant is named twice in {variants}; name each once")
        if "natural" not in variants:
            raise ValueError("the variant `natural` is missing; everything is compared with it, so add it")
        return variants

    @model_validator(mode="after")
    def _variants_have_what_they_need(self) -> "Study":
        if "word_translation" in self.variants and self.word_translation is None:
            raise ValueError("the variant word_translation needs `word_translation.lexicon`; name a TSV of words")
        if "zero_shot" in self.variants and self.zero_shot is None:
            raise ValueError("the variant zero_shot needs `zero_shot.dataset` or `zero_shot.file`; name its rows")
        if self.cross_fitting is not None and self.design != "nested":
            raise ValueError("cross_fitting makes a corpus for every fold, so it needs `design: nested`")
        return self
