"""Handing a finished run over to be published: what the stages left, as releases."""

from typing import TYPE_CHECKING, Any

from sentisynth_hub.annotate.rating_files import RESULT_FILE
from sentisynth_hub.core import log
from sentisynth_hub.core.files import read_json
from sentisynth_hub.core.rows import content_digest
from sentisynth_hub.filter import stage as filtering
from sentisynth_hub.generate import stage as generation
from sentisynth_hub.publish.checks.non_inferiority import check_non_inferiority
from sentisynth_hub.publish.commit import Published, publish_dataset, publish_model
from sentisynth_hub.publish.release import DatasetRelease, ModelRelease


if TYPE_CHECKING:
    from sentisynth_hub.pipeline import Pipeline


def publish_run(
    pipeline: "Pipeline", *, only: str | None = None, create_pr: bool = False, dry_run: bool = False
) -> tuple[Published | None, Published | None]:
    """Publish the dataset, then the model, as far as the recipe names them.

    Args:
        only: `dataset` or `model`: just that one.
        create_pr: Propose the version as a pull request.
        dry_run: Plan, write nothing.
    """
    wanted = pipeline.recipe.publish
    dataset = model = None
    # before either: a version whose model is worse does not go out
    if wanted.gates.non_inferiority_margin is not None:
        check_non_inferiority(pipeline.recipe, pipeline.natural.validation, pipeline.model().path / "model")
    if wanted.dataset is not None and only != "model":
        release = dataset_release(pipeline)
        dataset = publish_dataset(
            release, wanted.dataset, private=wanted.private, create_pr=create_pr, dry_run=dry_run
        )
    if wanted.model is not None and only != "dataset":
        trained_on = dataset_reference(dataset) if dataset is not None else published_dataset(wanted.dataset)
        release_ = model_release(pipeline, trained_on)
        model = publish_model(release_, wanted.model, private=wanted.private, create_pr=create_pr, dry_run=dry_run)
    return dataset, model


def dataset_release(pipeline: "Pipeline") -> DatasetRelease:
    """The corpus of replicate 0 with everything its repo will say about it."""
    generated, filtered = pipeline.generate(), pipeline.filter()
    evaluation = pipeline.verdict()
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
        dataset_model=pipeline.recipe.publish.model,
        human_evaluation=human_evaluation(pipeline),
    )


def human_evaluation(pipeline: "Pipeline") -> dict[str, Any] | None:
    """What people said of the corpus, as `annotate score` left it in the run folder; None where it is about other
    rows."""
    path = pipeline.run / RESULT_FILE
    if not path.exists():
        return None
    record = dict(read_json(path))
    kept = filtering.read_kept(pipeline.filter(), 0)
    if record.get("settings") == [""] and record.get("content_digest") == content_digest(kept):
        return record
    log.warn(f"{path}: about other rows than these, so it is left off the card; ask people again or remove it")
    return None


def model_release(pipeline: "Pipeline", dataset: dict[str, str] | None) -> ModelRelease:
    """The classifier of replicate 0; `dataset` is the synthetic dataset's id, version and commit."""
    folder = pipeline.model()
    trained = folder.manifest()
    student = pipeline.recipe.study.student
    evaluation = pipeline.verdict()
    return ModelRelease(
        recipe=pipeline.recipe,
        pins=pipeline.pins,
        natural=pipeline.natural,
        folder=folder.path / "model",
        variant=trained["variant"],
        scores=trained["test_scores"],
        base_model={"id": pipeline.pins["study.student"].id, "commit": pipeline.pins["study.student"].commit},
        dataset=dataset,
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
    )


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
    return next(
        (dict(one["budget"]) for one in evaluation["variants"] if one["name"] == variant and one["budget"]), None
    )
