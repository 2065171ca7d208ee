"""The whole recipe, and the checks that look at more than one section."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, WithJsonSchema, field_validator, model_validator

from sentisynth_hub.core.errors import RecipeError, did_you_mean
from sentisynth_hub.core.plugins import is_object_path
from sentisynth_hub.core.text import nfc
from sentisynth_hub.recipe import paths
from sentisynth_hub.recipe.filter_section import FilterSection
from sentisynth_hub.recipe.generate_section import Generate
from sentisynth_hub.recipe.generator_kinds import GivenRows
from sentisynth_hub.recipe.generator_section import GeneratorSection
from sentisynth_hub.recipe.languages import language_problem
from sentisynth_hub.recipe.natural_section import Natural
from sentisynth_hub.recipe.publish_section import Publish
from sentisynth_hub.recipe.section import RowSource, Section
from sentisynth_hub.recipe.study_section import Study
from sentisynth_hub.recipe.variant_table import built_in


DATA_PATHS: dict[str, Any] = {
    "natural": {"files"},
    "generate": {"generator": {"file"}},
    "study": {"zero_shot": {"file"}},
}
"""Where a recipe says on what disk rows lie, as pydantic excludes it: what lies there is pinned by its content."""


NAME = r"^[a-z0-9][a-z0-9-]*$"
"""What a recipe may be called."""
Origin = Literal["local", "hub"]
"""Where a recipe came from: a disk of the user's own, or a repo that somebody published."""


_LABELS_SCHEMA = {
    "anyOf": [
        {"type": "array", "items": {"type": "string"}, "minItems": 2},
        {"type": "object", "additionalProperties": {"type": ["string", "null"]}, "minProperties": 2},
    ]
}


class Recipe(Section):
    """One experiment."""

    name: str = Field(pattern=NAME, max_length=96)
    """Short name: also its run folder's."""
    description: str
    """What it does, in a sentence."""
    language: list[str] = Field(min_length=1)
    """BCP-47 tags of the text's languages; several for code-mixed text."""
    labels: Annotated[list[str], WithJsonSchema(_LABELS_SCHEMA)] = Field(min_length=2)
    """Label names, in the order of their integers; or a mapping of each to what it means, such as
    `{positive: "praises the film as a whole", negative: "advises against it"}`.
    """
    label_descriptions: dict[str, str] = {}
    """What labels mean, in a sentence each, for prompts and label questions; read from `labels` where that is a
    mapping.
    """
    seed: int = Field(default=0, ge=0)
    """Everything random follows from it."""
    natural: Natural
    """Human-labelled rows."""
    generate: Generate
    """Who writes synthetic rows."""
    filter: FilterSection = FilterSection()
    """Which of them stay."""
    study: Study
    """Whether they help."""
    publish: Publish = Publish()
    """What goes to the Hub."""
    scales: dict[str, dict[str, Any]] = {}
    """Named sets of overrides for `--scale NAME`, e.g. `small: {study.replicates: 5}`."""

    _folder: Path = PrivateAttr(default=Path())
    _named: frozenset[str] = PrivateAttr(default=frozenset())
    _origin: Origin = PrivateAttr(default="local")
    _own: bool = PrivateAttr(default=False)

    @property
    def folder(self) -> Path:
        """Folder of the recipe file: its prompt template and README live there."""
        return self._folder

    @property
    def own(self) -> bool:
        """Whether the user answers for it (`trust.may_name_code`): only then may it name Python code as
        `module:object`."""
        return self._own

    @property
    def code_named(self) -> list[str]:
        """The generator, filters and variants that it names as `module:object`."""
        names = [self.generate.generator.kind, *self.filter.order, *self.study.variants]
        return [name for name in names if is_object_path(name)]

    @property
    def named(self) -> frozenset[str]:
        """Values that the user gave beside the recipe, as overrides: paths and addresses among them are the user's
        own wish, while those that stand in the recipe are its author's.
        """
        return self._named

    @property
    def origin(self) -> Origin:
        """Whether the recipe lies on the user's own disk or came from a Hub."""
        return self._origin

    @property
    def wanted_rows(self) -> dict[str, int] | None:
        """Rows a label to have after the filters, for the labels that want any; None where a fixed number is asked
        for.
        """
        rows = self.generate.rows
        return dict.fromkeys(self.labels, rows) if isinstance(rows, int) else rows

    @property
    def template_file(self) -> Path:
        """The prompt template.

        Raises:
            RecipeError: It is not there, or lies where a recipe may not reach.
        """
        return self.local_file(self.generate.prompt.template, "generate.prompt.template")

    @model_validator(mode="before")
    @classmethod
    def _labels_may_say_what_they_mean(cls, content: Any) -> Any:
        if not isinstance(content, dict) or not isinstance(labels := content.get("labels"), dict):
            return content
        if content.get("label_descriptions"):
            raise ValueError("label_descriptions: `labels` says already what the labels mean; leave one of them out")
        meanings = {label: meaning for label, meaning in labels.items() if meaning is not None}
        return {**content, "labels": list(labels), "label_descriptions": meanings}

    @field_validator("language")
    @classmethod
    def _languages_are_tags(cls, tags: list[str]) -> list[str]:
        for tag in tags:
            if (problem := language_problem(tag)) is not None:
                raise ValueError(problem)
        return tags

    @field_validator("labels")
    @classmethod
    def _labels_are_names(cls, labels: list[str]) -> list[str]:
        for label in labels:
            if not label.strip() or label != nfc(label).strip():
                raise ValueError(f"{label!r} is blank, begins or ends with white space, or is not in NFC; mend it")
        return labels

    @model_validator(mode="after")
    def _labels_are_known(self) -> "Recipe":
        if len(set(self.labels)) != len(self.labels):
            raise ValueError(f"labels: {self.labels} names a label twice")
        for label in self.label_descriptions:
            if label not in self.labels:
                raise ValueError(f"label_descriptions: unknown label {label!r}; the labels are {self.labels}")
        for label in self.generate.prompt.verbalizers:
            if label not in self.labels:
                raise ValueError(f"generate.prompt.verbalizers: unknown label {label!r}; the labels are {self.labels}")
        for label in self.wanted_rows or {}:
            if label not in self.labels:
                raise ValueError(
                    f"generate.rows: {label!r} is no label{did_you_mean(label, self.labels)}; the labels are "
                    f"{self.labels}"
                )
        shares = self.natural.label_shares
        if shares is not None and set(shares) != set(self.labels):
            raise ValueError(f"natural.label_shares: names {list(shares)}; give every one of {self.labels} a share")
        return self

    @model_validator(mode="after")
    def _renamed_labels_are_known(self) -> "Recipe":
        generator = self.generate.generator
        sections: dict[str, Natural | RowSource | None] = {
            "natural": self.natural,
            "study.zero_shot": self.study.zero_shot,
        }
        if isinstance(generator, RowSource):
            sections["generate.generator"] = generator
        for key, section in sections.items():
            for name in (section.label_names or {}).values() if section is not None else ():
                if name is not None and name not in self.labels:
                    raise ValueError(
                        f"{key}.label_names: {name!r} is no label{did_you_mean(name, self.labels)}; the labels are "
                        f"{self.labels}"
                    )
        return self

    @model_validator(mode="after")
    def _labels_can_be_asked_for(self) -> "Recipe":
        variants = [name for name in self.study.variants if (line := built_in(name)) and line.corpus == "labels"]
        if variants and (reason := self.generate.generator.no_labels_because) is not None:
            raise ValueError(f"study.variants: {' and '.join(variants)} ask the generator for labels, and {reason}")
        if variants and self.study.cross_fitting is not None:
            raise ValueError(
                f"study.variants: {' and '.join(variants)} want a test split of their own; leave them out under "
                "cross_fitting"
            )
        return self

    @model_validator(mode="after")
    def _a_mix_has_languages(self) -> "Recipe":
        if self.generate.method.kind == "mix" and len(self.language) == 1:
            raise ValueError("generate.method: mix wants several languages, and `language` names one; add the others")
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
        generator = self.generate.generator
        if isinstance(generator, GivenRows) and generator.saw_labels and self.study.design == "nested":
            raise ValueError(
                "study.design: given rows may hold what their writer saw of any natural row, so the claim is about "
                "this corpus beside these rows; set it to conditional, or generate.generator.saw_labels to false "
                "where the writer saw none of these labels"
            )
        return self

    def with_content(self, content: dict[str, Any]) -> "Recipe":
        """A recipe with other content in the same folder."""
        recipe = Recipe.model_validate(content, context={"own": self.own})
        return recipe.placed(self._folder, named=self._named, origin=self._origin, own=self._own)

    def placed(
        self,
        folder: Path,
        *,
        named: frozenset[str] = frozenset(),
        origin: Origin = "local",
        own: bool = False,
    ) -> "Recipe":
        """This recipe, knowing its folder, what the user named beside it and where it came from."""
        self._folder, self._named, self._origin, self._own = folder, named, origin, own
        return self

    def local_file(self, path: str, key: str) -> Path:
        """The file that a path in the recipe means; `key` is its key path, for the message.

        Raises:
            RecipeError: It is not there, or lies where a recipe may not reach (see `recipe.paths`).
        """
        return paths.resolve(self._folder, path, named=self._named, key=key)

    def has_file(self, path: str, key: str) -> bool:
        """Whether `local_file` finds one."""
        try:
            self.local_file(path, key)
        except RecipeError:
            return False
        return True

    def file_digests(self) -> dict[str, str]:
        """sha256 of every file the recipe names (prompt template, lexicons, seeds), data left out: that is pinned."""
        strings = set(_strings(self.model_dump(exclude=DATA_PATHS | {"scales": True})))
        return {
            name: hashlib.sha256((self._folder / name).read_bytes()).hexdigest()
            for name in sorted(strings)
            if len(name) < 256 and "\n" not in name and paths.is_inside(self._folder, name)
        }

    @property
    def generators(self) -> dict[str, GeneratorSection]:
        """Every generator section by its key path: who writes, and whom filters ask."""
        sections = {
            f"filter.{key}.generator": getattr(each, "generator", None) for key, each in self.filter.sections()
        }
        filters = {key: section for key, section in sections.items() if isinstance(section, GeneratorSection)}
        named = self.generate.generators
        further = {f"generate.generators.{name}.generator": each.generator for name, each in named.items()}
        return {"generate.generator": self.generate.generator, **further, **filters}

    @property
    def meanings(self) -> dict[str, Any]:
        """The labels' descriptions as a part of a digest: nothing where there are none."""
        return {"label_descriptions": self.label_descriptions} if self.label_descriptions else {}

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
