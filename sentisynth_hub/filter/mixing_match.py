"""Code-mixing distributed as in the natural rows, by rejection."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from pydantic import Field

from sentisynth_hub.core.random import rng
from sentisynth_hub.core.rows import Decision, Row
from sentisynth_hub.filter.contract import Filter, FilterContext, FilterFacts
from sentisynth_hub.metrics.code_mixing import cmi, i_index, unknown_share
from sentisynth_hub.metrics.word_languages import WordTagger
from sentisynth_hub.recipe.section import Section


Array = npt.NDArray[np.float64]


class MixingMatchOptions(Section):
    """Drops rows of mixes that are there too often, until code-mixing is distributed as in the natural rows."""

    bins: int = Field(default=5, ge=2, le=20)
    """Ranges of the CMI whose shares are matched: one of texts in one language, the others equally full of natural
    rows.
    """
    least_kept: float = Field(default=0.3, gt=0, le=1)
    """Share of the rows that stay whatever the natural shares are; where that binds, the match is only nearer."""
    max_unknown: float = Field(default=0.5, ge=0, le=1)
    """Share of a text's words the tagger may not know; beyond it nothing is known of its mix, and the text stays."""


class MixingMatchFacts(FilterFacts):
    """How far synthetic rows are from natural ones before and after: the largest gap between the cumulative
    distributions (Kolmogorov-Smirnov, 0 to 1) of CMI and of the switches between words (I-index).
    """

    tagger: str
    natural_rows: int
    cmi_distance_before: float
    cmi_distance_after: float
    i_index_distance_before: float
    i_index_distance_after: float


class MixingMatch(Filter):
    """Keeps rows so that the shares of their ranges of CMI become those of the natural rows.

    Of each range a share stays that is proportional to natural share over synthetic share (rejection sampling, von
    Neumann 1951); which rows of a range stay is drawn by the recipe's seed. The score is that share, None for a row of
    whose mix nothing is known; the CMI stays with the row.
    """

    name = "mixing_match"
    score_name = "mixing_acceptance"
    reasons = {"oversupplied_mix": "there are more rows of this mix than natural rows have"}
    options = MixingMatchOptions
    facts_type = MixingMatchFacts

    def __init__(self, options: MixingMatchOptions, natural: Sequence[Row], languages: Sequence[str], seed: int):
        self._options, self._seed = options, seed
        self._tagger = WordTagger(languages)
        self._natural = self._measured(natural)
        self._edges = edges(self._natural[:, 0], options.bins)
        self._distances = (0.0, 0.0, 0.0, 0.0)

    @classmethod
    def build(cls, options: MixingMatchOptions, context: FilterContext) -> "MixingMatch":
        """Measure the replicate's natural rows."""
        return cls(options, context.human_rows, context.recipe.language, context.recipe.seed)

    def judge(self, rows: Sequence[Row]) -> list[Decision]:
        """One decision a row."""
        tags = [self._tagger.tags(row.text) for row in rows]
        places = [place for place, each in enumerate(tags) if unknown_share(each) <= self._options.max_unknown]
        measured = np.array([[cmi(tags[place]), i_index(tags[place])] for place in places]).reshape(-1, 2)
        stays, acceptance = np.ones(len(places), bool), np.ones(len(places))
        if len(places) and len(self._natural):
            stays, acceptance = self._stays(measured[:, 0])
            before, after = self._distance(measured), self._distance(measured[stays])
            self._distances = (before[0], after[0], before[1], after[1])
        decisions = [Decision(True, scores={"cmi": cmi(each)}) for each in tags]
        for place, stay, share in zip(places, stays, acceptance, strict=True):
            reason = None if stay else "oversupplied_mix"
            decisions[place] = replace(decisions[place], keep=bool(stay), reason=reason, score=float(share))
        return decisions

    def facts(self) -> MixingMatchFacts:
        """The distances."""
        distances = [round(distance, 4) for distance in self._distances]
        return MixingMatchFacts(
            tagger=self._tagger.description,
            natural_rows=len(self._natural),
            cmi_distance_before=distances[0],
            cmi_distance_after=distances[1],
            i_index_distance_before=distances[2],
            i_index_distance_after=distances[3],
        )

    def _measured(self, rows: Sequence[Row]) -> Array:
        """CMI and I-index of the rows the tagger knows enough of, (rows, 2)."""
        tags = [self._tagger.tags(row.text) for row in rows]
        spoken = [each for each in tags if unknown_share(each) <= self._options.max_unknown]
        return np.array([[cmi(each), i_index(each)] for each in spoken]).reshape(-1, 2)

    def _stays(self, values: Array) -> tuple[npt.NDArray[np.bool_], Array]:
        """Which rows of these CMIs stay, and the share of their range that does, (rows,) each."""
        own, natural = (np.digitize(each, self._edges) for each in (values, self._natural[:, 0]))
        counts = np.bincount(own, minlength=len(self._edges) + 1)
        shares = np.bincount(natural, minlength=len(self._edges) + 1) / len(natural)
        kept = matched(counts, shares, self._options.least_kept)
        stays = np.zeros(len(values), bool)
        for number, count in enumerate(kept):
            group = np.flatnonzero(own == number)
            order = rng(self._seed, "mixing match", number).permutation(len(group))
            stays[group[order[:count]]] = True
        return stays, (np.array(kept) / np.maximum(counts, 1))[own]

    def _distance(self, measured: Array) -> tuple[float, float]:
        from scipy.stats import ks_2samp

        pairs = zip(measured.T, self._natural.T, strict=True)
        gaps = [float(ks_2samp(ours, theirs, method="asymp").statistic) for ours, theirs in pairs]
        return gaps[0], gaps[1]


def edges(values: Array, bins: int) -> Array:
    """Lower ends of the ranges above the first, which is 0 alone: quantiles of the values over 0."""
    mixed = values[values > 0]
    if not len(mixed):
        return np.array([np.nextafter(0, 1)])
    inner = np.quantile(mixed, np.linspace(0, 1, bins)[1:-1])
    return np.unique([np.nextafter(0, 1), *inner])


def matched(counts: npt.NDArray[np.int64], shares: Array, least: float) -> list[int]:
    """How many of each range stay so that their shares come as near to `shares` as at least `least` of all rows allow.

    A total T would want T · share of a range and gets no more than there are; the largest T that is met everywhere is
    taken, and a larger one where fewer than the least would stay.
    """
    there = counts > 0
    targeted = shares > 0
    total = float((counts[there & targeted] / shares[there & targeted]).min()) if (there & targeted).any() else 0.0
    lower = least * counts.sum()

    def kept(total: float) -> npt.NDArray[np.int64]:
        return np.minimum(counts, np.round(total * shares)).astype(np.int64)

    while kept(total).sum() < lower and not (kept(total)[targeted] == counts[targeted]).all():
        total = max(total * 1.05, total + 1)
    numbers = kept(total)
    short = int(np.ceil(lower)) - int(numbers.sum())
    for number in np.argsort(-shares, kind="stable"):  # ranges without a natural row come last
        more = min(max(0, short), int(counts[number] - numbers[number]))
        numbers[number] += more
        short -= more
    return [int(number) for number in numbers]
