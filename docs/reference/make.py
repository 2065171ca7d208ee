"""Write from the code what the docs say of it: help, every key of a recipe, layers, filters, variants, providers.

    python docs/reference/make.py
    python docs/reference/make.py --check      # only say which page no longer agrees with the code

`tests/unit/cli/test_reference.py` fails where a page and the code no longer agree.
"""

import ast
import re
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


def checks_page() -> str:
    """Every numbered check: what it means, a study that breaks it, the way out."""
    sys.path.insert(0, str(ROOT))
    from sentisynth_hub.verdict.check_table import CHECKS, findings
    from tests.support.study_examples import BROKEN

    lines = [
        "# Checks",
        "",
        "What a reader should know before believing a study. Summaries, cards and reports carry these numbers;",
        "`sentisynth check RUN|REPO@TAG` says them alone, with exit code 1 where there are any. Made by",
        "`python docs/reference/make.py` from the table in `sentisynth_hub/verdict/check_table.py`; each example is",
        "what the check says of a simulated study made to break it.",
        "",
    ]
    for check in CHECKS:
        example = next(each for each in findings(BROKEN[check.code]()) if each.code == check.code)
        lines += [f"## {check.code}: {check.name}", "", f"    {example.line}", ""]
        lines += [check.meaning, "", f"**The way out.** {check.way_out}", ""]
    return "\n".join(lines).removesuffix("\n")


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


_SKILL_HEAD = """---
name: sentisynth-hub
description: >-
  Judge two text classifiers from their predictions, filter labelled texts, publish data sets and
  classifiers as versions on the Hugging Face Hub, generate labelled synthetic text and say whether it
  helps. Use it where someone compares classifiers, cleans or publishes a text-classification corpus, or
  asks whether synthetic data is worth it.
---

# sentisynth-hub

Made by `python docs/reference/make.py` from the README, the commands, the schema and the public names.
"""
_SKILL_ADVICE = """## How to work with it

1. Commands with a result take `--json` and print one JSON document on stdout; progress goes to stderr.
2. Exit code 2: the input is wrong, and the one line on stderr says where, what was found and what to do.
   Exit code 1: something failed although the input was right. Nothing is half published.
3. To write a recipe, read `sentisynth schema` (JSON Schema), write `recipe.yaml`, and run
   `sentisynth recipes check FOLDER --json` until it passes; nothing is generated or paid for before that.
   `sentisynth init FILE` writes one from data.
4. Try on this machine first: `--hub local` is an embedded Hub that the unmodified clients speak to,
   `--dry-run` and `estimate` spend nothing.
5. Report a verdict in its own sentence, interval and all; *too small to tell* is a result.

## Commands

| command | what it does | example |
| --- | --- | --- |"""


def skill_page() -> str:
    """What an agent reads first: made of the README, the commands, the schema and the public names."""
    import sentisynth_hub
    from sentisynth_hub.cli import sentisynth
    from sentisynth_hub.cli.examples import EXAMPLES
    from sentisynth_hub.core import errors
    from sentisynth_hub.recipe import recipe_schema

    readme = (ROOT / "README.md").read_text("utf-8")
    schema = recipe_schema()
    context = click.Context(sentisynth, info_name="sentisynth")
    commands = [(name, sentisynth.get_command(context, name)) for name in sentisynth.list_commands(context)]
    lines = [_SKILL_HEAD, readme.split("\n\n")[1], "", _SKILL_ADVICE]
    for name, command in commands:
        assert command is not None
        help_line = _one_line((command.help or "").split("\n\n")[0])
        lines.append(f"| `{name}` | {help_line} | `{EXAMPLES.get(name, f'sentisynth {name} --help')}` |")
    lines += [
        "",
        "[Every option](reference/cli.md).",
        "",
        "## A recipe's keys",
        "",
        "| key | needed | what |",
        "| --- | --- | --- |",
    ]
    for key, field in schema["properties"].items():
        whole = _resolved(schema, field)
        text = _one_line(field.get("description") or whole.get("description", ""))
        inner = f" ({', '.join(f'`{name}`' for name in whole['required'])} inside)" if whole.get("required") else ""
        lines.append(f"| `{key}` | {'yes' + inner if key in schema['required'] else 'no'} | {text} |")
    lines += [
        "",
        "[Every key](reference/recipe.md).",
        "",
        "## From Python",
        "",
        "| name | what it does |",
        "| --- | --- |",
    ]
    for name in sentisynth_hub.__all__:
        value = getattr(sentisynth_hub, name)
        if callable(value) and not isinstance(value, type):
            lines.append(f"| `{name}` | {_one_line((value.__doc__ or '').split(chr(10) * 2)[0])} |")
    tree = (errors.__doc__ or "").split("\n\n")[1]
    return "\n".join([*lines, "", "[Each with examples](reference/api.md).", "", "## Errors", "", "```", tree, "```"])


def _resolved(schema: dict[str, Any], field: dict[str, Any]) -> dict[str, Any]:
    return dict(schema["$defs"][field["$ref"].rpartition("/")[2]]) if "$ref" in field else field


def llms_page() -> str:
    """The list of pages for a program that reads documentation, as llmstxt.org has it."""
    readme = (ROOT / "README.md").read_text("utf-8")
    lines = ["# sentisynth-hub", "", f"> {_one_line(readme.split(chr(10) * 2)[1]).replace('**', '')}", ""]
    lines += ["An agent begins with [SKILL.md](SKILL.md).", ""]
    sections = ("tutorial", "how-to", "concepts", "reference", "results", "hub", "decisions")
    for section in sections:
        pages = sorted((ROOT / "docs" / section).glob("*.md"))
        lines += [f"## {section.capitalize()}", ""] if pages else []
        for page in pages:
            title, _, rest = page.read_text("utf-8").lstrip().partition("\n")
            entry = f"- [{title.removeprefix('# ')}]({section}/{page.name})"
            first = next((part for part in rest.split("\n\n") if part.strip() and part.strip()[0].isalpha()), "")
            plain = _one_line(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", first))
            explained = section in ("tutorial", "how-to", "concepts", "reference")
            lines.append(f"{entry}: {plain.partition('. ')[0].rstrip('.:')}" if explained else entry)
        lines += [""] if pages else []
    return "\n".join(lines).rstrip("\n")


PAGES = {
    "docs/SKILL.md": skill_page,
    "docs/llms.txt": llms_page,
    "docs/decisions/README.md": decisions_page,
    "docs/reference/checks.md": checks_page,
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
