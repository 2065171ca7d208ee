"""Prompts: templates, and the demonstrations and attributes drawn for each.

    template = PromptTemplate(recipe)
    template.render("positive", demonstrations, attributes)     # exactly what is sent

Everything drawn for a prompt follows from the recipe's seed, the replicate and the prompt's number; its demonstrations
come from the replicate's own training rows and from nothing else. `plan_requests` makes requests of prompts.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from typing import Any

from sentisynth_hub.core.errors import DataError, RecipeError
from sentisynth_hub.core.random import rng
from sentisynth_hub.core.rows import Row, by_label
from sentisynth_hub.core.safe_yaml import YamlError, load_yaml
from sentisynth_hub.core.text import digest, nfc
from sentisynth_hub.generate.template_environment import environment
from sentisynth_hub.generate.template_process import TemplateProcess, TemplateProcessError
from sentisynth_hub.natural.splits import Sample
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.paths import read_text


CODE_MIXING = {
    "insertional": "single words and short phrases of the second language inside sentences of the first",
    "alternational": "switching from one language to the other between clauses or sentences",
    "script": "both languages, each word in the script of its own language",
}
_ROLES = ("system", "developer", "user", "assistant")


def template_digest(source: str) -> str:
    """sha256 of a template's text, whatever its line ends."""
    return digest([line.rstrip("\r") for line in source.split("\n")])


class PromptTemplate:
    """A recipe's template, compiled. A name it uses and nobody gives is an error, not an empty string.

    It sees `label`, `verbalizer`, `verbalizers`, `description` (what the label means, "" where the recipe does not
    say), `descriptions` (of every label that has one), `demonstrations` (each with `text`, `label`, `verbalizer`),
    `texts_per_call`, `text_name`, every attribute by its name and all of them as `attributes`, `seed_text`, for an
    attribute `code_mixing` its explanation as `code_mixing_explained`, and what the recipe's method inserts.
    """

    def __init__(self, recipe: Recipe):
        from jinja2 import TemplateSyntaxError

        _ = recipe.generate.asked  # an error where nobody is
        self.recipe = recipe
        self.path = recipe.template_file
        self.source = read_text(self.path, "generate.prompt.template")
        try:  # what a stranger published renders where it can be stopped
            local = recipe.origin == "local"
            self._template = environment().from_string(self.source) if local else TemplateProcess(self.source)
        except TemplateSyntaxError as error:
            raise RecipeError(f"{self.path}: line {error.lineno}: {error.message}; mend the template there") from None
        except TemplateProcessError as error:
            raise RecipeError(f"{self.path}: {error}; mend the template") from None

    @property
    def digest(self) -> str:
        """sha256 of the template's text."""
        return template_digest(self.source)

    @cached_property
    def seed_texts(self) -> list[str]:
        """The recipe's seed texts, one a line, empty lines left out; none where the recipe names no file."""
        if self.recipe.generate.prompt.seed_texts is None:
            return []
        path = self.recipe.local_file(self.recipe.generate.prompt.seed_texts, "generate.prompt.seed_texts")
        texts = [one_line(line) for line in read_text(path, "generate.prompt.seed_texts").split("\n")]
        filled = [text for text in texts if text]
        if not filled:
            raise RecipeError(f"generate.prompt.seed_texts: {path.name} is empty; give one text a line")
        return filled

    def verbalizer(self, label: str) -> str:
        """What the prompt calls a label."""
        return self.recipe.generate.prompt.verbalizers.get(label, label)

    def render(
        self,
        label: str,
        demonstrations: Sequence[Row],
        attributes: Mapping[str, str],
        insertions: Mapping[str, Any] | None = None,
    ) -> str | list[dict[str, str]]:
        """Render one prompt: a string to be continued, or chat messages. `insertions` are more names it sees.

        Raises:
            RecipeError: The template uses a name nobody gives, or does not render a list of messages where `chat` is
                set.
        """
        from jinja2 import TemplateError

        prompting = self.recipe.generate.prompt
        meanings = {name: one_line(meaning) for name, meaning in self.recipe.label_descriptions.items()}
        given: dict[str, Any] = {
            "description": meanings.get(label, ""),
            "descriptions": meanings,
            **attributes,
            "attributes": {name: value for name, value in attributes.items() if name in prompting.attributes},
            "label": label,
            "verbalizer": self.verbalizer(label),
            "verbalizers": {name: self.verbalizer(name) for name in self.recipe.labels},
            "demonstrations": [
                {"text": one_line(row.text), "label": row.label, "verbalizer": self.verbalizer(row.label or "")}
                for row in demonstrations
            ],
            "texts_per_call": prompting.texts_per_call,
            "text_name": prompting.text_name,
            **(insertions or {}),
        }
        if "code_mixing" in attributes:
            given["code_mixing_explained"] = CODE_MIXING.get(attributes["code_mixing"], attributes["code_mixing"])
        try:
            rendered = self._template.render(given)
        except (TemplateError, TemplateProcessError) as error:
            raise RecipeError(f"{self.path}: {error}; the template sees {', '.join(sorted(given))}") from None
        except (ArithmeticError, LookupError, MemoryError, RecursionError, TypeError, ValueError) as error:
            raise RecipeError(f"{self.path}: {type(error).__name__}: {error}; mend the template") from None
        return _messages(rendered, self.path.name) if prompting.chat else rendered.rstrip(" ")


@cache
def one_line(text: str) -> str:
    """The text on one line, so that it cannot break out of its place.

    Control characters and runs of white space become single spaces, byte order marks go. Kept in memory:
    demonstrations come again in prompt after prompt.
    """
    return " ".join(_CONTROL.sub(" ", nfc(text)).replace("\ufeff", "").split())


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ufffe\uffff]")  # what YAML does not read either


def _messages(rendered: str, name: str) -> list[dict[str, str]]:
    try:
        messages = load_yaml(rendered)
    except YamlError as error:
        raise RecipeError(f"{name}: with chat set it must render YAML ({error}); use `content: |` blocks") from None
    well_formed = isinstance(messages, list) and all(
        isinstance(message, dict) and set(message) == {"role", "content"} and message["role"] in _ROLES
        for message in messages
    )
    if not messages or not well_formed:
        raise RecipeError(
            f"{name}: with chat set it must render a list of messages, each with a role ({', '.join(_ROLES)}) and "
            f"content"
        )
    return [{"role": message["role"], "content": str(message["content"]).strip()} for message in messages]


def demonstration_pool(recipe: Recipe, sample: Sample) -> dict[str, list[Row]]:
    """The replicate's training rows by label, in an order that does not depend on where they came from."""
    return by_label(sorted(sample.train, key=lambda row: (row.id, row.request_id)), recipe.labels)


def draw_demonstrations(
    recipe: Recipe, pool: Mapping[str, Sequence[Row]], replicate: int, label: str, number: int
) -> list[Row]:
    """Draw the demonstrations of prompt `number` for `label`: stratified, without replacement, in shuffled order.

    Raises:
        DataError: A label has fewer natural rows in the replicate than the prompt wants of it.
    """
    prompting = recipe.generate.prompt
    labels = [label] if prompting.demonstrations_of == "asked_label" else _rotated(recipe.labels, number)
    # Draw 0 is named by nothing at all: prompts made before there were other draws stay what they were.
    random = rng(recipe.seed, "demonstrations", replicate, label, number, *filter(None, [prompting.draw]))
    rows: list[Row] = []
    for place, name in enumerate(labels):
        count = prompting.num_shots // len(labels) + (place < prompting.num_shots % len(labels))
        if count > len(pool[name]):
            raise DataError(
                f"generate.prompt.num_shots: a prompt wants {count} demonstrations of {name!r}, replicate "
                f"{replicate} "
                f"has {len(pool[name])} rows of it; lower num_shots or bring more natural rows of this label"
            )
        rows += [pool[name][i] for i in random.permutation(len(pool[name]))[:count]]
    return [rows[i] for i in random.permutation(len(rows))]


def draw_attributes(
    recipe: Recipe, template: PromptTemplate, replicate: int, label: str, number: int
) -> dict[str, str]:
    """The attributes of prompt `number` for `label`, and its `seed_text` where the recipe names seed texts.

    crossed: walks through all combinations in a seeded order, each once before any comes twice. Seed texts likewise.
    """
    prompting = recipe.generate.prompt
    values: dict[str, str] = {}
    if prompting.attributes and prompting.attribute_design == "crossed":
        combinations = list(itertools.product(*prompting.attributes.values()))
        combination = walk(combinations, number, recipe.seed, "attributes", replicate, label)
        values = dict(zip(prompting.attributes, combination, strict=True))
    elif prompting.attributes:
        random = rng(recipe.seed, "attributes", replicate, label, number)
        values = {name: choices[random.integers(len(choices))] for name, choices in prompting.attributes.items()}
    if template.seed_texts:
        values["seed_text"] = walk(template.seed_texts, number, recipe.seed, "seed texts", replicate, label)
    return values


def walk(items: Sequence[Any], number: int, *parts: object) -> Any:
    """Item `number` of a walk that shuffles all items anew each time it has gone through them; `parts` seed it."""
    turn, place = divmod(number, len(items))
    return items[rng(*parts, turn).permutation(len(items))[place]]


def _rotated(labels: Sequence[str], number: int) -> list[str]:
    """Labels starting at another one each time, so that the odd demonstration does not always go to the same label."""
    start = number % len(labels)
    return [*labels[start:], *labels[:start]]


def samples_per_prompt(recipe: Recipe) -> int:
    """Completions asked of one prompt: the recipe's number, or 32 where a prompt is encoded once for all, 1 where
    each is paid.
    """
    return recipe.generate.samples_per_prompt or recipe.generate.asked.samples_per_prompt
