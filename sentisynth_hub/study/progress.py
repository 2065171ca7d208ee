"""The table that grows while a study runs: a line a variant, its finished replicates and their validation scores.

On a terminal it is redrawn in place; in a log file every finished trial is one line. Scores are of natural validation
rows: test rows are looked at once, at the end, and not here.
"""

import sys
from collections.abc import Sequence

from sentisynth_hub.core import log
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.study.store import TrialStore
from sentisynth_hub.study.trial import Trial, score


class LiveTable:
    """Follows the trials in the store, whichever process trains them.

    Args:
        trials: Every trial of the study and its digest, in order.
    """

    def __init__(self, recipe: Recipe, store: TrialStore, trials: Sequence[tuple[Trial, str]]):
        self._recipe, self._store, self._metric = recipe, store, recipe.study.metric
        self._waiting = list(trials)
        self._variants = list(dict.fromkeys(trial.variant for trial, _ in trials))
        self._total = len(trials)
        self._scores: dict[str, list[float]] = {variant: [] for variant in self._variants}
        self._terminal = sys.stderr.isatty()
        self._drawn = 0

    def update(self) -> None:
        """Look for newly finished trials and show them."""
        finished = [(trial, digest) for trial, digest in self._waiting if self._store.has(digest)]
        self._waiting = [pair for pair in self._waiting if pair not in finished]
        lines = []
        for trial, digest in finished:
            reached = score(self._recipe, trial.validation.rows, self._store.read(digest).validation.predicted)
            self._scores[trial.variant].append(reached)
            lines.append(f"  {trial.name}: validation {self._metric} {reached:.3f}")
        if self._terminal and not log.is_quiet():
            self._draw()
            return
        for line in lines:
            log.info(line)

    def lines(self) -> list[str]:
        """The table: variant, finished of all replicates, mean score and the scores themselves."""
        width = max(map(len, self._variants))
        done = self._total - len(self._waiting)
        lines = [f"  {'variant':<{width}}  done   validation {self._metric} ({done} of {self._total} trials)"]
        planned = {variant: len(scores) for variant, scores in self._scores.items()}
        for trial, _ in self._waiting:
            planned[trial.variant] += 1
        for variant, scores in self._scores.items():
            mean = (
                f"{sum(scores) / len(scores):.3f}   " + " ".join(f"{score:.2f}" for score in scores) if scores else ""
            )
            lines.append(f"  {variant:<{width}}  {len(scores):2}/{planned[variant]:<2}  {mean}".rstrip())
        return lines

    def _draw(self) -> None:
        lines = self.lines()
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        sys.stderr.write(up + "".join(f"\x1b[2K{log.printable(line)}\n" for line in lines))
        sys.stderr.flush()
        self._drawn = len(lines)
