"""Texts near the boundary of two labels (arXiv 2310.14192, PromptMix): mostly of the one, with something of the other.

The paper has the model label them again afterwards; here the recipe's filters decide, and a teacher finds most of what
fell on the other side.
"""

from sentisynth_hub.generate.methods.few_shot import FewShot
from sentisynth_hub.generate.methods.method import MethodContext, PromptContent
from sentisynth_hub.recipe.method_section import BoundaryOptions, FewShotOptions


class Boundary(FewShot):
    """Shows labelled rows and asks for a text between two labels."""

    name = "boundary"
    options = BoundaryOptions
    needs = ("other_verbalizer", "share")

    def __init__(self, options: BoundaryOptions, context: MethodContext):
        super().__init__(FewShotOptions(), context)
        self._shares = options.shares

    def content(self, label: str, number: int) -> PromptContent:
        """As few-shot, with another label and a share: every pair of the two once before one comes again."""
        plain = super().content(label, number)
        others = [other for other in self.context.recipe.labels if other != label]
        turn, place = divmod(number, len(others))
        share = self._shares[turn % len(self._shares)]
        between = {"other_label": others[place], "share": str(share)}
        insertions = {"other_verbalizer": self.context.template.verbalizer(others[place])}
        return PromptContent(plain.demonstrations, {**plain.attributes, **between}, insertions)
