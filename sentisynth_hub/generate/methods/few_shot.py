"""Few-shot: demonstrations of the replicate's own rows, and one more text like them (arXiv 2005.14165)."""

from typing import ClassVar

from sentisynth_hub.generate.methods.method import Method, MethodContext, PromptContent
from sentisynth_hub.generate.prompts import draw_attributes, draw_demonstrations
from sentisynth_hub.recipe.method_section import FewShotOptions, MethodSection


class FewShot(Method):
    """Shows labelled rows of the replicate."""

    name = "few_shot"
    options: ClassVar[type[MethodSection]] = FewShotOptions

    def __init__(self, options: FewShotOptions, context: MethodContext):
        super().__init__(options, context)
        self._pool = context.pool

    def content(self, label: str, number: int) -> PromptContent:
        """Demonstrations and attributes, as the recipe's prompt says."""
        recipe, replicate = self.context.recipe, self.context.sample.replicate
        return PromptContent(
            draw_demonstrations(recipe, self._pool, replicate, label, number),
            draw_attributes(recipe, self.context.template, replicate, label, number),
        )
