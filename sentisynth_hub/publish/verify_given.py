"""Verifying a published version of what was there already: digests and numbers are computed again from its files."""

import hashlib
from collections.abc import Iterator
from functools import partial

from sentisynth_hub.core.errors import PublishError
from sentisynth_hub.publish.card_check import Check, check_card
from sentisynth_hub.publish.cards.published_manifest import GivenDatasetManifest, GivenModelManifest, rounded
from sentisynth_hub.publish.cards.render import render_card
from sentisynth_hub.publish.checks.secret_scan import texts_with_secrets
from sentisynth_hub.publish.given_dataset import GATES, check_gates, published_splits, repeated_texts
from sentisynth_hub.publish.given_tables import read_published, table_digest
from sentisynth_hub.publish.repo_head import RepoHead
from sentisynth_hub.publish.verify import agreement, file_checks, identity_checks, readable
from sentisynth_hub.publish.versions.corpus_statistics import statistics


def is_given(head: RepoHead) -> bool:
    """Whether the version is of something that was there already."""
    return isinstance(head.manifest, GivenDatasetManifest | GivenModelManifest)


def verify_given(head: RepoHead, tag: str) -> list[Check]:
    """Check a version of a data set or of a model that nobody generated here."""
    manifest = head.manifest
    assert isinstance(manifest, GivenDatasetManifest | GivenModelManifest)
    checks = [*identity_checks(head, tag), *file_checks(head, manifest.files)]
    if isinstance(manifest, GivenDatasetManifest):
        checks += readable("splits", _splits(head, manifest))
    else:
        checks += readable("model", _weights(head, manifest))
    return [*checks, *check_card(head, partial(render_card, manifest))]


def _splits(head: RepoHead, manifest: GivenDatasetManifest) -> Iterator[Check]:
    import pyarrow as pa

    for name, record in manifest.splits.items():
        paths = [local for path in record["files"] if (local := head.file(path)) is not None]
        columns = read_published(paths) if paths else {}
        yield agreement(f"{name}: columns", list(manifest.columns), list(columns))
        if list(columns) != list(manifest.columns):
            continue
        yield agreement(f"{name}: rows", record["rows"], len(columns[manifest.text_column]))
        yield agreement(f"{name}: digest", record["digest"], table_digest(manifest.columns, columns, manifest.labels))
    rows = published_splits(head, manifest)
    everything = [row for part in rows.values() for row in part]
    words = manifest.statistics["distinct_2_words"]
    measured = rounded(statistics(everything, manifest.labels, words=words))
    yield agreement("statistics", manifest.statistics, measured)
    yield agreement("repeated texts", manifest.repeated, repeated_texts(rows))
    texts = {(row.label or "", row.text[:300]) for row in everything}
    yield agreement("examples that are not rows", [], [e for e in manifest.examples if tuple(e) not in texts])
    texts_of_rows = pa.array([row.text for row in everything], pa.large_string())
    yield agreement("texts with something like a secret", 0, len(texts_with_secrets(texts_of_rows)))
    for gate in manifest.gates:
        try:
            check_gates(rows, [gate] if gate in GATES else [])
        except PublishError as error:
            yield Check(f"gate {gate}", False, "passed", str(error))
        else:
            yield Check(f"gate {gate}", True if gate in GATES else None, "passed", "passed")


def _weights(head: RepoHead, manifest: GivenModelManifest) -> Iterator[Check]:
    digests = {}
    for path in manifest.weights:
        local = head.file(path)
        if local is not None:
            with open(local, "rb") as handle:
                digests[path] = hashlib.file_digest(handle, "sha256").hexdigest()
    yield agreement("files of the model", manifest.weights, digests)
    yield Check("test scores", None, manifest.scores, "the test rows are not published")
