"""A question: one YAML beside a recipe that varies the recipe's own keys, `recipes/<name>/questions/<question>.yaml`.

    question = load_question("sst2-low-resource", "prompt-sensitivity")
    cells = load_cells("sst2-low-resource", "prompt-sensitivity")       # ordinary recipes, one a cell

Every combination of the factors' levels (or every setting) is a cell, and a cell is the recipe with other values, so
whatever a recipe can say can be asked about without code.
"""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator, model_validator

from sentisynth_hub.core.errors import RecipeError, did_you_mean
from sentisynth_hub.recipe.load import explain, find_recipe, load_recipe, read_yaml
from sentisynth_hub.recipe.schema import Recipe
from sentisynth_hub.recipe.section import Section


FOLDER = "questions"
SETTING = "setting"
"""What the settings of a question without factors are called in its table."""
_MOST_FACTORS = 2  # as many as the variance shares are worked out for


class Question(Section):
    """What is asked, and what is varied to find out."""

    question: str = Field(min_length=1)
    """The question, in a sentence."""
    reported: str | None = None
    """What earlier work reported, with its source."""
    scale: str | None = None
    """One of the recipe's scales to stand on; `--scale` on the command line takes its place."""
    set: dict[str, Any] = {}
    """Values by key path for every cell, e.g. `study.replicates: 10`; overrides come after them."""
    factors: dict[str, dict[str, dict[str, Any]]] = Field(default={}, max_length=_MOST_FACTORS)
    """One or two factors, each a name for every level and the values it sets by key path; all combinations are
    cells.
    """
    settings: dict[str, dict[str, Any]] = {}
    """In place of factors: a name for every cell and the values it sets by key path."""
    within_replicates: str | None = None
    """A factor whose levels mean something else in every replicate, as a draw of demonstrations does: its variance is
    then looked for inside replicates. With `study.design: conditional` there is one corpus, and it counts as any
    other.
    """
    compare: list[str] = Field(default=["mixed"], min_length=1)
    """Variants of the study to compare with `natural` in every cell; a single one may be written without a list."""

    @field_validator("compare", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("factors", "settings", mode="before")
    @classmethod
    def _names_are_text(cls, value: Any) -> Any:
        """YAML reads the level `10` as a number; here it is a name."""
        if not isinstance(value, dict):
            return value
        return {str(name): _with_text_keys(inner) for name, inner in value.items()}

    @model_validator(mode="after")
    def _one_way_to_vary(self) -> "Question":
        if self.factors and self.settings:
            raise ValueError("both `factors` and `settings` are given; put what is not crossed into one of them")
        for name, levels in self.factors.items():
            if len(levels) < 2:
                raise ValueError(f"factors.{name}: has {len(levels)} level; a factor has two or more")
        keys = [{key for level in levels.values() for key in level} for levels in self.factors.values()]
        for both in sorted(set.intersection(*keys) if len(keys) > 1 else ()):
            raise ValueError(f"factors: two of them set {both!r}; the second would hide the first")
        if self.within_replicates is not None and self.within_replicates not in self.factors:
            raise ValueError(
                f"within_replicates: {self.within_replicates!r} is no factor; name one of {[*self.factors]}"
            )
        if self.within_replicates is not None and len(self.factors) < _MOST_FACTORS:
            raise ValueError(
                "within_replicates: with one factor it cannot be told from the residual; give a second one"
            )
        return self


@dataclass(frozen=True)
class Cell:
    """One cell of a question: the level of every factor by name, and the recipe that gives it."""

    levels: dict[str, str]
    recipe: Recipe

    @property
    def name(self) -> str:
        """`factor=level, factor=level`; empty where the question varies nothing."""
        return ", ".join(f"{factor}={level}" for factor, level in self.levels.items())


def list_questions(recipe: str) -> list[str]:
    """Names of the questions beside a recipe, sorted.

    Raises:
        RecipeError: There is no such recipe.
    """
    return sorted(path.stem for path in (find_recipe(recipe).parent / FOLDER).glob("*.yaml"))


def load_question(recipe: str, name: str) -> Question:
    """Read and check a question; its cells are not looked at.

    Raises:
        RecipeError: There is no such recipe or question, or it is not well formed.
    """
    path = _path(recipe, name)
    try:
        return Question.model_validate(read_yaml(path))
    except ValidationError as error:
        raise RecipeError(f"{path}: {explain(error, Question)}") from None


def load_cells(recipe: str, name: str, overrides: Iterable[str] = (), *, scale: str | None = None) -> list[Cell]:
    """Every cell of a question as a checked recipe, before anything is run.

    Args:
        overrides: `key.path=value` strings for every cell, applied before the level's own values: those are the
            question.
        scale: In place of the question's own.

    Raises:
        RecipeError: A cell is no recipe, or does not run a variant that is compared; names the cell.
    """
    path, question = _path(recipe, name), load_question(recipe, name)
    given = list(overrides)
    _refuse_hidden(path, question, given)
    cells = []
    for levels, settings in _combinations(question):
        cell = ", ".join(f"{factor}={level}" for factor, level in levels.items()) or "its one cell"
        try:
            loaded = load_recipe(recipe, given, scale=scale or question.scale, before=question.set, after=settings)
        except RecipeError as error:
            raise RecipeError(f"{path}: {cell}: {error}") from None
        run = loaded.study.variants
        for variant in question.compare:
            if variant not in run:
                near = did_you_mean(variant, run)
                raise RecipeError(f"{path}: {cell}: compare: {variant!r} is not in study.variants{near}; add it there")
        cells.append(Cell(levels, loaded))
    return cells


def _path(recipe: str, name: str) -> Path:
    folder = find_recipe(recipe).parent / FOLDER
    path = folder / f"{name}.yaml"
    if path.name == f"{name}.yaml" and path.is_file():
        return path
    names = list_questions(recipe)
    there = f"its questions are {', '.join(names)}" if names else f"it has none; write one as {path}"
    raise RecipeError(f"{recipe}: no question {name!r}{did_you_mean(name, names)}; {there}")


def _refuse_hidden(path: Path, question: Question, overrides: Iterable[str]) -> None:
    """An override of what the question varies would do nothing, and is refused rather than ignored."""
    varied = {key for _, values in _combinations(question) for key in values}
    for key in (override.partition("=")[0] for override in overrides):
        if key in varied:
            raise RecipeError(f"{path}: {key} is what this question varies; change its levels in the file instead")


def _combinations(question: Question) -> list[tuple[dict[str, str], Mapping[str, Any]]]:
    """Levels by factor, and the values they set, of every cell in the order of the file."""
    if question.settings:
        return [({SETTING: name}, values) for name, values in question.settings.items()]
    cells: list[tuple[dict[str, str], Mapping[str, Any]]] = []
    for levels in itertools.product(*(factor.items() for factor in question.factors.values())):
        names = dict(zip(question.factors, (name for name, _ in levels), strict=True))
        cells.append((names, {key: value for _, values in levels for key, value in values.items()}))
    return cells


def _with_text_keys(value: Any) -> Any:
    return {str(name): inner for name, inner in value.items()} if isinstance(value, dict) else value
