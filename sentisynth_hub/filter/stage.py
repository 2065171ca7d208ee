"""The filter stage: from candidates to kept and rejected rows, every rejected one with filter, reason and score.

    filter_candidates(recipe, samples, natural, generated, folder, processes)
    result = load(folder)
    result.kept(0), result.rejected(0), result.replicates[0].funnel

Filters run one after the other in the recipe's order, each on the rows the ones before it left. Whatever a filter
learns (a teacher, a threshold, a window) it learns from the natural rows of the replicate whose candidates it judges.
"""

import shutil
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from sentisynth_hub.core import log
from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.files import json_digest, read_json, write_json
from sentisynth_hub.core.rows import Rejected, Row, content_digest, write_rejected, write_rows
from sentisynth_hub.core.run_folder import StageFolder
from sentisynth_hub.filter.apply import build_filters, evaluation_overlap, funnel, run_filters
from sentisynth_hub.filter.candidate_features import CandidateFeatures
from sentisynth_hub.filter.contract import Filter, FilterContext, LabelUse
from sentisynth_hub.filter.filter_result import (
    KEPT,
    REJECTED,
    FilteredReplicate,
    FilterResult,
    WriterYield,
    read_result,
)
from sentisynth_hub.filter.filter_table import code_version, filter_class
from sentisynth_hub.filter.row_limit import RowLimit
from sentisynth_hub.generate.methods.grounding_texts import texts_in_prompts
from sentisynth_hub.generate.result import GenerateResult
from sentisynth_hub.natural.folds import natural_of_replicate
from sentisynth_hub.natural.leakage import check_corpus
from sentisynth_hub.natural.splits import NaturalData, Sample, parents_of, samples_digest
from sentisynth_hub.natural.stage import file_candidates
from sentisynth_hub.recipe import Recipe


VERSION = 3
_RESULT = "result.json"  # a replicate's part of the manifest, written when its tables are
_DIGEST = "digest.json"  # of what decides it
_FEATURES = "features"


def decides(recipe: Recipe) -> dict[str, Any]:
    """What of the recipe decides the stage's result, and the state of each filter's code.

    The candidates and the natural rows come in as inputs with digests of their own.
    """
    row_counts = {} if recipe.wanted_rows is None else {"rows": recipe.wanted_rows}
    return {
        **recipe.part("language", "labels", "seed"),
        "filter": recipe.part("filter")["filter"]
        | {key: filter_class(key).decides(options) for key, options in recipe.filter.sections()},
        **recipe.meanings,
        **row_counts,
        "validation": recipe.natural.validation,
        "code": {key: code_version(filter_class(key)) for key in (*recipe.filter.order, "overlap")},
    }


def filter_candidates(
    recipe: Recipe,
    samples: Sequence[Sample],
    natural: NaturalData,
    generated: GenerateResult,
    folder: StageFolder,
    processes: Processes,
) -> None:
    """Judge the candidates of every replicate; the replicates are shared out among the processes.

    Does nothing where the stage is complete, and nothing again for a replicate that is done, here or in a stage with
    another number of replicates.

    Raises:
        StageError: A filter's models could not do their work.
        DataError: The natural rows do not serve a filter.
    """
    if folder.complete:
        return
    by_replicate = {sample.replicate: sample for sample in samples}
    for replicate in processes.mine(sorted(generated.replicates)):
        path = folder.path / f"replicate-{replicate}"
        if (path / _RESULT).exists():
            continue
        corpus, sample = generated[replicate], by_replicate[replicate]
        candidates, unparsed = corpus.candidates(), corpus.unparsed()
        digest = _digest(recipe, folder, sample, corpus.path)
        if (same := _found(folder, path.name, digest)) is not None:
            path.mkdir(parents=True, exist_ok=True)
            for name in (KEPT, REJECTED, _DIGEST, _RESULT):  # the last says that it is done
                shutil.copyfile(same / name, path / name)
            continue
        log.info(f"  replicate {replicate}: {len(candidates):,} candidates")
        in_prompts = set(corpus.demonstration_ids)
        context = FilterContext(
            recipe,
            sample,
            natural_of_replicate(recipe, natural, replicate),
            candidates,
            [row for row in sample.train if row.request_id in in_prompts],
            CandidateFeatures(candidates, folder.path.parent / _FEATURES),
            folder.path.parent / _FEATURES,
            parents_of(sample, corpus.parents() if recipe.generate.method.has_parents else {}),
            texts_in_prompts(recipe, corpus.lineage()),
        )
        path.mkdir(parents=True, exist_ok=True)
        write_json(path / _DIGEST, digest)
        _filter(context, path, unparsed, [RowLimit(recipe.wanted_rows)] if recipe.wanted_rows is not None else ())
    processes.wait()
    if processes.is_main:
        results = {str(name): read_json(folder.path / f"replicate-{name}" / _RESULT) for name in generated.replicates}
        folder.finish({"replicates": results})
    processes.wait()


def _digest(recipe: Recipe, folder: StageFolder, sample: Sample, corpus: Path) -> str:
    """Names all that decides what becomes of one replicate's candidates, whatever other replicates there are."""
    inputs = {name: digest for name, digest in folder.key["inputs"].items() if name != "generate"}
    tables = {path.name: sha256(path.read_bytes()).hexdigest() for path in sorted(corpus.glob("*.parquet"))}
    return json_digest([folder.key | {"inputs": inputs}, recipe.part("generate"), samples_digest([sample]), tables])


def _found(folder: StageFolder, name: str, digest: str) -> Path | None:
    """The same replicate in another folder of this stage, done."""
    replicates = (path.parent for path in sorted(folder.path.parent.glob(f"*/{name}/{_RESULT}")))
    return next((path for path in replicates if _recorded(path) == digest), None)


def _recorded(replicate: Path) -> str | None:
    return read_json(replicate / _DIGEST) if (replicate / _DIGEST).exists() else None


def load(folder: StageFolder) -> FilterResult:
    """Read what a complete stage wrote.

    Raises:
        StageError: The manifest is not what this version writes.
    """
    return read_result(folder.path, folder.manifest())


def filter_file(
    recipe: Recipe, sample: Sample, natural: NaturalData, path: Path, target: Path, cache: Path | None = None
) -> FilteredReplicate:
    """Filter the rows of any file with a recipe's filters, as if its generator had written them.

    Args:
        path: CSV, TSV, JSONL or Parquet file with the recipe's text and label columns.
        target: Folder that gets `kept.parquet`, `rejected.parquet` and `result.json`.

    Raises:
        DataError: A column is missing, or a label is not one of the recipe's.
    """
    candidates = file_candidates(recipe, path)
    context = FilterContext(recipe, sample, natural, candidates, [], CandidateFeatures(candidates, cache), cache)
    return _filter(context, target, [])


def kept_of(
    recipe: Recipe, sample: Sample, natural: NaturalData, candidates: Sequence[Row], cache: Path | None = None
) -> list[Row]:
    """The candidates that the recipe's filters keep, without anything being written: for a pilot."""
    if not candidates:
        return []
    context = FilterContext(recipe, sample, natural, candidates, [], CandidateFeatures(candidates, cache), cache)
    return run_filters(build_filters(context), candidates)[0]


def _filter(
    context: FilterContext, path: Path, unparsed: Sequence[Rejected], last: Sequence[Filter] = ()
) -> FilteredReplicate:
    """Judge the candidates of one replicate, by the recipe's filters and those that come `last`, and write what became
    of them.
    """
    filters = [*build_filters(context), *last]
    overlapping = evaluation_overlap(context)
    kept, rejected = run_filters(filters, context.candidates)
    check_corpus(kept, context.natural)
    result = _result(context, filters, kept, [*unparsed, *rejected], overlapping)
    path.mkdir(parents=True, exist_ok=True)
    write_rows(path / KEPT, kept)
    write_rejected(path / REJECTED, [*unparsed, *rejected])
    write_json(path / _RESULT, result.model_dump(mode="json"))
    return result


def _result(
    context: FilterContext,
    filters: Sequence[Filter],
    kept: Sequence[Row],
    rejected: Sequence[Rejected],
    overlapping: set[str],
) -> FilteredReplicate:
    return FilteredReplicate(
        candidates=len(context.candidates),
        kept=len(kept),
        per_label=dict(sorted(Counter(str(row.label) for row in kept).items())),
        funnel=tuple(funnel(rejected, [each.name for each in filters])),
        digest=content_digest(kept),
        facts={each.name: each.facts() for each in filters},
        human_labels=_human_labels(filters),
        evaluation_overlap=tuple(sorted(overlapping)),
        writers=_by_writer(context.candidates, kept),
    )


def _by_writer(candidates: Sequence[Row], kept: Sequence[Row]) -> dict[str, WriterYield]:
    written, staying = (Counter(row.generator or "" for row in rows) for rows in (candidates, kept))
    if len(written) < 2:
        return {}
    return {name: WriterYield(candidates=count, kept=staying[name]) for name, count in sorted(written.items())}


def _human_labels(filters: Sequence[Filter]) -> dict[LabelUse, tuple[str, ...]]:
    """Ids of the natural rows whose labels the filters used, by use, once each."""
    used: dict[LabelUse, set[str]] = {}
    for each in filters:
        for use, ids in each.human_labels().items():
            used.setdefault(use, set()).update(ids)
    return {use: tuple(sorted(ids)) for use, ids in sorted(used.items())}
