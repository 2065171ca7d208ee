"""A sceptic with the same labels, the same encoder and scikit-learn alone does not beat our `natural`.

Real sentences and a real encoder, which are not in this repository: set DATA to a folder with `sst2/train.jsonl` and
`sst2/test.jsonl` and ENCODER to a folder of all-MiniLM-L6-v2. The sceptic chooses the penalty by five folds over all
labels and trains on all of them, on features as they come and on features of length 1, whichever is better.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold

from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.rows import Row
from sentisynth_hub.natural.splits import NaturalData, draw_samples
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.study.choice import HeadFitter
from sentisynth_hub.study.features import Features, compute_features
from sentisynth_hub.study.head_trial import run_head
from sentisynth_hub.study.plan import plan_replicate
from sentisynth_hub.study.training_rows import Corpus


DATA, ENCODER = os.environ.get("DATA"), os.environ.get("ENCODER")
LABELS = ["negative", "positive"]
MARGIN = 0.003
"""Macro-F1 that our `natural` may lie below the sceptic's in the mean of the draws."""

pytestmark = pytest.mark.skipif(not DATA or not ENCODER, reason="set DATA and ENCODER, see the module's docstring")


def make_recipe(per_label: int, draws: int) -> Recipe:
    """`per_label` labels a class, half of them drawn as training and half as validation rows."""
    natural = {"files": {"train": "train.jsonl"}, "rows_per_label": per_label // 2}
    return Recipe.model_validate(
        {
            "name": "sceptic", "description": "A test.", "language": ["en"], "labels": LABELS, "seed": 7,
            "natural": natural | {"validation_per_label": per_label - per_label // 2},
            "generate": {"generator": {"kind": "transformers", "model": "none"}, "candidates": 1},
            "study": {
                "student": {"model": str(ENCODER), "threads": 1}, "mode": "head", "replicates": draws,
                "variants": ["natural", "plain"],
            },
        }
    )  # fmt: skip


def read_rows(name: str, count: int | None = None) -> list[Row]:
    """Rows of an SST-2 file in a fixed random order."""
    lines = (Path(str(DATA)) / "sst2" / f"{name}.jsonl").read_text("utf-8").strip().split("\n")
    order = np.random.default_rng(0).permutation(len(lines))[:count]
    records = [json.loads(lines[i]) for i in order]
    return [Row(record["text"], record["label"], record["id"]) for record in records]


def sceptic(x: npt.NDArray[Any], y: list[str | None], test: npt.NDArray[Any], seed: int) -> list[str]:
    """Five folds over all labels choose the penalty of scikit-learn's logistic regression, then all train."""
    centre, spread = x.mean(0), float(np.sqrt(x.var(0).mean()))
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    model = LogisticRegressionCV(
        Cs=np.logspace(-4, 2, 13), cv=folds, scoring="neg_log_loss", max_iter=500, l1_ratios=(0,),
        use_legacy_attributes=False,
    ).fit((x - centre) / spread, y)  # fmt: skip
    return list(model.predict((test - centre) / spread))


def differences(per_label: int, draws: int, tested: int | None, folder: Path) -> dict[str, list[float]]:
    """Macro-F1 of each draw: our variants, and the sceptic on features as they come and of length 1."""
    recipe = make_recipe(per_label, draws)
    rows, test = read_rows("train"), read_rows("test", tested)
    natural = NaturalData(rows[:4000], rows[4000:], test)
    truth = [row.label for row in test]
    scores: dict[str, list[float]] = {name: [] for name in ("natural", "plain", "as they come", "of length 1")}
    for sample in draw_samples(recipe, natural):
        trials = plan_replicate(recipe, sample, natural, Corpus([], []), recipe.study.variants)
        texts = [text for trial in trials for text in trial.texts()]
        features = compute_features(texts, recipe.study.student, folder, Processes(), lasting=[r.text for r in test])
        fitter = HeadFitter(recipe, trials[0].natural, features)
        for trial in trials:
            predicted = run_head(recipe, trial, fitter).test.predicted
            scores[trial.variant].append(f1_score(truth, predicted, average="macro"))
        for name, vectors in sceptics_features(features, trials[0].natural, test).items():
            predicted = sceptic(*vectors, sample.replicate)
            scores[name].append(f1_score(truth, predicted, average="macro"))
    return scores


def sceptics_features(features: Features, natural: list[Row], test: list[Row]) -> dict[str, Any]:
    """What the sceptic trains on: features, labels, and the test rows' features."""
    x, y, tested = features.of(natural).astype(float), [row.label for row in natural], features.of(test).astype(float)
    unit_x, unit_test = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (x, tested))
    return {"as they come": (x, y, tested), "of length 1": (unit_x, y, unit_test)}


def check(scores: dict[str, list[float]]) -> None:
    """`natural` is no worse than the sceptic's better half by more than the margin, in the mean of paired draws."""
    print({name: round(float(np.mean(values)), 4) for name, values in scores.items()})
    better = {name: np.array(scores["natural"]) - np.array(scores[name]) for name in ("as they come", "of length 1")}
    said = {
        name: f"{paired.mean():+.4f} ± {paired.std(ddof=1) / np.sqrt(len(paired)):.4f}"
        for name, paired in better.items()
    }
    print(said)
    assert min(paired.mean() for paired in better.values()) >= -MARGIN, said


def test_a_sceptic_with_few_labels_does_not_win(tmp_path: Path) -> None:
    check(differences(50, 3, 400, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("per_label", [10, 50, 250])
def test_a_sceptic_does_not_win(per_label: int, tmp_path: Path) -> None:
    check(differences(per_label, 20, None, tmp_path))
