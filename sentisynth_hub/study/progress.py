"""The table that grows while a study runs: a line a variant, its finished replicates and their validation scores.

On a terminal it is redrawn in place; in a log file every finished trial is one line. Scores are of natural validation
rows: test rows are looked at once, at the end, and not here.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from sentisynth_hub.core import log
from sentisynth_hub.core.files import read_json


class LiveTable:
    """Follows the trial files in `folder`, whichever process writes them.

    Args:
        names: `(variant, replicate)` of every trial of the study, in order.
        metric: Name of the score.
    """

    def __init__(self, folder: Path, names: Sequence[tuple[str, int]], metric: str):
        self._folder, self._metric = folder, metric
        self._waiting = dict.fromkeys(names)
        self._variants = list(dict.fromkeys(variant for variant, _ in names))
        self._total = len(names)
        self._scores: dict[str, list[float]] = {variant: [] for variant in self._variants}
        self._terminal = sys.stderr.isatty()
        self._drawn = 0

    def update(self) -> None:
        """Look for newly finished trials and show them."""
        found = []
        for variant, replicate in list(self._waiting):
            path = self._folder / f"{variant}-{replicate}.json"
            if path.exists():
                del self._waiting[variant, replicate]
                score = read_json(path)["validation"]["score"]
                self._scores[variant].append(score)
                found.append(f"  {variant}-{replicate}: validation {self._metric} {score:.3f}")
        if self._terminal and not log.is_quiet():
            self._draw()
            return
        for line in found:
            log.info(line)

    def lines(self) -> list[str]:
        """The table: variant, finished of all replicates, mean score and the scores themselves."""
        width = max(map(len, self._variants))
        done = self._total - len(self._waiting)
        lines = [f"  {'variant':<{width}}  done   validation {self._metric} ({done} of {self._total} trials)"]
        planned = {variant: len(scores) for variant, scores in self._scores.items()}
        for variant, _ in self._waiting:
            planned[variant] += 1
        for variant, scores in self._scores.items():
            mean = (
                f"{sum(scores) / len(scores):.3f}   " + " ".join(f"{score:.2f}" for score in scores) if scores else ""
            )
            lines.append(f"  {variant:<{width}}  {len(scores):2}/{planned[variant]:<2}  {mean}".rstrip())
        return lines

    def _draw(self) -> None:
        lines = self.lines()
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        sys.stderr.write(up + "".join(f"\x1b[2K{line}\n" for line in lines))
        sys.stderr.flush()
        self._drawn = len(lines)
