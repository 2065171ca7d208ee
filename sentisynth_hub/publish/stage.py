"""Handing a finished run over to be published: what the stages left, as releases."""

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentisynth_hub.annotate.rating_files import RESULT_FILE
from sentisynth_hub.core import log
from sentisynth_hub.core.files import read_json, write_json
from sentisynth_hub.core.hub_endpoint import hub_api
from sentisynth_hub.core.rows import content_digest
from sentisynth_hub.core.run_folder import make_run_folder
from sentisynth_hub.filter.filter_result import FilteredReplicate
from sentisynth_hub.filter.mixing_match import MixingMatch, MixingMatchFacts
from sentisynth_hub.model.stage import hyperparameters
from sentisynth_hub.natural.folds import natural_of_replicate
from sentisynth_hub.publish.checks.non_inferiority import NonInferiority, check_not_worse
from sentisynth_hub.publish.commit import Published, publish_dataset, publish_model
from sentisynth_hub.publish.release import DatasetRelease, ModelRelease
from sentisynth_hub.verdict.evaluation import Evaluation


if TYPE_CHECKING:
    from sentisynth_hub.pipeline import Pipeline, Results


HIDING_KEY = "hiding_key.json"


def publish_run(
    pipeline: "Pipeline",
    results: "Results",
    *,
    only: str | None = None,
    create_pr: bool = False,
    dry_run: bool = False,
    allow_worse: bool = False,
) -> tuple[Published | None, Published | None]:
    """Publish the dataset, then the model, as far as the recipe names them.

    Args:
        only: `dataset` or `model`: just that one.
        create_pr: Propose the version as a pull request.
        dry_run: Plan, write nothing.
        allow_worse: Publish the model although it is worse than the last published one.
    """
    publish = pipeline.recipe.publish
    dataset = model = None
    compared = None
    if publish.model is not None and only != "dataset":  # before either: a version whose model is worse stays here
        tested = natural_of_replicate(pipeline.recipe, pipeline.natural, 0).test
        compared = check_not_worse(pipeline.recipe, tested, results.model.folder, allow_worse=allow_worse)
    if publish.dataset is not None and only != "model":
        release = dataset_release(pipeline, results)
        dataset = publish_dataset(
            release, publish.dataset, private=publish.private, create_pr=create_pr, dry_run=dry_run
        )
    if publish.model is not None and only != "dataset":
        trained_on = dataset_reference(dataset) if dataset is not None else published_dataset(publish.dataset)
        classifier = model_release(pipeline, results, trained_on, compared)
        model = publish_model(classifier, publish.model, private=publish.private, create_pr=create_pr, dry_run=dry_run)
    return dataset, model


def dataset_release(pipeline: "Pipeline", results: "Results") -> DatasetRelease:
    """The corpus of replicate 0 with everything its repo will say about it."""
    generated, filtered, evaluation = results.generate, results.filter, results.verdict
    given = not pipeline.recipe.generate.generator.has_prompt
    return DatasetRelease(
        recipe=pipeline.recipe,
        prompt_text="" if given else pipeline.recipe.template_file.read_text("utf-8"),
        pins=pipeline.pins,
        natural=pipeline.natural,
        kept=filtered.kept(0),
        rejected=filtered.rejected(0),
        lineage=list(generated[0].lineage()),
        funnel=[step.model_dump() for step in filtered.replicates[0].funnel],
        generation=generated.model_dump(mode="json", by_alias=True) | {"refresh": pipeline.refreshed},
        requests=generated[0].requests,
        evaluation=evaluation.record(),
        inputs_digest=pipeline.inputs_digest,
        label_budget=_budget(evaluation, evaluation.primary),
        dataset_model=pipeline.recipe.publish.model if results.model.trained_on_synthetic else None,
        human_evaluation=human_evaluation(pipeline, results),
        mixing=mixing(filtered.replicates[0]),
        test_set=results.look_count,
        hiding_key=hiding_key(pipeline.run),
    )


def mixing(filtered: FilteredReplicate) -> dict[str, float] | None:
    """How far code-mixing is from that of natural rows; None where no filter matched it."""
    facts = filtered.facts.get(MixingMatch.name)
    if not isinstance(facts, MixingMatchFacts):
        return None
    return {
        "cmi_before": facts.cmi_distance_before,
        "cmi_after": facts.cmi_distance_after,
        "switches_before": facts.i_index_distance_before,
        "switches_after": facts.i_index_distance_after,
    }


def hiding_key(run: Path) -> str:
    """The random key that hides texts in this run's rejected rows, made when first needed.

    It cannot be worked out from anything that is published, and `runs save` takes it to other machines; one that has
    none makes its own, which changes no version, since digests leave those hashes out.
    """
    path = run / HIDING_KEY
    if not path.exists():
        make_run_folder(run)
        write_json(path, {"key": secrets.token_hex(32)})
    return str(read_json(path)["key"])


def human_evaluation(pipeline: "Pipeline", results: "Results") -> dict[str, Any] | None:
    """What people said of the corpus, as `annotate score` left it in the run folder; None where it is about other
    rows."""
    path = pipeline.run / RESULT_FILE
    if not path.exists():
        return None
    record = dict(read_json(path))
    kept = results.filter.kept(0)
    if record.get("settings") == [""] and record.get("content_digest") == content_digest(kept):
        return record
    log.warn(f"{path}: about other rows than these, so it is left off the card; ask people again or remove it")
    return None


def model_release(
    pipeline: "Pipeline", results: "Results", dataset: dict[str, str] | None, compared: NonInferiority | None = None
) -> ModelRelease:
    """The classifier of replicate 0.

    Args:
        dataset: The published synthetic dataset's id, version and commit; named only where the model learned from it.
        compared: Its scores beside those of the last published model.
    """
    model, evaluation = results.model, results.verdict
    from_corpus = model.trained_on_synthetic  # not the variant: the folds may have given synthetic rows the weight 0
    made_from = ("natural", "study.student", *(("generate", "filter") if from_corpus else ()))
    return ModelRelease(
        recipe=pipeline.recipe,
        pins={path: pin for path, pin in pipeline.pins.items() if path.startswith(made_from)},
        natural=pipeline.natural,
        folder=model.folder,
        layout=model.layout,
        variant=model.variant,
        scores={name: score.value for name, score in model.test_scores.items()},
        intervals={name: (score.low, score.high) for name, score in model.test_scores.items()},
        base_model={"id": pipeline.pins["study.student"].id, "commit": pipeline.pins["study.student"].commit},
        dataset=dataset if from_corpus else None,
        evaluation=evaluation.record(),
        inputs_digest=pipeline.inputs_digest,
        label_budget=_budget(evaluation, model.variant),
        hyperparameters=hyperparameters(pipeline.recipe, model),
        max_length=pipeline.recipe.study.student.max_length,
        synthetic_rows=model.training_rows.synthetic,
        compared=None if compared is None else (compared.tag, compared.change()),
    )


def dataset_reference(published: Published) -> dict[str, str] | None:
    """What a model says of the dataset it was trained on; None where that has no commit yet."""
    if published.commit is None:
        return None
    return {"id": published.repo_id, "version": published.version, "commit": published.commit}


def published_dataset(repo_id: str | None) -> dict[str, str] | None:
    """The version at the head of a dataset that an earlier step published; None where there is none."""
    from sentisynth_hub.publish.repo_head import read_head

    head = read_head(hub_api(), repo_id, "dataset") if repo_id is not None else None
    if head is None or head.version is None or head.manifest is None:
        return None
    return {"id": head.repo_id, "version": head.version.tag, "commit": head.tags.get(head.version.tag, head.commit)}


def _budget(evaluation: Evaluation, variant: str) -> dict[str, Any] | None:
    """The label budget of a variant."""
    scores = evaluation.variant(variant)
    return None if scores is None or scores.budget is None else scores.budget.model_dump(mode="json")
