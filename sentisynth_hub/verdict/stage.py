"""The verdict stage: what the other stages recorded, put together for the statistics.

evaluation = judge_study(recipe, samples, natural, generated, filtered, studied)      # the content of evaluation.json
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sentisynth_hub.core.files import read_json
from sentisynth_hub.core.run_folder import StageFolder
from sentisynth_hub.natural.folds import make_folds, natural_of_replicate
from sentisynth_hub.natural.splits import NaturalData, Sample
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.variants import built_in, variant


VERSION = 3


def judge_study(
    recipe: Recipe,
    samples: Sequence[Sample],
    natural: NaturalData,
    generated: StageFolder,
    filtered: StageFolder,
    studied: StageFolder,
    labels: StageFolder | None = None,
    *,
    looks: int | None = None,
) -> dict[str, Any]:
    """Compare the variants of a finished study.

    Args:
        labels: The labels stage, where a variant asked the generator's model.
        looks: How often the test rows have been looked at over the versions of the dataset, this time included.

    Returns:
        evaluation.json, JSON-ready; see `evaluation/schema.py`.
    """
    import numpy as np

    from sentisynth_hub.verdict.evaluate import EvaluationConfig, TestItems, evaluate_study
    from sentisynth_hub.verdict.predictions import read_predictions

    study = recipe.study
    predictions = read_predictions([studied.path / "predictions.parquet"])
    curve = [name for name in study.variants if (line := built_in(name)) and line.name == "natural_<n>"]
    config = EvaluationConfig(
        metric=study.metric,
        margin=study.margin,
        design="cross_fitted" if study.cross_fitting else study.design,
        seed=recipe.seed,
        curve=[*curve, "natural"] if curve else [],
        worth_of=[name for name in ("mixed", "gradual", "synthetic") if name in study.variants],
        looks=looks,
        oracle_teacher=max(map(_oracle_labels, filtered.manifest()["replicates"].values()), default=0),
    )
    distances = studied.path / "distances.npy"
    tested = make_folds(recipe, natural).rows if study.cross_fitting else natural.test
    items = TestItems(texts=[row.text for row in tested], distances=np.load(distances) if distances.exists() else None)
    ledger = label_ledger(recipe, samples, natural, generated, filtered, studied, labels)
    costs = corpus_cost(study.variants, generated) | asking_cost(labels)
    return dict(evaluate_study(predictions, config, test_items=items, ledger=ledger, cost_usd=costs))


def label_ledger(
    recipe: Recipe,
    samples: Sequence[Sample],
    natural: NaturalData,
    generated: StageFolder,
    filtered: StageFolder,
    studied: StageFolder,
    labels: StageFolder | None = None,
) -> Any:
    """Every human label each variant used, in every stage: what a variant's corpus cost counts for the variant too."""
    from sentisynth_hub.verdict.label_budget import LabelLedger

    ledger = LabelLedger()
    prompts, teachers = generated.manifest()["replicates"], filtered.manifest()["replicates"]
    questions = labels.manifest()["replicates"] if labels is not None else {}
    for variant_name, by_replicate in read_json(studied.path / "human_labels.json").items():
        made_of = variant(variant_name).corpus
        for name, uses in by_replicate.items():
            replicate = int(name)
            for use, ids in uses.items():
                ledger.record(variant_name, replicate, use, ids)
            if made_of == "none":
                continue
            corpus = name if name in prompts else "0"  # a conditional study has one corpus
            row_ids = _ids_by_request(samples[replicate])
            source = questions if made_of == "labels" else prompts
            demonstrations = _row_ids(source[corpus]["demonstration_ids"], row_ids)
            ledger.record(variant_name, replicate, "demonstrations", demonstrations)
            if made_of == "kept":
                for use, ids in teachers[corpus].get("human_labels", {}).items():
                    ledger.record(variant_name, replicate, use, _row_ids(ids, row_ids))
                if _oracle_labels(teachers[corpus]):
                    visible = natural_of_replicate(recipe, natural, int(corpus))
                    ledger.record(variant_name, replicate, "teacher", [row.id for row in visible.train])
    return ledger


def _oracle_labels(filtered: Mapping[str, Any]) -> int:
    """How many labels an oracle teacher of a replicate read; 0 where the teacher was no oracle."""
    teacher = filtered.get("filters", {}).get("teacher", {})
    return int(teacher["trained_on"]) if teacher.get("labels") == "oracle" else 0


def asking_cost(labels: StageFolder | None) -> dict[str, float]:
    """Dollars the model's labels cost one replicate, for each variant made of them; without those of unknown price."""
    if labels is None:
        return {}
    replicates = list(labels.manifest()["replicates"].values())
    names = [name for name in replicates[0] if (line := built_in(name)) and line.corpus == "labels"]
    paid = {name: [replicate[name]["cost_usd"] for replicate in replicates] for name in names}
    return {name: sum(costs) / len(costs) for name, costs in paid.items() if None not in costs}


def corpus_cost(variants: Iterable[str], generated: StageFolder) -> dict[str, float]:
    """Dollars one replicate's corpus cost, for every variant that uses it; empty where no price is known."""
    costs = [replicate["cost_usd"] for replicate in generated.manifest()["replicates"].values()]
    if not costs or None in costs:
        return {}
    mean = sum(costs) / len(costs)
    return {name: mean for name in variants if variant(name).corpus in ("kept", "unfiltered")}


def _ids_by_request(sample: Sample) -> dict[str, str]:
    return {row.request_id: row.id for row in [*sample.train, *sample.validation]}


def _row_ids(ids: Iterable[str], known: Mapping[str, str]) -> list[str]:
    """Row ids, whether a stage recorded them or the source's own row ids."""
    return [known.get(one, one) for one in ids]
