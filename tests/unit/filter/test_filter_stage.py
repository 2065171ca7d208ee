"""The filter stage: nothing lost, nothing leaked, the same whatever the order and the number of processes."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.errors import DataError, RecipeError, StageError
from sentisynth_hub.core.rows import Row, content_digest, read_rejected, read_rows, write_rejected, write_rows
from sentisynth_hub.core.run_folder import StageFolder, stage_folder
from sentisynth_hub.core.text import normalised
from sentisynth_hub.filter import stage as filtering
from sentisynth_hub.filter.apply import build_filters, evaluation_overlap, run_filters
from sentisynth_hub.filter.candidate_features import CandidateFeatures
from sentisynth_hub.filter.conflicting_labels import ConflictingLabels
from sentisynth_hub.filter.contract import Filter, FilterContext
from sentisynth_hub.filter.echo import Echo
from sentisynth_hub.filter.length import Length
from sentisynth_hub.filter.overlap import Overlap
from sentisynth_hub.filter.refusals import Refusals
from sentisynth_hub.filter.threshold_sweep import sweep, sweep_values
from sentisynth_hub.generate.result import GenerateResult
from sentisynth_hub.natural import stage as sources
from sentisynth_hub.natural.splits import NaturalData, Sample, draw_samples
from sentisynth_hub.recipe import Recipe, load_recipe
from tests.support.tiny_study import make_model, make_rows


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_model(tmp_path_factory.mktemp("encoder")))


def recipe_of(folder: Path, model: str, **filters: Any) -> Recipe:
    content = {
        "name": "tiny",
        "description": "For tests.",
        "language": ["en"],
        "labels": ["negative", "positive"],
        "natural": {"files": {"train": "none.csv"}, "rows_per_label": 20},
        "generate": {"generator": {"kind": "openai", "model": "none"}, "candidates": 2},
        "filter": filters,
        "study": {"student": {"model": model, "max_length": 20}, "replicates": 2},
    }
    (folder / "prompt.jinja2").write_text("{{ verbalizer }} review:", "utf-8")
    path = folder / "recipe.yaml"
    path.write_text(json.dumps(content), "utf-8")  # JSON is YAML
    return load_recipe(str(path))


def natural_data() -> NaturalData:
    return NaturalData(make_rows(200, 1), make_rows(80, 2), make_rows(60, 3))


def candidates_of(replicate: int) -> list[Row]:
    """80 new rows, 5 of them again, 3 test rows, 4 rows with the other label, an empty one."""
    rows = make_rows(80, 100 + replicate, origin="s")
    flipped = [replace(row, label="negative" if row.label == "positive" else "positive") for row in rows[10:14]]
    extra = [*rows[:5], *natural_data().test[:3], *flipped, Row("", "positive")]
    return [replace(row, request_id=f"q{number}") for number, row in enumerate([*rows, *extra])]


def generated_corpora(folder: Path, replicates: int) -> GenerateResult:
    """A finished generate stage."""
    for replicate in range(replicates):
        path = folder / "generate" / f"replicate-{replicate}"
        path.mkdir(parents=True)
        candidates = candidates_of(replicate)
        write_rows(path / "candidates.parquet", candidates)
        lineage = {"request_id": [row.request_id for row in candidates], "attributes": ["{}"] * len(candidates)}
        parquet.write_table(pa.table(lineage), path / "lineage.parquet")
        write_rejected(path / "unparsed.parquet", [])
    return read_corpora(folder, replicates)


def read_corpora(folder: Path, replicates: int) -> GenerateResult:
    """What `generated_corpora` wrote, as the filter stage gets it."""
    record = {
        "requests": 93,
        "demonstration_ids": [],
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "cost_usd": None,
        "candidates": 93,
        "unparsed": 0,
        "reasons": {},
        "digest": "0" * 64,
    }
    paths = {replicate: folder / "generate" / f"replicate-{replicate}" for replicate in range(replicates)}
    return GenerateResult.model_validate(
        {
            "digest": "0" * 64,
            "replicates": {replicate: record | {"path": path} for replicate, path in paths.items()},
            "model": {"id": "writer", "revision": None, "commit": None},
            "prompt_digest": None,
            "parser_version": 1,
            "sampling": None,
            "num_shots": None,
            "prices": None,
        }
    )


def run_stage(recipe: Recipe, folder: Path, processes: Sequence[Processes]) -> StageFolder:
    """Run the stage as each of the processes, one after the other; the last of them must be the first rank."""
    generated = generated_corpora(folder, 2)
    natural = natural_data()
    stage = stage_folder(folder, "filter", version=filtering.VERSION, recipe=filtering.decides(recipe))
    samples = draw_samples(recipe, natural)
    for each in processes:
        filtering.filter_candidates(recipe, samples, natural, generated, stage, each)
    return stage


def full_recipe(folder: Path, model: str) -> Recipe:
    encoder = {"model": model, "threads": 1}
    return recipe_of(
        folder,
        model,
        length={"min_tokens": 2},
        conflicting_labels={},
        exact_duplicates={},
        near_duplicates={},
        teacher={"teacher": encoder, "min_confidence": 0.5},
        diversity={"encoder": encoder, "size": 40},
    )


def test_kept_and_rejected_are_all_candidates(tmp_path: Path, model: str) -> None:
    recipe = full_recipe(tmp_path, model)
    result = filtering.load(run_stage(recipe, tmp_path, [Processes()]))
    for replicate in range(2):
        kept, rejected = result.kept(replicate), result.rejected(replicate)
        found = sorted(row.request_id for row in [*kept, *(item.row for item in rejected)])
        assert found == sorted(row.request_id for row in candidates_of(replicate))
        assert all(item.reason and item.filter for item in rejected)
        counts = result.replicates[replicate]
        assert counts.candidates == 93
        assert counts.kept == len(kept) <= 40
        assert sum(step.rejected for step in counts.funnel) == len(rejected)
        assert sum(counts.per_label.values()) == len(kept)
        assert counts.digest == content_digest(kept)
        assert counts.teacher is not None
        assert counts.teacher.skill.beats_a_guess
        assert set(counts.facts) == {*recipe.filter.order, "overlap"}
        assert all("teacher_confidence" in row.scores for row in kept)


def test_what_was_planted_goes_for_its_own_reason(tmp_path: Path, model: str) -> None:
    stage = run_stage(full_recipe(tmp_path, model), tmp_path, [Processes()])
    reasons = {item.row.request_id: (item.filter, item.reason) for item in filtering.load(stage).rejected(0)}
    assert [reasons[f"q{n}"] for n in range(80, 85)] == [("exact_duplicates", "duplicate")] * 5
    assert [reasons[f"q{n}"] for n in (*range(10, 14), *range(88, 92))] == [("conflicting_labels", "conflict")] * 8
    assert reasons["q92"] == ("length", "empty")
    leaked = {f"q{n}" for n in range(85, 88)}
    assert leaked <= set(reasons)  # the recipe names no overlap filter; the gate runs all the same


def test_two_processes_decide_as_one(tmp_path: Path, model: str) -> None:
    recipe = full_recipe(tmp_path, model)
    one = run_stage(recipe, tmp_path / "one", [Processes()])
    two = run_stage(recipe, tmp_path / "two", [Processes(1, 2), Processes(0, 2)])
    assert one.manifest()["replicates"] == two.manifest()["replicates"]
    for replicate in range(2):
        assert filtering.load(one).kept(replicate) == filtering.load(two).kept(replicate)
        assert filtering.load(one).rejected(replicate) == filtering.load(two).rejected(replicate)


def test_a_replicate_that_is_done_is_not_done_again(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = full_recipe(tmp_path, model)
    stage = run_stage(recipe, tmp_path, [Processes()])
    manifest = stage.manifest()
    (stage.path / "manifest.json").unlink()
    monkeypatch.setattr(filtering, "run_filters", None)
    generated = read_corpora(tmp_path, 2)
    arguments = (recipe, draw_samples(recipe, natural_data()), natural_data(), generated, stage, Processes())
    for _ in range(2):
        filtering.filter_candidates(*arguments)
        assert stage.manifest() == manifest


def test_labels_used_are_the_replicates_own(tmp_path: Path, model: str) -> None:
    recipe = full_recipe(tmp_path, model)
    result = filtering.load(run_stage(recipe, tmp_path, [Processes()]))
    for sample in draw_samples(recipe, natural_data()):
        everything = sorted(row.request_id for row in [*sample.train, *sample.validation])
        assert result.replicates[sample.replicate].human_labels == {"teacher": tuple(everything)}


def test_held_out_validation_rows_only_calibrate(tmp_path: Path, model: str) -> None:
    recipe = load_recipe(str(full_recipe(tmp_path, model).folder / "recipe.yaml"), ["natural.validation=held_out"])
    result = filtering.load(run_stage(recipe, tmp_path, [Processes()]))
    for sample in draw_samples(recipe, natural_data()):
        used = result.replicates[sample.replicate].human_labels
        assert used["teacher"] == tuple(sorted(row.request_id for row in sample.train))
        assert used["threshold"] == tuple(sorted(row.request_id for row in sample.validation))


def test_overlap_with_evaluation_rows_is_noted_wherever_a_row_goes(tmp_path: Path, model: str) -> None:
    """q85 to q87 are test rows; some are dropped before the overlap filter looks at them."""
    recipe = full_recipe(tmp_path, model)
    result = filtering.load(run_stage(recipe, tmp_path, [Processes()]))
    for replicate in range(2):
        overlapping = result.evaluation_overlap(replicate)
        assert {"q85", "q86", "q87"} <= overlapping
        assert not overlapping & {row.request_id for row in result.kept(replicate)}
        natural = natural_data()
        held = {normalised(row.text) for row in (*natural.test, *natural.validation)}
        for row in candidates_of(replicate):
            if normalised(row.text) in held:
                assert row.request_id in overlapping


REWRITTEN = [  # an evaluation row and a rewrite of it that no run of eight words gives away
    ("worst phone ever!", "worst phone ever made"),
    ("😂😂😂", "😂😂"),
    ("ഈ സിനിമ വളരെ നല്ലതാണ്", "ഈ സിനിമ വളരെ നല്ലതാ"),
    ("这部电影很好看", "这部电影很好看啊"),
    ("adorei, comprei outra vez", "adoreiii, comprei outra vez!!"),
]


@pytest.mark.parametrize("split", ["test", "validation", "train"])
@pytest.mark.parametrize("mode", ["cross_validated", "held_out"])
def test_rewrites_of_evaluation_rows_train_nothing(tmp_path: Path, model: str, mode: str, split: str) -> None:
    """Rewrites of one's own rows posing as synthetic ones, beside rows that are new."""
    folder = recipe_of(tmp_path, model, length={"min_tokens": 1}).folder
    recipe = load_recipe(str(folder / "recipe.yaml"), [f"natural.validation={mode}"])
    rows: dict[str, list[Row]] = {"train": [], "validation": [], "test": []}
    rows[split] = [Row(text, "positive", f"{split}{n}") for n, (text, _) in enumerate(REWRITTEN)]
    natural = NaturalData(rows["train"], rows["validation"], rows["test"])
    candidates = [Row(text, "negative", f"rewritten{n}") for n, (_, text) in enumerate(REWRITTEN)]
    own = [Row("the battery lasts two days", "positive", "own1"), Row("😡", "negative", "own2")]
    sample = Sample(0, natural.train, [])
    context = FilterContext(recipe, sample, natural, [*candidates, *own], [], CandidateFeatures(), None)
    kept, rejected = run_filters(build_filters(context), context.candidates)
    assert [row.request_id for row in kept] == ["own1", "own2"]
    assert {item.filter for item in rejected} == {"overlap"}
    evaluated = split != "train" or mode == "cross_validated"  # where each row is held out once
    assert evaluation_overlap(context) == ({row.request_id for row in candidates} if evaluated else set())


def test_a_manifest_that_is_no_manifest_is_refused_in_one_line(tmp_path: Path, model: str) -> None:
    stage = run_stage(full_recipe(tmp_path, model), tmp_path, [Processes()])
    good = stage.manifest()
    for path, value in [
        (("replicates", "0", "kept"), "many"),
        (("replicates", "0", "facts", "teacher", "skill"), None),
        (("replicates", "0", "funnel"), [{"filter": "x"}]),
        (("replicates", "zero"), {}),
        (("replicates",), []),
    ]:
        broken = json.loads(json.dumps(good))
        inner = broken
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        (stage.path / "manifest.json").write_text(json.dumps(broken), "utf-8")
        with pytest.raises(StageError, match="delete the folder and run again") as error:
            filtering.load(stage)
        assert "\n" not in str(error.value)


def test_the_order_of_the_keys_is_the_order_of_the_filters(tmp_path: Path, model: str) -> None:
    recipe = recipe_of(tmp_path, model, refusals={}, length={}, overlap={}, exact_duplicates={})
    assert recipe.filter.order == ["refusals", "length", "overlap", "exact_duplicates"]
    again = recipe.with_content(recipe.model_dump(mode="json"))
    assert again.filter.order == recipe.filter.order
    natural = natural_data()
    sample = Sample(0, natural.train, natural.validation)
    context = FilterContext(recipe, sample, natural, [], [], CandidateFeatures(), None)
    assert [each.name for each in build_filters(context)] == recipe.filter.order


def test_an_order_that_forgets_a_filter_is_refused(tmp_path: Path, model: str) -> None:
    with pytest.raises(RecipeError, match="does not name each of the used filters"):
        recipe_of(tmp_path, model, length={}, overlap={}, order=["length"])


WORDS = st.sampled_from(["film", "warm", "dull", "Review:", "as an AI model", "positive:", "so", "a", "നല്ല", "👍"])
TEXTS = st.lists(WORDS, max_size=6).map(" ".join)
LABELS = st.sampled_from(["negative", "positive"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TEXTS, LABELS), max_size=30), st.permutations(range(5)))
def test_filters_that_look_at_single_texts_keep_the_same_rows_in_any_order(
    drawn: list[tuple[str, str]], order: list[int]
) -> None:
    rows = [Row(text, label, str(number)) for number, (text, label) in enumerate(drawn)]
    filters: list[Filter] = [
        Length(2, 5),
        Echo.of_template("Review: {{ text }}", ngram=3, label_names=["positive"]),
        Refusals.unlike([]),
        Overlap.against({"test": [Row("warm film", "positive"), Row("so a dull film", "negative")]}, ngram=3),
        ConflictingLabels.among(rows),
    ]
    kept, rejected = run_filters(filters, rows)
    other, other_rejected = run_filters([filters[place] for place in order], rows)
    assert [row.request_id for row in kept] == [row.request_id for row in other]
    for stay, dropped in ((kept, rejected), (other, other_rejected)):
        everything = [row.request_id for row in stay] + [item.row.request_id for item in dropped]
        assert sorted(everything, key=int) == [row.request_id for row in rows]


def test_a_file_is_filtered_as_a_corpus_is(tmp_path: Path, model: str) -> None:
    recipe = recipe_of(tmp_path, model, length={"min_tokens": 2}, exact_duplicates={})
    lines = ["text,label", '"warm, and fine",positive', "Warm and fine,positive", '"",negative', "dull film,negative"]
    (tmp_path / "mine.csv").write_text("\n".join(lines), "utf-8")
    natural = natural_data()
    sample = Sample(0, natural.train, natural.validation)
    result = filtering.filter_file(recipe, sample, natural, tmp_path / "mine.csv", tmp_path / "out")
    assert (result.candidates, result.kept) == (4, 2)
    assert [row.text for row in read_rows(tmp_path / "out/kept.parquet")] == ["warm, and fine", "dull film"]
    rejected = read_rejected(tmp_path / "out/rejected.parquet")
    assert [(item.row.text, item.reason) for item in rejected] == [("", "empty"), ("Warm and fine", "duplicate")]


@pytest.mark.parametrize(
    ("content", "message"),
    [("text\nfine", "no column 'label'"), ("text,label\nfine,great", "label 'great' is not one of")],
)
def test_a_file_that_does_not_fit_is_named(tmp_path: Path, model: str, content: str, message: str) -> None:
    (tmp_path / "mine.csv").write_text(content, "utf-8")
    with pytest.raises(DataError, match=message):
        sources.file_candidates(recipe_of(tmp_path, model), tmp_path / "mine.csv")


def test_values_to_sweep() -> None:
    assert sweep_values("0.5:0.95:0.05") == [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]
    assert sweep_values("1,2.5") == [1, 2.5]
    for wrong in ("0.5:0.9", "a:b:c", "1:0:0.1", "0:1:0", "0:1:0.0001"):
        with pytest.raises(RecipeError):
            sweep_values(wrong)


def test_a_sweep_looks_at_validation_rows_only(tmp_path: Path, model: str) -> None:
    recipe = recipe_of(tmp_path, model, length={})
    natural = natural_data()
    samples = draw_samples(recipe, natural)[:1]
    candidates = {0: make_rows(60, 50, origin="s")}
    values = [1.0, 8.0, 99.0]
    points = sweep(recipe, "filter.length.min_tokens", values, samples, natural, candidates)
    assert [point["value"] for point in points] == values
    assert [point["kept"] for point in points] == [60, sum(len(row.text.split()) >= 8 for row in candidates[0]), 0]
    assert points[2]["macro_f1"] == points[2]["natural_macro_f1"]
    assert points[2]["distinct_2"] is None
    flipped = [replace(row, label="negative" if row.label == "positive" else "positive") for row in natural.test]
    blind = replace(natural, test=flipped)
    assert sweep(recipe, "filter.length.min_tokens", values, samples, blind, candidates) == points


def test_only_numbers_of_the_recipes_filters_are_swept(tmp_path: Path, model: str) -> None:
    recipe = recipe_of(tmp_path, model, length={})
    for key in ("filter.teacher.min_confidence", "study.margin", "filter.length.nothing"):
        with pytest.raises(RecipeError, match="not a number of this recipe's filters"):
            sweep(recipe, key, [0.5], [], natural_data(), {})
