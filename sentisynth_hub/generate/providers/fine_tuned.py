"""A small language model trained on a replicate's natural rows, each after the prompt of its own label.

The way of Kumar et al. (2020, "Data Augmentation using Pre-trained Transformer Models", section 3.1, GPT-2) and of
SentiSynth: after training, the label's prompt alone is enough to ask for a text of that label. The training row is the
prompt the generator will be given, then the text, then a newline; the loss is over the text and its newline.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from sentisynth_hub.core import log
from sentisynth_hub.core.files import json_digest, replaced
from sentisynth_hub.core.random import rng
from sentisynth_hub.core.rows import Row
from sentisynth_hub.generate.prompts import PromptTemplate, one_line
from sentisynth_hub.generate.providers.transformers_lm import (
    TransformersGenerator,
    TransformersProvider,
    load,
    model_commit,
    model_name,
)
from sentisynth_hub.natural.splits import Sample
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.generator_kinds import FineTunedGenerator
from sentisynth_hub.recipe.generator_section import GeneratorSection


VERSION = 1
_IGNORED = -100  # label of tokens the loss leaves out
_CLIP = 1.0  # longest gradient
_WARM_UP = 0.1  # share of the steps with rising learning rate
_MAX_TOKENS = 256  # of a training row; what is longer is cut


class FineTunedProvider(TransformersProvider):
    """A model trained on each replicate's own rows first."""

    section: ClassVar[type[GeneratorSection]] = FineTunedGenerator
    shared: ClassVar[bool] = False

    def identity(self, recipe: Recipe, sample: Sample) -> tuple[dict[str, Any], dict[str, Any]]:
        """The model as it was before, and what decides its training."""
        model, sampling = super().identity(recipe, sample)
        return model | {"fine_tuning": training_digest(_section(recipe), recipe, sample)}, sampling

    def prepare(self, recipe: Recipe, sample: Sample, folder: Path) -> None:
        """Train it."""
        train(recipe, sample, PromptTemplate(recipe), folder)

    def open(self, recipe: Recipe, folder: Path) -> TransformersGenerator:
        """Load the replicate's own model."""
        generate = recipe.generate
        return TransformersGenerator(
            _section(recipe), generate.sampling, generate.prompt, weights=weights_folder(folder)
        )


def _section(recipe: Recipe) -> FineTunedGenerator:
    section = recipe.generate.asked
    assert isinstance(section, FineTunedGenerator)
    return section


def training_digest(generator: FineTunedGenerator, recipe: Recipe, sample: Sample) -> str:
    """What decides the trained weights: model, rows, template and every setting of the training; part of the
    requests' ids.
    """
    settings = {
        "version": VERSION,
        "model": [model_name(generator), model_commit(generator)],
        "training": generator.model_dump(include={"epochs", "learning_rate", "train_batch_size", "threads"}),
        "template": PromptTemplate(recipe).digest,
        "seed": [recipe.seed, sample.replicate],
        "rows": sorted([row.id, row.label] for row in sample.train),
    }
    return json_digest(settings)[:16]


def weights_folder(folder: Path) -> Path:
    """Where a replicate's trained model is, once it is complete."""
    return folder / "generator"


def train(recipe: Recipe, sample: Sample, template: PromptTemplate, folder: Path) -> Path:
    """Train the replicate's model, or go on from its last checkpoint, and return its folder.

    One process trains, so that the texts do not depend on how many there are. The checkpoint is written whole or not
    at all.
    """
    import torch
    from accelerate import Accelerator
    from transformers import get_linear_schedule_with_warmup

    generator = _section(recipe)
    done = weights_folder(folder)
    if done.exists():
        return done
    torch.set_num_threads(generator.threads)
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    model, tokenizer = load(generator.model, generator.revision, "float32", accelerator.device)
    model = accelerator.prepare_model(model.train(), evaluation_mode=True)  # not shared out over processes
    optimizer = torch.optim.AdamW(model.parameters(), lr=generator.learning_rate)
    examples = [_example(template, tokenizer, row) for row in sorted(sample.train, key=lambda row: row.request_id)]
    steps = generator.epochs * -(-len(examples) // generator.train_batch_size)
    schedule = get_linear_schedule_with_warmup(optimizer, round(_WARM_UP * steps), steps)
    checkpoint = folder / "generator-checkpoint.pt"
    first = _resume(checkpoint, model, optimizer, schedule)
    bar = log.Progress(f"fine-tuning the generator, replicate {sample.replicate}", steps, done=first)
    for step, batch in enumerate(_batches(recipe, sample, examples, generator)):
        if step < first:
            continue
        torch.manual_seed(recipe.seed * 1_000_003 + step)  # dropout is the same after an interruption
        inputs = _collate(batch, accelerator.device)
        loss = model(**inputs).loss
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), _CLIP)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        bar.advance(note=f"loss {loss.item():.3f}")
        if (step + 1) % generator.checkpoint_steps == 0 and step + 1 < steps:
            _save(checkpoint, step + 1, model, optimizer, schedule)
    bar.close()
    _finish(done, model, tokenizer)
    checkpoint.unlink(missing_ok=True)
    return done


def _example(template: PromptTemplate, tokenizer: Any, row: Row) -> tuple[list[int], int]:
    """Token ids of a training row, and how many of them are the prompt's."""
    prompt = template.render(row.label or "", [], {})
    assert isinstance(prompt, str)
    ids = tokenizer(f"{prompt} {one_line(row.text)}\n").input_ids
    return ids[:_MAX_TOKENS], len(tokenizer(prompt).input_ids)


def _batches(
    recipe: Recipe, sample: Sample, examples: list[tuple[list[int], int]], generator: FineTunedGenerator
) -> Iterator[list[tuple[list[int], int]]]:
    """All batches of all epochs, each epoch in a shuffled order of its own."""
    for epoch in range(generator.epochs):
        order = rng(recipe.seed, "fine-tuning", sample.replicate, epoch).permutation(len(examples))
        for start in range(0, len(order), generator.train_batch_size):
            yield [examples[i] for i in order[start : start + generator.train_batch_size]]


def _collate(batch: list[tuple[list[int], int]], device: Any) -> dict[str, Any]:
    """Pad on the right; neither the prompt nor the padding is learned."""
    import torch

    longest = max(len(ids) for ids, _ in batch)
    inputs = torch.zeros(len(batch), longest, dtype=torch.long)
    labels = torch.full((len(batch), longest), _IGNORED)
    mask = torch.zeros(len(batch), longest, dtype=torch.long)
    for place, (ids, prompt) in enumerate(batch):
        inputs[place, : len(ids)] = torch.tensor(ids)
        labels[place, prompt : len(ids)] = torch.tensor(ids[prompt:])
        mask[place, : len(ids)] = 1
    return {"input_ids": inputs.to(device), "labels": labels.to(device), "attention_mask": mask.to(device)}


def _resume(checkpoint: Path, model: Any, optimizer: Any, schedule: Any) -> int:
    """Load the checkpoint if there is one; return the number of steps it holds."""
    import torch

    if not checkpoint.exists():
        return 0
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    return int(state["step"])


def _save(checkpoint: Path, step: int, model: Any, optimizer: Any, schedule: Any) -> None:
    import torch

    parts = {"model": model, "optimizer": optimizer, "schedule": schedule}
    with replaced(checkpoint) as temporary:
        torch.save({"step": step, **{name: part.state_dict() for name, part in parts.items()}}, temporary)


def _finish(done: Path, model: Any, tokenizer: Any) -> None:
    """Save the model under another name, then rename the folder: it is there whole or not at all."""
    temporary = done.with_name(f".{done.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    model.save_pretrained(temporary)
    tokenizer.save_pretrained(temporary)
    os.rename(temporary, done)
