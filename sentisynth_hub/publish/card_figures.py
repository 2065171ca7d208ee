"""Figures on the cards: PNG files beside README.md, drawn from the evaluation in the manifest.

They follow the evaluation, never the machine. Where a version's evaluation is the head's, its figures stay as they
are, whether this machine can draw or not and whatever its fonts make of them; so pictures alone never make a version.
A new evaluation is drawn where matplotlib is installed (extra `report`), else its cards have no figures.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from sentisynth_hub.core import log
from sentisynth_hub.publish.cards.published_manifest import Manifest
from sentisynth_hub.publish.repo_head import RepoHead
from sentisynth_hub.verdict.evaluation import parse_evaluation


SHOWN = ("effects", "curve", "confusion", "slices")
FOLDER = "figures"


@dataclass
class Pictures:
    """The figures of one evaluation; drawn once, when first needed.

    Attributes:
        evaluation: As the manifest has it; None where no study was run.
    """

    evaluation: Mapping[str, Any] | None
    _drawn: dict[str, bytes] | None = field(default=None, init=False)

    def plan(self, head: RepoHead | None, standing: Manifest | None) -> tuple[list[str], dict[str, bytes]]:
        """Paths the version will have, and the content of those that have to be sent.

        Args:
            head: What stands there, with its manifest `standing`; None in an empty repo.
        """
        if head is not None and standing is not None and standing.evaluation == self.evaluation:
            figures = list(standing.figures or [])
            if head.paths.issuperset(figures):
                return figures, {}
        pictures = self._draw()
        return list(pictures), pictures

    def _draw(self) -> dict[str, bytes]:
        if self._drawn is None:
            self._drawn = {}
            if self.evaluation is not None and find_spec("matplotlib") is None:
                log.info("  cards without figures: matplotlib is not installed (extra `report`)")
            elif self.evaluation is not None:
                from sentisynth_hub.verdict.figures import draw_png

                pictures = draw_png(parse_evaluation(self.evaluation), SHOWN)
                self._drawn = {f"{FOLDER}/{name}.png": content for name, content in pictures.items()}
        return self._drawn
