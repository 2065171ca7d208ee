"""Everything that can be wrong with a recipe, found before anything is run.

    checked = check_recipe("recipes/mine")
    checked.lines

Files are read, label names compared, a prompt rendered, models in folders opened as far as their configuration and
tokenizer. What lies on a Hub is looked up on request only: a recipe can be checked without a network.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sentisynth_hub.core.errors import RecipeError
from sentisynth_hub.core.repo_ids import repo_id_problem
from sentisynth_hub.generate.plan_requests import plan_requests
from sentisynth_hub.generate.prompts import PromptTemplate
from sentisynth_hub.generate.providers.openai_protocol import by_server
from sentisynth_hub.natural import stage as natural_stage
from sentisynth_hub.natural.folds import study_samples
from sentisynth_hub.natural.splits import NaturalData
from sentisynth_hub.pretrained.load_model import chat_text, load_config, load_tokenizer
from sentisynth_hub.recipe import Recipe, load_recipe
from sentisynth_hub.recipe.generator_kinds import EndpointGenerator, LocalGenerator
from sentisynth_hub.recipe.question import list_questions, load_cells
from sentisynth_hub.recipe.revisions import model_sections, pin_recipe
from sentisynth_hub.recipe.trust import endpoint_access
from sentisynth_hub.study.augment import read_lexicon


@dataclass(frozen=True)
class CheckedRecipe:
    """A recipe that is right, with its scales and the number of cells of each of its questions.

    Attributes:
        notes: What was not looked at, and what a user should know.
    """

    name: str
    scales: list[str]
    questions: dict[str, int]
    notes: list[str] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """For people."""
        scales = f" (scales: {', '.join(self.scales)})" if self.scales else ""
        return [
            f"ok  {self.name}{scales}",
            *(
                f"ok  {self.name} --question {question} ({count} {'cell' if count == 1 else 'cells'})"
                for question, count in self.questions.items()
            ),
            *(f"    {note}" for note in self.notes),
        ]


def check_recipe(name: str, *, online: bool = False, needs_data: bool = True, write: bool = False) -> CheckedRecipe:
    """Check a recipe, every scale and every question of it, and everything they name.

    Args:
        online: Look up repos on the Hub too, and read natural rows from there.
        needs_data: Files of rows must be here; of a recipe that is only shipped they need not.
        write: Ask the Hub whether the recipe's repos may be written to, or made, and whether its licences allow it;
            nothing is written.

    Raises:
        InputError: Something is wrong; one line says where and what to do.
        PublishError: `write`, and the token may not write to a repo or may not make it.
    """
    recipe = load_recipe(name)
    read: dict[str, NaturalData] = {}
    notes: dict[str, None] = {}
    for checked in (recipe, *(load_recipe(name, scale=scale) for scale in recipe.scales)):
        pinned = pin_recipe(checked)[0] if online else checked
        _check_models(pinned, online)
        if (missing := _missing_data(pinned)) and not needs_data:
            notes[f"{missing} is not here; the recipe's README says where it comes from"] = None
            natural = None
        elif (natural := _natural(pinned, online, read)) is None:
            notes["natural rows lie on the Hub; --online reads them"] = None
        _check_files(pinned, natural)
        if isinstance(checked.generate.generator, EndpointGenerator):
            notes[endpoint_note(checked)] = None
    if write:
        notes[_check_write(recipe)] = None
    questions = {question: len(load_cells(name, question)) for question in list_questions(name)}
    return CheckedRecipe(recipe.name, list(recipe.scales), questions, list(notes))


def _check_write(recipe: Recipe) -> str:
    """Ask the Hub who may write where; what was found out, as a note."""
    from sentisynth_hub.publish.checks.publishable import check_publishable

    repos = [repo_id for repo_id in (recipe.publish.dataset, recipe.publish.model) if repo_id is not None]
    if not repos:
        return "publish names no repo, so nothing would be written"
    pinned, pins = pin_recipe(recipe)
    check_publishable(pinned, pins)
    return f"may be written to, or made, with this token: {', '.join(repos)}"


def _missing_data(recipe: Recipe) -> str | None:
    """The first file of natural rows that the recipe names and that is not here."""
    files = [(f"natural.files.{split}", path) for split, path in recipe.natural.files or () if path is not None]
    return next((path for key, path in files if not recipe.has_file(path, key)), None)


def endpoint_note(recipe: Recipe) -> str:
    """What would be sent where; a key that is not set yet is no mistake of the recipe."""
    try:
        return "; ".join(endpoint_access(each).sentence for each in by_server(recipe))
    except RecipeError:
        raise
    except Exception as error:
        return str(error)


def _natural(recipe: Recipe, online: bool, read: dict[str, NaturalData]) -> NaturalData | None:
    """The recipe's natural rows, read once for all scales that share them; None where they lie on the Hub."""
    if recipe.natural.dataset is not None and not online:
        return None
    if recipe.study.zero_shot is not None and recipe.study.zero_shot.dataset is not None and not online:
        content = recipe.model_dump(mode="json")
        content["study"]["variants"] = [name for name in content["study"]["variants"] if name != "zero_shot"]
        recipe = recipe.with_content(content)
    key = json.dumps(natural_stage.decides(recipe), sort_keys=True)
    if key not in read:
        read[key] = natural_stage.load_natural(recipe)
    return read[key]


def _check_files(recipe: Recipe, natural: NaturalData | None) -> None:
    """Read what the recipe names beside its rows (template, seed texts, lexicon), and render a prompt."""
    if recipe.study.word_translation is not None:
        lexicon = recipe.study.word_translation.lexicon
        read_lexicon(recipe.local_file(lexicon, "study.word_translation.lexicon"))
    generator = recipe.generate.generator
    if not generator.has_prompt:
        if generator.rows_file is not None:
            natural_stage.given_rows(recipe)
        return
    template = PromptTemplate(recipe)
    _ = template.seed_texts
    if natural is None:
        return
    sample = study_samples(recipe, natural)[0]
    request = next(plan_requests(recipe, sample, template, model="", sampling=None))
    if not isinstance(generator, LocalGenerator) or not recipe.generate.prompt.chat:
        return
    folder = Path(generator.model).expanduser()
    if folder.is_dir():
        assert isinstance(request.prompt, list)
        tokenizer = load_tokenizer(str(folder), key="generate.generator.model")
        chat_text(tokenizer, request.prompt, model=generator.model, key="generate.prompt.chat")


def _check_models(recipe: Recipe, online: bool) -> None:
    """Open every model's configuration and tokenizer: of folders, and `online` of repos."""
    for path, section in model_sections(recipe.model_dump(mode="json")):
        _check_model(section, f"{path}.model", path == "generate.generator", online)


def _check_model(section: dict[str, Any], key: str, writes: bool, online: bool) -> None:
    name = section["model"]
    if not Path(name).expanduser().is_dir():
        problem = repo_id_problem(name) if "/" in name else None
        if problem is not None or name.startswith(("~", ".", "/")):
            raise RecipeError(
                f"{key}: {name!r} is neither a folder here nor a repo on the Hub ({problem or 'it is a path'})"
            )
        if not online:
            return
    config = load_config(name, revision=section.get("revision"), key=key)
    load_tokenizer(name, revision=section.get("revision"), key=key)
    from transformers import AutoModelForCausalLM

    if writes and type(config) not in AutoModelForCausalLM._model_mapping:
        raise RecipeError(f"{key}: {name} is no causal language model, so it cannot write; name one")
