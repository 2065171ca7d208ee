"""The verdict stage: what the other stages recorded, put together for the statistics.

    evaluation = run(recipe, samples, natural, generated, filtered, studied, folder)      # writes evaluation.json
    evaluation = load(folder)

Nothing is trained here, and no test row is read but for its text, its label and what was predicted for it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import StageError
from sentisynth_hub.core.files import write_json
from sentisynth_hub.core.run_folder import StageFolder
from sentisynth_hub.filter.filter_result import FilterResult
from sentisynth_hub.generate.labels import LabelsResult
from sentisynth_hub.generate.result import GenerateResult
from sentisynth_hub.natural.folds import make_folds, natural_of_replicate
from sentisynth_hub.natural.splits import NaturalData, Sample
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.variant_table import built_in, variant
from sentisynth_hub.study.results import StudyResult
from sentisynth_hub.verdict.evaluation import Evaluation, read_evaluation
from sentisynth_hub.verdict.evaluation_parts import Unanswered
from sentisynth_hub.verdict.label_budget import LabelLedger
from sentisynth_hub.verdict.look_count import LookCount, digest_of_rows, note_look


if TYPE_CHECKING:
    from sentisynth_hub.verdict.evaluate import EvaluationConfig


VERSION = 8


def decides(recipe: Recipe) -> dict[str, Any]:
    """What of the recipe decides the verdict beside the predictions: a new margin trains nothing."""
    study = recipe.study
    return {
        "metric": study.metric,
        "margin": study.margin,
        "looks": study.looks,
        "design": study.design,
        "cross_fitting": study.cross_fitting.model_dump(mode="json") if study.cross_fitting else None,
        "variants": list(study.variants),
        "labels": list(recipe.labels),
        "seed": recipe.seed,
    }


def load(folder: StageFolder) -> Evaluation:
    """The evaluation a finished verdict stage wrote.

    Raises:
        DataError: It is not there, or no evaluation.
    """
    return read_evaluation(folder.path / Evaluation.FILE)


def load_looks(folder: StageFolder) -> LookCount:
    """How often the test rows had been looked at when the verdict was read.

    Raises:
        StageError: The manifest is not what this stage writes.
    """
    try:
        return LookCount.model_validate(folder.manifest().get("test_set"))
    except ValidationError:
        raise StageError(f"{folder.path}: no finished verdict; remove the folder and run it again") from None


def run(
    recipe: Recipe,
    samples: Sequence[Sample],
    natural: NaturalData,
    generated: GenerateResult,
    filtered: FilterResult,
    studied: StudyResult,
    folder: StageFolder,
    labels: LabelsResult | None = None,
) -> Evaluation:
    """Compare the variants of a finished study and write evaluation.json.

    Args:
        recipe: As pinned.
        samples: What each replicate saw.
        natural: The natural splits.
        generated, filtered, studied: The finished stages.
        folder: Where evaluation.json goes.
        labels: The labels stage, where a variant asked the generator's model.
    """
    from sentisynth_hub.study.predictions import read_predictions
    from sentisynth_hub.verdict.clusters import join_clusters, near_duplicate_clusters
    from sentisynth_hub.verdict.evaluate import TestItems, evaluate_study

    tested = make_folds(recipe, natural).rows if recipe.study.cross_fitting else natural.test
    texts, named = [row.text for row in tested], [natural.clusters.get(row.request_id) for row in tested]
    ledger = label_ledger(recipe, samples, natural, generated, filtered, studied, labels)
    evaluation = evaluate_study(
        read_predictions([studied.predictions_path]),
        _config(recipe, filtered, studied, ledger, len(tested), labels),
        test_items=TestItems(
            texts=texts,
            distances=studied.distances(),
            clusters=join_clusters(near_duplicate_clusters(texts), named).tolist(),
            row_ids=[row.id for row in tested],
        ),
        ledger=ledger,
        cost_usd=corpus_cost(recipe.study.variants, generated) | asking_cost(recipe.study.variants, labels),
    )
    write_json(folder.path / Evaluation.FILE, evaluation.record())
    looks = note_look(digest_of_rows(tested), recipe.name, folder.digest)
    log.info(f"  {looks.sentence()}")
    folder.finish({"test_set": looks.model_dump(mode="json")})
    return evaluation


def _config(
    recipe: Recipe,
    filtered: FilterResult,
    studied: StudyResult,
    ledger: LabelLedger,
    items: int,
    labels: LabelsResult | None,
) -> "EvaluationConfig":
    from sentisynth_hub.verdict.evaluate import EvaluationConfig

    study = recipe.study
    curve = [name for name in study.variants if (line := built_in(name)) and line.name == "natural_<n>"]
    nested = study.design == "nested" and not study.cross_fitting
    lines = {name: variant(name) for name in study.variants}
    replicates = filtered.replicates
    return EvaluationConfig(
        metric=study.metric,
        margin=study.margin,
        design="cross_fitted" if study.cross_fitting else study.design,
        seed=recipe.seed,
        alternatives=[
            name
            for name, line in lines.items()
            if name != "mixed" and line.control is None and line.corpus in ("kept", "unfiltered")
        ],
        controls={
            name: "better" if line.control == "helps" else "not better" for name, line in lines.items() if line.control
        },
        curve=[*curve, "natural"] if curve else [],
        worth_of=[name for name in ("mixed", "gradual", "synthetic") if name in study.variants],
        plan=study.looks or (),
        oracle_teacher=max((each.oracle_labels for each in replicates.values()), default=0),
        abstaining_teachers=sum(each.teacher is not None and each.teacher.abstains for each in replicates.values()),
        shipped=studied.chosen_variant,
        overlap=ledger.overlap("natural") if nested else 0.0,
        training_share=_training_share(studied, items) if study.cross_fitting else None,
        shared_corpus=nested and not recipe.generate.generator.has_prompt,
        unanswered=[
            Unanswered(variant=name, missing=counts[0], questions=counts[1])
            for name in study.variants
            if labels is not None and (counts := labels.unanswered(name)) is not None
        ],
    )


def _training_share(studied: StudyResult, items: int) -> float:
    """Share of all rows that a fold model of `natural` trains on, on average."""
    counts = [len(uses.get("train", ())) for uses in studied.human_labels["natural"].values()]
    return min(max(sum(counts) / len(counts) / items, 0.01), 0.99)


def label_ledger(
    recipe: Recipe,
    samples: Sequence[Sample],
    natural: NaturalData,
    generated: GenerateResult,
    filtered: FilterResult,
    studied: StudyResult,
    labels: LabelsResult | None = None,
) -> LabelLedger:
    """Every human label each variant used, in every stage: what a variant's corpus cost counts for the variant too."""
    judged = sum(record.judge.machine_labels for record in filtered.replicates.values() if record.judge is not None)
    prompts, teachers = generated.replicates, filtered.replicates
    questions = labels.replicates if labels is not None else {}
    ledger = LabelLedger(judged + sum(each.requests for each in questions.values()))
    for variant_name, by_replicate in studied.human_labels.items():
        made_of = variant(variant_name).corpus
        for replicate, uses in by_replicate.items():
            for use, ids in uses.items():
                ledger.record(variant_name, replicate, use, ids)
            if made_of == "none":
                continue
            corpus = replicate if replicate in prompts else 0  # a conditional study has one corpus
            row_ids = _ids_by_request(samples[replicate])
            asking = questions if made_of == "labels" else prompts
            demonstrations = _row_ids(asking[corpus].demonstration_ids, row_ids)
            ledger.record(variant_name, replicate, "demonstrations", demonstrations)
            if made_of == "kept":
                for part, request_ids in teachers[corpus].human_labels.items():
                    ledger.record(variant_name, replicate, part, _row_ids(request_ids, row_ids))
                if teachers[corpus].oracle_labels:
                    visible = natural_of_replicate(recipe, natural, corpus)
                    ledger.record(variant_name, replicate, "teacher", [row.id for row in visible.train])
    return ledger


def asking_cost(variants: Iterable[str], labels: LabelsResult | None) -> dict[str, float]:
    """Dollars the model's labels cost one replicate, for each variant made of them; without those of unknown price."""
    if labels is None:
        return {}
    costs = {name: labels.cost_usd(name) for name in variants if variant(name).corpus == "labels"}
    return {name: cost for name, cost in costs.items() if cost is not None}


def corpus_cost(variants: Iterable[str], generated: GenerateResult) -> dict[str, float]:
    """Dollars one replicate's corpus cost, for every variant that uses it; empty where no price is known."""
    if generated.cost_usd is None:
        return {}
    mean = generated.cost_usd / len(generated.replicates)
    return {name: mean for name in variants if variant(name).corpus in ("kept", "unfiltered")}


def _ids_by_request(sample: Sample) -> dict[str, str]:
    return {row.request_id: row.id for row in [*sample.train, *sample.validation]}


def _row_ids(ids: Iterable[str], by_request: Mapping[str, str]) -> list[str]:
    """Row ids, whether a stage recorded them or the source's own row ids."""
    return [by_request.get(row_id, row_id) for row_id in ids]
