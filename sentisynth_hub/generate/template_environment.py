"""The Jinja environment of prompt templates: sandboxed, and a name that nobody gives is an error."""

from typing import Any


def environment() -> Any:
    """A new environment; nothing can be included or imported, since it has no loader."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    jinja = ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    jinja.policies["json.dumps_kwargs"] = {"ensure_ascii": False}  # YAML would split an escaped emoji in two
    return jinja
