"""One recipe is one experiment is one `recipe.yaml`: its shape, and how it is read.

recipe = load_recipe("quickstart", ["generate.candidates=50"])
"""

from sentisynth_hub.recipe.load import find_recipe, list_recipes, load_recipe, recipe_schema
from sentisynth_hub.recipe.schema import Recipe


__all__ = ["Recipe", "find_recipe", "list_recipes", "load_recipe", "recipe_schema"]
