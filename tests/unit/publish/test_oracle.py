"""A study with an oracle teacher is published as what it is."""

from dataclasses import replace
from pathlib import Path

from sentisynth_hub.publish.cards.render import render_card
from sentisynth_hub.publish.dataset_repo import DatasetPublication
from sentisynth_hub.verdict.evaluate import EvaluationConfig, evaluate_study
from tests.support.releases import release
from tests.support.studies import made_study
from tests.unit.publish.test_render import dataset_manifest


def card_of(folder: Path, config: EvaluationConfig) -> str:
    study = made_study({"natural": 0.6, "natural_repeated": 0.6, "mixed": 0.75}, labels=2)
    made = evaluate_study(replace(study, labels=("negative", "positive")), config).record()
    plan = DatasetPublication(release(folder, evaluation=made), "acme/tiny", folder / "out").plan(None)
    content = plan.additions["sentisynth.json"]
    assert isinstance(content, bytes)
    return render_card(dataset_manifest(content), "")


def test_the_card_says_oracle_in_the_verdict_and_in_a_note(tmp_path: Path) -> None:
    quick = EvaluationConfig(resamples=999)
    (tmp_path / "plain").mkdir()
    card = card_of(tmp_path, replace(quick, oracle_teacher=6920))
    assert "**With an oracle teacher: helps: +" in card
    assert "> SH101: oracle teacher: it learned from 6,920 natural training labels" in card
    assert "oracle" not in card_of(tmp_path / "plain", quick)
