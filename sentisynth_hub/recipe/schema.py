"""The whole recipe, and the checks that look at more than one section."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, PrivateAttr, model_validator

from sentisynth_hub.recipe.filter_section import Filter
from sentisynth_hub.recipe.generate_section import Generate
from sentisynth_hub.recipe.natural_section import Natural
from sentisynth_hub.recipe.publish_section import Publish
from sentisynth_hub.recipe.section import Section
from sentisynth_hub.recipe.study_section import Study
from sentisynth_hub.recipe.variants import built_in


DATA_PATHS: dict[str, Any] = {
    "natural": {"files"},
    "generate": {"generator": {"file"}},
    "study": {"zero_shot": {"file"}},
}
"""Where a recipe says on what disk rows lie, as pydantic excludes it: what lies there is pinned by its content."""


class Recipe(Section):
    """One experiment."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    """Short name: also its run folder's."""
    description: str
    """What it does, in a sentence."""
    language: list[str] = Field(min_length=1)
    """BCP-47 tags of the text's languages; several for code-mixed text."""
    labels: list[str] = Field(min_length=2)
    """Label names, in the order of their integers."""
    seed: int = Field(default=0, ge=0)
    """Everything random follows from it."""
    natural: Natural
    """Human-labelled rows."""
    generate: Generate
    """Who writes synthetic rows."""
    filter: Filter = Filter()
    """Which of them stay."""
    study: Study
    """Whether they help."""
    publish: Publish = Publish()
    """What goes to the Hub."""
    scales: dict[str, dict[str, Any]] = {}
    """Named sets of overrides for `--scale NAME`, e.g. `small: {study.replicates: 5}`."""

    _folder: Path = PrivateAttr(default=Path())

    @property
    def folder(self) -> Path:
        """Folder of the recipe file: its prompt template and README live there."""
        return self._folder

    @model_validator(mode="after")
    def _labels_are_known(self) -> "Recipe":
        if len(set(self.labels)) != len(self.labels):
            raise ValueError(f"labels: {self.labels} names a label twice")
        for label in self.generate.prompt.verbalizers:
            if label not in self.labels:
                raise ValueError(f"generate.prompt.verbalizers: unknown label {label!r}; the labels are {self.labels}")
        shares = self.natural.label_shares
        if shares is not None and set(shares) != set(self.labels):
            raise ValueError(f"natural.label_shares: names {list(shares)}; give every one of {self.labels} a share")
        return self

    @model_validator(mode="after")
    def _labels_can_be_asked_for(self) -> "Recipe":
        asked = [name for name in self.study.variants if (line := built_in(name)) and line.corpus == "labels"]
        if asked and self.generate.generator.kind == "rows":
            raise ValueError(
                f"study.variants: {' and '.join(asked)} ask the generator for labels, and the rows of this recipe are "
                "given; leave them out"
            )
        if asked and self.generate.generator.kind == "fine_tuned":
            raise ValueError(
                f"study.variants: {' and '.join(asked)} ask the generator for labels, and a fine-tuned one only "
                "writes texts; leave them out, or prompt a model"
            )
        if asked and self.study.cross_fitting is not None:
            raise ValueError(
                f"study.variants: {' and '.join(asked)} want a test split of their own; leave them out under "
                "cross_fitting"
            )
        return self

    @model_validator(mode="after")
    def _early_stopping_has_rows_to_look_at(self) -> "Recipe":
        if self.study.student.early_stopping is not None and self.natural.validation != "held_out":
            raise ValueError(
                "study.student.early_stopping: it looks at held-out validation rows, and here every row trains; set "
                "natural.validation to held_out, or leave early_stopping out"
            )
        return self

    @model_validator(mode="after")
    def _given_rows_are_one_corpus(self) -> "Recipe":
        if self.generate.generator.kind == "rows" and self.study.design == "nested":
            raise ValueError(
                "study.design: given rows are one corpus for all replicates, so the claim is about this corpus; set "
                "it to conditional"
            )
        return self

    def with_content(self, content: dict[str, Any]) -> "Recipe":
        """A recipe with other content in the same folder."""
        recipe = Recipe.model_validate(content)
        recipe._folder = self._folder
        return recipe

    def local_file(self, path: str) -> Path:
        """Where a path in the recipe leads: beside the recipe where that exists, else from the current folder."""
        beside = self._folder / Path(path).expanduser()
        return beside if beside.is_file() else Path(path).expanduser()

    def file_digests(self) -> dict[str, str]:
        """sha256 of every file the recipe names (prompt template, lexicons, seeds), data left out: that is
        pinned."""
        named = set(_strings(self.model_dump(exclude=DATA_PATHS | {"scales": True})))
        return {
            name: hashlib.sha256((self._folder / name).read_bytes()).hexdigest()
            for name in sorted(named)
            if len(name) < 256 and "\n" not in name and (self._folder / name).is_file()
        }

    def part(self, *names: str) -> dict[str, Any]:
        """The named top-level fields, JSON-ready: what a stage's digest is made of."""
        return {name: self.model_dump(mode="json")[name] for name in names}


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
