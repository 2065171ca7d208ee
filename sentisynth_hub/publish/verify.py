"""Verifying a published version: everything its manifest and card say that the data can say again is computed again
from the data."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.hub_endpoint import hub_api
from sentisynth_hub.core.repo_ids import repo_id_problem
from sentisynth_hub.core.rows import Row, content_digest
from sentisynth_hub.core.safe_yaml import YamlError, load_yaml
from sentisynth_hub.core.untrusted import one_line
from sentisynth_hub.filter.exact_duplicates import ExactDuplicates
from sentisynth_hub.filter.personal_data import PersonalData
from sentisynth_hub.generate.prompts import template_digest
from sentisynth_hub.natural.splits import NaturalData
from sentisynth_hub.publish.card_check import Check, check_card
from sentisynth_hub.publish.cards.published_manifest import (
    MANIFEST_FILE,
    SCHEMA,
    ConfigRecord,
    DatasetManifest,
    ModelManifest,
    rounded,
)
from sentisynth_hub.publish.cards.render import render_card
from sentisynth_hub.publish.checks.safety import HIDING, NaturalTexts
from sentisynth_hub.publish.checks.secret_scan import texts_with_secrets
from sentisynth_hub.publish.dataset_tables import read_config
from sentisynth_hub.publish.publication import ManifestT
from sentisynth_hub.publish.release import recipe_digest
from sentisynth_hub.publish.repo_head import RepoHead, read_head
from sentisynth_hub.publish.version_tables import column_values, text_id_column, text_parts, version_table
from sentisynth_hub.publish.versions.corpus_statistics import row_ids, statistics
from sentisynth_hub.publish.versions.digests import rows_digest, table_digests
from sentisynth_hub.publish.versions.tags import parse_tag
from sentisynth_hub.recipe import Recipe


_ROUNDING = 1e-5  # scores are stored with six digits


def read_version(spec: str, repo_type: str | None = None) -> RepoHead:
    """Find `namespace/name@vX.Y.Z`, as a dataset or else as a model.

    Raises:
        InputError: There is no such repo, tag or manifest.
    """
    from huggingface_hub.errors import RevisionNotFoundError

    repo_id, _, tag = spec.partition("@")
    if parse_tag(tag) is None:
        raise InputError(f"{spec}: write namespace/name@vX.Y.Z")
    if (problem := repo_id_problem(repo_id)) is not None:
        raise InputError(f"{spec}: {problem}; write namespace/name@vX.Y.Z")
    for kind in [repo_type] if repo_type else ["dataset", "model"]:
        try:
            head = read_head(hub_api(), repo_id, kind, tag)
        except RevisionNotFoundError:
            raise InputError(f"{spec}: {repo_id} has no tag {tag}; see its tags on its page") from None
        if head is not None and head.manifest is not None:
            return head
    raise InputError(f"{spec}: no repo published by sentisynth-hub there that you may read; check the id and HF_TOKEN")


def verify_dataset(
    head: RepoHead, tag: str, natural: NaturalData | None = None, *, allow_personal_data: bool = False
) -> list[Check]:
    """Check a dataset version; `natural` rows, where they can be read, are looked for in it.

    Args:
        allow_personal_data: Whoever verifies accepts rows with personal data; the publisher's own permission counts
            for nothing here.
    """
    manifest = _manifest(head, DatasetManifest)
    tables = {name: version_table(head, record) for name, record in manifest.configs.items()}
    checks = [*identity_checks(head, tag), *file_checks(head, manifest.files)]
    for name, record in manifest.configs.items():
        checks += readable(name, _config(head, name, record, tables[name], manifest.labels, manifest.format))
    checks += readable("numbers", _numbers(head, manifest, tables))
    checks += readable("privacy", _privacy(tables, natural, allow_personal_data))
    checks += _natural_rows(manifest, natural)
    checks += check_card(head, partial(render_card, manifest))
    return [*checks, *readable("label budget", _labels_that_train_nothing(head, manifest))]


def verify_model(head: RepoHead, tag: str, natural: NaturalData | None = None) -> list[Check]:
    """Check a model version; with `natural` rows its test scores are measured again."""
    manifest = _manifest(head, ModelManifest)
    checks = [*identity_checks(head, tag), *file_checks(head, manifest.files)]
    checks += check_card(head, partial(render_card, manifest))
    checks += _natural_rows(manifest, natural)
    checks += readable("label budget", _labels_that_train_nothing(head, manifest))
    if natural is None:
        return [*checks, Check("test scores", None, manifest.scores, "the natural test rows cannot be read")]
    scores = _measured(head, tag, manifest, natural.test)
    near = all(abs(scores[name][0] - published) < _ROUNDING for name, published in manifest.scores.items())
    checks.append(Check("test scores", near, manifest.scores, {name: score[0] for name, score in scores.items()}))
    if manifest.intervals is not None:
        ends = {name: score[1:] for name, score in scores.items() if name in manifest.intervals}
        pairs = [(mine, its) for name in ends for mine, its in zip(ends[name], manifest.intervals[name], strict=True)]
        near = ends.keys() == manifest.intervals.keys() and all(abs(mine - its) < _ROUNDING for mine, its in pairs)
        checks.append(Check("intervals of the test scores", near, manifest.intervals, ends))
    return checks


def published_recipe(head: RepoHead, folder: Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe that a version published, laid out in `folder` with its prompt.

    Args:
        overrides: `key.path=value`, mostly where natural files and model folders lie on this machine.

    Raises:
        RecipeError: It does not load with this version of the toolkit, or an override is wrong.
    """
    from sentisynth_hub.recipe import load_recipe

    for name in ("recipe.yaml", "prompt.jinja2"):
        (folder / name).write_text(head.text(name) or "", "utf-8")
    return load_recipe(str(folder), overrides, origin="hub")


def _manifest(head: RepoHead, kind: type[ManifestT]) -> ManifestT:
    manifest = head.manifest
    if not isinstance(manifest, kind):
        raise InputError(f"{head.repo_id}: its {MANIFEST_FILE} is not a {head.repo_type}'s; name another repo")
    return manifest


def agreement(name: str, published: Any, recomputed: Any) -> Check:
    """A check that two values are equal."""
    return Check(name, published == recomputed, published, recomputed)


def identity_checks(head: RepoHead, tag: str) -> Iterator[Check]:
    """Whether manifest, tag, recipe and prompt belong together."""
    assert head.manifest is not None
    if head.manifest.format < SCHEMA:
        format_line = f"format {head.manifest.format}, read as format {SCHEMA}"
        yield Check("format of the manifest", None, SCHEMA, format_line)
    yield agreement("version in the manifest", tag, head.manifest.tag)
    yield agreement("repo in the manifest", head.repo_id, head.manifest.repo_id)
    yield agreement("commit of the tag", head.tags.get(tag), head.commit)
    if isinstance(head.manifest, DatasetManifest | ModelManifest):
        recorded, recipe = head.manifest.recipe["digest"], head.text("recipe.yaml") or ""
        yield agreement("recipe digest", recorded, recipe_digest(recipe))
    if isinstance(head.manifest, DatasetManifest):  # a model's manifest has none: its dataset's has
        prompt = head.text("prompt.jinja2")
        prompt_digest = None if prompt is None else template_digest(prompt)
        yield agreement("prompt digest", head.manifest.prompt_digest, prompt_digest)


def readable(name: str, checks: Iterator[Check]) -> Iterator[Check]:
    """The checks; where the files hold what cannot even be compared (no such column, another type), that is drift."""
    try:
        yield from checks
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, NotImplementedError) as error:
        why = f"{type(error).__name__}: {one_line(str(error), 120)}"
        yield Check(f"{name}: files hold what the manifest says", False, "columns and values to compare", why)


def file_checks(head: RepoHead, listed: Sequence[str]) -> Iterator[Check]:
    """Whether every file that the manifest lists is there."""
    yield agreement("files that are missing", [], sorted(set(listed) - head.paths))


def _config(
    head: RepoHead,
    name: str,
    record: ConfigRecord,
    table: Any,
    labels: Sequence[str],
    written_in: int,
) -> Iterator[Check]:
    import pyarrow as pa
    import pyarrow.compute as pc

    yield agreement(f"{name}: columns", list(record["columns"]), table.column_names)
    if list(record["columns"]) != table.column_names:
        return
    yield agreement(f"{name}: rows", record["rows"], table.num_rows)
    sizes = {path: local.stat().st_size for path in record["files"] if (local := head.file(path)) is not None}
    yield agreement(f"{name}: bytes", record["files"], sizes)
    columns = {column: table.column(column).combine_chunks() for column in table.column_names}
    label_names = pa.array(labels, pa.string())
    named = {
        column: label_names.take(columns[column]) if kind == "label" else columns[column]
        for column, kind in record["columns"].items()
    }
    exact, values = table_digests(record["columns"], named)
    ids = text_id_column(columns["text"]) if "text" in columns else None
    if name == "default":
        exact = rows_digest(ids, named["label"])
    if written_in < SCHEMA and "text_hash" in columns:
        yield Check(f"{name}: digest", None, record["digest"], "format 1 counted the hashes of hidden texts")
        return
    yield agreement(f"{name}: digest", record["digest"], exact)
    yield agreement(f"{name}: digest with scores", record["values_digest"], values)
    if ids is not None:
        differ = pc.fill_null(pc.not_equal(columns["id"], ids), True)
        wrong = columns["id"].filter(pc.and_(columns["text"].is_valid(), differ))
        yield agreement(f"{name}: ids that are not their text's", [], wrong.to_pylist())


def _numbers(head: RepoHead, manifest: DatasetManifest, tables: Mapping[str, Any]) -> Iterator[Check]:
    """The numbers of the card."""
    paths = [local for path in manifest.configs["default"]["files"] if (local := head.file(path)) is not None]
    kept = read_config(paths, manifest.labels)
    rejected, lineage = tables["rejected"], tables["lineage"]
    measured = statistics(kept, manifest.labels, words=manifest.statistics["distinct_2_words"])
    yield agreement("content digest", manifest.content_digest, content_digest(kept))
    yield agreement("statistics", manifest.statistics, rounded(measured))
    yield agreement("candidates", manifest.candidates, len(kept) + len(column_values(rejected, "request_id")))
    pairs = zip(column_values(rejected, "filter"), column_values(rejected, "reason"), strict=True)
    counted = Counter(f"{name}: {reason}" for name, reason in pairs)
    counts = {f"{step['filter']}: {step['reason']}": step["rejected"] for step in manifest.funnel}
    yield agreement("funnel", counts, dict(counted))
    yield agreement("hidden texts", manifest.hidden, rejected.column("text").null_count)
    cost = manifest.cost
    yield agreement("prompt tokens", cost["prompt_tokens"], sum(column_values(lineage, "prompt_tokens")))
    yield agreement("completion tokens", cost["completion_tokens"], sum(column_values(lineage, "completion_tokens")))
    paid = column_values(lineage, "cost_usd")
    usd = None if None in paid else sum(paid)
    yield agreement("dollars", cost["usd"], rounded(usd))
    unfiltered = tables["unfiltered"]
    pairs = zip(column_values(unfiltered, "id"), column_values(unfiltered, "kept"), strict=True)
    ids = Counter(row_id for row_id, is_kept in pairs if is_kept)
    yield agreement("kept rows of unfiltered are those of default", True, ids == Counter(row_ids(kept)))
    candidates = {*column_values(unfiltered, "request_id"), *column_values(rejected, "request_id")}
    unknown = candidates - set(column_values(lineage, "request_id"))
    yield agreement("candidates without lineage", [], sorted(unknown))
    texts = {(row.label, row.text[:300]) for row in kept}
    yield agreement("examples that are not rows", [], [e for e in manifest.examples if tuple(e) not in texts])
    copies = sum(not decision.keep for decision in ExactDuplicates().judge(kept))
    deduplicated = "exact_duplicates" in _recipe_section(head, "filter")
    yield Check("duplicates", copies == 0 if deduplicated else None, 0 if deduplicated else "not filtered", copies)


def _privacy(tables: Mapping[str, Any], natural: NaturalData | None, allow_personal_data: bool) -> Iterator[Check]:
    """Whether anything got out that must not. What counts is decided here: the published recipe may say otherwise."""
    rejected = tables["rejected"]
    open_ones = [
        request
        for request, name, is_open in zip(
            column_values(rejected, "request_id"),
            column_values(rejected, "filter"),
            rejected.column("text").is_valid().to_pylist(),
            strict=True,
        )
        if name in HIDING and is_open
    ]
    yield agreement("texts that should be hidden", [], open_ones)
    personal = PersonalData()
    columns = [tables[name].column("text").combine_chunks().drop_null() for name in ("unfiltered", "rejected")]
    count = sum(len(personal.find_in(texts)) for texts in columns)
    expected = "allowed by whoever verifies" if allow_personal_data else 0
    yield Check("texts with personal data", count == 0 or (None if allow_personal_data else False), expected, count)
    yield agreement("texts with something like a secret", 0, sum(len(texts_with_secrets(texts)) for texts in columns))
    if natural is None:
        yield Check("overlap with natural rows", None, 0, "the natural rows cannot be read")
        return
    index = NaturalTexts(natural)
    copies = sum(index.is_copy(text) for texts in columns for part in text_parts(texts) for text in part if text)
    yield agreement("natural rows among the texts", 0, copies)


def _natural_rows(manifest: DatasetManifest | ModelManifest, natural: NaturalData | None) -> Iterator[Check]:
    """The natural rows read now are those that the version was made from; nothing where either side cannot tell."""
    if natural is None or "splits" not in natural.source:
        return
    splits = natural.source["splits"]
    for split, published in manifest.natural.get("splits", {}).items():
        yield agreement(f"natural {split} rows", published["content_digest"], splits[split]["content_digest"])


def _labels_that_train_nothing(head: RepoHead, manifest: DatasetManifest | ModelManifest) -> Iterator[Check]:
    """A note where every variant spent labels on validation alone, as all did before every label trained."""
    count = ((manifest.label_budget or {}).get("uses") or {}).get("validation")
    if count:
        held_out = _recipe_section(head, "natural").get("validation") == "held_out"
        why = "as its recipe asks" if held_out else "as all studies did before every label trained (decision 15)"
        note = f"{count} labels chose and trained nothing, {why}: natural rows can do better than its `natural`"
        yield Check("every human label trains", None, "0 labels for validation alone", note)


def _recipe_section(head: RepoHead, name: str) -> Mapping[str, Any]:
    """A section of the published recipe as it is written; empty where it is not there or no YAML."""
    try:
        content = load_yaml(head.text("recipe.yaml") or "{}")
    except YamlError:
        return {}
    section = content.get(name) if isinstance(content, dict) else None
    return section if isinstance(section, dict) else {}


def _measured(
    head: RepoHead, tag: str, manifest: ModelManifest, test: Sequence[Row]
) -> dict[str, tuple[float, float, float]]:
    """The model's scores on the natural test rows with both ends of their intervals, as whoever opens it gets them."""
    import numpy as np

    from sentisynth_hub.pretrained.classifier import open_classifier
    from sentisynth_hub.verdict.statistics.single_model import single_model_scores

    place = {label: number for number, label in enumerate(manifest.labels)}
    predicted = open_classifier(head.repo_id, tag).predict([row.text for row in test])
    truth, answers = (np.array([place[str(label)] for label in part]) for part in ([r.label for r in test], predicted))
    scores = single_model_scores(truth, answers, len(place))
    return {str(name): tuple(rounded([score.value, score.low, score.high])) for name, score in scores.items()}
