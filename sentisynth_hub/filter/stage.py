"""The filter stage: from candidates to kept and rejected rows, every rejected one with filter, reason and score.

    filter_candidates(recipe, samples, natural, generated, folder, processes)
    kept, rejected = read_kept(folder, 0), read_rejected_rows(folder, 0)

Filters run one after the other in the recipe's order, each on the rows the ones before it left. Whatever a filter
learns (a teacher, a threshold, a window) it learns from the natural rows of the replicate whose candidates it judges.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sentisynth_hub.core import log
from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.errors import StageError
from sentisynth_hub.core.files import read_json, write_json
from sentisynth_hub.core.rows import (
    Rejected,
    Row,
    content_digest,
    read_rejected,
    read_rows,
    write_rejected,
    write_rows,
)
from sentisynth_hub.core.run_folder import StageFolder
from sentisynth_hub.filter.candidate_features import Features
from sentisynth_hub.filter.contract import Filter
from sentisynth_hub.generate.stage import read_candidates
from sentisynth_hub.natural.folds import natural_of_replicate
from sentisynth_hub.natural.leakage import check_corpus
from sentisynth_hub.natural.splits import NaturalData, Sample
from sentisynth_hub.natural.stage import file_candidates
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.filter_section import OverlapFilter


VERSION = 2
_RESULT = "result.json"  # a replicate's part of the manifest, written when its tables are


def filter_candidates(
    recipe: Recipe,
    samples: Sequence[Sample],
    natural: NaturalData,
    generated: StageFolder,
    folder: StageFolder,
    processes: Processes,
) -> dict[str, Any]:
    """Judge the candidates of every replicate; the replicates are shared out among the processes.

    Does nothing where the stage is complete, and nothing again for a replicate that is done.

    Returns:
        The manifest. `replicates.<r>`: `candidates`, `kept`, `per_label`, `funnel` (filter, reason, rejected),
        `digest` of the kept rows, `filters` (what each learned) and `human_labels` (ids of the natural rows used, by
        use).

    Raises:
        StageError: A filter's models could not do their work.
        DataError: The natural rows do not serve a filter.
    """
    if folder.complete:
        return folder.manifest()
    replicates = generated.manifest()["replicates"]
    by_replicate = {sample.replicate: sample for sample in samples}
    for replicate in processes.mine(sorted(int(name) for name in replicates)):
        seen = natural_of_replicate(recipe, natural, replicate)
        path = folder.path / f"replicate-{replicate}"
        if (path / _RESULT).exists():
            continue
        candidates, unparsed = read_candidates(generated, replicate)
        filters = build_filters(
            recipe,
            by_replicate[replicate],
            seen,
            candidates=candidates,
            demonstration_ids=replicates[str(replicate)]["demonstration_ids"],
            cache=folder.path.parent / "features",
        )
        log.info(f"  replicate {replicate}: {len(candidates):,} candidates")
        kept, rejected = run_filters(filters, candidates)
        check_corpus(kept, seen)
        _write(path, kept, [*unparsed, *rejected], filters, len(candidates))
    processes.wait()
    if processes.is_main:
        results = {name: read_json(folder.path / f"replicate-{name}" / _RESULT) for name in replicates}
        folder.finish({"replicates": results})
    processes.wait()
    return folder.manifest()


def filter_file(
    recipe: Recipe, sample: Sample, natural: NaturalData, path: Path, target: Path, cache: Path | None = None
) -> dict[str, Any]:
    """Filter the rows of any file with a recipe's filters, as if its generator had written them.

    Args:
        path: CSV, TSV, JSONL or Parquet file with the recipe's text and label columns.
        target: Folder that gets `kept.parquet`, `rejected.parquet` and `result.json`.

    Returns:
        What `filter_candidates` records of a replicate.

    Raises:
        DataError: A column is missing, or a label is not one of the recipe's.
    """
    candidates = file_candidates(recipe, path)
    filters = build_filters(recipe, sample, natural, candidates=candidates, cache=cache)
    kept, rejected = run_filters(filters, candidates)
    check_corpus(kept, natural)
    return _write(target, kept, rejected, filters, len(candidates))


def read_kept(folder: StageFolder, replicate: int) -> list[Row]:
    """The rows of a replicate that stayed, in the order they were asked for, with their scores."""
    return read_rows(folder.path / f"replicate-{replicate}" / "kept.parquet")


def read_rejected_rows(folder: StageFolder, replicate: int) -> list[Rejected]:
    """The rows of a replicate that were dropped, what could not be parsed included (filter `parse`)."""
    return read_rejected(folder.path / f"replicate-{replicate}" / "rejected.parquet")


def run_filters(filters: Iterable[Filter], rows: Sequence[Row]) -> tuple[list[Row], list[Rejected]]:
    """Let each filter judge what the ones before it left.

    Returns:
        Kept rows in their order, and rejected ones by filter; together they are `rows`. Scores stay with the rows.
    """
    kept: list[Row] = list(rows)
    rejected: list[Rejected] = []
    for each in filters:
        decisions = each.judge(kept)
        if len(decisions) != len(kept):
            raise StageError(
                f"filter {each.name}: {len(decisions)} decisions for {len(kept)} rows; its judge is wrong"
            )
        staying = []
        for row, decision in zip(kept, decisions, strict=True):
            scored = row
            if decision.score is not None:
                scored = replace(row, scores={**row.scores, each.score_name: decision.score})
            if decision.keep:
                staying.append(scored)
            else:
                rejected.append(Rejected(scored, each.name, str(decision.reason), decision.score))
        log.info(f"    {each.name}: {len(staying):,} of {len(kept):,} stay")
        kept = staying
    return kept, rejected


def funnel(rejected: Iterable[Rejected], order: Sequence[str]) -> list[dict[str, Any]]:
    """Count rejected rows by filter (in `order`, what is not in it first) and reason (by name)."""
    counts = Counter((item.filter, item.reason) for item in rejected)
    place = {name: number for number, name in enumerate(order)}
    return [
        {"filter": name, "reason": reason, "rejected": counts[name, reason]}
        for name, reason in sorted(counts, key=lambda key: (place.get(key[0], -1), key))
    ]


def build_filters(
    recipe: Recipe,
    sample: Sample,
    natural: NaturalData,
    *,
    candidates: Sequence[Row],
    demonstration_ids: Iterable[str] = (),
    cache: Path | None = None,
) -> list[Filter]:
    """Make the recipe's filters for one replicate, in the recipe's order; teachers are trained here.

    The overlap filter comes last where the recipe does not name it: nothing that leaks is kept, whatever the recipe
    says.

    Args:
        candidates: All rows that will be judged (a conflict of labels is one among all of them).
        demonstration_ids: `request_id`s of the natural rows that stood in prompts.
        cache: Folder that keeps what models computed, so that a threshold can be moved without computing it again.
    """
    shown = set(demonstration_ids)
    setting = _Setting(
        recipe,
        sample,
        natural,
        candidates,
        [row for row in sample.train if row.request_id in shown],
        Features(candidates, cache),
        cache,
    )
    order = recipe.filter.order
    if "overlap" not in order:  # the gate is not the recipe's to leave out
        order = [*order, "overlap"]
    return [_build(name, setting) for name in order]


@dataclass(frozen=True)
class _Setting:
    """What filters are made from."""

    recipe: Recipe
    sample: Sample
    natural: NaturalData
    candidates: Sequence[Row]
    demonstrations: Sequence[Row]
    features: Features
    cache: Path | None

    @property
    def seen(self) -> list[Row]:
        """The natural rows this replicate may learn from."""
        return [*self.sample.train, *self.sample.validation]


def _build(name: str, setting: _Setting) -> Filter:
    """Make one filter: by rules on the text alone, by comparison with other rows, or by a model."""
    made = _text_filter(name, setting) or _comparing_filter(name, setting) or _model_filter(name, setting)
    assert made is not None, f"filter {name!r} is in the schema but not built here"
    return made


def _text_filter(name: str, setting: _Setting) -> Filter | None:
    from sentisynth_hub.filter.code_mixing_window import CodeMixing
    from sentisynth_hub.filter.echo import Echo
    from sentisynth_hub.filter.language import Language
    from sentisynth_hub.filter.length import Length
    from sentisynth_hub.filter.personal_data import PersonalData
    from sentisynth_hub.filter.refusals import Refusals
    from sentisynth_hub.metrics.word_languages import WordTagger

    recipe, wanted = setting.recipe, setting.recipe.filter
    if name == "length" and wanted.length:
        return Length(wanted.length.min_tokens, wanted.length.max_tokens)
    if name == "language" and wanted.language:
        return Language.like(setting.seen, recipe.language, **wanted.language.model_dump())
    if name == "echo" and wanted.echo:
        names = [*recipe.labels, *recipe.generate.prompt.verbalizers.values()] if wanted.echo.label_words else []
        return Echo.of_template(_template(recipe), ngram=wanted.echo.ngram, label_names=names)
    if name == "refusals":
        return Refusals.unlike(setting.seen)
    if name == "personal_data" and wanted.personal_data:
        return PersonalData(tuple(wanted.personal_data.regions))
    if name == "code_mixing" and wanted.code_mixing:
        quantiles = (wanted.code_mixing.lower_quantile, wanted.code_mixing.upper_quantile)
        return CodeMixing.window_of(
            setting.seen, WordTagger(recipe.language), quantiles, wanted.code_mixing.max_unknown
        )
    return None


def _comparing_filter(name: str, setting: _Setting) -> Filter | None:
    from sentisynth_hub.filter.conflicting_labels import ConflictingLabels
    from sentisynth_hub.filter.exact_duplicates import ExactDuplicates
    from sentisynth_hub.filter.near_duplicates import NearDuplicates
    from sentisynth_hub.filter.overlap import Overlap
    from sentisynth_hub.filter.semantic_duplicates import SemanticDuplicates

    wanted, natural, features = setting.recipe.filter, setting.natural, setting.features
    if name == "conflicting_labels":
        return ConflictingLabels.among(setting.candidates)
    if name == "exact_duplicates":
        return ExactDuplicates()
    if name == "near_duplicates" and wanted.near_duplicates:
        return NearDuplicates(wanted.near_duplicates.min_jaccard)
    if name == "semantic_duplicates" and wanted.semantic_duplicates:
        encoder, quantile = wanted.semantic_duplicates.encoder, wanted.semantic_duplicates.natural_quantile
        return SemanticDuplicates.limit_of(setting.seen, encoder, features, quantile)
    if name == "overlap":
        settings = wanted.overlap or OverlapFilter()
        held = {"test": natural.test, "validation": natural.validation}
        sources = {**held, "demonstration": setting.demonstrations, "train": natural.train}
        overlap = Overlap.against(sources, settings.ngram)
        if settings.encoder is None:
            return overlap
        train, quantile = setting.sample.train, settings.natural_quantile
        return overlap.with_embeddings(train, held, settings.encoder, features, quantile)
    return None


def _model_filter(name: str, setting: _Setting) -> Filter | None:
    from sentisynth_hub.filter.confident_learning import ConfidentLearning
    from sentisynth_hub.filter.diversity_selection import Diversity
    from sentisynth_hub.filter.perplexity_window import Perplexity
    from sentisynth_hub.filter.teacher import Teacher

    wanted, labels, features = setting.recipe.filter, setting.recipe.labels, setting.features
    if name == "teacher" and wanted.teacher:
        encoder, least = wanted.teacher.teacher, wanted.teacher.min_confidence
        if wanted.teacher.labels == "oracle":
            return Teacher.oracle(setting.sample, setting.natural, labels, encoder, features, min_confidence=least)
        return Teacher.trained(setting.sample, labels, encoder, features, min_confidence=least)
    if name == "perplexity" and wanted.perplexity:
        quantiles = (wanted.perplexity.lower_quantile, wanted.perplexity.upper_quantile)
        return Perplexity.window_of(setting.seen, wanted.perplexity.scorer, quantiles, setting.cache)
    if name == "confident_learning" and wanted.confident_learning:
        return ConfidentLearning(wanted.confident_learning.encoder, features, labels, wanted.confident_learning.folds)
    if name == "diversity" and wanted.diversity:
        settings = wanted.diversity
        return Diversity(settings.encoder, features, labels, settings.size, settings.method)
    return None


def _template(recipe: Recipe) -> str:
    """Source of the recipe's prompt template, "" where it has none beside it."""
    path = recipe.folder / recipe.generate.prompt.template
    return path.read_text("utf-8") if path.is_file() else ""


def _write(
    path: Path, kept: Sequence[Row], rejected: Sequence[Rejected], filters: Sequence[Filter], candidates: int
) -> dict[str, Any]:
    path.mkdir(parents=True, exist_ok=True)
    write_rows(path / "kept.parquet", kept)
    write_rejected(path / "rejected.parquet", rejected)
    result = _result(kept, rejected, filters, candidates)
    write_json(path / _RESULT, result)
    return result


def _result(
    kept: Sequence[Row], rejected: Sequence[Rejected], filters: Sequence[Filter], candidates: int
) -> dict[str, Any]:
    """A replicate's part of the manifest."""
    facts = {each.name: {key: value for key, value in each.facts.items() if key != "human_labels"} for each in filters}
    return {
        "candidates": candidates,
        "kept": len(kept),
        "per_label": dict(sorted(Counter(str(row.label) for row in kept).items())),
        "funnel": funnel(rejected, [each.name for each in filters]),
        "digest": content_digest(kept),
        "filters": facts,
        "human_labels": _human_labels(filters),
    }


def _human_labels(filters: Sequence[Filter]) -> dict[str, list[str]]:
    """Ids of the natural rows whose labels the filters used, by use, once each."""
    used: dict[str, set[str]] = {}
    for each in filters:
        by_use: Mapping[str, Sequence[str]] = each.facts.get("human_labels", {})
        for use, ids in by_use.items():
            used.setdefault(use, set()).update(ids)
    return {use: sorted(ids) for use, ids in sorted(used.items())}
