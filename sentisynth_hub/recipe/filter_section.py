"""`filter:` which candidates stay. Each key is a filter; their order is the order in which the filters run.

The filters and what can be said of each are in the table `sentisynth_hub/filter/filter_table.py`. It stands above the
recipe, so it is looked up by name here, when a recipe is read, the way a user's own filter is.
"""

import importlib
from collections.abc import Iterator
from typing import Any, Literal, TypeVar

from pydantic import Field, GetJsonSchemaHandler, SerializeAsAny, ValidationInfo, create_model, model_validator

from sentisynth_hub.core.errors import RecipeError
from sentisynth_hub.recipe.section import ModelRef, Section


_TABLE = "sentisynth_hub.filter.filter_table"  # stands above the recipe, and is fetched when a recipe is read
S = TypeVar("S", bound=Section)


class Encoder(ModelRef):
    """A frozen encoder whose mean-pooled features are used."""

    prefix: str = ""
    """Put before every text, as e5 models want `query: `."""
    max_length: int = Field(default=128, ge=8)
    """Tokens a text is cut to."""
    threads: int = Field(default=2, ge=1)
    """CPU threads; fixed in the recipe because another number rounds otherwise."""


class Scorer(ModelRef):
    """A causal language model whose perplexities are used."""

    max_length: int = Field(default=512, ge=2)
    """Tokens of a text that are scored."""
    batch_size: int = Field(default=32, ge=1)
    """Texts of one forward pass."""
    threads: int = Field(default=2, ge=1)
    """CPU threads; fixed in the recipe because another number rounds otherwise."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Number format of the model."""


class FilterSection(Section):
    """Which candidates stay: one key a filter, in the order they run. A filter without its key is not used."""

    model_config = {"extra": "allow"}
    __pydantic_extra__: dict[str, SerializeAsAny[Section]] = Field(init=False)

    order: list[str] = []
    """The filters used, in the order they run; left out: the order of the keys."""

    @model_validator(mode="before")
    @classmethod
    def _read_filters(cls, content: Any, info: ValidationInfo) -> Any:
        """Turn each filter's options into its own section, and write the order down."""
        if not isinstance(content, dict):
            return content
        used = {key: value for key, value in content.items() if key != "order" and value is not None}
        order = content.get("order") or list(used)
        if not isinstance(order, list) or sorted(map(str, order)) != sorted(map(str, used)):
            raise ValueError(f"order: {order} does not name each of the used filters {list(used)} once")
        own = bool((info.context or {}).get("own"))
        try:
            kinds = {str(key): options_of(str(key), own=own) for key in used}
        except RecipeError as error:
            raise ValueError(str(error)) from None
        fields: dict[str, Any] = {f"f{n}": (kind, Field(alias=key)) for n, (key, kind) in enumerate(kinds.items())}
        sections = create_model("Filters", **fields).model_validate(used)
        return {key: getattr(sections, f"f{n}") for n, key in enumerate(kinds)} | {"order": order}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> Any:
        """One property a filter of the table, and any `module:object`."""
        fields: dict[str, Any] = {
            key: (
                options_of(key) | None,
                Field(default=None, description=(options_of(key).__doc__ or "").split("\n\n")[0]),
            )
            for key in filter_names()
        }
        order = cls.model_fields["order"]
        fields["order"] = (list[str], Field(default=[], description=order.description))
        schema = handler(create_model(cls.__name__, __doc__=cls.__doc__, **fields).__pydantic_core_schema__)
        resolved = handler.resolve_ref_schema(schema)
        resolved["patternProperties"] = {r"^[\w.]+:\w+$": {"type": "object"}}
        resolved["additionalProperties"] = False
        return schema

    def sections(self) -> Iterator[tuple[str, Section]]:
        """Name and options of each filter, in the order they run."""
        for key in self.order:
            yield key, self.__pydantic_extra__[key]

    def of(self, kind: type[S]) -> S | None:
        """The options of the filter whose options are a `kind`; None where the recipe does not use it."""
        return next((section for _, section in self.sections() if isinstance(section, kind)), None)


def filter_names() -> list[str]:
    """The filters a recipe can name: the package's own, and those of installed packages."""
    names: list[str] = importlib.import_module(_TABLE).filter_names()
    return names


def options_of(key: str, *, own: bool = True) -> type[Section]:
    """The section of the filter that `key` names.

    Args:
        own: The user answers for the recipe, so that `module:object` is allowed.

    Raises:
        RecipeError: There is no such filter, or it cannot be imported.
    """
    options: type[Section] = importlib.import_module(_TABLE).filter_class(key, own=own).options
    return options
