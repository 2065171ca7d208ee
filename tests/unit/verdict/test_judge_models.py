"""A verdict on two models from whatever holds their predictions, in the user's own names; mistakes are one line."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sentisynth_hub.core.errors import InputError
from sentisynth_hub.verdict.evaluation import parse_evaluation
from sentisynth_hub.verdict.evaluation_text import claim, table_lines, verdict_sentence, warnings
from sentisynth_hub.verdict.judge_models import judge
from sentisynth_hub.verdict.model_runs import read_runs
from tests.support.studies import made_study, write_study


def columns(share: float, *, runs: int = 1, items: int = 400, seed: int = 0) -> dict[str, list[Any]]:
    """Predictions that are right with probability `share`; the labels are the same whatever the share."""
    rng = np.random.default_rng(seed)
    truth = np.random.default_rng(9).choice(["negative", "positive", "ചില"], items)
    table: dict[str, list[Any]] = {"seed": [], "id": [], "label": [], "predicted": []}
    for run in range(runs):
        right = rng.random(items) < share
        wrong = np.where(truth == "positive", "negative", "positive")
        table["seed"] += [run] * items
        table["id"] += [f"row {place}" for place in range(items)]
        table["label"] += truth.tolist()
        table["predicted"] += np.where(right, truth, wrong).tolist()
    return table


def test_one_run_of_each_speaks_about_these_two_models() -> None:
    evaluation = judge(columns(0.9), columns(0.7, seed=1), names=("minilm", "tfidf"))
    sentence = verdict_sentence(evaluation)
    assert sentence.startswith("minilm is better than tfidf: +0.")
    assert "natural" not in " ".join([sentence, *table_lines(evaluation), *warnings(evaluation)])
    assert "corpus" not in claim(evaluation)
    assert "two trained models" in claim(evaluation)
    counts = evaluation.comparisons[0].counts
    assert f"{counts.better} of 400 test rows better, {counts.worse} worse" in sentence
    assert judge(columns(0.7, seed=1), columns(0.9), names=("a", "b")).verdict.outcome == "hurts"


@pytest.mark.parametrize("runs", [3, 5])
def test_several_runs_speak_about_the_way_they_are_trained(runs: int) -> None:
    evaluation = judge(columns(0.9, runs=runs), columns(0.7, runs=runs, seed=1), names=("a", "b"), metric="accuracy")
    assert evaluation.replicates == runs
    assert evaluation.verdict.outcome == "helps"
    assert "two trained models" not in claim(evaluation)


def test_every_kind_of_source_says_the_same(tmp_path: Path) -> None:
    good, bad = columns(0.9, runs=2), columns(0.7, runs=2, seed=1)
    kinds: list[tuple[Any, Any]] = [(good, bad), (pd.DataFrame(good), pd.DataFrame(bad))]
    for ending, write in (
        (".csv", lambda frame, path: frame.to_csv(path, index=False)),
        (".parquet", lambda frame, path: frame.to_parquet(path)),
        (".jsonl", lambda frame, path: frame.to_json(path, orient="records", lines=True, force_ascii=False)),
    ):
        paths = tmp_path / f"good{ending}", tmp_path / f"bad{ending}"
        for table, path in zip((good, bad), paths, strict=True):
            write(pd.DataFrame(table).sample(frac=1, random_state=1), path)  # the order of rows does not matter
        kinds.append((str(paths[0]), paths[1]))
    sentences = {verdict_sentence(judge(*pair, names=("good", "bad"), resamples=0)) for pair in kinds}
    assert len(sentences) == 1
    assert verdict_sentence(judge(*kinds[-1], resamples=0)) in sentences  # named by their files


def test_variants_of_a_study_fit_too(tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    write_study(path, made_study({"natural": 0.6, "mixed": 0.8}))
    evaluation = judge(f"{path}:mixed", f"{path}:natural")
    assert verdict_sentence(evaluation).startswith("mixed is better than natural")
    with pytest.raises(InputError, match=r"holds natural, mixed; name one: .*:natural"):
        judge(path, f"{path}:natural")
    with pytest.raises(InputError, match="holds no variant 'mixd'; it holds natural, mixed"):
        judge(f"{path}:mixd", f"{path}:natural")


@pytest.mark.parametrize(("labels", "predicted"), [([1, 0, 1], [1.0, 0.0, 0.0]), (["1", "0", "1"], [1, None, 0])])
def test_numbers_are_compared_by_value_and_nothing_is_no_answer(labels: list[Any], predicted: list[Any]) -> None:
    runs = read_runs({"label": labels, "predicted": predicted})
    assert runs.truth == {"0": "1", "1": "0", "2": "1"}
    assert runs.runs[0]["0"] == "1"
    assert runs.runs[0]["1"] == ("0" if predicted[1] is not None else None)
    nan = read_runs({"label": ["a"], "predicted": [float("nan")]})
    assert nan.runs == [{"0": None}]


def test_near_duplicates_and_named_clusters_make_the_interval_wider() -> None:
    good, bad = columns(0.8, items=300), columns(0.75, items=300, seed=1)
    texts = [f"the {place % 60}th text, told {place % 60} times over and over" for place in range(300)]
    for more in ({"texts": texts}, {"clusters": [place % 60 for place in range(300)]}):
        evaluation = judge(good, bad, names=("a", "b"), resamples=0, **more)  # type: ignore[arg-type]
        assert evaluation.clusters is not None
        assert evaluation.clusters <= 60
        assert any("independent ones" in line for line in warnings(evaluation))


MISTAKES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"predicted": ["a"]}, {"label": ["a"], "predicted": ["a"]}, "no column 'label'"),
    ({"label": ["a"], "pred": []}, {"label": ["a"], "predicted": ["a"]}, "columns have 0, 1 rows"),
    ({"label": [], "predicted": []}, {"label": ["a"], "predicted": ["a"]}, "holds no prediction"),
    ({"label": ["a", "b"], "predicted": ["a", "b"]}, {"label": ["a"], "predicted": ["a"]}, "has 2 items, bad 1"),
    ({"label": ["a"], "predicted": ["a"]}, {"label": ["b"], "predicted": ["a"]}, "true label of 1 items differs"),
    (
        {"id": [1, 1], "label": ["a", "a"], "predicted": ["a", "b"]},
        {"label": ["a"], "predicted": ["a"]},
        "item '1' is predicted twice",
    ),
    (
        {"id": [1, 1], "seed": [1, 2], "label": ["a", "b"], "predicted": ["a", "b"]},
        {"label": ["a"], "predicted": ["a"]},
        "has two true labels",
    ),
    (
        {"id": [1, 1], "seed": [1, 2], "label": ["a", "a"], "predicted": ["a", "b"]},
        {"id": [1], "label": ["a"], "predicted": ["a"]},
        "good has 2 runs, bad 1",
    ),
    ({"label": [None], "predicted": ["a"]}, {"label": ["a"], "predicted": ["a"]}, "no item id or no true label"),
]


@pytest.mark.parametrize(("first", "second", "message"), MISTAKES)
def test_a_mistake_is_one_line(first: dict[str, Any], second: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        judge(first, second, names=("good", "bad"))
    assert "\n" not in str(caught.value)


def test_sources_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="list holds no predictions"):
        judge([1, 2], columns(0.5))
    with pytest.raises(InputError, match="both models are called"):
        judge(columns(0.9), columns(0.5), names=("same", "same"))
    with pytest.raises(InputError, match="3 texts for 400 test rows"):
        judge(columns(0.9), columns(0.5), texts=["a", "b", "c"])


def test_neither_torch_nor_transformers_is_loaded(tmp_path: Path) -> None:
    for name, share in (("good", 0.9), ("bad", 0.7)):
        pd.DataFrame(columns(share)).to_csv(tmp_path / f"{name}.csv", index=False)
    code = (
        "import sys; from sentisynth_hub.verdict.judge_models import judge; judge('good.csv', 'bad.csv');"
        "print(sorted({'torch', 'transformers', 'datasets', 'huggingface_hub', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_command_prints_the_sentence_or_the_data(tmp_path: Path) -> None:
    for name, share in (("good", 0.9), ("bad", 0.7)):
        pd.DataFrame(columns(share)).to_csv(tmp_path / f"{name}.csv", index=False)
    command = [sys.executable, "-m", "sentisynth_hub", "judge", "good.csv", "bad.csv"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert "verdict: good is better than bad" in shown
    assert "helps" not in shown
    record = json.loads(subprocess.run([*command, "--json"], cwd=tmp_path, capture_output=True, text=True).stdout)
    assert record.pop("sentence") in shown
    assert parse_evaluation(record).verdict.outcome == "helps"
    wrong = subprocess.run([*command[:-1], "absent.csv"], cwd=tmp_path, capture_output=True, text=True)
    assert wrong.returncode == 2
    assert wrong.stderr.count("\n") == 1


def test_labels_that_are_only_predicted_are_labels_too() -> None:
    evaluation = judge(
        {"label": ["a", "b"] * 20, "predicted": ["a", "c"] * 20},
        {"label": ["a", "b"] * 20, "predicted": ["a", "b"] * 20},
        names=("x", "y"),
        metric="accuracy",
    )
    assert evaluation.labels == ("a", "b", "c")
