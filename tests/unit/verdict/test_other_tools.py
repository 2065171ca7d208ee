"""Predictions as other tools leave them: Trainer, scikit-learn, SetFit, lm-evaluation-harness; with folds or not."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sentisynth_hub import InputError, judge
from sentisynth_hub.verdict.evaluation_text import claim
from sentisynth_hub.verdict.model_runs import read_runs


NAMES = ("good", "bad")
LABELS = ["negative", "positive"]


def guesses(share: float, items: int = 300, seed: int = 0) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """True labels as integers, and logits that are right with probability `share`."""
    rng = np.random.default_rng(seed)
    truth = np.random.default_rng(9).integers(0, 2, items)
    said = np.where(rng.random(items) < share, truth, 1 - truth)
    logits = rng.normal(0, 0.1, (items, 2))
    logits[np.arange(items), said] += 2
    return truth, logits


def softmax(logits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


def test_arrays_with_probabilities_get_losses_beside_the_verdict() -> None:
    """What `Trainer.predict` returns: `label_ids` and logits."""
    sources = []
    for share, seed in ((0.9, 0), (0.7, 1)):
        truth, logits = guesses(share, seed=seed)
        sources.append({"label": truth, "predicted": logits.argmax(-1), "probabilities": softmax(logits)})
    judgement = judge(*sources, names=NAMES, label_names=LABELS)
    assert judgement.labels == ("negative", "positive")
    assert judgement.verdict.outcome == "helps"
    losses = {row.metric: row for row in judgement.other_metrics}
    truth, logits = guesses(0.9)
    expected = -np.log(softmax(logits)[np.arange(300), truth]).mean()
    scores = judgement.variant("good")
    assert scores is not None
    assert scores.metrics["log_loss"] == pytest.approx(expected, rel=1e-6)
    assert losses["log_loss"].difference < 0
    without = [{key: source[key] for key in ("label", "probabilities")} for source in sources]
    again = judge(*without, names=NAMES, label_names=LABELS)  # the likeliest label is the prediction
    assert again.sentence == judgement.sentence


def test_a_column_for_each_label_and_its_name_in_the_column() -> None:
    truth, logits = guesses(0.9, items=40)
    shares = softmax(logits)
    runs = read_runs(
        {
            "label": [LABELS[place] for place in truth],
            "probability_positive": shares[:, 1],
            "probability_negative": shares[:, 0],
        }
    )
    assert runs.labels == ("positive", "negative")
    assert runs.runs[0]["0"] == LABELS[int(shares[0].argmax())]
    assert runs.probabilities[0]["0"] == pytest.approx([shares[0, 1], shares[0, 0]])


def test_tensors_are_numbers() -> None:
    """What SetFit returns where labels are integers."""
    import torch

    runs = read_runs({"label": torch.tensor([1, 0]), "predicted": torch.tensor([1, 1])}, label_names=LABELS)
    assert runs.truth == {"0": "positive", "1": "negative"}
    assert runs.runs == [{"0": "positive", "1": "positive"}]


def folded(share: float, folds: int, repeats: int = 1, seed: int = 0) -> dict[str, Any]:
    table: dict[str, list[Any]] = {"id": [], "seed": [], "fold": [], "label": [], "predicted": []}
    for repeat in range(repeats):
        truth, logits = guesses(share, seed=seed + repeat)
        dealt = np.random.default_rng(repeat).permutation(len(truth)) % folds
        for key, values in (("label", truth), ("predicted", logits.argmax(-1)), ("fold", dealt)):
            table[key] += list(values)
        table["id"] += range(len(truth))
        table["seed"] += [repeat] * len(truth)
    return table


@pytest.mark.parametrize(("folds", "repeats"), [(5, 1), (3, 2)])
def test_cross_validation_speaks_about_the_way_of_training(folds: int, repeats: int) -> None:
    judgement = judge(folded(0.9, folds, repeats), folded(0.6, folds, repeats, seed=50), names=NAMES)
    assert judgement.design == "models_by_fold"
    assert judgement.sentence.startswith("good is better than bad: +0.")
    assert "every fold has a model of its own" in claim(judgement)
    assert "natural" not in str(judgement)
    # the rows of a fold share a model, so that folds tell less than as many rows without any
    alone = judge(*({key: t[key] for key in ("label", "predicted")} for t in (folded(0.9, 5), folded(0.6, 5, 1, 50))))
    wide, narrow = (pair.comparisons[0].interval for pair in (judgement, alone))
    assert wide is not None
    assert narrow is not None
    if repeats == 1:
        assert wide[1] - wide[0] > narrow[1] - narrow[0]


def sample(number: int, target: int, share: float, rng: np.random.Generator) -> dict[str, Any]:
    answer = target if rng.random() < share else 1 - target
    likelihoods = [[str(-1.0 if choice == answer else -9.0), "False"] for choice in (0, 1)]
    return {"doc_id": number, "doc": {"q": "?"}, "target": str(target), "resps": [], "filtered_resps": likelihoods}


def test_samples_of_the_evaluation_harness(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, share in (("good", 0.95), ("bad", 0.6)):
        lines = [sample(number, number % 2, share, rng) for number in range(200)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    judgement = judge(tmp_path / "good.jsonl", tmp_path / "bad.jsonl", metric="accuracy")
    assert judgement.sentence.startswith("good is better than bad")
    scores = judgement.variant("good")
    assert scores is not None
    assert scores.mean > 0.9
    written = [
        {"doc_id": 0, "target": "joy", "filtered_resps": [" joy"], "filter": "strict-match"},
        {"doc_id": 0, "target": "joy", "filtered_resps": ["anger"], "filter": "flexible"},
    ]
    (tmp_path / "w.jsonl").write_text("\n".join(map(json.dumps, written)))
    assert read_runs(tmp_path / "w.jsonl").runs == [{"0": "joy"}]


def test_texts_and_clusters_may_be_columns() -> None:
    truth, logits = guesses(0.9)
    tables = [{"label": truth, "predicted": g[1].argmax(-1)} for g in (guesses(0.9), guesses(0.7, seed=1))]
    groups = [place // 3 for place in range(300)]
    by_column = judge(*({**table, "cluster": groups} for table in tables), names=NAMES)
    assert by_column.clusters == 100
    assert by_column.comparisons[0].interval == judge(*tables, names=NAMES, clusters=groups).comparisons[0].interval


def test_a_judgement_shows_itself(tmp_path: Path) -> None:
    tables = [{"label": truth, "predicted": g.argmax(-1)} for truth, g in (guesses(0.9), guesses(0.7, seed=1))]
    judgement = judge(*tables, names=("<b>good</b>", "bad"), label_names=LABELS)
    frame = judgement.frame()
    assert list(frame["model"]) == ["bad", "<b>good</b>"]
    assert frame["difference"].iloc[1] == judgement.comparisons[0].difference
    shown = judgement._repr_html_()
    assert "&lt;b&gt;good&lt;/b&gt; is better than bad" in shown
    assert "<b>good" not in shown
    assert f"verdict: {judgement.sentence}" in str(judgement)
    assert set(judgement.figures()) >= {"effects", "confusion"}
    judgement.write_report(tmp_path / "report.html")
    assert "&lt;b&gt;good" in (tmp_path / "report.html").read_text("utf-8")


LOGITS = {"label": [0, 1], "predicted": [0, 1], "probabilities": [[2.0, 0.1], [0.5, 0.5]]}
MISTAKES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (LOGITS, {}, "not from 0 to 1 with sum 1; give probabilities, not logits"),
    ({"label": [0, 1], "probabilities": [[0.2, 0.3, 0.5]] * 2}, {}, "3 probabilities for 2 labels"),
    ({"label": [0, 5], "predicted": [0, 1]}, {"label_names": LABELS}, "label 5 is none of the 2 in label_names"),
    ({"label": [0, 1], "predicted": [0, 1], "fold": [0, None]}, {}, "1 of 2 rows have a fold"),
]


@pytest.mark.parametrize(("source", "options", "message"), MISTAKES)
def test_a_mistake_is_one_line(source: dict[str, Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        judge(source, source, names=NAMES, **options)
    assert "\n" not in str(caught.value)


def test_folds_have_to_be_the_same_and_enough() -> None:
    one, other = folded(0.9, 5), folded(0.7, 5, seed=3)
    with pytest.raises(InputError, match="not tested in the same folds"):
        judge(one, {**other, "fold": other["fold"][::-1]}, names=NAMES)
    with pytest.raises(InputError, match=r"3 fold models in 1 repetition\(s\) are too few"):
        judge(folded(0.9, 3), folded(0.7, 3, seed=3), names=NAMES)


def test_the_command_loads_nothing_heavy(tmp_path: Path) -> None:
    for name, share in (("good", 0.9), ("bad", 0.7)):
        truth, logits = guesses(share, seed=len(name))
        rows = [f"{LABELS[t]},{LABELS[p]}" for t, p in zip(truth, logits.argmax(-1), strict=True)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["label,predicted", *rows]))
    code = (
        "import sys\nfrom sentisynth_hub.cli import main\n"
        "try:\n    main(['judge', 'good.csv', 'bad.csv', '--names', 'a,b'])\n"
        "except SystemExit as end:\n    assert end.code == 0, end.code\n"
        "print(sorted({'torch', 'transformers', 'datasets', 'pandas', 'sklearn', 'openai'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "verdict: a is better than b" in done.stdout
    assert done.stdout.strip().endswith("[]")
