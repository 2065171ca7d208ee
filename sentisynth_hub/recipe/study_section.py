"""`study:` which variants are compared, on what, by what student."""

import difflib
import itertools
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, WithJsonSchema, field_validator, model_validator

from sentisynth_hub.core.plugins import is_object_path
from sentisynth_hub.recipe.section import RowSource, Section
from sentisynth_hub.recipe.variant_table import FAMILIES, VARIANTS, Variant, is_known, names


Metric = Literal["macro_f1", "accuracy", "weighted_f1"]
LOOKS = (5, 10, 20, 30)
"""Replicates at which a nested study looks where its recipe names none."""
MOST_LOOKED = 1_000
"""No study looks at more replicates than this."""


def _schema_of_variants() -> dict[str, Any]:
    """JSON Schema of a variant's name: the package's own with their help, its families, `module:object`, and whatever
    another package adds.
    """
    lines = [{"const": line.name, "description": line.help} for line in VARIANTS if line.pattern is None]
    families = [{"pattern": f"^{line.pattern}$", "description": line.help} for line in FAMILIES]
    others = {"description": "a variant of another package, by its name or as module:object"}
    return {"type": "string", "anyOf": [*lines, *families, others]}


VariantName = Annotated[str, WithJsonSchema(_schema_of_variants())]


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
    epochs: float = Field(default=4.0, gt=0)
    """Passes over natural and kept rows together: the matched number of steps. Variants of natural rows alone count
    from as many passes over their own rows.
    """
    budgets: list[float] = Field(default=[1.0, 2.0, 4.0], min_length=1)
    """Multiples of that number of steps that every variant tries, the matched number beside them; the best in the
    folds is taken.
    """
    early_stopping: int | None = Field(default=None, ge=1)
    """Instead of `budgets`: train for the largest of them and stop after so many epochs without a better score on the
    held-out validation rows (`natural.validation: held_out`).
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


class SelfTraining(Section):
    """How `self_training` uses natural texts beyond the sample; their labels are never read."""

    pool: int = Field(default=2000, ge=1)
    """Texts at most."""
    share: float = Field(default=0.2, gt=0, le=1)
    """Share of them, label by label, that is trained on: those a head of the natural rows is surest of."""


class CrossValidation(Section):
    """The folds that choose penalty, steps and the weight of added rows (`natural.validation: cross_validated`)."""

    folds: int = Field(default=5, ge=2)
    """Folds of one repetition."""
    repeats: int = Field(default=2, ge=1)
    """Repetitions in head mode; fine-tuning makes one."""


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
    looks: list[int] | None = Field(default=None, min_length=2)
    """Numbers of replicates at which the verdict is read, such as [5, 10, 20, 30]: the study stops at the first that
    settles it. Intervals are wider for it. `replicates` is where it begins: the first of them. A nested study that
    names neither looks at 5, 10, 20 and 30. None: one look.
    """
    variants: list[VariantName] = [
        "natural", "plain", "natural_repeated", "synthetic", "unfiltered", "kept", "weighted",
        "synthetic_then_natural", "mixed",
    ]  # fmt: skip
    """What is compared; `sentisynth recipes variants` lists all. `natural_100` is natural with 100 rows a label,
    `mixed_2x` a ratio of 2, `module:object` one of your own.
    """
    natural_methods: list[VariantName] = Field(default=["plain", "self_training"], min_length=1)
    """What `natural` is the best of: variants that need no language model. self_training only where natural rows lie
    beyond the sample; setfit tunes an encoder in every fold, which wants a GPU or few replicates.
    """
    mixed_methods: list[VariantName] = Field(
        default=["kept", "weighted", "unfiltered", "synthetic_then_natural"], min_length=1
    )
    """What `mixed` is the best of: ways to use the synthetic rows."""
    synthetic_weights: list[float] = Field(default=[0.0, 0.1, 0.3, 1.0], min_length=1)
    """Weights of an added row, in units of a natural one, that `mixed` tries; 0 leaves the synthetic rows out."""
    self_training: SelfTraining = SelfTraining()
    """How the variant `self_training` works."""
    cross_validation: CrossValidation = CrossValidation()
    """The folds that choose budgets and weights."""
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
    def _variants_are_known(cls, variants: list[str], info: ValidationInfo) -> list[str]:
        for name in variants:
            _check_known(name, own=bool((info.context or {}).get("own")))
        if len(set(variants)) != len(variants):
            raise ValueError(f"a variant is named twice in {variants}; name each once")
        if "natural" not in variants:
            raise ValueError("the variant `natural` is missing; everything is compared with it, so add it")
        return variants

    @model_validator(mode="before")
    @classmethod
    def _begin_at_the_first_look(cls, content: object) -> object:
        if not isinstance(content, dict) or "replicates" in content:
            return content
        nested = content.get("design", "nested") == "nested" and content.get("cross_fitting") is None
        looks = content.get("looks", [*LOOKS] if nested else None)
        return {**content, "looks": looks, "replicates": looks[0]} if isinstance(looks, list) and looks else content

    @field_validator("natural_methods")
    @classmethod
    def _natural_methods_need_no_model(cls, methods: list[str]) -> list[str]:
        usable = [line.name for line in VARIANTS if _needs_no_model(line)]
        return _check_methods(methods, usable, "variants that need no language model and no further label")

    @field_validator("mixed_methods")
    @classmethod
    def _mixed_methods_use_synthetic_rows(cls, methods: list[str]) -> list[str]:
        usable = [line.name for line in VARIANTS if _uses_synthetic_rows(line)]
        return _check_methods(methods, usable, "variants of natural and synthetic rows")

    @field_validator("synthetic_weights")
    @classmethod
    def _weights_are_weights(cls, weights: list[float]) -> list[float]:
        if min(weights) < 0 or max(weights) == 0 or len(set(weights)) != len(weights):
            raise ValueError(f"{weights} are not distinct weights from 0 up with one above 0; try [0, 0.1, 0.3, 1]")
        return weights

    @model_validator(mode="after")
    def _variants_have_what_they_need(self) -> "Study":
        named = {*self.variants, *self.natural_methods}
        if "word_translation" in named and self.word_translation is None:
            raise ValueError("the variant word_translation needs `word_translation.lexicon`; name a TSV of words")
        if "zero_shot" in self.variants and self.zero_shot is None:
            raise ValueError("the variant zero_shot needs `zero_shot.dataset` or `zero_shot.file`; name its rows")
        if "setfit" in named and self.mode != "head":
            raise ValueError("the variant setfit fits a head on an encoder it tunes itself; it needs `mode: head`")
        if self.cross_fitting is not None and self.design != "nested":
            raise ValueError("cross_fitting makes a corpus for every fold, so it needs `design: nested`")
        if self.looks is not None:
            _check_looks(self.looks, self.replicates)
            if self.cross_fitting is not None or self.design != "nested":
                raise ValueError("looks need replicates with natural rows of their own: `design: nested`, no folds")
        return self


def _check_looks(looks: list[int], replicates: int) -> None:
    if looks[0] < 2 or any(later <= sooner for sooner, later in itertools.pairwise(looks)) or looks[-1] > MOST_LOOKED:
        raise ValueError(
            f"looks: {looks} do not rise from 2 up to at most {MOST_LOOKED:,} replicates; write e.g. [5, 10, 20, 30]"
        )
    if replicates not in looks:
        raise ValueError(
            f"replicates: {replicates} is none of looks {looks}; take one of them, or study.looks=null for one look"
        )


def _check_known(name: str, *, own: bool) -> None:
    if is_object_path(name) and not own:
        raise ValueError(
            f"{name!r} names Python code, which a recipe may do only where you answer for it; read the recipe and "
            "that code, then allow it once: sentisynth trust FOLDER_OF_THE_RECIPE"
        )
    if is_known(name):
        return
    near = difflib.get_close_matches(name, names(), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"unknown variant {name!r}{hint} (known: {', '.join(names())}, or module:object)")


def _check_methods(methods: list[str], usable: list[str], what: str) -> list[str]:
    for name in methods:
        if name not in usable:
            raise ValueError(f"{name!r} is none of the {what}: {', '.join(usable)}")
    if len(set(methods)) != len(methods):
        raise ValueError(f"a method is named twice in {methods}; name each once")
    return methods


def _needs_no_model(line: Variant) -> bool:
    return line.corpus == "none" and line.publishable and line.name not in ("natural", "natural_repeated")


def _uses_synthetic_rows(line: Variant) -> bool:
    in_part = line.name not in ("synthetic", "mixed") and line.pattern is None
    return line.corpus in ("kept", "unfiltered") and line.publishable and in_part
