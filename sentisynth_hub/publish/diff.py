"""The difference of two versions, or of a run and a version: rows, labels, drift, with examples."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.files import read_json
from sentisynth_hub.core.rows import Row, read_rows
from sentisynth_hub.core.run_folder import MANIFEST, current_stage
from sentisynth_hub.publish.cards.published_manifest import DatasetManifest, rounded
from sentisynth_hub.publish.dataset_repo import published_rows
from sentisynth_hub.publish.dataset_tables import ROW_COLUMNS
from sentisynth_hub.publish.repo_head import read_head
from sentisynth_hub.publish.versions.changes import Changes, RowChanges, compare_rows, dataset_changes
from sentisynth_hub.publish.versions.corpus_statistics import statistics


_SHOWN = 5
_WIDTH = 76


@dataclass(frozen=True)
class Side:
    """One of the two corpora compared: its name, label names, columns and rows."""

    name: str
    labels: list[str]
    columns: dict[str, str]
    rows: list[Row]


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
    if repo_id.count("/") != 1:
        raise InputError(f"{spec}: neither a folder here nor a repo written namespace/name@tag")
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RevisionNotFoundError

    try:
        head = read_head(HfApi(), repo_id, "dataset", revision or "main")
    except RevisionNotFoundError:
        raise InputError(f"{spec}: {repo_id} has no revision {revision!r}; see its tags on its page") from None
    if head is None or head.manifest is None or "configs" not in head.manifest:
        raise InputError(
            f"{spec}: no dataset published by sentisynth-hub there that you may read; check the id and HF_TOKEN"
        )
    manifest = cast(DatasetManifest, head.manifest)
    rows = published_rows(head, manifest)
    return Side(spec, manifest["labels"], manifest["configs"]["default"]["columns"], rows)


def compare(before: Side, after: Side) -> tuple[Changes, RowChanges]:
    """What changed from one side to the other, and the rows it changed in."""
    rows = compare_rows(before.rows, after.rows)
    changes = dataset_changes(
        before.name,
        labels=(before.labels, after.labels),
        columns=(before.columns, after.columns),
        rows=rows.counts(),
        metadata=[],
        statistics=(statistics(before.rows, before.labels), statistics(after.rows, after.labels)),
    )
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
        ("words a row", f"{old['words_mean']:.2f}", f"{new['words_mean']:.2f}"),
        ("distinct word pairs", f"{old['distinct_2']:.3f}", f"{new['distinct_2']:.3f}"),
        ("code-mixing index", _number(old["cmi_mean"]), _number(new["cmi_mean"])),
    ]
    text = [f"{name:<22} {left:>20} {right:>20}" for name, left, right in table]
    text += ["", f"+{counts['added']:,} rows, -{counts['removed']:,} rows, {counts['relabelled']:,} relabelled"]
    text += [f"label balance moved by {100 * (changes['balance_shift'] or 0):.1f} % (total variation distance)"]
    reasons = ", ".join(changes["reasons"]) or "nothing changed"
    text += [f"{changes['level']} change: {reasons}" if changes["reasons"] else reasons, ""]
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


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2f}"
