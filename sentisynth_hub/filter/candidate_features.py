"""Frozen features for the filters that need them: the candidates' are computed once, whichever filters ask."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sentisynth_hub.core.rows import Row
from sentisynth_hub.metrics.neighbours import Vectors
from sentisynth_hub.pretrained.embeddings import embed
from sentisynth_hub.recipe.filter_section import Encoder


class CandidateFeatures:
    """Features of rows, all candidates of a replicate being embedded together.

    So a filter's features do not depend on what filters before it dropped, several filters share them, and with a
    `cache` folder a threshold can be moved without computing them again.
    """

    def __init__(self, candidates: Sequence[Row] = (), cache: Path | None = None):
        texts = sorted({row.text for row in candidates})
        self._texts = texts
        self._place = {text: number for number, text in enumerate(texts)}
        self._cache = cache
        self._of_candidates: dict[Encoder, Vectors] = {}

    def of(self, rows: Sequence[Row], encoder: Encoder) -> Vectors:
        """The encoder's features of the rows' texts, (rows, d) float32, an array of the caller's own; rows that are no
        candidates may be asked for too.
        """
        texts = [row.text for row in rows]
        if not texts or not all(text in self._place for text in texts):
            return self._embed(texts, encoder)
        if encoder not in self._of_candidates:
            self._of_candidates[encoder] = self._embed(self._texts, encoder)
        return np.asarray(self._of_candidates[encoder][[self._place[text] for text in texts]])

    def _embed(self, texts: Sequence[str], encoder: Encoder) -> Vectors:
        return embed(
            texts,
            encoder.model,
            revision=encoder.revision,
            prefix=encoder.prefix,
            max_length=encoder.max_length,
            threads=encoder.threads,
            cache=self._cache,
        )
