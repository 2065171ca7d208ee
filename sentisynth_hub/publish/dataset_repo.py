"""Planning a dataset version: from a release and the head to the files of one commit."""

import json
from collections.abc import Mapping, Sequence
from itertools import islice
from math import fsum
from pathlib import Path
from typing import Any, cast

from sentisynth_hub import __version__
from sentisynth_hub.core.errors import PublishError
from sentisynth_hub.core.files import json_digest
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.text import nfc
from sentisynth_hub.publish.card_figures import Pictures
from sentisynth_hub.publish.cards.published_manifest import (
    MANIFEST_FILE,
    SCHEMA,
    ConfigRecord,
    DatasetManifest,
    rounded,
)
from sentisynth_hub.publish.cards.render import render_changelog, render_dataset_card
from sentisynth_hub.publish.checks.licences import gather_licences
from sentisynth_hub.publish.checks.non_inferiority import check_budget
from sentisynth_hub.publish.checks.safety import (
    NaturalTexts,
    check_files,
    check_funnel,
    check_rows,
    check_tables,
    hidden_texts,
)
from sentisynth_hub.publish.dataset_tables import SCORES, Table, dataset_tables, read_config, write_parquet
from sentisynth_hub.publish.release import DatasetRelease, publishable_recipe, recipe_digest
from sentisynth_hub.publish.repo_head import RepoHead
from sentisynth_hub.publish.version_plan import Plan
from sentisynth_hub.publish.versions.changes import Changes, RowCounts, compare_rows, dataset_changes
from sentisynth_hub.publish.versions.corpus_statistics import (
    DIVERSITY_WORDS,
    Statistics,
    by_id,
    count_words,
    statistics,
)
from sentisynth_hub.publish.versions.tags import FIRST


_VOLATILE = ("toolkit", "inputs_digest")  # differ between runs that publish the very same thing
_EXAMPLES_PER_LABEL = 2
_NOT_PUBLISHED = ("format", "version", "per_rater")  # of human_evaluation.json


class DatasetPublication:
    """A checked release, ready to be planned against any head of `repo_id`; Parquet files are written under `folder`
    once.

    Raises:
        InputError, PublishError: The release may not be published (see `hub.last_look`, `hub.licences`).
    """

    repo_type = "dataset"

    def __init__(self, release: DatasetRelease, repo_id: str, folder: Path):
        self.release, self.repo_id, self.folder = release, repo_id, folder
        self.natural = NaturalTexts(release.natural)
        check_funnel(release)
        check_budget(release)
        check_rows(release, self.natural)
        hidden = hidden_texts(release, self.natural)
        self.tables = dataset_tables(release, hidden, release.hiding_key)
        check_tables(self.tables, release.recipe)
        self.texts = {"recipe.yaml": publishable_recipe(release.recipe)}
        if release.prompt_text:
            self.texts["prompt.jinja2"] = release.prompt_text
        self.facts = self._facts(sum(hidden))
        self.pictures = Pictures(self.facts["evaluation"])
        self._written: dict[str, tuple[ConfigRecord, dict[str, Path]]] = {}

    def plan(self, head: RepoHead | None) -> Plan:
        """Decide what to do about `head`.

        Raises:
            PublishError: The head cannot be built upon, or a planned file may not be published.
        """
        found = cast(DatasetManifest, head.manifest) if head is not None and head.manifest is not None else None
        if head is not None and found is not None and "configs" not in found:
            raise PublishError(f"{self.repo_id}: its {MANIFEST_FILE} is not a dataset's; name another repo")
        differing = self._differences(head, found) if head is not None and found is not None else []
        if found is not None and head is not None and not differing:
            assert head.version is not None
            return Plan(self.repo_id, "dataset", head.commit, head.version, None, {}, ())
        changes = self._changes(head, found, differing)
        version = FIRST if head is None or head.version is None else head.version.next(changes["level"])
        records, files = self._configs(found)
        figures, drawn = self.pictures.plan(head, found)
        manifest = self._manifest(version.tag[1:], records, changes, self._looks(found), figures)
        manifest = self._with_people(manifest, found)
        additions = {**self._files(manifest, head), **drawn}
        old = set(found["files"]) if found is not None else set()
        stale = (old - set(manifest["files"])) & head.paths if head is not None else set()
        parent = head.commit if head is not None else None
        return Plan(self.repo_id, "dataset", parent, version, changes, {**additions, **files}, tuple(sorted(stale)))

    def _facts(self, hidden: int) -> dict[str, Any]:
        """What the manifest says that does not depend on the head."""
        release, recipe = self.release, self.release.recipe
        steps = [
            {"filter": step["filter"], "reason": step["reason"], "rejected": step["rejected"]}
            for step in release.funnel
            if step["rejected"]
        ]
        ids = self.tables["default"].column("id")
        ordered = by_id(release.kept, ids)
        synthetic, natural = _side_by_side(ordered, sorted(ids), release.natural.train, recipe.labels)
        facts = {
            "schema": SCHEMA,
            "repo_id": self.repo_id,
            "recipe": {
                "name": recipe.name,
                "description": recipe.description,
                "digest": recipe_digest(self.texts["recipe.yaml"]),
            },
            "pretty_name": recipe.publish.pretty_name or _title(self.repo_id),
            "language": recipe.language,
            "labels": recipe.labels,
            "licence": gather_licences(recipe, release.pins),
            "evaluation": release.evaluation,
            "content_digest": self.tables["default"].digest,
            "statistics": synthetic,
            "natural_statistics": natural,
            "score_filter": _score_filter(self.tables["default"]),
            "candidates": len(release.kept) + len(release.rejected),
            "funnel": steps,
            "hidden": hidden,
            "label_budget": release.label_budget,
            "cost": self._cost(),
            "generator": self._generator(),
            "natural": _natural(release.natural.source),
            "prompt_digest": release.generation["prompt_digest"],
            "personal_data_checked": "personal_data" in recipe.filter.order,
            "examples": _examples(ordered, recipe.labels),
        }
        if release.dataset_model is not None:
            facts["model"] = release.dataset_model
        return cast(dict[str, Any], rounded(facts))

    def _cost(self) -> dict[str, Any]:
        costs = [line["cost_usd"] for line in self.release.lineage]
        usd = sum(costs) if costs and None not in costs else None
        study = _study_cost(self.release.generation.get("replicates", {}))
        return {
            **({"study": study} if study is not None else {}),
            "requests": self.release.requests,
            "prompt_tokens": sum(line["prompt_tokens"] for line in self.release.lineage),
            "completion_tokens": sum(line["completion_tokens"] for line in self.release.lineage),
            "usd": usd,
            "usd_per_kept": usd / len(self.release.kept) if usd is not None else None,
            "human_usd_per_row": self.release.recipe.generate.human_usd_per_row,
        }

    def _generator(self) -> dict[str, Any]:
        generation = self.release.generation
        model = generation["model"]
        made = {"id": model["id"], "commit": model["commit"], "num_shots": generation["num_shots"]}
        return made | ({"refresh": generation["refresh"]} if generation.get("refresh") else {})

    def _differences(self, head: RepoHead, found: DatasetManifest) -> list[str]:
        """What would differ if this were published as the head's version again; empty: nothing to do."""
        differing = [f"config {name} changed" for name in self.tables if self._config_differs(name, found)]
        differing += [f"config {name} removed" for name in found["configs"] if name not in self.tables]
        differing += [f"{path} changed" for path, content in self.texts.items() if head.text(path) != content]
        differing += [f"{path} restored" for path in found["files"] if path not in head.paths]
        if differing:
            return differing
        figures, _ = self.pictures.plan(head, found)
        manifest = self._manifest(found["version"], found["configs"], found["changes"], self._looks(found), figures)
        manifest = self._with_people(manifest, found)
        if _stable(manifest) != _stable(found):
            names = (name for name in {**manifest, **found} if name not in _VOLATILE)
            return [f"{name.replace('_', ' ')} changed" for name in names if manifest.get(name) != found.get(name)]
        existing = head.text("README.md") or ""
        return [] if existing == render_dataset_card(found, existing) else ["card changed"]

    def _config_differs(self, name: str, found: DatasetManifest) -> bool:
        record = found["configs"].get(name)
        table = self.tables[name]
        return record is None or record["digest"] != table.digest or record["columns"] != table.kinds

    def _changes(self, head: RepoHead | None, found: DatasetManifest | None, differing: list[str]) -> Changes:
        now = self.facts["statistics"]
        if head is None or found is None:
            rows = RowCounts(added=len(self.release.kept), removed=0, relabelled=0, unchanged=0)
            return dataset_changes(
                None, labels=([], []), columns=({}, {}), rows=rows, metadata=[], statistics=(None, now)
            )
        old = found["configs"]["default"]
        if old["digest"] == self.tables["default"].digest:
            rows = RowCounts(added=0, removed=0, relabelled=0, unchanged=len(self.release.kept))
        else:
            rows = compare_rows(published_rows(head, found), self.release.kept).counts()
        return dataset_changes(
            f"v{found['version']}",
            labels=(found["labels"], self.facts["labels"]),
            columns=(old["columns"], self.tables["default"].kinds),
            rows=rows,
            metadata=[reason for reason in differing if reason != "config default changed"],
            statistics=(found["statistics"], now),
        )

    def _configs(self, found: DatasetManifest | None) -> tuple[dict[str, ConfigRecord], dict[str, Path]]:
        """Records of all configs, and the local files of those whose values are not at the head already."""
        records: dict[str, ConfigRecord] = {}
        files: dict[str, Path] = {}
        for name, table in self.tables.items():
            old = found["configs"].get(name) if found is not None else None
            same_labels = found is not None and found["labels"] == self.facts["labels"]
            if (
                old is not None
                and same_labels
                and old["values_digest"] == table.values_digest
                and old["columns"] == table.kinds
            ):
                records[name] = old
                continue
            if name not in self._written:
                self._written[name] = write_parquet(table, self.folder, self.release.recipe.labels)
            records[name], written = self._written[name]
            files |= written
        return records, files

    def _looks(self, found: DatasetManifest | None) -> int:
        """How often test rows were looked at over the versions: a study that is told again is not a new look."""
        if self.facts["evaluation"] is None:
            return found["looks"] if found is not None else 0
        if found is None:
            return 1
        return found["looks"] + int(found["evaluation"] != self.facts["evaluation"])

    def _with_people(self, manifest: DatasetManifest, found: DatasetManifest | None) -> DatasetManifest:
        """The manifest with what people said of these very rows, in this run or at the head; of no single rater."""
        for one in (self.release.human_evaluation, found.get("human_evaluation") if found is not None else None):
            if one is not None and one["content_digest"] == manifest["content_digest"]:
                public = {name: value for name, value in one.items() if name not in _NOT_PUBLISHED}
                return cast(DatasetManifest, {**manifest, "human_evaluation": rounded(public)})
        return manifest

    def _manifest(
        self,
        version: str,
        configs: Mapping[str, ConfigRecord],
        changes: Changes,
        looks: int,
        figures: Sequence[str],
    ) -> DatasetManifest:
        data = [path for record in configs.values() for path in record["files"]]
        files = sorted([*data, *figures, *self.texts, "README.md", "CHANGELOG.md", MANIFEST_FILE])
        made = {
            **self.facts,
            "toolkit": __version__,
            "inputs_digest": self.release.inputs_digest,
            "version": version,
            "configs": configs,
            "changes": changes,
            "looks": looks,
            "files": files,
            **({"figures": list(figures)} if figures else {}),
        }
        return cast(DatasetManifest, rounded(made))

    def _files(self, manifest: DatasetManifest, head: RepoHead | None) -> dict[str, bytes | Path]:
        existing = {
            path: (head.text(path) if head is not None else None) or "" for path in ("README.md", "CHANGELOG.md")
        }
        texts = {
            **self.texts,
            "README.md": render_dataset_card(manifest, existing["README.md"]),
            "CHANGELOG.md": render_changelog(manifest, existing["CHANGELOG.md"]),
            MANIFEST_FILE: manifest_text(manifest),
        }
        check_files(texts, None if self.release.recipe.natural.publish_rows else self.natural)
        return {path: content.encode("utf-8") for path, content in texts.items()}


def manifest_text(manifest: Mapping[str, Any]) -> str:
    """sentisynth.json: an item a line, keys in the order they were made, which is the order of a card's columns and
    configs."""
    return json.dumps(manifest, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def published_rows(head: RepoHead, manifest: DatasetManifest) -> list[Row]:
    """Rows of the `default` config at `head`.

    Raises:
        PublishError: A data file of the manifest is not there.
    """
    paths = []
    for path in manifest["configs"]["default"]["files"]:
        local = head.file(path)
        if local is None:
            raise PublishError(
                f"{head.repo_id}: {path} of v{manifest['version']} is missing; restore it from the version's tag"
            )
        paths.append(local)
    return read_config(paths, manifest["labels"])


def _stable(manifest: Mapping[str, Any]) -> str:
    return json_digest({key: value for key, value in manifest.items() if key not in _VOLATILE})


def _side_by_side(
    kept: Sequence[Row], ids: Sequence[str], natural: Sequence[Row], labels: Sequence[str]
) -> tuple[Statistics, Statistics]:
    """Statistics of both corpora, their diversity on the same number of words."""
    words = min(count_words(kept, DIVERSITY_WORDS), count_words(natural, DIVERSITY_WORDS))
    return statistics(kept, labels, words=words, ids=ids), statistics(natural, labels, words=words)


def _study_cost(replicates: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    """What generating for all replicates took; None where there is one corpus, whose cost is told anyway."""
    if len(replicates) < 2:
        return None
    made = list(replicates.values())
    counts = {name: sum(one[name] for one in made) for name in ("requests", "prompt_tokens", "completion_tokens")}
    costs = [one["cost_usd"] for one in made]
    return {"replicates": len(made), **counts, "usd": None if None in costs else fsum(costs)}


def _natural(source: Mapping[str, Any]) -> dict[str, Any]:
    """What may be said of the natural source: ids, commits and counts, never a path."""
    names = ("dataset", "revision", "commit", "config_name", "licence", "splits", "left_out")
    return {"dataset": None, "commit": None, **{name: source[name] for name in names if name in source}}


def _score_filter(table: Table) -> tuple[str, str, float] | None:
    """The column, comparison and bound by which the card shows how to filter: the better half of the first score
    there is."""
    for name in SCORES:
        values = sorted(table.arrays[name].drop_null().to_pylist())
        if values:
            return name, "<=" if name == "perplexity" else ">=", float(f"{values[len(values) // 2]:.2g}")
    return None


def _examples(ordered: Sequence[Row], labels: list[str]) -> list[tuple[str, str]]:
    """The first rows of every label in the order of ids, which is as good as drawn by lot and always the same."""
    return [
        (label, nfc(row.text)[:300])
        for label in labels
        for row in islice((row for row in ordered if row.label == label), _EXAMPLES_PER_LABEL)
    ]


def _title(repo_id: str) -> str:
    return repo_id.split("/")[1].replace("-", " ").replace("_", " ").capitalize()
