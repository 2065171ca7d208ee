"""Before a run: a recipe from data that is there, and what it could show."""
