"""The gate against a worse model: the new one and the last published one, on the same natural validation rows."""

from dataclasses import replace
from pathlib import Path

import pytest

from sentisynth_hub.core.errors import PublishError
from sentisynth_hub.core.rows import Row
from sentisynth_hub.localhub.control import HubState
from sentisynth_hub.publish.checks.non_inferiority import check_non_inferiority
from sentisynth_hub.publish.commit import publish_model
from tests.support.releases import LABELS, model_release, recipe_in, tiny_classifier


REPO = "gate-tests/model"


def always(folder: Path, label: str) -> Path:
    """A classifier that says `label` whatever it reads."""
    import torch
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(tiny_classifier(folder))
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor([3.0 * (label == name) for name in LABELS]))
    model.save_pretrained(folder)
    return folder


def test_a_worse_model_is_stopped_and_an_equal_one_passes(local_hub: HubState, tmp_path: Path) -> None:
    publish = {"model": REPO, "licence": "cc-by-4.0", "gates": {"non_inferiority_margin": 0.1}}
    recipe = recipe_in(tmp_path / "gated", publish=publish)
    rows = [Row(f"the film was good {i}", LABELS[i % 6 != 0], request_id=str(i)) for i in range(24)]
    positive, negative = always(tmp_path / "positive", "positive"), always(tmp_path / "negative", "negative")
    assert check_non_inferiority(recipe, rows, positive) is None  # nothing published yet
    publish_model(replace(model_release(tmp_path), folder=positive), REPO)
    equal = check_non_inferiority(recipe, rows, positive)
    assert equal is not None
    # 20 of 24 positive: F1 of positive 40/44, of negative 0
    assert equal.new == equal.old == pytest.approx(20 / 44)
    assert equal.lower == 0
    said = r"non-inferiority gate: macro_f1 0\.143 against 0\.455 of v1\.0\.0 on 24 validation rows.*: worse"
    with pytest.raises(PublishError, match=said):
        check_non_inferiority(recipe, rows, negative)


def test_no_margin_no_gate(local_hub: HubState, tmp_path: Path) -> None:
    assert check_non_inferiority(recipe_in(tmp_path / "open"), [], tmp_path) is None
