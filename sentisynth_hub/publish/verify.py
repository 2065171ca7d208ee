"""Verifying a published version: everything its manifest and card say that the data can say again is computed again
from the data."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from sentisynth_hub import __version__
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.rows import Row, content_digest
from sentisynth_hub.core.text import normalised, text_id
from sentisynth_hub.filter.personal_data import PersonalData
from sentisynth_hub.natural.splits import NaturalData
from sentisynth_hub.publish.cards.front_matter import split_card
from sentisynth_hub.publish.cards.published_manifest import ConfigRecord, DatasetManifest, ModelManifest, rounded
from sentisynth_hub.publish.cards.render import render_dataset_card, render_model_card
from sentisynth_hub.publish.checks.safety import HIDING, NaturalTexts
from sentisynth_hub.publish.dataset_tables import read_config
from sentisynth_hub.publish.repo_head import Head, read_head
from sentisynth_hub.publish.versions.corpus_statistics import statistics
from sentisynth_hub.publish.versions.digests import table_digests
from sentisynth_hub.publish.versions.tags import parse_tag
from sentisynth_hub.recipe import Recipe


_ROUNDING = 1e-5  # scores are stored with six digits


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: what is said, what was found, and whether they agree (None: it could not be
    looked at)."""

    name: str
    agrees: bool | None
    said: Any
    found: Any

    def record(self) -> dict[str, Any]:
        """JSON-ready."""
        return dict(vars(self))


def read_version(spec: str, repo_type: str | None = None) -> Head:
    """Find `namespace/name@vX.Y.Z`, as a dataset or else as a model.

    Raises:
        InputError: There is no such repo, tag or manifest.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RevisionNotFoundError

    repo_id, _, tag = spec.partition("@")
    if repo_id.count("/") != 1 or parse_tag(tag) is None:
        raise InputError(f"{spec}: write namespace/name@vX.Y.Z")
    for kind in [repo_type] if repo_type else ["dataset", "model"]:
        try:
            head = read_head(HfApi(), repo_id, kind, tag)
        except RevisionNotFoundError:
            raise InputError(f"{spec}: {repo_id} has no tag {tag}; see its tags on its page") from None
        if head is not None and head.manifest is not None:
            return head
    raise InputError(f"{spec}: no repo published by sentisynth-hub there that you may read; check the id and HF_TOKEN")


def verify_dataset(head: Head, tag: str, natural: NaturalData | None = None) -> list[Check]:
    """Check a dataset version; `natural` rows, where they can be read, are looked for in it."""
    manifest = cast(DatasetManifest, head.manifest)
    tables = {name: _columns(head, record) for name, record in manifest["configs"].items()}
    checks = [*_identity(head, tag), *_files(head, manifest["files"])]
    for name, record in manifest["configs"].items():
        checks += _config(head, name, record, tables[name], manifest["labels"])
    checks += _numbers(head, manifest, tables)
    checks += _privacy(head, tables, natural)
    checks += _natural_rows(manifest, natural)
    checks.append(_card(head, render_dataset_card(manifest, head.text("README.md") or "")))
    return checks


def verify_model(head: Head, tag: str, natural: NaturalData | None = None) -> list[Check]:
    """Check a model version; with `natural` rows its test scores are measured again with plain `pipeline()`."""
    manifest = cast(ModelManifest, head.manifest)
    checks = [*_identity(head, tag), *_files(head, manifest["files"])]
    checks.append(_card(head, render_model_card(manifest, head.text("README.md") or "")))
    checks += _natural_rows(manifest, natural)
    if natural is None:
        return [*checks, Check("test scores", None, manifest["scores"], "the natural test rows cannot be read")]
    found = _measured(head, tag, manifest, natural.test)
    near = all(abs(found[name] - said) < _ROUNDING for name, said in manifest["scores"].items())
    return [*checks, Check("test scores", near, manifest["scores"], found)]


def published_recipe(head: Head, folder: Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe that a version published, laid out in `folder` with its prompt.

    Args:
        overrides: `key.path=value`, mostly where natural files and model folders lie on this machine.

    Raises:
        RecipeError: It does not load with this version of the toolkit, or an override is wrong.
    """
    from sentisynth_hub.recipe import load_recipe

    for name in ("recipe.yaml", "prompt.jinja2"):
        (folder / name).write_text(head.text(name) or "", "utf-8")
    return load_recipe(str(folder), overrides)


def _check(name: str, said: Any, found: Any) -> Check:
    return Check(name, said == found, said, found)


def _identity(head: Head, tag: str) -> Iterator[Check]:
    assert head.manifest is not None
    yield _check("version in the manifest", tag, f"v{head.manifest['version']}")
    yield _check("repo in the manifest", head.repo_id, head.manifest["repo_id"])
    yield _check("commit of the tag", head.tags.get(tag), head.commit)


def _files(head: Head, said: Sequence[str]) -> Iterator[Check]:
    yield _check("files that are missing", [], sorted(set(said) - head.paths))


def _columns(head: Head, record: ConfigRecord) -> dict[str, list[Any]]:
    """A config's columns over all its shards."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    paths = [head.file(path) for path in sorted(record["files"])]
    table = pa.concat_tables([pq.read_table(path) for path in paths if path is not None])
    return {name: table.column(name).to_pylist() for name in table.column_names}


def _config(
    head: Head, name: str, record: ConfigRecord, columns: dict[str, list[Any]], labels: Sequence[str]
) -> Iterator[Check]:
    yield _check(f"{name}: columns", list(record["columns"]), list(columns))
    if list(record["columns"]) != list(columns):
        return
    yield _check(f"{name}: rows", record["rows"], len(next(iter(columns.values()))))
    sizes = {path: local.stat().st_size for path in record["files"] if (local := head.file(path)) is not None}
    yield _check(f"{name}: bytes", record["files"], sizes)
    named = {
        column: [None if value is None else labels[value] for value in columns[column]]
        if kind == "label"
        else columns[column]
        for column, kind in record["columns"].items()
    }
    exact, values = table_digests(record["columns"], named)
    if name == "default":
        exact = content_digest(Row(text, label) for text, label in zip(named["text"], named["label"], strict=True))
    yield _check(f"{name}: digest", record["digest"], exact)
    yield _check(f"{name}: digest with scores", record["values_digest"], values)
    if "text" in columns:
        wrong = [
            i
            for i, text in zip(columns["id"], columns["text"], strict=True)
            if text is not None and i != text_id(text)
        ]
        yield _check(f"{name}: ids that are not their text's", [], wrong)


def _numbers(head: Head, manifest: DatasetManifest, tables: Mapping[str, dict[str, list[Any]]]) -> Iterator[Check]:
    """The numbers of the card."""
    paths = [local for path in manifest["configs"]["default"]["files"] if (local := head.file(path)) is not None]
    kept = read_config(paths, manifest["labels"])
    rejected, lineage = tables["rejected"], tables["lineage"]
    measured = statistics(kept, manifest["labels"], words=manifest["statistics"]["distinct_2_words"])
    yield _check("content digest", manifest["content_digest"], content_digest(kept))
    yield _check("statistics", manifest["statistics"], rounded(measured))
    yield _check("candidates", manifest["candidates"], len(kept) + len(rejected["request_id"]))
    counted = Counter(f"{name}: {reason}" for name, reason in zip(rejected["filter"], rejected["reason"], strict=True))
    said = {f"{step['filter']}: {step['reason']}": step["rejected"] for step in manifest["funnel"]}
    yield _check("funnel", said, dict(counted))
    yield _check("hidden texts", manifest["hidden"], sum(text is None for text in rejected["text"]))
    cost = manifest["cost"]
    yield _check("prompt tokens", cost["prompt_tokens"], sum(lineage["prompt_tokens"]))
    yield _check("completion tokens", cost["completion_tokens"], sum(lineage["completion_tokens"]))
    usd = None if None in lineage["cost_usd"] else sum(lineage["cost_usd"])
    yield _check("dollars", cost["usd"], rounded(usd))
    shown = tables["unfiltered"]
    ids = Counter(i for i, is_kept in zip(shown["id"], shown["kept"], strict=True) if is_kept)
    yield _check("kept rows of unfiltered are those of default", True, ids == Counter(row.id for row in kept))
    unknown = {*shown["request_id"], *rejected["request_id"]} - set(lineage["request_id"])
    yield _check("candidates without lineage", [], sorted(unknown))
    texts = {(row.label, row.text[:300]) for row in kept}
    yield _check("examples that are not rows", [], [e for e in manifest["examples"] if tuple(e) not in texts])
    copies = len(kept) - len({normalised(row.text) for row in kept})
    deduplicated = "exact_duplicates" in _recipe_section(head, "filter")
    yield Check("duplicates", copies == 0 if deduplicated else None, 0 if deduplicated else "not filtered", copies)


def _privacy(head: Head, tables: Mapping[str, dict[str, list[Any]]], natural: NaturalData | None) -> Iterator[Check]:
    rejected = tables["rejected"]
    open_ones = [
        request
        for request, name, text in zip(rejected["request_id"], rejected["filter"], rejected["text"], strict=True)
        if name in HIDING and text is not None
    ]
    yield _check("texts that should be hidden", [], open_ones)
    wanted = _recipe_section(head, "filter").get("personal_data") or {}
    personal = PersonalData(tuple(wanted["regions"])) if "regions" in wanted else PersonalData()
    shown = [text for name in ("unfiltered", "rejected") for text in tables[name]["text"] if text is not None]
    found = sum(personal.find(text) is not None for text in shown)
    allowed = bool(_recipe_section(head, "publish").get("allow_personal_data"))
    yield Check("texts with personal data", None if allowed else found == 0, "allowed" if allowed else 0, found)
    if natural is None:
        yield Check("overlap with natural rows", None, 0, "the natural rows cannot be read")
        return
    index = NaturalTexts(natural)
    yield _check("natural rows among the texts", 0, sum(index.is_copy(text) for text in shown))


def _natural_rows(manifest: DatasetManifest | ModelManifest, natural: NaturalData | None) -> Iterator[Check]:
    """The natural rows read now are those that the version was made from; nothing where either side cannot tell."""
    if natural is None or "splits" not in natural.source:
        return
    found = natural.source["splits"]
    for split, said in manifest["natural"].get("splits", {}).items():
        yield _check(f"natural {split} rows", said["content_digest"], found[split]["content_digest"])


def _recipe_section(head: Head, name: str) -> Mapping[str, Any]:
    """A section of the published recipe as it is written; empty where it is not there."""
    content = yaml.safe_load(head.text("recipe.yaml") or "{}")
    return dict(content.get(name) or {})


def _card(head: Head, rendered: str) -> Check:
    """The card is what its manifest gives, so every number on it is one of the manifest's.

    Another version of the toolkit words its cards otherwise: then a card that differs says nothing.
    """
    found = head.text("README.md") or ""
    split_card(found)
    name = "card says what the manifest says"
    if found == rendered:
        return Check(name, True, "equal", "equal")
    assert head.manifest is not None
    if (by := head.manifest["toolkit"]) != __version__:
        return Check(name, None, "equal", f"different; written by sentisynth-hub {by}, compare with that version")
    return Check(name, False, "equal", "different")


def _measured(head: Head, tag: str, manifest: ModelManifest, test: Sequence[Row]) -> dict[str, float]:
    """The model's scores on the natural test rows, through plain `pipeline()`."""
    import numpy as np

    from sentisynth_hub.metrics.classification import METRICS, confusion_counts
    from sentisynth_hub.model.stage import best, classify

    place = {label: number for number, label in enumerate(manifest["labels"])}
    predicted = [best(scores) for scores in classify(head.repo_id, [row.text for row in test], revision=tag)]
    counts = confusion_counts(
        np.array([place[str(row.label)] for row in test]), np.array([place[label] for label in predicted]), len(place)
    )
    return cast(dict[str, float], rounded({name: float(measure(counts)) for name, measure in METRICS.items()}))
