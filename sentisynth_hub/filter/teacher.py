"""The teacher: a classifier trained on the replicate's own human labels must agree with a row's label.

A frozen encoder's mean-pooled features of unit length, so that nobody can read a text's length off them, and logistic
regressions in which every label weighs the same: the generator is asked for every label equally often, whatever the
natural shares are. No other human label is read; but for an oracle, which reads every natural training label and says
so in its facts.

A teacher that knows nothing drops nothing. Its skill is measured on human rows that the judging model has not seen,
against a guess; where the interval does not lie above the guess, the teacher abstains: every row stays, with its
confidence, and a warning says so.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from pydantic import Field

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import DataError
from sentisynth_hub.core.random import rng
from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.core.text import normalised
from sentisynth_hub.filter.candidate_features import CandidateFeatures
from sentisynth_hub.filter.contract import Filter, FilterContext, FilterFacts, LabelUse
from sentisynth_hub.filter.cross_fit import Array, CrossFit, Skill, cross_fit, fit_held_out
from sentisynth_hub.natural.folds import deal_into_folds
from sentisynth_hub.natural.splits import NaturalData, Sample
from sentisynth_hub.recipe.filter_section import Encoder
from sentisynth_hub.recipe.section import Section


_FOLDS = 5
_REPETITIONS = 3
_ENOUGH_ROWS = 1000  # from here on, one repetition of the folds tells as much as three
_BLOCK = 8192  # rows judged at once: their features are turned into float64


class TeacherOptions(Section):
    """Drops rows whose label a classifier trained on the replicate's human labels doubts, if it knows better."""

    teacher: Encoder
    """Encoder; frozen, with logistic regressions on its mean-pooled features of unit length."""
    labels: Literal["sample", "oracle"] = "sample"
    """sample: it learns from the replicate's own rows; oracle: from all natural training rows, as earlier work did. A
    study with an oracle is a comparison, not a claim about few labels, and says so wherever it is shown.
    """
    min_confidence: float = Field(default=0.6, ge=0, le=1)
    """Calibrated probability the teacher must give the row's label."""


class TeacherFacts(FilterFacts):
    """What a teacher learned from, how good it is on human rows it has not seen, and whether it abstains."""

    labels: Literal["sample", "oracle"]
    trained_on: int
    """Human labels it learned from, those its penalty and temperature were chosen on included."""
    held_out: int = 0
    """How many of them only its penalty and temperature were chosen on; 0 where it is cross-fitted."""
    models: int
    """Models whose mean probability decides; 0: too few rows to make one."""
    penalty: float | None
    temperature: float | None
    calibration_error: float | None
    skill: Skill
    abstains: bool


@dataclass(frozen=True)
class Teacher(Filter):
    """Keeps rows to whose label the models give the highest mean probability, and at least `min_confidence`.

    The score is the calibrated probability of the row's own label; rows keep it also where the teacher abstains.
    """

    models: CrossFit | None
    labels: Sequence[str]
    setting: TeacherOptions
    features: CandidateFeatures
    learned: TeacherFacts
    used: Mapping[LabelUse, Sequence[str]]

    name = "teacher"
    score_name = "teacher_confidence"
    reasons = {
        "disagrees": "the teacher finds another label likelier",
        "low_confidence": "the teacher finds the label likeliest, but not likely enough",
    }
    options = TeacherOptions
    facts_type = TeacherFacts
    version = 2

    @classmethod
    def build(cls, options: TeacherOptions, context: FilterContext) -> "Teacher":
        """Train on the replicate's human labels, or for an oracle on all."""
        recipe, sample = context.recipe, context.sample
        if options.labels == "oracle":
            return cls.oracle(sample, context.natural, recipe.labels, options, context.features)
        held_out = recipe.natural.validation == "held_out"
        seed = (recipe.seed, sample.replicate)
        return cls.trained(sample, recipe.labels, options, context.features, held_out=held_out, seed=seed)

    @classmethod
    def trained(
        cls,
        sample: Sample,
        labels: Sequence[str],
        options: TeacherOptions,
        features: CandidateFeatures,
        *,
        held_out: bool = False,
        seed: tuple[int, int] = (0, 0),
    ) -> "Teacher":
        """Cross-fit on all human rows of the sample; or train on `sample.train` and choose on `sample.validation`.

        Args:
            held_out: Keep the validation rows out of training: one model, its penalty and temperature chosen there.
            seed: The folds follow from it.

        Raises:
            DataError: The training rows hold only some of the labels.
        """
        if held_out:
            return cls._held_out(sample.train, sample.validation, labels, options, features)
        rows = [*sample.train, *sample.validation]
        y = _numbers_of_all(rows, labels)
        count = min(_FOLDS, _texts_of_rarest(rows, labels))
        models = None
        if count > 1:
            repetitions = _REPETITIONS if len(rows) < _ENOUGH_ROWS else 1
            folds = [deal_into_folds(rows, labels, count, rng(*seed, "teacher", each)) for each in range(repetitions)]
            models = cross_fit(features.of(rows, options.teacher), y, len(labels), np.array(folds))
        used: dict[LabelUse, list[str]] = {"teacher": _ids(rows)}
        return cls._with_facts(models, len(rows), labels, options, features, used)

    @classmethod
    def oracle(
        cls,
        sample: Sample,
        natural: NaturalData,
        labels: Sequence[str],
        options: TeacherOptions,
        features: CandidateFeatures,
    ) -> "Teacher":
        """Train on all natural training rows: a teacher no one with the sample's labels alone can have.

        They are enough to keep the sample's validation rows out of training (without any, a fifth of the sample).
        The label budget counts all.
        """
        held = sample.validation or sample.train[::5]
        kept_out = {normalised(row.text) for row in held}
        train = [row for row in natural.train if normalised(row.text) not in kept_out]
        teacher = cls._held_out(train, held, labels, options, features)
        learned = teacher.learned.model_copy(update={"labels": "oracle"})
        held_ids = teacher.used["threshold"]  # the others are the natural split: no list of them here
        return replace(teacher, learned=learned, used={"threshold": held_ids})

    @classmethod
    def _held_out(
        cls,
        train: Sequence[Row],
        held: Sequence[Row],
        labels: Sequence[str],
        options: TeacherOptions,
        features: CandidateFeatures,
    ) -> "Teacher":
        _numbers_of_all(train, labels)
        rows = [*train, *held]
        is_held = np.arange(len(rows)) >= len(train)
        models = fit_held_out(features.of(rows, options.teacher), label_numbers(rows, labels), len(labels), is_held)
        used: dict[LabelUse, list[str]] = {"teacher": _ids(train), "threshold": _ids(held)}
        return cls._with_facts(models, len(rows), labels, options, features, used, held_out=len(held))

    @classmethod
    def _with_facts(
        cls,
        models: CrossFit | None,
        rows: int,
        labels: Sequence[str],
        options: TeacherOptions,
        features: CandidateFeatures,
        used: Mapping[LabelUse, Sequence[str]],
        *,
        held_out: int = 0,
    ) -> "Teacher":
        skill = Skill.unmeasured(len(labels)) if models is None else models.skill
        facts = TeacherFacts(
            labels="sample",
            trained_on=rows,
            held_out=held_out,
            models=0 if models is None else len(models.fits.weights),
            penalty=None if models is None else models.fits.penalty,
            temperature=None if models is None else round(models.temperature, 4),
            calibration_error=None if models is None else round(models.calibration_error, 4),
            skill=skill,
            abstains=not skill.beats_a_guess,
        )
        if facts.abstains:
            log.warn(f"the teacher abstains, so it drops no row: {skill.sentence()}")
        return cls(models, labels, options, features, facts, used)

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row; every row has a label."""
        if self.models is None:
            return [Decision(True, None, 1 / len(self.labels)) for _ in rows]
        decisions = []
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            probabilities = self.models.probabilities(self.features.of(block, self.setting.teacher))
            decisions += [
                self._decide(row_probabilities, label)
                for row_probabilities, label in zip(probabilities, label_numbers(block, self.labels), strict=True)
            ]
        return decisions

    def facts(self) -> TeacherFacts:
        """What it learned from, and how good it is."""
        return self.learned

    def human_labels(self) -> Mapping[LabelUse, Sequence[str]]:
        """The rows it learned from (`teacher`), and those it was only calibrated on (`threshold`)."""
        return self.used

    def _decide(self, probabilities: Array, label: int) -> Decision:
        confidence = float(probabilities[label])
        if self.learned.abstains:
            return Decision(True, None, confidence)
        if int(probabilities.argmax()) != label:
            return Decision(False, "disagrees", confidence)
        if confidence < self.setting.min_confidence:
            return Decision(False, "low_confidence", confidence)
        return Decision(True, None, confidence)


def label_numbers(rows: Sequence[Row], labels: Sequence[str]) -> Array:
    """The place of each row's label in `labels`, (rows,) int."""
    number = {label: place for place, label in enumerate(labels)}
    return np.array([number[row.label or ""] for row in rows], dtype=np.int64)


def _numbers_of_all(rows: Sequence[Row], labels: Sequence[str]) -> Array:
    """`label_numbers`, every label being there.

    Raises:
        DataError: One is not.
    """
    y = label_numbers(rows, labels)
    for number, label in enumerate(labels):
        if number not in y:
            raise DataError(f"filter.teacher: no natural training row with label {label!r}; every label needs one")
    return y


def _texts_of_rarest(rows: Sequence[Row], labels: Sequence[str]) -> int:
    """How many texts the label with the fewest texts has; a text counts for the label of its first row."""
    label_of = {normalised(row.text): row.label for row in reversed(rows)}
    counts = Counter(label_of.values())
    return min(counts[label] for label in labels)


def _ids(rows: Sequence[Row]) -> list[str]:
    return sorted(row.request_id for row in rows)
