"""Rewriting labelled rows (arXiv 2408.16502): the label comes from a row that people labelled, the wording is new.

Each prompt shows one row of the replicate, the parent, whose id is in the lineage: the study puts a text into the fold
of its parent, and the overlap filter lets the two share a run of words, but no more than that.
"""

from sentisynth_hub.generate.methods.method import Method, MethodContext, PromptContent
from sentisynth_hub.generate.prompts import draw_attributes, draw_demonstrations, one_line, walk
from sentisynth_hub.recipe.method_section import RewriteOptions


MANNERS = {
    "paraphrase": "in other words",
    "style": "as another person would say it, in another tone",
}


class Rewrite(Method):
    """Shows a labelled row and a manner to rewrite it in."""

    name = "rewrite"
    options = RewriteOptions
    needs = ("source_text", "manner_explained")

    def __init__(self, options: RewriteOptions, context: MethodContext):
        super().__init__(options, context)
        self._manners = options.manners
        self._pool = context.pool

    def content(self, label: str, number: int) -> PromptContent:
        """A parent of the label, every row of it before one comes again; at each turn the next manner."""
        recipe, replicate = self.context.recipe, self.context.sample.replicate
        parents = self._pool[label]
        parent = walk(parents, number, recipe.seed, "parents", replicate, label)
        manner = self._manners[number % len(self._manners)]
        others = self._pool | {label: [row for row in parents if row.request_id != parent.request_id]}
        return PromptContent(
            draw_demonstrations(recipe, others, replicate, label, number),
            draw_attributes(recipe, self.context.template, replicate, label, number) | {"manner": manner},
            {"source_text": one_line(parent.text), "manner_explained": self._explained(manner)},
            parent,
        )

    def _explained(self, manner: str) -> str:
        if manner == "mix":
            return f"in {' and '.join(self.context.recipe.language)}, mixed within the text as in the examples"
        return MANNERS.get(manner, manner)
