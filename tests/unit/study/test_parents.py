"""A text made from a natural row goes where that row goes: in the folds, and past the overlap filter."""

from pathlib import Path

import numpy as np
import yaml

from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.rows import Row
from sentisynth_hub.filter.overlap import Overlap
from sentisynth_hub.pipeline import open_pipeline
from sentisynth_hub.recipe import load_recipe
from sentisynth_hub.study.training_rows import mixed_with
from sentisynth_hub.study.validation import Validation
from sentisynth_hub.study.variants import variant_rows
from tests.support.tiny import tiny_recipe


NATURAL = [Row(f"natural text {number}", "a", request_id=f"n{number}") for number in range(4)]
CHILD = Row("quite other words", "a", request_id="child")
OTHER = Row("from nothing at all", "a", request_id="other")


def test_a_fit_sees_no_child_of_a_row_it_is_scored_on() -> None:
    validation = Validation(NATURAL, np.array([[0, 0, 1, 1]]))
    stage = mixed_with(NATURAL, [CHILD, OTHER], parents={"child": NATURAL[2]})
    sees = validation.trains_on(stage)
    assert sees[:, 4].tolist() == [True, False, True]  # the fold of row 2, and the fit to everything
    assert sees[:, 4].tolist() == sees[:, 2].tolist()
    assert sees[:, 5].all()
    assert validation.trains_on(mixed_with(NATURAL, [CHILD, OTHER]))[:, 4].all()


def test_every_variant_with_synthetic_rows_knows_the_parents(tmp_path: Path) -> None:
    """From the recipe to the study: what a tiny model rewrote is beside its parent in every variant that trains."""
    folder = tiny_recipe(tmp_path / "recipe")
    path = folder / "recipe.yaml"
    content = yaml.safe_load(path.read_text("utf-8"))
    content["generate"] |= {"method": "rewrite", "prompt": {"num_shots": 0}, "candidates": 12}
    path.write_text(yaml.safe_dump(content), "utf-8")
    pipeline = open_pipeline(load_recipe(str(folder)), runs=tmp_path / "runs", processes=Processes())
    results = pipeline.through("filter")
    sample, corpus = results.samples[0], results.corpora[0]
    assert corpus.candidates
    by_id = {row.request_id: row for row in sample.train}
    assert {row.request_id for row in corpus.candidates} <= corpus.parents.keys()
    assert all(by_id[parent.request_id] == parent for parent in corpus.parents.values())
    for name in ("unfiltered", "kept", "mixed", "weighted", "synthetic", "gradual", "shuffled_labels"):
        for option in variant_rows(name, results.recipe, sample, corpus, results.natural):
            for stage in option.stages:
                for row, source, added in zip(stage.rows, stage.sources, stage.added, strict=True):
                    assert source == (corpus.parents[row.request_id] if added else row), name


def test_overlap_lets_a_child_share_a_run_with_its_parent_and_no_more() -> None:
    parent = Row("one two three four five six seven eight", "a", request_id="p")
    stranger = Row("red green blue black white grey brown pink", "a", request_id="s")
    end = "and then many further words that make it a text of its own, nothing like a copy of anything"
    rows = [
        Row(f"{parent.text} {end}", "a", request_id="child"),
        Row(f"{stranger.text} {end}", "a", request_id="child"),
        Row(f"{parent.text}!", "a", request_id="child"),
        Row(f"{parent.text} {end}", "a", request_id="no child"),
    ]
    sources = {"demonstration": [parent, stranger], "train": [parent, stranger]}
    plain = Overlap.against(sources)
    knowing = Overlap(**{**plain.__dict__, "parents": {"child": parent}})
    assert [each.reason for each in knowing.judge(rows)] == [
        None, "ngram_demonstration", "exact_demonstration", "ngram_demonstration",
    ]  # fmt: skip
    assert plain.judge(rows[:1])[0].reason == "ngram_demonstration"
    tested = Overlap(**{**Overlap.against({"test": [parent]}).__dict__, "parents": {"child": parent}})
    assert tested.judge(rows[:1])[0].reason == "ngram_test"
