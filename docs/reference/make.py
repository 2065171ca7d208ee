"""Write from the code what the docs say of it: help, every key of a recipe, layers, filters, variants, providers.

    python docs/reference/make.py
    python docs/reference/make.py --check      # only say which page no longer agrees with the code

`tests/unit/cli/test_reference.py` fails where a page and the code no longer agree.
"""

import ast
import sys
from pathlib import Path
from typing import Any

import click


ROOT = Path(__file__).resolve().parents[2]
WIDTH = 100


def command_page() -> str:
    """Help texts of the command and of everything below it."""
    from sentisynth_hub.cli import sentisynth
    from sentisynth_hub.cli.examples import commands_below

    lines = ["# The command", "", "Made by `python docs/reference/make.py` from the command's own help.", ""]
    for path, command in commands_below(sentisynth, "sentisynth"):
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


def architecture_page() -> str:
    """The page on architecture with its list of layers as the package has them."""
    from tests.support.layers import LINE

    lines = ["| folder | what stands there |", "| --- | --- |"]
    for name in LINE:
        path = ROOT / "sentisynth_hub" / name
        source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        docstring = ast.get_docstring(ast.parse(source.read_text("utf-8"))) or ""
        lines.append(f"| `{name}` | {_one_line(docstring.partition(chr(10) * 2)[0])} |")
    return _between(ROOT / "docs" / "concepts" / "architecture.md", layers=lines)


def _between(page: Path, **parts: list[str]) -> str:
    """The page with the lines of each part between its markers `<!-- name: ... -->` and `<!-- /name -->`."""
    text = page.read_text("utf-8").removesuffix("\n")
    for name, lines in parts.items():
        before, marker, rest = text.partition(f"<!-- {name}: ")
        head, _, rest = rest.partition("-->")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        assert end, f"{page.name} has no place for {name}"
        text = "\n".join([f"{before}{marker}{head}-->", "", *lines, "", f"{end}{after}"])
    return text


def filters_page() -> str:
    """The page on filtering with its table of filters as the package has them."""
    from sentisynth_hub.filter.filter_table import FILTERS

    lines = ["| key | what it does | reasons | score kept with the row |", "|---|---|---|---|"]
    for each in FILTERS:
        reasons = "; ".join(f"`{reason}`: {meaning}" for reason, meaning in each.reasons.items())
        lines.append(f"| `{each.name}` | {_one_line(each.help())} | {_one_line(reasons)} | `{each.score_name}` |")
    return _between(ROOT / "docs" / "how-to" / "filter.md", filters=lines)


def methods_table() -> list[str]:
    """The methods as the package has them."""
    from sentisynth_hub.generate.methods.method_table import METHODS

    lines = ["| `method` | what it does | its template shows | described in |", "|---|---|---|---|"]
    for each in METHODS:
        needs = ", ".join(f"`{name}`" for name in each.needs) or "`demonstrations`"
        lines.append(f"| `{each.name}` | {_one_line(each.help())} | {needs} | {each.options.paper} |")
    return lines


def variants_page() -> str:
    """The page on studies with its table of variants as the package has them."""
    from sentisynth_hub.recipe.variant_table import VARIANTS

    lines = ["| variant | trains on |", "|---|---|"]
    lines += [f"| `{line.name}` | {_one_line(line.help)} |" for line in VARIANTS]
    return _between(ROOT / "docs" / "how-to" / "study.md", variants=lines)


def providers_table() -> list[str]:
    """The providers as the package has them."""
    from sentisynth_hub.generate.providers.base import built_in_provider
    from sentisynth_hub.recipe.generator_kinds import BUILT_IN_KINDS

    lines = [
        "| `kind` | who writes | natural texts may leave this machine | can label | same request, same text |",
        "|---|---|---|---|---|",
    ]
    for kind in BUILT_IN_KINDS:
        section = built_in_provider(kind).section
        answers = (section.leaves_machine, section.no_labels_because is None, section.repeatable)
        cells = [f"`{kind}`", _one_line(section.__doc__ or ""), *("yes" if answer else "no" for answer in answers)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def generate_page() -> str:
    """The page on generating with its tables of providers and methods."""
    return _between(ROOT / "docs" / "how-to" / "generate.md", providers=providers_table(), methods=methods_table())


def decisions_page() -> str:
    """The list of decisions, from the records themselves."""
    lines = [
        "# Decisions",
        "",
        "What was decided, why, and what measured it. A decision that is overturned stays, and says by",
        "which one.",
        "",
    ]
    for path in sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md")):
        title = path.read_text("utf-8").partition("\n")[0].removeprefix("# ")
        lines.append(f"- [{title}]({path.name})")
    return "\n".join(lines)


PAGES = {
    "docs/decisions/README.md": decisions_page,
    "docs/reference/cli.md": command_page,
    "docs/reference/recipe.md": recipe_page,
    "docs/concepts/architecture.md": architecture_page,
    "docs/how-to/filter.md": filters_page,
    "docs/how-to/generate.md": generate_page,
    "docs/how-to/study.md": variants_page,
}


def main() -> None:
    sys.path.insert(0, str(ROOT))  # this checkout, whichever is installed
    for name, page in PAGES.items():
        path, content = ROOT / name, page() + "\n"
        if "--check" not in sys.argv:
            path.write_text(content, "utf-8")
        elif path.read_text("utf-8") != content:
            sys.exit(f"{path.name} does not say what the code says; run: python docs/reference/make.py")


if __name__ == "__main__":
    main()
