"""The pipeline: a list of stages, read from top to bottom in the order of the data, and the one runner that walks it.

    from sentisynth_hub.recipe import load_recipe
    pipeline = open_pipeline(load_recipe("quickstart"), hub="local")
    results = pipeline.through("filter")        # runs what is not complete, in order, and loads what is
    results.filter, results.natural, ...

A stage is a value (`Stage`): name, version, what decides its result, how it is run, how it is read. The runner holds
the lock of the run folder around every stage that is not complete, writes the log line, and keeps the one barrier at
which the processes of a launch meet.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sentisynth_hub.core import log
from sentisynth_hub.core.distributed import Processes, join_launch, share_cores
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.files import json_digest, read_json, write_json
from sentisynth_hub.core.hub_endpoint import use_hub
from sentisynth_hub.core.run_folder import RUNS, StageFolder, locked, mark_current, stage_folder
from sentisynth_hub.filter import stage as filter_stage
from sentisynth_hub.filter.filter_result import FilterResult
from sentisynth_hub.generate import labels as labels_stage
from sentisynth_hub.generate import stage as generate_stage
from sentisynth_hub.generate.labels import LabelsResult
from sentisynth_hub.generate.result import GenerateResult
from sentisynth_hub.generate.top_up import Batch, next_batch, shortfall
from sentisynth_hub.model import stage as model_stage
from sentisynth_hub.model.saved_model import ModelResult
from sentisynth_hub.natural import stage as natural_stage
from sentisynth_hub.natural.folds import study_samples
from sentisynth_hub.natural.splits import NaturalData, Sample, parents_of, samples_digest
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.revisions import Pin, pin_recipe
from sentisynth_hub.recipe.schema import DATA_PATHS
from sentisynth_hub.study import stage as study_stage
from sentisynth_hub.study.results import StudyResult
from sentisynth_hub.study.training_rows import Corpus
from sentisynth_hub.verdict import stage as verdict_stage
from sentisynth_hub.verdict.evaluation import Evaluation
from sentisynth_hub.verdict.look_count import LookCount


@dataclass(frozen=True)
class Stage:
    """One step of the data.

    Attributes:
        name: Its folder below the run folder.
        version: Raised whenever the same input would give another result.
        doing: What the log says while it runs.
        decides: The part of the recipe that decides the result, JSON-ready; what is not in it renames no folder.
        inputs: Digests of what it reads, by name.
        run: From what the stages before left to files in its folder; the manifest is written last.
        alone: Whether the first process runs it while the others wait.
        needed: Whether a recipe has it at all.
    """

    name: str
    version: int
    doing: str
    decides: Callable[["Pipeline"], Any]
    inputs: Callable[["Pipeline"], dict[str, str]]
    run: Callable[["Results", StageFolder], object]
    alone: bool = False
    needed: Callable[[Recipe], bool] = lambda recipe: True


def _digests(*names: str) -> Callable[["Pipeline"], dict[str, str]]:
    """The digests of earlier stages, those that the recipe has."""
    return lambda pipeline: {
        name: pipeline.folder(name).digest for name in names if _stage(name).needed(pipeline.recipe)
    }


STAGES = (
    Stage(
        "generate",
        generate_stage.VERSION,
        "asking the generator for candidate rows",
        decides=lambda pipeline: (
            generate_stage.decides(pipeline.recipe)
            | ({"refresh": pipeline.refreshed} if pipeline.refreshed else {})
            | ({"further": pipeline.further} if pipeline.further else {})
        ),
        inputs=lambda pipeline: {
            "samples": samples_digest(pipeline.samples),
            **({"natural": pipeline.natural.digest} if generate_stage.reads_texts(pipeline.recipe) else {}),
        },
        run=lambda results, folder: generate_stage.generate(
            results.recipe,
            results.samples,
            folder,
            results.processes,
            refresh=results.refreshed,
            natural=results.natural,
            further=results.further,
            first=results.first_round,
        ),
    ),
    Stage(
        "filter",
        filter_stage.VERSION,
        "deciding which candidates stay",
        decides=lambda pipeline: filter_stage.decides(pipeline.recipe),
        inputs=lambda pipeline: _digests("generate")(pipeline) | {"natural": pipeline.natural.digest},
        run=lambda results, folder: filter_stage.filter_candidates(
            results.recipe, results.samples, results.natural, results.generate, folder, results.processes
        ),
    ),
    Stage(
        "labels",
        labels_stage.VERSION,
        "asking the generator for labels",
        decides=lambda pipeline: labels_stage.decides(pipeline.recipe),
        inputs=lambda pipeline: _digests("generate")(pipeline) | {"natural": pipeline.natural.digest},
        run=lambda results, folder: labels_stage.label(
            results.recipe, results.samples, results.natural, results.generate, folder, results.processes
        ),
        needed=lambda recipe: bool(labels_stage.wanted(recipe)),
    ),
    Stage(
        "study",
        study_stage.VERSION,
        "training the variants",
        decides=lambda pipeline: study_stage.decides(pipeline.recipe),
        inputs=_digests("filter", "labels"),
        run=lambda results, folder: study_stage.run_study(
            results.recipe,
            results.samples,
            results.natural,
            results.corpora,
            folder,
            results.processes,
            results.answers,
        ),
    ),
    Stage(
        "verdict",
        verdict_stage.VERSION,
        "comparing the variants",
        decides=lambda pipeline: verdict_stage.decides(pipeline.recipe),
        inputs=lambda pipeline: (
            _digests("study")(pipeline)
            | ({"clusters": json_digest(pipeline.natural.clusters)} if pipeline.natural.clusters else {})
        ),
        run=lambda results, folder: verdict_stage.run(
            results.recipe,
            results.samples,
            results.natural,
            results.generate,
            results.filter,
            results.study,
            folder,
            results.labels,
        ),
        alone=True,
    ),
    Stage(
        "model",
        model_stage.VERSION,
        "saving the student that was judged",
        decides=lambda pipeline: (
            model_stage.decides(pipeline.recipe) | {"variant": pipeline.results.study.chosen_variant}
        ),
        inputs=_digests("study"),
        run=lambda results, folder: model_stage.train_model(
            results.recipe,
            results.samples,
            results.corpora,
            results.natural,
            results.study.chosen_variant,
            folder,
            results.study.path.parent / "features",
        ),
        alone=True,
    ),
)
"""The stages in the order of the data; the natural rows are read first, publishing comes after."""


def _stage(name: str) -> Stage:
    return next(stage for stage in STAGES if stage.name == name)


class Pipeline:
    """One recipe, its pins and its run folder; made by `open_pipeline`.

    Attributes:
        recipe: With its revisions resolved to commits, and the replicates of the look it stands at.
        pins: What each of them was resolved to.
        run: The recipe's run folder, `runs/<name>`.
        processes: The processes of this launch.
        refreshed: How often the generator was to be asked anew in this run folder.
        further: Under `generate.rows`, what is asked for after the first batch, round by round.
        may_run: Whether a stage that is not complete is run; otherwise it is an error.
    """

    recipe: Recipe
    pins: dict[str, Pin]
    run: Path
    processes: Processes
    refreshed: int

    def __init__(self, recipe: Recipe, pins: dict[str, Pin], run: Path, processes: Processes, refreshed: int = 0):
        self.recipe, self.pins, self.run = recipe, pins, run
        self.processes, self.refreshed = processes, refreshed
        self.further: list[Batch] = []
        self.may_run = True
        self._folders: dict[str, StageFolder] = {}

    @cached_property
    def natural(self) -> NaturalData:
        """The natural splits."""
        return natural_stage.load_natural(self.recipe)

    @cached_property
    def samples(self) -> list[Sample]:
        """What each replicate may see of them."""
        return study_samples(self.recipe, self.natural)

    @cached_property
    def results(self) -> "Results":
        """What the stages left that were run or found complete so far."""
        return Results(self)

    @cached_property
    def inputs_digest(self) -> str:
        """sha256 over all that decides what would be published: recipe, prompt, input commits, code versions.

        Where the repo's head carries the same digest there is nothing to do, and nothing is generated to find that
        out.
        """
        content = self.recipe.model_dump(mode="json", exclude=DATA_PATHS | {"scales": True, "publish": {"private"}})
        if looks := self.recipe.study.looks:  # how many it took is a result
            content["study"]["replicates"] = looks[0]
        return json_digest(
            {
                "recipe": content,
                "files": self.recipe.file_digests(),
                "inputs": {path: pin.commit for path, pin in self.pins.items()},
                "code": {"natural": natural_stage.VERSION} | {stage.name: stage.version for stage in STAGES},
                "refresh": self.refreshed,
            }
        )

    def folder(self, name: str) -> StageFolder:
        """Where a stage's result is or will be; nothing is run or made. (`model` is named by the study's result.)

        A model that is a local folder counts by what is in it, not by its path alone.
        """
        if name in self._folders:
            return self._folders[name]
        stage = _stage(name)
        models = {path: pin.commit for path, pin in self.pins.items() if path.startswith(f"{name}.")}
        inputs = stage.inputs(self) | models
        folder = stage_folder(self.run, name, version=stage.version, recipe=stage.decides(self), inputs=inputs)
        self._folders[name] = folder
        return folder

    def through(self, last: str) -> "Results":
        """Run the stages up to `last`, those that are not complete, and return what they left.

        A study that looks again walks the same stages once more with more replicates, while its verdict is not settled
        and may yet be; what the replicates before left is found in the run folder.

        Raises:
            InputError: Another process is running this recipe in this folder.
            SentisynthError: A stage failed; the next run continues from what is complete.
        """
        if last == "generate" and self.recipe.wanted_rows is not None:
            last = "filter"  # which says what is kept, and so what is asked for
        while self._look_again():
            pass  # to the look that an earlier run came to
        for stage in STAGES[: STAGES.index(_stage(last)) + 1]:
            if stage.name not in self.results.folders and stage.needed(self.recipe):
                self._complete(stage)
                if stage.name == "filter":
                    self._top_up()
                if stage.name == "verdict" and self._look_again():
                    return self.through(last)
        return self.results

    def _complete(self, stage: Stage) -> None:
        self.results.folders[stage.name] = self._run(stage)
        getattr(self.results, stage.name)  # read once, now, so that what is damaged stops here

    def _top_up(self) -> None:
        """Let generate and filter take turns until there are as many rows as the recipe wants, or its cap is
        reached.
        """
        while batch := next_batch(self.recipe, self.further, self.results.filter.per_label):
            self.results.begin_round(self.folder("generate"))
            self.further = [*self.further, batch]
            self._folders.clear()
            for name in ("generate", "filter"):
                self._complete(_stage(name))
        for sentence in shortfall(self.recipe, self.results.filter.per_label) if self.processes.is_main else ():
            log.warn(sentence)

    def _look_again(self) -> bool:
        """Go on to the next look where this one is judged, not settled, and the budget reaches; whether it did."""
        if self.recipe.study.looks is None or not self.folder("verdict").complete:
            return False
        replicates = verdict_stage.load(self.folder("verdict")).next_look
        generated = generate_stage.load(self.folder("generate"))
        if replicates is None:
            return False
        if not generate_stage.affordable(self.recipe, generated, replicates):
            log.info(f"== not settled, but {replicates} replicates would cost more than generate.budget allows")
            return False
        log.info(f"== not settled: going on to {replicates} replicates")
        study = self.recipe.study.model_copy(update={"replicates": replicates})
        self.recipe = self.recipe.model_copy(update={"study": study})
        self.further = []  # as every look is asked for anew, whose answers are in the journals
        self._folders.clear()
        for name in ("samples", "results"):
            self.__dict__.pop(name, None)
        return True

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run folder for this launch; the first process does."""
        with locked(self.run) if self.processes.is_main else nullcontext():
            yield

    def _run(self, stage: Stage) -> StageFolder:
        folder = self.folder(stage.name)
        if not folder.complete:
            if not self.may_run:
                raise InputError(
                    f"{self.run}: the {stage.name} stage is not complete and nothing may be run; leave out --no-run, "
                    "or run the recipe first"
                )
            with self.lock():
                log.info(f"== {stage.name}: {stage.doing}")
                folder.path.mkdir(parents=True, exist_ok=True)
                if self.processes.is_main or not stage.alone:
                    stage.run(self.results, folder)
        if self.processes.is_main:
            mark_current(self.run, folder)
        self.processes.wait()  # the one barrier of a stage: whoever comes first waits here
        return folder


class Results:
    """What the stages left, each read once and handed forward; a stage that was not run is an error of ours."""

    recipe: Recipe
    natural: NaturalData
    samples: list[Sample]
    processes: Processes
    refreshed: int

    def __init__(self, pipeline: Pipeline):
        self.recipe, self.natural, self.samples = pipeline.recipe, pipeline.natural, pipeline.samples
        self.processes, self.refreshed = pipeline.processes, pipeline.refreshed
        self.folders: dict[str, StageFolder] = {}
        self.first_round: StageFolder | None = None
        self._pipeline = pipeline

    @property
    def further(self) -> list[Batch]:
        """What is asked for after the first batch."""
        return self._pipeline.further

    def begin_round(self, generated: StageFolder) -> None:
        """Forget what generate and filter left, which the next round of both will replace."""
        self.first_round = self.first_round or generated
        for name in ("generate", "filter"):
            del self.folders[name]
            self.__dict__.pop(name)  # as `cached_property` keeps it

    @cached_property
    def generate(self) -> GenerateResult:
        """Candidate rows of every replicate, and how they came about."""
        return generate_stage.load(self.folders["generate"])

    @cached_property
    def filter(self) -> FilterResult:
        """Kept and rejected rows of every replicate, and what each filter learned."""
        return filter_stage.load(self.folders["filter"])

    @cached_property
    def labels(self) -> LabelsResult | None:
        """The generator's own labels; None where no variant of the study needs them."""
        return labels_stage.load(self.folders["labels"]) if labels_stage.wanted(self.recipe) else None

    @cached_property
    def study(self) -> StudyResult:
        """Predictions of every trial on validation and test rows."""
        return study_stage.load(self.folders["study"])

    @cached_property
    def verdict(self) -> Evaluation:
        """The evaluation: intervals, verdict, why, label budget."""
        return verdict_stage.load(self.folders["verdict"])

    @cached_property
    def look_count(self) -> LookCount:
        """How often the test rows had been looked at, over recipes, when the verdict was read."""
        return verdict_stage.load_looks(self.folders["verdict"])

    @cached_property
    def model(self) -> ModelResult:
        """The classifier to publish, and its own score."""
        return model_stage.load(self.folders["model"])

    @cached_property
    def corpora(self) -> dict[int, Corpus]:
        """Each replicate's kept rows and candidates."""
        generated, filtered, labels = self.generate, self.filter, self.labels
        samples = {sample.replicate: sample for sample in self.samples}
        made_of_rows = self.recipe.generate.method.has_parents
        return {
            replicate: study_stage.corpus_of(
                filtered,
                replicate,
                generated[replicate].candidates(),
                labels[replicate].pseudo_labelled() if labels is not None else (),
                parents_of(samples[replicate], generated[replicate].parents() if made_of_rows else {}),
            )
            for replicate in sorted(filtered.replicates)
        }

    @property
    def answers(self) -> dict[int, list[str | None]]:
        """The generator's label of every test row by replicate; a conditional study's replicates share one set."""
        labels = self.labels
        if labels is None:
            return {}
        return {sample.replicate: labels[sample.replicate].answers() for sample in self.samples}

    @property
    def funnel(self) -> dict[str, Any]:
        """Replicate 0's rows from requests to kept: `requests`, `funnel` (filter, reason, rejected), `kept`,
        `per_label`, `writers`."""
        record = self.filter.replicates[0].model_dump(mode="json")
        keys = ("funnel", "kept", "per_label", "writers")
        return {"requests": self.generate[0].requests, **{key: record[key] for key in keys}}


def open_pipeline(
    recipe: Recipe,
    *,
    hub: str | None = None,
    runs: Path = RUNS,
    refresh: bool = False,
    processes: Processes | None = None,
) -> Pipeline:
    """Point the clients at the Hub, join the launch and pin the recipe: what every command that needs stages begins
    with.

    Args:
        runs: Folder of all runs; this recipe's is `runs/<name>`.
        refresh: Ask the generator anew although its answers are stored.
    """
    use_hub(hub)
    processes = processes or join_launch()
    share_cores()
    pinned, pins = pin_recipe(recipe)
    run = runs / recipe.name
    return Pipeline(pinned, pins, run, processes, _count_refresh(run, processes, refresh))


def _count_refresh(run: Path, processes: Processes, refresh: bool) -> int:
    """How often the generator was to be asked anew in this run folder; 0 in a fresh one."""
    path = run / "refresh.json"
    count = int(read_json(path)["count"]) if path.exists() else 0
    if not refresh:
        return count
    processes.wait()  # every process has read the count before the first one raises it
    if processes.is_main:
        write_json(path, {"count": count + 1})
    return count + 1
