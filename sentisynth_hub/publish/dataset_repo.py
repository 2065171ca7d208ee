"""Planning a dataset version: from a release and the head to the files of one commit."""

from collections.abc import Mapping, Sequence
from itertools import islice
from math import fsum
from pathlib import Path
from typing import Any, cast

from sentisynth_hub.core.errors import DataError, PublishError
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.text import nfc
from sentisynth_hub.publish.cards.published_manifest import (
    ConfigRecord,
    DatasetManifest,
    rounded,
)
from sentisynth_hub.publish.checks.non_inferiority import check_budget
from sentisynth_hub.publish.checks.safety import (
    check_funnel,
    check_rows,
    check_tables,
    hidden_texts,
)
from sentisynth_hub.publish.dataset_tables import SCORES, Table, dataset_tables, read_config, write_parquet
from sentisynth_hub.publish.publication import Content, Publication, natural_source, release_parts
from sentisynth_hub.publish.release import DatasetRelease
from sentisynth_hub.publish.repo_head import RepoHead
from sentisynth_hub.publish.versions.changes import (
    Changes,
    RowCounts,
    RowExample,
    compare_rows,
    dataset_changes,
    row_examples,
)
from sentisynth_hub.publish.versions.corpus_statistics import (
    DIVERSITY_WORDS,
    Statistics,
    by_id,
    count_words,
    row_ids,
    side_by_side,
    statistics,
)
from sentisynth_hub.verdict.evaluation import parse_evaluation
from sentisynth_hub.verdict.evaluation_text import verdict_sentence


_NATURAL = ("dataset", "revision", "commit", "config_name", "licence", "splits", "left_out")
_EXAMPLES_PER_LABEL = 2
_NOT_PUBLISHED = ("format", "version", "per_rater")  # of human_evaluation.json


_Comparison = tuple[RowCounts, Statistics, Statistics, list[RowExample]]


class DatasetPublication(Publication[DatasetManifest]):
    """A corpus, ready to be planned against any head of `repo_id`; Parquet files are written under `folder` once.

    Raises:
        InputError, PublishError: The release may not be published (see `checks.safety`, `checks.licences`).
    """

    repo_type = "dataset"
    manifest_kind = DatasetManifest

    def __init__(self, release: DatasetRelease, repo_id: str, folder: Path):
        texts, common, natural = release_parts(release)
        super().__init__(repo_id, texts, common, natural=natural)
        self.release, self.folder = release, folder
        check_funnel(release)
        check_budget(release)
        check_rows(release, natural)
        hidden = hidden_texts(release, natural)
        self.tables = dataset_tables(release, hidden, release.hiding_key)
        check_tables(self.tables, allow_invented_keys=release.recipe.publish.allow_invented_keys)
        if release.prompt_text:
            self.texts["prompt.jinja2"] = release.prompt_text
        self.facts = self._facts(sum(hidden))
        self._written: dict[str, tuple[ConfigRecord, dict[str, Path]]] = {}
        self._compared: tuple[str, RowCounts, Statistics, Statistics, list[RowExample]] | None = None

    @property
    def shows_natural_rows(self) -> bool:
        """Whether the recipe publishes them."""
        return self.release.recipe.natural.publish_rows

    def changed_content(self, head: RepoHead, standing: DatasetManifest) -> list[str]:
        """Configs whose lines differ, or that are gone."""
        changed = [f"config {name} changed" for name in self.tables if self._config_differs(name, standing)]
        return changed + [f"config {name} removed" for name in standing.configs if name not in self.tables]

    def changes(self, head: RepoHead | None, standing: DatasetManifest | None, differences: list[str]) -> Changes:
        """What changed for whoever loads the rows, and what else."""
        now = self.facts["statistics"]
        if head is None or standing is None:
            rows = RowCounts(added=len(self.release.kept), removed=0, relabelled=0, unchanged=0)
            return dataset_changes(
                None, labels=([], []), columns=({}, {}), rows=rows, metadata=[], statistics=(None, now)
            )
        old = standing.configs["default"]
        if old["digest"] == self.tables["default"].digest:
            rows = RowCounts(added=0, removed=0, relabelled=0, unchanged=len(self.release.kept))
            before = after = now
            examples: list[RowExample] = []
        else:
            rows, before, after, examples = self._compare(head, standing)
        changes = dataset_changes(
            standing.tag,
            labels=(standing.labels, self.release.recipe.labels),
            columns=(old["columns"], self.tables["default"].kinds),
            rows=rows,
            metadata=[reason for reason in differences if reason != "config default changed"],
            statistics=(before, after),
        )
        changes["recipe"] = self.recipe_changes(head)
        changes["examples"] = examples
        before, after = said_by(standing.evaluation), said_by(self.figures.evaluation)
        if before is not None and after is not None and before != after:
            changes["claims"] = {"before": before, "after": after}
        return changes

    def content(self, standing: DatasetManifest | None) -> Content:
        """Records of all configs, and the local files of those whose values are not at the head already."""
        records: dict[str, ConfigRecord] = {}
        files: dict[str, bytes | Path] = {}
        for name, table in self.tables.items():
            old = standing.configs.get(name) if standing is not None else None
            same_labels = standing is not None and standing.labels == self.release.recipe.labels
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
        return self._content(records, files, standing)

    def kept_content(self, standing: DatasetManifest) -> Content:
        """The head's configs: values that moved without a line of the digest make no version."""
        return self._content(standing.configs, {}, standing)

    def _content(
        self,
        records: Mapping[str, ConfigRecord],
        files: dict[str, bytes | Path],
        standing: DatasetManifest | None,
    ) -> Content:
        record: dict[str, Any] = {"configs": records} | self._looks(standing)
        human = self._ratings(standing)
        if human is not None:
            record["human_evaluation"] = human
        return Content(record, [path for config in records.values() for path in config["files"]], files)

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
            "pretty_name": recipe.publish.pretty_name or _title(self.repo_id),
            "content_digest": self.tables["default"].digest,
            "statistics": synthetic,
            "natural_statistics": natural,
            "score_filter": _score_filter(self.tables["default"]),
            "candidates": len(release.kept) + len(release.rejected),
            "funnel": steps,
            "hidden": hidden,
            "cost": self._cost(),
            "generator": self._generator(),
            "natural": natural_source(release.natural.source, _NATURAL),
            "prompt_digest": release.generation["prompt_digest"],
            "personal_data_checked": "personal_data" in recipe.filter.order,
            "examples": _examples(ordered, recipe.labels),
        }
        if release.dataset_model is not None:
            facts["model"] = release.dataset_model
        if release.mixing is not None:
            facts["mixing"] = dict(release.mixing)
        return cast(dict[str, Any], rounded(facts))

    def _cost(self) -> dict[str, Any]:
        costs = [line["cost_usd"] for line in self.release.lineage]
        usd = sum(costs) if costs and None not in costs else None
        study = _study_cost(self.release.generation.get("replicates", {}))
        generate = self.release.recipe.generate
        human = generate.human_usd_per_row if "human_usd_per_row" in generate.model_fields_set else None
        return {
            **({"study": study} if study is not None else {}),
            "requests": self.release.requests,
            "prompt_tokens": sum(line["prompt_tokens"] for line in self.release.lineage),
            "completion_tokens": sum(line["completion_tokens"] for line in self.release.lineage),
            "usd": usd,
            "usd_per_kept": usd / len(self.release.kept) if usd is not None else None,
            "human_usd_per_row": human,
        }

    def _generator(self) -> dict[str, Any]:
        generation = self.release.generation
        models = list(generation.get("writers", {}).values()) or [generation["model"]]
        record = {
            "id": ", ".join(model["id"] for model in models),
            "commit": models[0]["commit"] if len(models) == 1 else None,
            "num_shots": generation["num_shots"],
        }
        return record | ({"refresh": generation["refresh"]} if generation.get("refresh") else {})

    def _config_differs(self, name: str, standing: DatasetManifest) -> bool:
        record = standing.configs.get(name)
        table = self.tables[name]
        return record is None or record["digest"] != table.digest or record["columns"] != table.kinds

    def _compare(self, head: RepoHead, standing: DatasetManifest) -> "_Comparison":
        """Rows that differ from the head's, and both corpora measured on the same number of words; once a head."""
        if self._compared is None or self._compared[0] != head.commit:
            rows = published_rows(head, standing)
            kept, labels = self.release.kept, (standing.labels, self.release.recipe.labels)
            ids = row_ids(rows), self.tables["default"].column("id")
            before, after = side_by_side(rows, kept, labels, ids)
            compared = compare_rows(rows, kept, ids)
            numbers = rounded(before), rounded(after)
            self._compared = head.commit, compared.counts(), *numbers, row_examples(compared)
        return self._compared[1:]

    def _looks(self, standing: DatasetManifest | None) -> dict[str, Any]:
        """How often test rows were looked at: a study that is told again is not a new look."""
        evaluation, counted = self.figures.evaluation, self.release.test_set
        if standing is not None and evaluation in (None, standing.evaluation):
            return {"looks": standing.looks, "recipes": standing.recipes, "test_set": standing.test_set}
        looks = (standing.looks if standing is not None else 0) + (evaluation is not None)
        if counted is None:
            return {"looks": looks, "recipes": None, "test_set": None}
        return {"looks": max(looks, counted.looks), "recipes": counted.recipes, "test_set": counted.test_set}

    def _ratings(self, standing: DatasetManifest | None) -> dict[str, Any] | None:
        """What people said of these very rows, in this run or at the head; of no single rater."""
        for record in (self.release.human_evaluation, standing.human_evaluation if standing is not None else None):
            if record is not None and record["content_digest"] == self.facts["content_digest"]:
                return {name: value for name, value in record.items() if name not in _NOT_PUBLISHED}
        return None


def said_by(evaluation: Mapping[str, Any] | None) -> str | None:
    """The verdict of a published evaluation; None where there is none, or an older version wrote it."""
    if evaluation is None:
        return None
    try:
        return verdict_sentence(parse_evaluation(evaluation))
    except DataError:
        return None


def published_rows(head: RepoHead, manifest: DatasetManifest) -> list[Row]:
    """Rows of the `default` config at `head`.

    Raises:
        PublishError: A data file of the manifest is not there, or cannot be read.
    """
    paths = []
    for path in manifest.configs["default"]["files"]:
        local = head.file(path)
        if local is None:
            raise PublishError(
                f"{head.repo_id}: {path} of {manifest.tag} is missing; restore it from the version's tag"
            )
        paths.append(local)
    return read_config(paths, manifest.labels)


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
    records = list(replicates.values())
    counts = {
        name: sum(record[name] for record in records) for name in ("requests", "prompt_tokens", "completion_tokens")
    }
    costs = [record["cost_usd"] for record in records]
    return {"replicates": len(records), **counts, "usd": None if None in costs else fsum(costs)}


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
