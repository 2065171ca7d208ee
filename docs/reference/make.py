"""Write the reference pages from the code: the command's help, and every key of a recipe.

    python docs/reference/make.py
    python docs/reference/make.py --check      # only say which page no longer agrees with the code

`tests/unit/cli/test_reference.py` fails where a page and the code no longer agree.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click


FOLDER = Path(__file__).resolve().parent
WIDTH = 100


def command_page() -> str:
    """Help texts of the command and of everything below it."""
    from sentisynth_hub.cli import sentisynth

    lines = ["# The command", "", "Made by `python docs/reference/make.py` from the command's own help.", ""]
    for path, command in _commands(sentisynth, "sentisynth"):
        context = click.Context(command, info_name=path, terminal_width=WIDTH, max_content_width=WIDTH)
        lines += [f"## {path}", "", "```", command.get_help(context), "```", ""]
    return "\n".join(lines)


def recipe_page() -> str:
    """Every key of a recipe, and of a question beside it, with its type, its default and what it means."""
    from sentisynth_hub.recipe import recipe_schema
    from sentisynth_hub.recipe.question import Question

    schema, question = recipe_schema(), Question.model_json_schema()
    lines = ["# The recipe", "", "Made by `python docs/reference/make.py` from the schema that checks recipes.", ""]
    for name, model in [("recipe.yaml", schema), *sorted(schema["$defs"].items()), ("questions/NAME.yaml", question)]:
        if "properties" not in model:
            continue
        lines += [f"## {name}", "", _one_line(model.get("description", "")), ""]
        if not model["properties"]:
            lines += ["No keys: naming it uses it.", ""]
            continue
        lines += ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
        required = model.get("required", [])
        for key, field in model["properties"].items():
            default = "*needed*" if key in required else f"`{_default(field)}`"
            lines.append(f"| `{key}` | {_type(field)} | {default} | {_one_line(field.get('description', ''))} |")
        lines.append("")
    return "\n".join(lines)


def _commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _commands(inner, f"{path} {name}")


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in field or "oneOf" in field:
        return " or ".join(dict.fromkeys(_type(option) for option in field.get("anyOf", field.get("oneOf", []))))
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}" if "items" in field else "list"
    if field.get("type") == "object" and isinstance(field.get("additionalProperties"), dict):
        return f"mapping to {_type(field['additionalProperties'])}"
    return str(field.get("type", "anything"))


def _default(field: dict[str, Any]) -> str:
    default = field.get("default")
    if isinstance(default, dict):
        return "{}" if not default else "…"
    return "null" if default is None else str(default).replace("|", "\\|")


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


PAGES = {"cli.md": command_page, "recipe.md": recipe_page}


def main() -> None:
    for name, page in PAGES.items():
        path, content = FOLDER / name, page() + "\n"
        if "--check" not in sys.argv:
            path.write_text(content, "utf-8")
        elif path.read_text("utf-8") != content:
            sys.exit(f"{path.name} does not say what the code says; run: python docs/reference/make.py")


if __name__ == "__main__":
    main()
