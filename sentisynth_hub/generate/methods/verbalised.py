"""Verbalised sampling (arXiv 2510.01171): several texts of one answer, each with the probability the model gives it.

A model that is asked for one text at a time says the likeliest again and again; asked for several with their
probabilities, it says what it would seldom say too. The probabilities steer the writing and are not kept.
"""

from dataclasses import replace

from sentisynth_hub.generate.methods.few_shot import FewShot
from sentisynth_hub.generate.methods.method import MethodContext, PromptContent
from sentisynth_hub.recipe.method_section import FewShotOptions, VerbalisedOptions


class Verbalised(FewShot):
    """Shows labelled rows and asks for several texts with their probabilities."""

    name = "verbalised"
    options = VerbalisedOptions
    needs = ("texts_per_call", "most")

    def __init__(self, options: VerbalisedOptions, context: MethodContext):
        super().__init__(FewShotOptions(), context)
        self._most = options.most

    def content(self, label: str, number: int) -> PromptContent:
        """As few-shot, with the highest probability a text may have."""
        return replace(super().content(label, number), insertions={"most": f"{self._most:g}"})
