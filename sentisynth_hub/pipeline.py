"""The stages of one recipe in one run folder: each is run when asked for, after what it needs, unless it is complete.

    natural ─▶ generate ─▶ filter ─▶ (labels) ─▶ study ─▶ verdict ─▶ model

Every stage is a plain function from files to files, defined in its own module; this one only names their folders and
hands one's
result to the next. All processes of a launch walk the same line: what must be done once is done by the first, the
others wait.
"""

from collections.abc import Callable
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, TypeVar

from sentisynth_hub.core import log
from sentisynth_hub.core.distributed import Processes, share_cores
from sentisynth_hub.core.files import json_digest, read_json, write_json
from sentisynth_hub.core.run_folder import StageFolder, stage_folder
from sentisynth_hub.filter import stage as filtering
from sentisynth_hub.generate import labels as labelling
from sentisynth_hub.generate import stage as generation
from sentisynth_hub.model import stage as published
from sentisynth_hub.natural import stage as sources
from sentisynth_hub.natural.folds import natural_of_replicate, study_samples
from sentisynth_hub.natural.splits import NaturalData, Sample, samples_digest
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.revisions import pin_recipe
from sentisynth_hub.recipe.schema import DATA_PATHS
from sentisynth_hub.study import stage as study
from sentisynth_hub.study.training_rows import Corpus
from sentisynth_hub.verdict import stage as judging


CODE_VERSIONS = {
    "sources": sources.VERSION,
    "generation": generation.VERSION,
    "filtering": filtering.VERSION,
    "labelling": labelling.VERSION,
    "study": study.VERSION,
    "model": published.VERSION,
    "verdict": judging.VERSION,
}


T = TypeVar("T")


def once(stage: Callable[["Pipeline"], T]) -> Callable[["Pipeline"], T]:
    """Run a stage at most once in a process: later calls give its result without waiting for the other processes
    again.

    So every process passes each stage's barrier exactly once, in the same order, whatever the first one does beside
    it.
    """

    @wraps(stage)
    def run_once(pipeline: "Pipeline") -> T:
        if stage.__name__ not in pipeline.done:
            pipeline.done[stage.__name__] = stage(pipeline)
        result: T = pipeline.done[stage.__name__]
        return result

    return run_once


class Pipeline:
    """One recipe, its pins and its run folder.

    Args:
        recipe: As loaded; its revisions are resolved to commits here.
        runs: Folder of all runs; this recipe's is `runs/<name>`.
        processes: The processes of this launch.
        refresh: Ask the generator anew although its answers are stored.
    """

    def __init__(self, recipe: Recipe, runs: Path, processes: Processes, *, refresh: bool = False):
        share_cores()
        self.written = recipe
        self.recipe, self.pins = pin_recipe(recipe)
        self.run = runs / recipe.name
        self.processes = processes
        self.done: dict[str, Any] = {}
        self.refreshed = self._count_refresh(refresh)

    @cached_property
    def inputs_digest(self) -> str:
        """sha256 over all that decides what would be published: recipe, prompt, input commits, code versions.

        Where the repo's head carries the same digest there is nothing to do, and nothing is generated to find that
        out.
        """
        recipe = self.recipe.model_dump(
            mode="json",
            exclude=DATA_PATHS | {"scales": True, "publish": {"private"}},
        )
        inputs = {path: pin.commit for path, pin in self.pins.items()}
        return json_digest(
            {
                "recipe": recipe,
                "files": self.recipe.file_digests(),
                "inputs": inputs,
                "code": CODE_VERSIONS,
                "refresh": self.refreshed,
            }
        )

    @cached_property
    def natural(self) -> NaturalData:
        """The natural splits."""
        return sources.load_natural(self.recipe)

    @cached_property
    def samples(self) -> list[Sample]:
        """What each replicate may see of them."""
        return study_samples(self.recipe, self.natural)

    def generation_folder(self) -> StageFolder:
        """Where the candidate rows are or will be; nothing is asked."""
        return self._folder(
            "generate", generation.VERSION, self._generate_part(), {"samples": samples_digest(self.samples)}
        )

    @once
    def generate(self) -> StageFolder:
        """Candidate rows of every replicate."""
        folder = self.generation_folder()
        if not folder.complete:
            self._say("generate", "asking the generator for candidate rows")
            generation.generate(self.recipe, self.samples, folder, self.processes, refresh=self.refreshed)
        self.processes.wait()
        return folder

    def filter_folder(self) -> StageFolder:
        """Where the kept and rejected rows are or will be; nothing is generated or filtered."""
        return self._folder(
            "filter",
            filtering.VERSION,
            self._part("filter"),
            {"generate": self.generation_folder().digest, "natural": self.natural.digest},
        )

    @once
    def filter(self) -> StageFolder:
        """Kept and rejected rows of every replicate."""
        generated = self.generate()
        folder = self.filter_folder()
        if not folder.complete:
            self._say("filter", "deciding which candidates stay")
            filtering.filter_candidates(self.recipe, self.samples, self.natural, generated, folder, self.processes)
        self.processes.wait()
        return folder

    @once
    def labels(self) -> StageFolder | None:
        """The generator's own model asked for labels; None where no variant of the study needs them."""
        if not labelling.wanted(self.recipe):
            return None
        generated = self.generate()
        folder = self._folder(
            "labels",
            labelling.VERSION,
            labelling.stage_recipe(self.recipe),
            {"generate": generated.digest, "natural": self.natural.digest},
        )
        if not folder.complete:
            self._say("labels", f"asking the generator for labels ({', '.join(labelling.wanted(self.recipe))})")
            labelling.label(self.recipe, self.samples, self.natural, generated, folder, self.processes)
        self.processes.wait()
        return folder

    @once
    def corpora(self) -> dict[int, Corpus]:
        """Each replicate's kept rows and candidates."""
        generated, filtered, labels = self.generate(), self.filter(), self.labels()
        replicates = sorted(int(name) for name in filtered.manifest()["replicates"])
        return {
            replicate: Corpus(
                kept=filtering.read_kept(filtered, replicate),
                candidates=generation.read_candidates(generated, replicate)[0],
                pseudo_labelled=labelling.read_pseudo_labelled(labels, replicate) if labels is not None else (),
            )
            for replicate in replicates
        }

    @once
    def study(self) -> StageFolder:
        """Predictions of every trial on validation and test rows."""
        filtered, labels = self.filter(), self.labels()
        inputs = {"filter": filtered.digest} | ({"labels": labels.digest} if labels is not None else {})
        folder = self._folder("study", study.VERSION, study.decides(self.recipe), inputs)
        if not folder.complete:
            self._say("study", "training the variants")
            study.run_study(
                self.recipe, self.samples, self.natural, self.corpora(), folder, self.processes, self._answers(labels)
            )
        self.processes.wait()
        return folder

    @once
    def verdict(self) -> dict[str, Any]:
        """The evaluation: intervals, verdict, why, label budget (evaluation.json)."""
        trained = self.study()
        folder = self._folder("verdict", judging.VERSION, self._part("study"), {"study": trained.digest})
        path = folder.path / "evaluation.json"
        if self.processes.is_main and not folder.complete:
            self._say("verdict", "comparing the variants")
            evaluation = judging.judge_study(
                self.recipe, self.samples, self.natural, self.generate(), self.filter(), trained, self.labels()
            )
            write_json(path, evaluation)
            folder.finish({})
        self.processes.wait()
        return dict(read_json(path))

    @once
    def model(self) -> StageFolder:
        """The classifier to publish: replicate 0 of the variant that is best on validation, fine-tuned."""
        trained = self.study()
        variant = trained.manifest()["chosen_variant"]
        folder = self._folder(
            "model", published.VERSION, self._part("study") | {"variant": variant}, {"study": trained.digest}
        )
        if self.processes.is_main and not folder.complete:
            self._say("model", f"fine-tuning the model to publish ({variant})")
            corpus = self.corpora()[0]
            natural = natural_of_replicate(self.recipe, self.natural, 0)
            published.train_published(self.recipe, self.samples[0], corpus, variant, folder, natural)
        self.processes.wait()
        return folder

    def funnel(self) -> dict[str, Any]:
        """Replicate 0's rows from requests to kept: `requests`, `funnel` (filter, reason, rejected), `kept`,
        `per_label`."""
        asked = self.generate().manifest()["replicates"]["0"]["requests"]
        filtered = self.filter().manifest()["replicates"]["0"]
        return {"requests": asked, **{key: filtered[key] for key in ("funnel", "kept", "per_label")}}

    def _answers(self, labels: StageFolder | None) -> dict[int, list[str | None]]:
        """The model's label of every test row by replicate; a conditional study's replicates share one set."""
        if labels is None:
            return {}
        nested = self.recipe.study.design == "nested"
        return {
            sample.replicate: labelling.read_answers(labels, sample.replicate if nested else 0)
            for sample in self.samples
        }

    def _folder(self, stage: str, version: int, recipe: Any, inputs: dict[str, str]) -> StageFolder:
        """The stage's folder; a model that is a local folder counts by what is in it, not by its path alone."""
        models = {path: pin.commit for path, pin in self.pins.items() if path.startswith(f"{stage}.")}
        return stage_folder(self.run, stage, version=version, recipe=recipe, inputs=inputs | models)

    def _part(self, stage: str) -> dict[str, Any]:
        return self.recipe.part("language", "labels", "seed", stage)

    def _generate_part(self) -> dict[str, Any]:
        part = generation.stage_recipe(self.recipe)
        return part | {"refresh": self.refreshed} if self.refreshed else part

    def _say(self, stage: str, what: str) -> None:
        log.info(f"== {stage}: {what}")

    def _count_refresh(self, refresh: bool) -> int:
        """How often the generator was to be asked anew in this run folder; 0 in a fresh one."""
        path = self.run / "refresh.json"
        count = int(read_json(path)["count"]) if path.exists() else 0
        self.processes.wait()  # every process has read the count before the first one raises it
        if refresh and self.processes.is_main:
            write_json(path, {"count": count + 1})
        return count + refresh
