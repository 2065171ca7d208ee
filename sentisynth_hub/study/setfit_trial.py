"""SetFit (Tunstall et al. 2022) by the library `setfit`: the encoder itself is tuned on pairs of the natural rows,
then a logistic regression on what it gives.

    fits = fit_setfit(recipe, stage, validation)
    fits.model.probabilities(["a fine film"])                        # (1, 2)

Texts of one label are pulled together and texts of two labels apart, with the settings of the paper: 20 positive and
20 negative pairs a row, one pass, batches of 16 pairs, learning rate 2e-5. Pairs end at 4,000, where 100 rows have
theirs: SetFit is meant for few rows, and the time of a tuning is then bounded. Every row trains the head whatever its
pairs. A tuning follows from the rows and the seed. It is tuned anew in every fold of the first repetition, so that no
row is scored by an encoder that has seen its label.
"""

import logging
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

import numpy as np

from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.text import digest
from sentisynth_hub.pretrained.head import Array, cross_entropy
from sentisynth_hub.pretrained.head_model import HeadModel
from sentisynth_hub.pretrained.load_model import cut_length, load_pretrained
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.study.training_rows import TrainingStage
from sentisynth_hub.study.validation import Validation, labels_of


SETTINGS = {"pairs_a_row": 20, "most_pairs": 4000, "batch_size": 16, "learning_rate": 2e-5, "warmup": 0.1}
"""What decides a tuning beside rows, encoder and seed: part of the trial's digest."""


@dataclass(frozen=True, eq=False)
class SetFitFits:
    """What a trial has of SetFit.

    Attributes:
        model: Encoder and head tuned on all rows; its folder lives as long as this object does.
        losses: Cross-entropy of each validation row in nats by a fit that has not seen it, (rows,).
        probabilities: What such a fit says of it, (rows, labels).
        penalty: None: the library's own head chooses nothing.
    """

    model: HeadModel
    losses: Array
    probabilities: Array
    penalty: None = None


def fit_setfit(recipe: Recipe, stage: TrainingStage, validation: Validation) -> SetFitFits:
    """Tune and fit in every fold of the first repetition, and once on all rows of `stage`.

    Raises:
        InputError: The library `setfit` is not installed.
    """
    folds = 0 if validation.folds is None else int(validation.folds.max()) + 1
    scored = np.zeros((len(validation.rows), len(recipe.labels)))
    for held, sees in zip(validation.held[:folds], validation.trains_on(stage)[:folds], strict=True):
        with TemporaryDirectory() as folder:
            model = _tuned(recipe, [row for row, flag in zip(stage.rows, sees, strict=True) if flag], Path(folder))
            scored[held] = model.probabilities([validation.rows[i].text for i in np.flatnonzero(held)])
    lasting = Path(mkdtemp())
    try:
        model = _tuned(recipe, stage.rows, lasting)
        if not folds:
            scored = model.probabilities([row.text for row in validation.rows])
    except BaseException:
        rmtree(lasting)
        raise
    fits = SetFitFits(model, cross_entropy(scored, labels_of(validation.rows, recipe.labels)), scored)
    weakref.finalize(fits, rmtree, lasting)
    return fits


@contextmanager
def _without_bars() -> Iterator[None]:
    """Three libraries draw a bar for every tuning."""
    from datasets.utils import logging as datasets_logging
    from transformers.utils import logging as transformers_logging

    enabled = [part for part in (datasets_logging, transformers_logging) if part.is_progress_bar_enabled()]
    for part in enabled:
        part.disable_progress_bar()
    try:
        yield
    finally:
        for part in enabled:
            part.enable_progress_bar()


@_without_bars()
def _tuned(recipe: Recipe, rows: Sequence[Row], folder: Path) -> HeadModel:
    """An encoder tuned on `rows`, written to `folder`, with its head."""
    import torch
    import transformers
    from datasets import Dataset
    from sklearn.linear_model import LogisticRegression

    setfit, sentence_transformers = _libraries()
    modules = sentence_transformers.sentence_transformer.modules
    student = recipe.study.student
    tokenizer, encoder = load_pretrained(
        "encoder", student.model, revision=student.revision, key="study.student.model", dtype="float32"
    )
    length = cut_length(tokenizer, student.max_length)
    encoder.save_pretrained(folder)  # what was checked is what the library opens
    tokenizer.save_pretrained(folder)
    layers = modules.Transformer(str(folder), max_seq_length=length)
    pooling = modules.Pooling(encoder.config.hidden_size, "mean")
    body = sentence_transformers.SentenceTransformer(modules=[layers, pooling, modules.Normalize()])
    y = labels_of(rows, recipe.labels)
    texts = [student.prefix + row.text for row in rows]
    head = LogisticRegression()
    pairs = min(int(SETTINGS["pairs_a_row"]), int(SETTINGS["most_pairs"]) // (2 * len(rows)))
    arguments = setfit.TrainingArguments(
        output_dir=str(folder / "trainer"),
        batch_size=int(SETTINGS["batch_size"]),
        num_iterations=max(1, pairs),
        body_learning_rate=SETTINGS["learning_rate"],
        warmup_proportion=SETTINGS["warmup"],
        seed=int(digest([str(recipe.seed), *(row.id for row in rows)])[:8], 16) % 2**31,
        save_strategy="no",
        report_to="none",
        logging_strategy="no",
        show_progress_bar=False,
    )
    with torch.random.fork_rng():
        trainer = setfit.Trainer(
            model=setfit.SetFitModel(model_body=body, model_head=head),
            args=arguments,
            train_dataset=Dataset.from_dict({"text": texts, "label": y.tolist()}),
        )
        inner = trainer.st_trainer
        inner.args.dataloader_pin_memory = False
        for callback in (transformers.ProgressCallback, transformers.PrinterCallback):
            inner.remove_callback(callback)
        trainer.train()
    layers.model.eval().cpu().save_pretrained(folder)
    return HeadModel(folder, tuple(recipe.labels), _weights(head, len(recipe.labels)), length, student.prefix, True)


def _libraries() -> tuple[Any, Any]:
    try:
        import sentence_transformers
        import setfit
    except ImportError:
        raise InputError(
            "the variant setfit needs the library of that name; pip install 'sentisynth-hub[setfit]' or leave it out"
        ) from None
    logging.getLogger("setfit").setLevel(logging.WARNING)  # it reports every tuning otherwise
    return setfit, sentence_transformers


def _weights(head: Any, labels: int) -> Array:
    """Weights (dimensions + 1, labels) that give the probabilities of scikit-learn's head; a label without a row gets
    next to no probability.
    """
    coefficients, biases = (head.coef_, head.intercept_)
    if len(head.classes_) == 2:  # one logit, which is that of the second label against the first
        coefficients = np.concatenate([np.zeros_like(coefficients), coefficients])
        biases = np.concatenate([np.zeros(1), biases])
    weights = np.zeros((coefficients.shape[1] + 1, labels))
    weights[-1] = -50.0
    weights[:, head.classes_] = np.concatenate([coefficients, biases[:, None]], axis=1).T
    return weights
