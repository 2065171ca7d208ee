"""The one training loop: fine-tunes a classifier through Accelerate, on one process or shared out over all of a
launch.

What decides the weights is the seed, the rows and the settings. Batches are planned from the seed; dropout draws from
a generator seeded anew for every step, so that a trial that goes on from a checkpoint ends with the very weights of
one that was never stopped.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sentisynth_hub.core.distributed import Processes
from sentisynth_hub.core.errors import StageError
from sentisynth_hub.core.files import replaced
from sentisynth_hub.core.text import digest
from sentisynth_hub.recipe.study_section import Student, Study
from sentisynth_hub.study.encoding import Encoded, collate, length_sorted, plan_epoch


Array = npt.NDArray[Any]
LOG_STEPS = (
    20  # steps whose mean loss is one point of the history; a loss is not looked at more often: that stalls a GPU
)
_GRADIENT_NORM = 1.0  # gradients are clipped to this norm, as transformers' Trainer does
_PREDICTED_TOGETHER = 64


@dataclass(frozen=True)
class Launch:
    """What a trial is computed on: `shared` when the rows of each step are dealt out over the processes; `bfloat16`
    arithmetic.
    """

    accelerator: Any
    bfloat16: bool = False
    rank: int = 0
    count: int = 1

    @property
    def shared(self) -> bool:
        """Whether several processes train this trial together."""
        return self.count > 1


@dataclass(frozen=True)
class StageData:
    """Encoded rows, the steps to train on them and the peak learning rate."""

    rows: Encoded
    steps: int
    learning_rate: float


@dataclass
class EarlyStopping:
    """Stops after `patience` epochs without a better score and keeps the weights of the best one.

    `score` maps the unwrapped model to a number, higher is better, from natural validation rows only.
    """

    patience: int
    score: Callable[[Any], float]
    best: float = float("-inf")
    waited: int = 0
    weights: dict[str, Any] = field(default_factory=dict)
    best_step: int = 0

    def stop(self, model: Any, step: int) -> bool:
        """Score the model after an epoch; True when it is time to stop."""
        score = self.score(model)
        if score > self.best:
            self.best, self.waited, self.best_step = score, 0, step
            self.weights = {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
        else:
            self.waited += 1
        return self.waited >= self.patience


def start_launch(study: Study, processes: Processes, *, shared: bool, folder: Path | None = None) -> Launch:
    """Make the Accelerator of a study; `shared` when every process trains every trial together (DDP).

    Trackers write to `folder`/trackers.
    """
    import torch
    from accelerate import Accelerator
    from accelerate.utils import ProjectConfiguration

    gpu = torch.cuda.is_available()
    bfloat16 = study.student.dtype == "bfloat16" or (
        study.student.dtype == "auto" and gpu and torch.cuda.is_bf16_supported()
    )
    accelerator = Accelerator(
        cpu=not gpu,
        mixed_precision="no",  # the loop says itself where bfloat16 is used, so that predictions are not
        log_with=list(study.trackers) or None,
        project_config=ProjectConfiguration(logging_dir=str(folder / "trackers"))
        if folder and study.trackers
        else None,
    )
    return Launch(accelerator, bfloat16, *((processes.rank, processes.count) if shared else ()))


def fit(
    model: Any,
    stages: Sequence[StageData],
    student: Student,
    launch: Launch,
    *,
    seed: int,
    pad_id: int,
    name: str,
    stopping: EarlyStopping | None = None,
    checkpoint: Path | None = None,
) -> list[float]:
    """Train `model` in place, stage after stage; every stage has its own optimiser state, warm-up and decay.

    Args:
        seed: Order of rows and dropout follow from it.
        pad_id: Token id of padding.
        name: The trial, for messages.
        stopping: Early stopping, looked at after every epoch.
        checkpoint: File written every `student.checkpoint_steps` steps and read when it is there; removed at the end.

    Returns:
        Mean loss of every `LOG_STEPS` steps.

    Raises:
        StageError: The loss is not a finite number; says at which step and what to do.
    """
    import torch

    state = _load(checkpoint)
    done, history = (0, []) if state is None else (state["done"], list(state["history"]))
    if state is not None:
        model.load_state_dict(state["model"])
        if stopping is not None:
            stopping.best, stopping.waited, stopping.best_step = state["stopping"]
            stopping.weights = state["best"]
    first = 0
    with torch.random.fork_rng():
        for number, stage in enumerate(stages):
            if done < first + stage.steps:
                run = _Run(model, stage, student, launch, seed=seed + number, pad_id=pad_id, name=name, first=first)
                if state is not None and done > first:
                    run.optimizer.load_state_dict(state["optimizer"])
                done = run.train(done, history, stopping, checkpoint)
                run.close()
            first += stage.steps
    if stopping is not None and stopping.weights:
        model.load_state_dict(stopping.weights)
    model.eval()
    if checkpoint is not None and launch.rank == 0:
        checkpoint.unlink(missing_ok=True)
    return history


class _Run:
    """One stage being trained."""

    def __init__(
        self,
        model: Any,
        stage: StageData,
        student: Student,
        launch: Launch,
        *,
        seed: int,
        pad_id: int,
        name: str,
        first: int,
    ):
        import torch

        self.stage, self.student, self.launch = stage, student, launch
        self.seed, self.pad_id, self.name, self.first = seed, pad_id, name, first
        self.bare = model
        # A trial of its own must not be wrapped for several processes, whatever the launch: evaluation mode moves it
        # and no more.
        self.model = launch.accelerator.prepare_model(model, evaluation_mode=not launch.shared)
        decayed = [p for n, p in model.named_parameters() if p.ndim > 1]
        others = [p for n, p in model.named_parameters() if p.ndim <= 1]  # biases and layer norms
        groups = [{"params": decayed, "weight_decay": student.weight_decay}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=stage.learning_rate, fused=True)
        self.lengths = [len(ids) for ids in stage.rows.token_ids]
        self.epoch_steps = -(-len(stage.rows) // student.batch_size)

    def train(
        self,
        done: int,
        history: list[float],
        stopping: EarlyStopping | None,
        checkpoint: Path | None,
    ) -> int:
        """Go on from step `done` of the trial to the stage's end, or to where early stopping ends it; return the steps
        done.
        """
        self.model.train()
        last = self.first + self.stage.steps
        losses: list[Any] = []
        batches: list[list[int]] = []
        while done < last:
            epoch, place = divmod(done - self.first, self.epoch_steps)
            if place == 0 or not batches:
                batches = plan_epoch(self.lengths, self.student.batch_size, self.seed, epoch)
            losses.append(self._step(batches[place], done))
            done += 1
            save = (
                checkpoint is not None and self.student.checkpoint_steps and done % self.student.checkpoint_steps == 0
            )
            if done % LOG_STEPS == 0 or done == last or save:
                history.append(self._mean(losses, done))
                losses = []
            if stopping is not None and (place + 1 == self.epoch_steps or done == last):
                if stopping.stop(self.bare, done):
                    return last
                self.model.train()
            if checkpoint is not None and save:
                self._save(checkpoint, done, history, stopping)
        return last

    def _step(self, rows: Sequence[int], step: int) -> Any:
        """One optimiser step over `rows`; returns this process's part of the loss, a tensor."""
        import torch

        launch = self.launch
        for group in self.optimizer.param_groups:
            group["lr"] = self.stage.learning_rate * self._rate(step - self.first)
        mine = rows[launch.rank :: launch.count] if launch.shared else rows
        size = max(1, -(-len(mine) // self.student.gradient_accumulation))
        parts = [mine[i : i + size] for i in range(0, len(mine), size)] or [rows[:1]]
        weight = (
            launch.count / len(rows) if len(mine) else 0.0
        )  # gradients are averaged over processes, the loss over all rows
        torch.manual_seed(int(digest([str(self.seed), str(step), str(launch.rank)])[:15], 16))
        total = torch.zeros((), device=self.bare.device)
        for number, part in enumerate(parts):
            last = number + 1 == len(parts)
            with nullcontext() if last or not launch.shared else launch.accelerator.no_sync(self.model):
                loss = self._loss(part) * weight
                launch.accelerator.backward(loss)
            total += loss.detach()
        torch.nn.utils.clip_grad_norm_(self.bare.parameters(), _GRADIENT_NORM)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return total

    def _loss(self, rows: Sequence[int]) -> Any:
        import torch

        batch = collate([self.stage.rows.token_ids[i] for i in rows], self.pad_id)
        labels = torch.tensor([self.stage.rows.labels[i] for i in rows])
        device = self.bare.device
        with torch.autocast(device.type, torch.bfloat16, enabled=self.launch.bfloat16):
            logits = self.model(**{key: value.to(device) for key, value in batch.items()}).logits
        weights = torch.tensor([self.stage.rows.weights[i] for i in rows], device=device)
        losses = torch.nn.functional.cross_entropy(logits.float(), labels.to(device), reduction="none")
        return (losses * weights).sum()

    def _rate(self, step: int) -> float:
        """Linear warm-up from 0, then linear decay to 0 (transformers' `linear` schedule)."""
        warmup = int(np.ceil(self.student.warmup_ratio * self.stage.steps))
        if step < warmup:
            return step / warmup
        return max(0.0, (self.stage.steps - step) / max(1, self.stage.steps - warmup))

    def _mean(self, losses: Sequence[Any], step: int) -> float:
        import torch

        own = torch.stack(list(losses)).mean()
        mean = float(self.launch.accelerator.reduce(own, "mean") if self.launch.shared else own)
        if not np.isfinite(mean):
            raise StageError(
                f"study: {self.name}: the loss is {mean} by step {step}; lower study.student.learning_rate "
                f"(now {self.stage.learning_rate:g}) or check the model's weights"
            )
        return mean

    def _save(self, path: Path, done: int, history: list[float], stopping: EarlyStopping | None) -> None:
        import torch

        if self.launch.rank != 0:
            return
        state: dict[str, Any] = {
            "done": done,
            "history": history,
            "model": self.bare.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        if stopping is not None:
            state |= {"stopping": (stopping.best, stopping.waited, stopping.best_step), "best": stopping.weights}
        with replaced(path) as temporary:
            torch.save(state, temporary)

    def close(self) -> None:
        """Let go of the optimiser and of what the Accelerator remembers of the model."""
        self.launch.accelerator.free_memory()


def _load(checkpoint: Path | None) -> dict[str, Any] | None:
    import torch

    if checkpoint is None or not checkpoint.exists():
        return None
    return dict(torch.load(checkpoint, map_location="cpu", weights_only=True))


def predict(model: Any, token_ids: Sequence[Sequence[int]], pad_id: int, launch: Launch) -> Array:
    """Probability of each label, (rows, labels) float32, computed in the weights' own format, longest batch first."""
    import torch
    from accelerate.utils import gather_object

    model.eval()
    batches = length_sorted([len(ids) for ids in token_ids], _PREDICTED_TOGETHER)
    mine = batches[launch.rank :: launch.count] if launch.shared else batches
    parts = []
    with torch.no_grad():
        for rows in mine:
            batch = collate([token_ids[i] for i in rows], pad_id)
            logits = model(**{key: value.to(model.device) for key, value in batch.items()}).logits
            parts.append((rows, torch.softmax(logits.float(), -1).cpu().numpy()))
    if launch.shared:
        parts = gather_object(parts)
    probabilities = np.zeros((len(token_ids), model.config.num_labels), np.float32)
    for rows, part in parts:
        probabilities[rows] = part
    return probabilities
