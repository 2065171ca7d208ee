"""The training loop against plain PyTorch, against itself interrupted, and on bad input."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.errors import StageError
from sentisynth_hub.recipe.study_section import Student
from sentisynth_hub.study import loop
from sentisynth_hub.study.encoding import Encoded, collate, encode, length_sorted, plan_epoch
from sentisynth_hub.study.finetune import load_student
from sentisynth_hub.study.loop import EarlyStopping, Launch, StageData, fit, predict, start_launch
from tests.support.tiny_study import make_recipe, make_rows


def prepared(model: Path, rows: int = 40, **student: Any) -> tuple[Any, Any, Student, Encoded, Launch]:
    """A fresh student, its tokenizer and settings, encoded rows and a launch of one process."""
    recipe = make_recipe(model, student=student)
    found, tokenizer = load_student(recipe, seed=5)
    data = make_rows(rows, 4)
    encoded = Encoded(
        encode([row.text for row in data], tokenizer, 16), [int(row.label == "positive") for row in data]
    )
    return found, tokenizer, recipe.study.student, encoded, start_launch(recipe.study, Processes(), shared=False)


def weights(model: Any) -> torch.Tensor:
    return torch.cat([parameter.detach().ravel() for parameter in model.parameters()])


def without_dropout(model: Any) -> Any:
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    for layer in model.bert.encoder.layer:
        layer.attention.self.dropout_prob = 0.0
    return model


def run(model: Path, stages: list[int], *, dropout: bool = True, **settings: Any) -> tuple[Any, list[float]]:
    student_settings = settings.pop("student", {})
    found, _, student, encoded, launch = prepared(model, **student_settings)
    found = found if dropout else without_dropout(found)
    data = [StageData(encoded, steps, student.learning_rate) for steps in stages]
    return found, fit(found, data, student, launch, seed=3, pad_id=0, name="natural-0", **settings)


def test_every_row_comes_once_an_epoch_and_batches_are_even_in_length() -> None:
    lengths = np.random.default_rng(0).integers(3, 60, 1000).tolist()
    batches = plan_epoch(lengths, 16, seed=1, epoch=0)
    assert sorted(i for batch in batches for i in batch) == list(range(1000))
    padded = sum(max(lengths[i] for i in batch) * len(batch) for batch in batches)
    assert padded < 1.1 * sum(lengths)
    assert batches != plan_epoch(lengths, 16, seed=1, epoch=1)
    assert batches == plan_epoch(lengths, 16, seed=1, epoch=0)
    assert sorted(i for batch in length_sorted(lengths, 7) for i in batch) == list(range(1000))


def test_collate_pads_on_the_right() -> None:
    batch = collate([[2, 8, 3], [2, 3]], pad_id=9)
    assert batch["input_ids"].tolist() == [[2, 8, 3], [2, 3, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]


def test_equals_a_loop_written_out(tiny_model: Path) -> None:
    """Without dropout: the weights of AdamW, clipping and a linear schedule applied by hand to the same batches."""
    found, _, student, encoded, launch = prepared(tiny_model)
    by_hand, *_ = prepared(tiny_model)
    without_dropout(found)
    without_dropout(by_hand)
    steps = 12
    fit(found, [StageData(encoded, steps, 1e-3)], student, launch, seed=3, pad_id=0, name="x")

    decay = [p for p in by_hand.parameters() if p.ndim > 1]
    rest = [p for p in by_hand.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.01}, {"params": rest, "weight_decay": 0}], lr=1e-3
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: step / 2 if step < 2 else (steps - step) / (steps - 2)
    )  # warm-up: a tenth of 12 steps, rounded up
    lengths = [len(ids) for ids in encoded.token_ids]
    batches = [batch for epoch in range(3) for batch in plan_epoch(lengths, 8, 3, epoch)][:steps]
    by_hand.train()
    for batch in batches:
        inputs = collate([encoded.token_ids[i] for i in batch], 0)
        by_hand(**inputs, labels=torch.tensor([encoded.labels[i] for i in batch])).loss.backward()
        torch.nn.utils.clip_grad_norm_(by_hand.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    assert torch.allclose(weights(found), weights(by_hand), atol=1e-6)


def test_equals_trainer_where_both_see_the_same_batches(tiny_model: Path, tmp_path: Path) -> None:
    """Without dropout and with all rows in one batch the order of rows has no say: equal weights, step by step."""
    from transformers import Trainer, TrainingArguments

    found, _, student, encoded, launch = prepared(tiny_model, batch_size=40)
    other, *_ = prepared(tiny_model)
    without_dropout(found)
    without_dropout(other)
    steps = 21
    fit(found, [StageData(encoded, steps, 1e-3)], student, launch, seed=3, pad_id=0, name="x")
    settings = TrainingArguments(
        str(tmp_path), num_train_epochs=steps, per_device_train_batch_size=40, learning_rate=1e-3, weight_decay=0.01,
        warmup_steps=3, use_cpu=True, report_to=[], save_strategy="no", disable_tqdm=True, logging_strategy="no",
    )  # fmt: skip
    rows = [{"input_ids": ids, "labels": label} for ids, label in zip(encoded.token_ids, encoded.labels, strict=True)]

    def one_batch(parts: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        inputs = collate([part["input_ids"] for part in parts], 0)
        return {**inputs, "labels": torch.tensor([part["labels"] for part in parts])}

    Trainer(other, settings, train_dataset=rows, data_collator=one_batch).train()
    assert torch.allclose(weights(found), weights(other), atol=1e-6)


@pytest.mark.parametrize("parts", [2, 3, 8, 50])
def test_gradient_accumulation_changes_nothing(tiny_model: Path, parts: int) -> None:
    # In one pass and in parts the same rows draw other dropout masks, so dropout is off for this comparison.
    whole, _ = run(tiny_model, [9], dropout=False, student={"rows": 37})
    in_parts, _ = run(tiny_model, [9], dropout=False, student={"rows": 37, "gradient_accumulation": parts})
    assert torch.allclose(weights(whole), weights(in_parts), atol=1e-5)


def test_learns(tiny_model: Path) -> None:
    found, tokenizer, student, encoded, launch = prepared(tiny_model, rows=200, learning_rate=5e-3)
    history = fit(found, [StageData(encoded, 200, 5e-3)], student, launch, seed=3, pad_id=0, name="x")
    unseen = make_rows(100, 99)
    probabilities = predict(found, encode([row.text for row in unseen], tokenizer, 24), 0, launch)
    right = probabilities.argmax(1) == np.array([row.label == "positive" for row in unseen])
    assert right.mean() > 0.9
    assert len(history) == 200 / loop.LOG_STEPS
    assert history[-1] < 0.3 < history[0]


def test_same_seed_same_weights(tiny_model: Path) -> None:
    assert torch.equal(weights(run(tiny_model, [7])[0]), weights(run(tiny_model, [7])[0]))


@pytest.mark.parametrize("stop_at", [1, 6, 11, 13, 19])
def test_goes_on_from_a_checkpoint_to_the_same_weights(tiny_model: Path, tmp_path: Path, stop_at: int) -> None:
    """Killed at any step, in the middle of an epoch, of either stage or right between them."""

    class Killed(Exception):
        pass

    settings = {"checkpoint_steps": 3}
    whole, history = run(tiny_model, [11, 9], student=settings, checkpoint=tmp_path / "whole.pt")
    steps_done = []
    original = loop._Run._step

    def dying(self: Any, rows: Any, step: int) -> Any:
        if step == stop_at and len(steps_done) < stop_at + 1:
            steps_done.append(step)
            raise Killed
        steps_done.append(step)
        return original(self, rows, step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop._Run, "_step", dying)
        with pytest.raises(Killed):
            run(tiny_model, [11, 9], student=settings, checkpoint=tmp_path / "killed.pt")
        resumed, resumed_history = run(tiny_model, [11, 9], student=settings, checkpoint=tmp_path / "killed.pt")
    assert torch.equal(weights(whole), weights(resumed))
    assert resumed_history == history
    assert steps_done[stop_at + 1] == stop_at // 3 * 3  # it really went on and did not start again
    assert not (tmp_path / "killed.pt").exists()


def test_stages_warm_up_anew(tiny_model: Path) -> None:
    rates: list[float] = []
    original = torch.optim.AdamW.step

    def noting(self: Any, *rest: Any, **named: Any) -> Any:
        rates.append(self.param_groups[0]["lr"])
        return original(self, *rest, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", noting)
        found, _, student, encoded, launch = prepared(tiny_model, warmup_ratio=0.5)
        fit(
            found,
            [StageData(encoded, 4, 1e-3), StageData(encoded, 2, 4e-3)],
            student,
            launch,
            seed=1,
            pad_id=0,
            name="x",
        )
    assert rates == pytest.approx([0, 5e-4, 1e-3, 5e-4, 0, 4e-3])


def test_early_stopping_keeps_the_best_weights(tiny_model: Path) -> None:
    scores = iter([0.5, 0.7, 0.6, 0.65])
    seen = []

    def score(model: Any) -> float:
        seen.append(weights(model).clone())
        return next(scores)

    stopping = EarlyStopping(2, score)
    found, _ = run(tiny_model, [1000], stopping=stopping)
    assert len(seen) == 4  # best after the second epoch, two without a better one
    assert torch.equal(weights(found), seen[1])
    assert stopping.best_step == 2 * 5  # 40 rows in batches of 8


def test_nan_loss_says_where_and_what_to_do(tiny_model: Path) -> None:
    found, _, student, encoded, launch = prepared(tiny_model)
    with torch.no_grad():
        found.classifier.weight.fill_(float("nan"))
    with pytest.raises(StageError, match=r"natural-3: the loss is nan by step 20; lower study.student.learning_rate"):
        fit(found, [StageData(encoded, 30, 1e-3)], student, launch, seed=1, pad_id=0, name="natural-3")


def test_bfloat16_is_for_the_arithmetic_only(tiny_model: Path) -> None:
    found, history = run(tiny_model, [20], student={"dtype": "bfloat16"})
    exact, exact_history = run(tiny_model, [20], student={"dtype": "float32"})
    assert {parameter.dtype for parameter in found.parameters()} == {torch.float32}
    assert not torch.equal(weights(found), weights(exact))
    assert history == pytest.approx(exact_history, abs=0.05)
