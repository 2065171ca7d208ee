"""A second model is asked for each row's label, and where a rubric is given for a score; another one wrote the row.

Whoever writes well need not label well: a cheap writer and a stronger judge is what the field settled on. Questions
are planned, journalled, budgeted and resumed like those of the labels stage (`generate.labels`). The journals of a run
lie in `filter/judge`, whatever the filters before this one and their thresholds are, so that no answer is paid twice.
Every label it gives is a machine's, and is counted as one.
"""

import math
import re
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from sentisynth_hub.core import log
from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.files import json_digest
from sentisynth_hub.core.rows import Completion, Decision, Request, Row
from sentisynth_hub.core.text import digest
from sentisynth_hub.filter.contract import Filter, FilterContext, FilterFacts, LabelUse
from sentisynth_hub.generate.label_prompt import (
    answer_tokens,
    demonstrations,
    label_prompt,
    parse_label,
    rating_prompt,
)
from sentisynth_hub.generate.labels import MOST_MISSING
from sentisynth_hub.generate.providers.base import provider_of
from sentisynth_hub.generate.requests import Replicate, write_requests
from sentisynth_hub.generate.stage import answer_all
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.generate_section import BudgetLimits
from sentisynth_hub.recipe.generator_kinds import EndpointGenerator, Generator
from sentisynth_hub.recipe.section import Section


class JudgeOptions(Section):
    """Drops, or labels anew, rows whose label a second model does not give them when asked.

    Rows that it names no label for are dropped.
    """

    generator: Generator
    """The model that is asked: a section as under `generate.generator`, of any kind that answers prompts."""
    chat: bool = False
    """It is asked by chat messages rather than by text to be continued."""
    num_shots: int = Field(default=8, ge=0, le=500)
    """The replicate's natural rows that every question shows."""
    questions: int = Field(default=1, ge=1, le=50)
    """How often each row is asked about; over 1 the confidence is the share of the answers. With 1 it is the answer's
    probability where an endpoint gives log-probabilities, else 1.
    """
    min_confidence: float = Field(default=0.5, ge=0, le=1)
    """Confidence in a label from which on it counts."""
    on_disagreement: Literal["drop", "relabel"] = "drop"
    """What becomes of a row for which the model is confident of another label: it goes, or it gets that label."""
    rubric: str | None = None
    """What a good text is, such as `natural and specific, as a customer writes`: asked for a score from 1 to 5."""
    min_score: int = Field(default=3, ge=1, le=5)
    """Under `rubric`, the lowest score that stays."""
    budget: BudgetLimits = BudgetLimits()
    """What may be spent, over all runs; every replicate has an equal share."""

    @model_validator(mode="after")
    def _can_be_asked(self) -> "JudgeOptions":
        why = "the rows are given" if not self.generator.has_prompt else self.generator.no_labels_because
        if why is not None:
            raise ValueError(f"generator: {self.generator.kind} cannot be asked for labels ({why}); name another kind")
        return self

    def record(self) -> dict[str, Any]:
        """What decides the filter's result; addresses, keys and budgets do not."""
        return {**self.model_dump(mode="json", exclude={"budget"}), "generator": self.generator.record()}


class JudgeFacts(FilterFacts):
    """Who was asked, for how many labels, and what came of it."""

    model: str
    machine_labels: int = Field(ge=0)
    """Labels it was asked for, repeated questions counted once."""
    unanswered: int = Field(ge=0)
    agreed: int = Field(ge=0)
    relabelled: int = Field(ge=0)
    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(ge=0)
    cost_usd: float | None
    """US dollars; None where no price is known."""


@dataclass(frozen=True)
class Opinion:
    """What a judge thinks of one row: its confidence in each label it named, and its score by the rubric."""

    labels: Mapping[str, float]
    rating: float | None = None


@dataclass
class Judge(Filter):
    """Keeps rows to which the model gives their own label with at least `min_confidence`, or another one under
    `relabel`.

    The score is its confidence in the row's own label; under `rubric` the rating is kept too (`judge_rating`).
    """

    setting: JudgeOptions
    context: FilterContext
    learned: JudgeFacts | None = field(default=None, init=False)

    name = "judge"
    score_name = "judge_confidence"
    reasons = {
        "disagrees": "the judge names another label",
        "low_confidence": "the judge is not sure enough of a label",
        "no_answer": "the judge names no label",
        "poor": "the judge rates the text below min_score",
    }
    options = JudgeOptions
    facts_type = JudgeFacts

    @classmethod
    def build(cls, options: JudgeOptions, context: FilterContext) -> "Judge":
        """Nothing is asked before there are rows to judge."""
        return cls(options, context)

    @classmethod
    def decides(cls, options: Any) -> dict[str, Any]:
        """All but where and for how much it is asked."""
        return JudgeOptions.record(options)

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row; every row has a label.

        Raises:
            StageError: A budget or a dead server stopped it; what was answered is kept for the next run.
        """
        setting = self.setting
        asking = _asking_recipe(self.context.recipe, setting)
        with tempfile.TemporaryDirectory() as scratch:
            folder = (self.context.cache.parent if self.context.cache is not None else Path(scratch)) / "judge"
            replicate = _replicate(asking, self.context, folder, rows, setting)
            answer_all(asking, [replicate], Processes())
            completions = [
                completion
                for batch_id, batch in replicate.batches()
                for request in batch
                if (completion := replicate.answers.completion(request.request_id, batch_id)) is not None
            ]
        opinions = _opinions(asking, setting, len(rows), completions)
        decisions = [self._decide(row, opinion) for row, opinion in zip(rows, opinions, strict=True)]
        unanswered = sum(not opinion.labels for opinion in opinions)
        costs = [completion.cost_usd for completion in completions]
        self.learned = JudgeFacts(
            model=setting.generator.name,
            machine_labels=len(rows),
            unanswered=unanswered,
            agreed=sum(_best(opinion) == row.label for row, opinion in zip(rows, opinions, strict=True)),
            relabelled=sum(decision.label is not None for decision in decisions),
            prompt_tokens=sum(completion.prompt_tokens for completion in completions),
            completion_tokens=sum(completion.completion_tokens for completion in completions),
            cost_usd=None if None in costs else math.fsum(cost or 0.0 for cost in costs),
        )
        if unanswered > MOST_MISSING * len(rows):
            log.warn(
                f"filter.judge: {setting.generator.name} names no label for {unanswered:,} of {len(rows):,} rows, "
                f"which are dropped; read what it says in {replicate.folder}, or ask another model"
            )
        return decisions

    def facts(self) -> FilterFacts:
        """What was asked and answered."""
        return self.learned if self.learned is not None else FilterFacts()

    def human_labels(self) -> Mapping[LabelUse, Sequence[str]]:
        """The natural rows that every question shows."""
        asking = _asking_recipe(self.context.recipe, self.setting)
        return {"teacher": sorted(row.request_id for row in demonstrations(asking, self.context.sample))}

    def _decide(self, row: Row, opinion: Opinion) -> Decision:
        setting, label = self.setting, _best(opinion)
        scores = {} if opinion.rating is None else {"judge_rating": opinion.rating}
        if label is None:
            return Decision(False, "no_answer", None, scores=scores)
        confidence = opinion.labels.get(row.label or "", 0.0)
        if opinion.labels[label] < setting.min_confidence:
            return Decision(False, "low_confidence", confidence, scores=scores)
        if label != row.label and setting.on_disagreement == "drop":
            return Decision(False, "disagrees", confidence, scores=scores)
        if opinion.rating is not None and opinion.rating < setting.min_score:
            return Decision(False, "poor", confidence, scores=scores)
        return Decision(True, None, confidence, label=None if label == row.label else label, scores=scores)


def _best(opinion: Opinion) -> str | None:
    """The label it is surest of, the first it named where two are equal; None: it named none."""
    return max(opinion.labels, key=lambda label: opinion.labels[label], default=None)


def _asking_recipe(recipe: Recipe, setting: JudgeOptions) -> Recipe:
    """The recipe as it asks the judge: its generator, a few tokens, the likeliest answer where it is asked once."""
    content = recipe.model_dump(mode="json")
    generator = setting.generator.model_dump(mode="json")
    if isinstance(setting.generator, EndpointGenerator) and setting.questions == 1:
        generator["extra_body"] = {"logprobs": True if setting.chat else 1} | generator["extra_body"]
    study = recipe.study
    corpora = study.replicates * (study.cross_fitting.folds if study.cross_fitting is not None else 1)
    corpora = corpora if study.design == "nested" else 1
    budget = {
        name: limit if limit is None or name == "max_minutes" else type(limit)(limit / corpora)
        for name, limit in setting.budget.model_dump().items()
    }
    content["generate"] = {
        "generator": generator,
        "prompt": {
            "num_shots": setting.num_shots,
            "chat": setting.chat,
            "verbalizers": recipe.generate.prompt.verbalizers,
        },
        "sampling": {"temperature": 0 if setting.questions == 1 else 1, "max_new_tokens": answer_tokens(recipe)},
        "candidates": 1,
        "samples_per_prompt": setting.questions,
        "budget": budget,
    }
    content["filter"] = {}
    return recipe.with_content(content)


def _replicate(
    asking: Recipe, context: FilterContext, folder: Path, rows: Sequence[Row], setting: JudgeOptions
) -> Replicate:
    """The plan of what is asked about these rows, written; the journals of all plans of a replicate lie together."""
    provider = provider_of(asking)
    model, sampling = provider.identity(asking, context.sample)
    home = folder / f"replicate-{context.sample.replicate}"
    plan = [*_requests(asking, context, rows, setting, model, sampling)]
    tables = home / json_digest([request.request_id for request in plan])[:12]
    tables.mkdir(parents=True, exist_ok=True)
    replicate = Replicate(
        asking, context.sample, home, None, model, sampling, provider.batch_size(asking.generate.asked),
        doing="asking the judge", further_folder=tables, texts=False,
    )  # fmt: skip
    write_requests(replicate, plan)
    return replicate


def _requests(
    asking: Recipe,
    context: FilterContext,
    rows: Sequence[Row],
    setting: JudgeOptions,
    model: dict[str, Any],
    sampling: dict[str, Any],
) -> list[Request]:
    """Every question about every row: for its label as often as the recipe says, and for a rating once.

    A question is the same whatever the rows around it are, so that its answer is found again.
    """
    examples = demonstrations(asking, context.sample)
    example_ids = tuple(example.request_id for example in examples)
    requests: list[Request] = []
    for row in rows:
        prompts = [label_prompt(asking, examples, row.text)] * setting.questions
        if setting.rubric is not None:
            prompts.append(rating_prompt(setting.rubric, row.text))
        for sample_index, text in enumerate(prompts):
            prompt: str | list[dict[str, str]] = text
            if setting.chat:
                prompt = [{"role": "user", "content": f"{text}\n\nAnswer with that alone."}]
            prompt_id = json_digest(prompt)[:16]
            seed = int(digest([f"{asking.seed} judge {context.sample.replicate} {prompt_id} {sample_index}"])[:8], 16)
            requests.append(
                Request(
                    request_id=json_digest([prompt_id, model, sampling, seed, row.request_id])[:32],
                    index=len(requests),
                    prompt_id=prompt_id,
                    prompt=prompt,
                    sample_index=sample_index,
                    seed=seed >> 1,
                    asked_label="",
                    demonstration_ids=example_ids,
                )
            )
    return requests


def _opinions(asking: Recipe, setting: JudgeOptions, rows: int, completions: Sequence[Completion]) -> list[Opinion]:
    """What was answered about each row, from the completions in the order of the questions."""
    each = setting.questions + (setting.rubric is not None)
    opinions = []
    for place in range(rows):
        answers = completions[place * each : (place + 1) * each]
        votes: Counter[str] = Counter()
        for completion in answers[: setting.questions]:
            label = _label(asking, completion)
            if label is not None:
                votes[label] += 1
        confidence = {label: count / setting.questions for label, count in votes.items()}
        if setting.questions == 1 and confidence and answers[0].logprob is not None:
            confidence = {label: math.exp(min(0.0, answers[0].logprob)) for label in confidence}
        opinions.append(Opinion(confidence, _rating(answers[-1].text) if setting.rubric is not None else None))
    return opinions


def _label(asking: Recipe, completion: Completion) -> str | None:
    if completion.finish_reason in ("error", "refusal"):
        return None
    return parse_label(asking, completion.text, cut=completion.finish_reason != "stop")


def _rating(text: str) -> float | None:
    """The first number from 1 to 5 that stands alone; None where there is none, which drops nothing."""
    match = re.search(r"(?<![\d.])[1-5](?![\d])", text)
    return float(match[0]) if match else None
