"""A plan: chances that agree with studies then simulated, costs from a pilot, and advice where figures warrant it."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from sentisynth_hub.cli import sentisynth
from sentisynth_hub.natural.folds import study_samples
from sentisynth_hub.plan.costs import Amount, GenerationCost
from sentisynth_hub.plan.prior import PUBLISHED, Prior, PublishedGain, published_prior, summary
from sentisynth_hub.plan.rehearsal import CurvePoint, Gain, Rehearsal, VarianceParts
from sentisynth_hub.plan.study_plan import StudyPlan, advice, chances, plan_lines, plan_study
from sentisynth_hub.verdict.outcome import Rule, conclude
from sentisynth_hub.verdict.statistics.crossed import two_way
from tests.support.tiny_study import make_model, make_natural, make_recipe, make_rows


FREE = GenerationCost("nothing", 0, 0, None, None, None, None, 0.2)


def shown(doubling: float, low: float, **changes: Any) -> Rehearsal:
    curve = (CurvePoint(50, 0.7 - doubling), CurvePoint(100, 0.7))
    return Rehearsal(500, VarianceParts(), curve, Gain(doubling, (low, 2 * doubling - low)), None, 0, **changes)


def planned(rehearsal: Rehearsal | None = None, **study: Any) -> StudyPlan:
    recipe = make_recipe(Path("none"), **{"mode": "head", "replicates": 5, **study})
    natural = make_natural()
    return plan_study(recipe, natural, study_samples(recipe, natural), rehearsal)


def test_the_prior_is_of_the_evaluations_that_are_stored() -> None:
    """A study that is run again, or another one, must move the prior too."""
    folder = Path(__file__).parents[3] / "docs" / "results" / "evaluations"
    index = yaml.safe_load((folder / "studies.yaml").read_text("utf-8"))
    assert {effect.study: effect.labels for effect in PUBLISHED} == {
        name: study["labels"] for name, study in index.items()
    }
    assert set(index) == {path.stem for path in folder.glob("*.json")}
    for effect in PUBLISHED:
        first = json.loads((folder / f"{effect.study}.json").read_text("utf-8"))["comparisons"][0]
        assert (first["variant"], first["baseline"]) == ("mixed", "natural")
        stored = (first["difference"], first["standard_error"])
        assert (effect.gain, effect.standard_error) == pytest.approx(stored, abs=5.1e-5)


def test_the_prior_is_a_meta_analysis() -> None:
    """Two studies alike leave their common error; studies that differ by more than their errors add the difference."""
    alike = summary((PublishedGain("a", 10, 0.02, 0.01), PublishedGain("b", 10, 0.02, 0.01)))
    assert (alike.mean, alike.sd) == pytest.approx((0.02, 0.01 / np.sqrt(2)))
    apart = summary((PublishedGain("a", 10, 0.0, 0.001), PublishedGain("b", 10, 0.04, 0.001)))
    assert apart.mean == pytest.approx(0.02)
    assert apart.sd == pytest.approx(np.sqrt(0.04**2 / 2 * 1.5), rel=0.01)  # between studies, and of their mean


def test_the_prior_falls_with_the_labels() -> None:
    few, between, many = (published_prior(labels) for labels in (10, 50**0.5 * 250**0.5, 250))
    assert few.mean > published_prior(50).mean > many.mean
    assert between.mean == pytest.approx((published_prior(50).mean + many.mean) / 2)
    assert published_prior(1) == few
    assert published_prior(9_000) == many
    assert few.sd >= few.mean


def test_chances_are_those_of_studies_simulated() -> None:
    """600 studies of a known gain, judged by the verdict itself."""
    random = np.random.default_rng(2)
    parts, margin, gain = VarianceParts(0.01**2, 0.08, 0.08), 0.02, 0.05
    tally = {"helps": 0, "too small to tell": 0}
    for _ in range(600):
        noise = random.standard_normal
        mixed, natural, repeated = (
            place + noise((8, 1)) * 0.01 / np.sqrt(2) + noise((1, 400)) * 0.2 + noise((8, 400)) * 0.2
            for place in (gain, 0.0, 0.0)
        )
        estimates = {
            name: two_way(values, float(values.mean()))
            for name, values in (
                ("natural", mixed - natural), ("repeated", mixed - repeated), ("control", repeated - natural)
            )
        }  # fmt: skip
        outcome = conclude(estimates, 8, 400, Rule(margin)).outcome
        tally[outcome] = tally.get(outcome, 0) + 1
    told = chances(parts.crossed(400, 8), margin, Prior(gain, 0.0, 1), seed=0)
    assert told["helps"] == pytest.approx(tally["helps"] / 600, abs=0.07)
    assert sum(told.values()) == pytest.approx(1)


def test_a_plan_knows_the_designs() -> None:
    nested = planned()
    assert (nested.design, nested.labels, nested.items) == ("nested", 36, 30)
    assert planned(design="conditional").design == "identical"
    assert planned(design="conditional", mode="finetune").design == "conditional"
    crossed = planned(cross_fitting={"folds": 5}, replicates=2)
    assert (crossed.design, crossed.items) == ("cross_fitted", 270)
    assert crossed.rows_needed is not None
    assert crossed.rows_needed > 270
    assert crossed.half_width < nested.half_width  # 270 rows are tested, not 30
    assert "natural rows" in "\n".join(plan_lines(crossed))


def test_too_few_replicates_are_planned_as_the_fewest_that_give_a_verdict() -> None:
    assert planned(replicates=1).replicates == planned(replicates=5).replicates == 5
    assert 0 < planned(replicates=1).half_width <= planned(replicates=5).half_width  # one knows of no shared rows


def test_many_replicates_of_a_small_pool_are_conditional() -> None:
    assert planned(rows_per_label=95).design == "identical"  # two replicates share most of 100 rows a label


def test_more_replicates_narrow_the_interval_and_raise_the_chance() -> None:
    five, forty = planned(), planned(replicates=40)
    assert forty.half_width < five.half_width
    assert forty.decided > five.decided


@pytest.mark.parametrize(
    ("rehearsal", "cost", "said", "unsaid"),
    [
        (shown(0.03, 0.02), replace(FREE, source="pilot", usd=Amount(50.0, 40.0, 60.0)), "the better buy", "flat"),
        (shown(0.003, 0.002), replace(FREE, source="pilot", usd=Amount(0.5, 0.4, 0.6)), "buy 2", "the better buy"),
        (shown(0.03, -0.01), FREE, "curve of the natural rows is flat", "better buy"),
    ],
)
def test_labels_are_the_better_buy_only_where_the_curve_says_so(
    rehearsal: Rehearsal, cost: GenerationCost, said: str, unsaid: str
) -> None:
    words = " ".join(advice(planned(rehearsal), cost))
    assert said in words
    assert unsaid not in words


def test_self_training_is_named_where_it_gains() -> None:
    gains = replace(shown(0.03, 0.02), self_training=Gain(0.02, (0.01, 0.03)), unlabelled=400)
    assert "Self-training" in " ".join(advice(planned(gains), FREE))
    fails = replace(gains, self_training=Gain(0.02, (-0.01, 0.05)))
    assert "Self-training" not in " ".join(advice(planned(fails), FREE))


def test_the_command_measures_and_reads_the_pilot(tmp_path: Path) -> None:
    """On a tiny student and rows it can learn; the numbers of text and JSON agree, and nothing is generated."""
    import yaml

    model = make_model(tmp_path / "model")
    rows = make_rows(260, 4)
    lines = [json.dumps({"id": row.request_id, "text": row.text, "label": row.label}) for row in rows]
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "train.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "prompt.jinja2").write_text("{{ verbalizer }}:", "utf-8")
    content = make_recipe(model, mode="head", replicates=5).model_dump(mode="json", exclude_defaults=True)
    content["natural"]["files"] = {"train": "train.jsonl"}
    content["generate"]["generator"]["model"] = str(model)
    (folder / "recipe.yaml").write_text(yaml.safe_dump(content), "utf-8")
    arguments = ["plan", str(folder), "--runs", str(tmp_path / "runs")]
    record = json.loads(CliRunner().invoke(sentisynth, [*arguments, "--json"], catch_exceptions=False).stdout)
    assert record["rehearsal"]["rows"] > 100
    assert record["cost"]["source"] == "upper bound"
    told = CliRunner().invoke(sentisynth, arguments, catch_exceptions=False).stdout
    width = re.search(r"about ±(\d\.\d+)", told)
    assert width is not None
    assert float(width[1]) == pytest.approx(record["half_width"], abs=1e-4)
    assert not list((tmp_path / "runs").glob("*/generate/*/*"))
    (pilot,) = [tmp_path / "runs" / "tiny" / "generate" / name for name in [_generate_folder(folder)]]
    pilot.mkdir(parents=True)
    figure = {"estimate": 100.0, "interval": [90.0, 110.0]}
    figures = {"pilot_requests": 20, "requests": 200, "tokens": figure, "usd": figure, "minutes": None}
    (pilot / "pilot.json").write_text(json.dumps(figures), "utf-8")
    told = CliRunner().invoke(sentisynth, arguments, catch_exceptions=False).stdout
    assert "100.0000 dollars (90.0000 to 110.0000); from a pilot of 20 requests" in told


def _generate_folder(folder: Path) -> str:
    from sentisynth_hub.pipeline import open_pipeline
    from sentisynth_hub.recipe import load_recipe

    return open_pipeline(load_recipe(str(folder))).folder("generate").path.name
