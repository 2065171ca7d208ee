"""The gate against a worse model: the new one and the last published one answer the same natural test rows."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sentisynth_hub.core.errors import PublishError
from sentisynth_hub.core.rows import Row
from sentisynth_hub.localhub.control import HubState
from sentisynth_hub.pretrained.head_model import save_head_model
from sentisynth_hub.publish.checks.non_inferiority import check_not_worse
from sentisynth_hub.publish.commit import publish_model
from sentisynth_hub.recipe import Recipe
from tests.support.releases import LABELS, model_release, recipe_in, tiny_classifier


ROWS = [Row(f"the film was good {i}", LABELS[i % 6 != 0], request_id=str(i)) for i in range(24)]  # 20 positive


def always(folder: Path, label: str, labels: list[str] = LABELS) -> Path:
    """A classifier that says `label` whatever it reads."""
    import torch
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(tiny_classifier(folder, labels))
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor([3.0 * (label == name) for name in labels]))
    model.save_pretrained(folder)
    return folder


def head_that_says(folder: Path, label: str) -> Path:
    """A head model that says `label` whatever it reads."""
    weights = np.zeros((17, len(LABELS)))
    weights[-1, LABELS.index(label)] = 3.0
    save_head_model(folder, str(tiny_classifier(folder.parent / "encoder")), None, weights, LABELS, max_length=16)
    return folder


def gated(folder: Path, repo_id: str, **gates: Any) -> Recipe:
    return recipe_in(folder / repo_id, publish={"model": repo_id, "licence": "cc-by-4.0", "gates": gates})


@pytest.mark.parametrize(("gates", "rule"), [({}, "study.margin"), ({"non_inferiority_margin": 0.1}, "to be shown")])
def test_a_worse_model_is_stopped_and_an_equal_one_passes(
    local_hub: HubState, tmp_path: Path, gates: dict[str, float], rule: str
) -> None:
    repo_id = f"gate-tests/model-{len(gates)}"
    recipe = gated(tmp_path, repo_id, **gates)
    positive, negative = always(tmp_path / "positive", "positive"), always(tmp_path / "negative", "negative")
    assert check_not_worse(recipe, ROWS, positive) is None  # nothing published yet
    publish_model(replace(model_release(tmp_path), folder=positive), repo_id)
    equal = check_not_worse(recipe, ROWS, positive)
    assert equal is not None
    assert equal.new == equal.old == pytest.approx(20 / 44)  # F1 of positive 40/44, of negative 0
    assert equal.lower == 0
    message = r"the new model is worse: macro_f1 0\.143 against 0\.455 of v1\.0\.0 on the same 24 test rows"
    with pytest.raises(PublishError, match=message) as caught:
        check_not_worse(recipe, ROWS, negative)
    assert rule in str(caught.value)
    assert "--allow-worse" in str(caught.value)


def test_a_worse_model_goes_out_where_that_is_asked_for(
    local_hub: HubState, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = gated(tmp_path, "gate-tests/asked")
    publish_model(replace(model_release(tmp_path), folder=always(tmp_path / "old", "positive")), "gate-tests/asked")
    found = check_not_worse(recipe, ROWS, head_that_says(tmp_path / "new", "negative"), allow_worse=True)
    assert found is not None
    assert found.new < found.old
    assert "0.143 against 0.455 of v1.0.0" in capsys.readouterr().err


def test_a_head_and_a_fine_tuned_network_are_compared(local_hub: HubState, tmp_path: Path) -> None:
    repo_id = "gate-tests/head"
    release = replace(
        model_release(tmp_path), folder=head_that_says(tmp_path / "old", "positive"), layout="sentence-transformers"
    )
    publish_model(release, repo_id)
    recipe = gated(tmp_path, repo_id)
    found = check_not_worse(recipe, ROWS, always(tmp_path / "same", "positive"))
    assert found is not None
    assert found.new == found.old
    with pytest.raises(PublishError, match="is worse"):
        check_not_worse(recipe, ROWS, always(tmp_path / "worse", "negative"))


def test_other_labels_are_not_compared(
    local_hub: HubState, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repo_id, others = "gate-tests/others", ["bad", "good"]
    recipe = recipe_in(tmp_path / "others", labels=others)
    publish_model(
        replace(model_release(tmp_path), recipe=recipe, folder=always(tmp_path / "old", "good", others)), repo_id
    )
    assert check_not_worse(gated(tmp_path, repo_id), ROWS, always(tmp_path / "new", "negative")) is None
    assert "whose labels are bad, good" in capsys.readouterr().err


def test_no_model_repo_no_gate(local_hub: HubState, tmp_path: Path) -> None:
    assert check_not_worse(recipe_in(tmp_path / "open"), [], tmp_path) is None
