"""Grounding in real texts without a label (arXiv 2405.10040, SynthesizRR): their topics and their manner.

A text that a prompt shows stands in no table; its id does, in the lineage. The overlap filter drops what says it
again. No text of a test or validation row is shown.
"""

import numpy as np
import numpy.typing as npt

from sentisynth_hub.core.errors import DataError
from sentisynth_hub.core.text import normalised
from sentisynth_hub.generate.methods.grounding_texts import TEXT, grounding_rows
from sentisynth_hub.generate.methods.method import Method, MethodContext, PromptContent
from sentisynth_hub.generate.prompts import draw_attributes, draw_demonstrations, one_line, walk
from sentisynth_hub.pretrained.embeddings import embed, unit
from sentisynth_hub.recipe.method_section import GroundOptions


class Ground(Method):
    """Shows an unlabelled text beside labelled rows."""

    name = "ground"
    options = GroundOptions
    needs = ("ground_text",)
    reads_texts = True

    def __init__(self, options: GroundOptions, context: MethodContext):
        super().__init__(options, context)
        self._pool = context.pool
        own = {normalised(row.text) for row in context.sample.train} | context.held
        rows = [row for row in grounding_rows(context.recipe) if normalised(row.text) not in own]
        if not rows:
            raise DataError(
                "generate.method: every text of its source stands among the natural rows; name a source of other texts"
            )
        self._rows = rows
        self._near: dict[str, list[list[int]]] = {}
        if options.choose == "nearest":
            self._near = self._nearest(options)

    def content(self, label: str, number: int) -> PromptContent:
        """As few-shot, with the next text."""
        recipe, replicate = self.context.recipe, self.context.sample.replicate
        parts = (recipe.seed, "grounding", replicate, label)
        if self._near:
            turn = number // len(self._pool[label])
            near = walk(self._near[label], number, *parts)
            row = self._rows[near[turn % len(near)]]
        else:
            row = walk(self._rows, number, *parts)
        return PromptContent(
            draw_demonstrations(recipe, self._pool, replicate, label, number),
            draw_attributes(recipe, self.context.template, replicate, label, number) | {TEXT: row.id},
            {"ground_text": one_line(row.text)},
        )

    def _nearest(self, options: GroundOptions) -> dict[str, list[list[int]]]:
        """Of each labelled row the places of the texts nearest to it, by label."""
        encoder = options.encoder
        assert encoder is not None

        def vectors(texts: list[str]) -> npt.NDArray[np.float32]:
            features = embed(
                texts, encoder.model, revision=encoder.revision, prefix=encoder.prefix, max_length=encoder.max_length,
                threads=encoder.threads,
            )  # fmt: skip
            return unit(features)

        texts = vectors([row.text for row in self._rows])
        near = {}
        for label, rows in self._pool.items():
            cosines = vectors([row.text for row in rows]) @ texts.T
            near[label] = np.argsort(-cosines, axis=1, kind="stable")[:, : options.nearest].tolist()
        return near

    @classmethod
    def recipe_lines(cls) -> list[str]:
        """Its line, with the source to be filled in."""
        return ["method: {kind: ground, file: texts.txt} # one unlabelled text of the domain a line"]
