"""Handing a finished run over to be published: what the stages left, as releases."""

import secrets
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentisynth_hub.annotate.rating_files import RESULT_FILE
from sentisynth_hub.core import log
from sentisynth_hub.core.files import read_json, write_json
from sentisynth_hub.core.rows import content_digest
from sentisynth_hub.core.run_folder import make_run_folder
from sentisynth_hub.filter import stage as filtering
from sentisynth_hub.generate import stage as generation
from sentisynth_hub.publish.checks.non_inferiority import check_non_inferiority, check_not_worse, compare_models
from sentisynth_hub.publish.commit import Published, publish_dataset, publish_model
from sentisynth_hub.publish.release import DatasetRelease, ModelRelease
from sentisynth_hub.publish.versions.changes import ScoreChange
from sentisynth_hub.recipe.study_section import ASKED_VARIANTS, NATURAL_OF_SIZE
from sentisynth_hub.verdict.stage import NATURAL_ONLY


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
) -> tuple[Published | None, Published | None]:
    """Publish the dataset, then the model, as far as the recipe names them.

    Args:
        only: `dataset` or `model`: just that one.
        create_pr: Propose the version as a pull request.
        dry_run: Plan, write nothing.
    """
    publish = pipeline.recipe.publish
    dataset = model = None
    compare = model_comparison(pipeline, results)
    if publish.model is not None and only != "dataset":  # before either: a version whose model is worse stays here
        check_non_inferiority(pipeline.recipe, pipeline.natural.validation, results.model.path / "model")
        check_not_worse(pipeline.recipe, compare)
    if publish.dataset is not None and only != "model":
        release = dataset_release(pipeline, results)
        dataset = publish_dataset(
            release, publish.dataset, private=publish.private, create_pr=create_pr, dry_run=dry_run
        )
    if publish.model is not None and only != "dataset":
        trained_on = dataset_reference(dataset) if dataset is not None else published_dataset(publish.dataset)
        classifier = model_release(pipeline, results, trained_on, compare)
        model = publish_model(classifier, publish.model, private=publish.private, create_pr=create_pr, dry_run=dry_run)
    return dataset, model


def dataset_release(pipeline: "Pipeline", results: "Results") -> DatasetRelease:
    """The corpus of replicate 0 with everything its repo will say about it."""
    generated, filtered, evaluation = results.generate, results.filter, results.verdict
    given = pipeline.recipe.generate.generator.kind == "rows"
    template = pipeline.recipe.folder / pipeline.recipe.generate.prompt.template
    return DatasetRelease(
        recipe=pipeline.recipe,
        prompt_text="" if given else template.read_text("utf-8"),
        pins=pipeline.pins,
        natural=pipeline.natural,
        kept=filtering.read_kept(filtered, 0),
        rejected=filtering.read_rejected_rows(filtered, 0),
        lineage=list(generation.read_lineage(generated, 0)),
        funnel=filtered.manifest()["replicates"]["0"]["funnel"],
        generation=generated.manifest() | {"refresh": pipeline.refreshed},
        requests=generated.manifest()["replicates"]["0"]["requests"],
        evaluation=evaluation,
        inputs_digest=pipeline.inputs_digest,
        label_budget=_budget(evaluation, evaluation["primary"]),
        dataset_model=pipeline.recipe.publish.model if learns_from_corpus(shipped_variant(results)) else None,
        human_evaluation=human_evaluation(pipeline, results),
        hiding_key=hiding_key(pipeline.run),
    )


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
    kept = filtering.read_kept(results.filter, 0)
    if record.get("settings") == [""] and record.get("content_digest") == content_digest(kept):
        return record
    log.warn(f"{path}: about other rows than these, so it is left off the card; ask people again or remove it")
    return None


def shipped_variant(results: "Results") -> str:
    """The variant that the published model was trained on."""
    return str(results.model.manifest()["variant"])


def learns_from_corpus(variant: str) -> bool:
    """Whether a variant of the study learns from the published synthetic rows."""
    return variant not in (*NATURAL_ONLY, *ASKED_VARIANTS) and NATURAL_OF_SIZE.fullmatch(variant) is None


def model_comparison(pipeline: "Pipeline", results: "Results") -> Callable[[str], ScoreChange | None]:
    """What compares the version under a tag with the new model on the test rows; each tag is measured once."""

    @cache
    def compare(tag: str) -> ScoreChange | None:
        repo_id = pipeline.recipe.publish.model
        if repo_id is None:
            return None
        return compare_models(pipeline.recipe, pipeline.natural.test, results.model.path / "model", repo_id, tag)

    return compare


def model_release(
    pipeline: "Pipeline",
    results: "Results",
    dataset: dict[str, str] | None,
    compare: Callable[[str], ScoreChange | None] | None = None,
) -> ModelRelease:
    """The classifier of replicate 0.

    Args:
        dataset: The published synthetic dataset's id, version and commit; named only where the model learned from it.
        compare: Measures it against an earlier version.
    """
    folder = results.model
    trained = folder.manifest()
    student = pipeline.recipe.study.student
    evaluation = results.verdict
    from_corpus = learns_from_corpus(trained["variant"])
    made_from = ("natural", "study.student", *(("generate", "filter") if from_corpus else ()))
    return ModelRelease(
        recipe=pipeline.recipe,
        pins={path: pin for path, pin in pipeline.pins.items() if path.startswith(made_from)},
        natural=pipeline.natural,
        folder=folder.path / "model",
        variant=trained["variant"],
        scores=trained["test_scores"],
        base_model={"id": pipeline.pins["study.student"].id, "commit": pipeline.pins["study.student"].commit},
        dataset=dataset if from_corpus else None,
        evaluation=evaluation,
        inputs_digest=pipeline.inputs_digest,
        label_budget=_budget(evaluation, trained["variant"]),
        hyperparameters={
            "training rows": trained["training_rows"],
            "steps": trained["chosen"]["steps"],
            "batch size": student.batch_size,
            "learning rate": student.learning_rate,
            "weight decay": student.weight_decay,
            "warm-up ratio": student.warmup_ratio,
            "seed": pipeline.recipe.seed,
        },
        max_length=student.max_length,
        synthetic_rows=kept_rows(results) if from_corpus else 0,
        compare=compare,
    )


def kept_rows(results: "Results") -> int:
    """Kept rows of replicate 0."""
    return int(results.filter.manifest()["replicates"]["0"]["kept"])


def dataset_reference(published: Published) -> dict[str, str] | None:
    """What a model says of the dataset it was trained on; None where that has no commit yet."""
    if published.commit is None:
        return None
    return {"id": published.repo_id, "version": published.version, "commit": published.commit}


def published_dataset(repo_id: str | None) -> dict[str, str] | None:
    """The version at the head of a dataset that an earlier step published; None where there is none."""
    from huggingface_hub import HfApi

    from sentisynth_hub.publish.repo_head import read_head

    head = read_head(HfApi(), repo_id, "dataset") if repo_id is not None else None
    if head is None or head.version is None or head.manifest is None:
        return None
    return {"id": head.repo_id, "version": head.version.tag, "commit": head.tags.get(head.version.tag, head.commit)}


def _budget(evaluation: dict[str, Any], variant: str) -> dict[str, Any] | None:
    """The label budget of a variant."""
    budgets = {record["name"]: record["budget"] for record in evaluation["variants"]}
    return dict(budgets[variant]) if budgets.get(variant) else None
