"""The difference of two versions, or of a run and a version: rows, labels, drift, with examples."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.files import read_json
from sentisynth_hub.core.hub_endpoint import hub_api
from sentisynth_hub.core.repo_ids import repo_id_problem
from sentisynth_hub.core.rows import Row, read_rows
from sentisynth_hub.core.run_folder import MANIFEST, current_stage
from sentisynth_hub.publish.cards.published_manifest import DatasetManifest, GivenDatasetManifest, rounded
from sentisynth_hub.publish.dataset_repo import published_rows, said_by
from sentisynth_hub.publish.dataset_tables import ROW_COLUMNS
from sentisynth_hub.publish.given_dataset import published_splits
from sentisynth_hub.publish.repo_head import read_head
from sentisynth_hub.publish.versions.changes import Changes, RowChanges, compare_rows, dataset_changes
from sentisynth_hub.publish.versions.corpus_statistics import side_by_side
from sentisynth_hub.publish.versions.recipe_changes import RecipeChange, recipe_changes


_SHOWN = 5
_WIDTH = 76


@dataclass(frozen=True)
class Side:
    """One of the two corpora compared: its name, label names, columns and rows; recipe and evaluation of a published
    version."""

    name: str
    labels: list[str]
    columns: dict[str, str]
    rows: list[Row]
    recipe: str | None = None
    evaluation: Mapping[str, Any] | None = None


def read_side(spec: str) -> Side:
    """Read `namespace/name@revision` from the Hub, or a run folder (`runs/<recipe>`, its current filter
    stage).

    Raises:
        InputError: Neither is there; says what was looked for.
    """
    folder = Path(spec)
    if folder.is_dir():
        return _read_run(folder)
    repo_id, _, revision = spec.partition("@")
    if (problem := repo_id_problem(repo_id)) is not None:
        raise InputError(f"{spec}: neither a folder here nor a repo written namespace/name@tag ({problem})")
    from huggingface_hub.errors import RevisionNotFoundError

    try:
        head = read_head(hub_api(), repo_id, "dataset", revision or "main")
    except RevisionNotFoundError:
        raise InputError(f"{spec}: {repo_id} has no revision {revision!r}; see its tags on its page") from None
    if head is not None and isinstance(head.manifest, GivenDatasetManifest):
        given = head.manifest
        everything = [row for rows in published_splits(head, given).values() for row in rows]
        return Side(spec, given.labels, given.columns, everything)
    if head is None or not isinstance(head.manifest, DatasetManifest):
        raise InputError(
            f"{spec}: no dataset published by sentisynth-hub there that you may read; check the id and HF_TOKEN"
        )
    manifest = head.manifest
    rows = published_rows(head, manifest)
    columns = manifest.configs["default"]["columns"]
    return Side(spec, manifest.labels, columns, rows, head.text("recipe.yaml"), manifest.evaluation)


def compare(before: Side, after: Side) -> tuple[Changes, RowChanges]:
    """What changed from one side to the other, and the rows it changed in."""
    rows = compare_rows(before.rows, after.rows)
    changes = dataset_changes(
        before.name,
        labels=(before.labels, after.labels),
        columns=(before.columns, after.columns),
        rows=rows.counts(),
        metadata=[],
        statistics=side_by_side(before.rows, after.rows, (before.labels, after.labels)),
    )
    if before.recipe is not None and after.recipe is not None:
        changes = {**changes, "recipe": recipe_changes(before.recipe, after.recipe)}
    return changes, rows


def record(before: Side, after: Side) -> dict[str, Any]:
    """The difference, JSON-ready, with up to five examples of each kind of change."""
    changes, rows = compare(before, after)
    return {
        "before": before.name,
        "after": after.name,
        "changes": rounded(changes),
        "relabelled": dict(sorted(_moves(rows).items())),
        "examples": {
            "added": [_shown(row) for row in rows.added[:_SHOWN]],
            "removed": [_shown(row) for row in rows.removed[:_SHOWN]],
            "relabelled": [{**_shown(new), "label_before": old.label} for old, new in rows.relabelled[:_SHOWN]],
        },
    }


def lines(before: Side, after: Side) -> list[str]:
    """The difference for a terminal."""
    changes, rows = compare(before, after)
    counts, old, new = changes["rows"], changes["before"], changes["after"]
    assert counts is not None
    assert old is not None
    assert new is not None
    labels = list(dict.fromkeys([*old["labels"], *new["labels"]]))
    table = [
        ("", before.name, after.name),
        ("rows", f"{old['rows']:,}", f"{new['rows']:,}"),
        *[(f"  {label}", f"{old['labels'].get(label, 0):,}", f"{new['labels'].get(label, 0):,}") for label in labels],
        ("words, symbols a row", f"{old['words_mean']:.2f}", f"{new['words_mean']:.2f}"),
        (f"distinct pairs in {old['distinct_2_words']:,}", f"{old['distinct_2']:.3f}", f"{new['distinct_2']:.3f}"),
        ("code-mixing index", _number(old["cmi_mean"]), _number(new["cmi_mean"])),
    ]
    text = [f"{name:<22} {left:>20} {right:>20}" for name, left, right in table]
    text += ["", f"+{counts['added']:,} rows, -{counts['removed']:,} rows, {counts['relabelled']:,} relabelled"]
    text += [f"label balance moved by {100 * (changes['balance_shift'] or 0):.1f} % (total variation distance)"]
    reasons = ", ".join(changes["reasons"]) or "nothing changed"
    text += [f"{changes['level']} change: {reasons}" if changes["reasons"] else reasons, ""]
    text += [_recipe_line(change) for change in changes.get("recipe", [])]
    text += _verdict_lines(before, after)
    text += [f"  + {row.label}: {log.printable(row.text, _WIDTH)}" for row in rows.added[:_SHOWN]]
    text += [f"  - {row.label}: {log.printable(row.text, _WIDTH)}" for row in rows.removed[:_SHOWN]]
    text += [f"  ~ {o.label} -> {n.label}: {log.printable(n.text, _WIDTH)}" for o, n in rows.relabelled[:_SHOWN]]
    return text


def _read_run(folder: Path) -> Side:
    stage = current_stage(folder, "filter")
    labels = list(read_json(stage / MANIFEST)["key"]["recipe"]["labels"])
    rows = read_rows(stage / "replicate-0" / "kept.parquet")
    return Side(str(folder), labels, dict(ROW_COLUMNS), rows)


def _moves(rows: RowChanges) -> Counter[str]:
    return Counter(f"{old.label} -> {new.label}" for old, new in rows.relabelled)


def _shown(row: Row) -> dict[str, Any]:
    return {"id": row.id, "label": row.label, "text": row.text}


def _recipe_line(change: RecipeChange) -> str:
    before, after = ("unset" if value is None else value for value in (change["before"], change["after"]))
    return log.printable(f"  recipe {change['key']}: {before} -> {after}", _WIDTH + 80)


def _verdict_lines(before: Side, after: Side) -> list[str]:
    """The verdicts of two published versions, where they differ."""
    sentences = [said_by(side.evaluation) for side in (before, after)]
    if None in sentences or sentences[0] == sentences[1]:
        return []
    return [
        log.printable(f"  verdict of {side.name}: {text}", 240)
        for side, text in zip((before, after), sentences, strict=True)
    ]


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2f}"
