"""From a file of labelled texts to a recipe folder, with an honest word on what that much data can show.

started = start_recipe(Source("reviews.csv", "review", "stars"))
started.folder      # recipes/reviews: recipe.yaml, prompt.jinja2, README.md, data/ (kept out of git)

All or nothing: the folder is written elsewhere first, read back as every command reads it, and only then moved to its
place.
"""

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import DataError, InputError
from sentisynth_hub.core.open_records import is_file_name
from sentisynth_hub.core.read_files import ending_of
from sentisynth_hub.core.rows import Row
from sentisynth_hub.natural.folds import study_samples
from sentisynth_hub.natural.splits import NaturalData
from sentisynth_hub.natural.stage import load_natural
from sentisynth_hub.plan.source_rows import Source, SourceRows, check_labels, check_same_labels, read_source
from sentisynth_hub.plan.study_plan import plan_study
from sentisynth_hub.recipe import Recipe, load_recipe
from sentisynth_hub.recipe.languages import check_languages
from sentisynth_hub.recipe.load import dump_yaml
from sentisynth_hub.recipe.schema import NAME


ENGLISH_STUDENT = "sentence-transformers/all-MiniLM-L6-v2"
OTHER_STUDENT = "intfloat/multilingual-e5-small"
SMALL_WRITER = "HuggingFaceTB/SmolLM2-135M-Instruct"
EMBEDDED = {"generator": "quickstart/SmolLM2-135M-Instruct", "student": "quickstart/all-MiniLM-L6-v2"}
CROSS_FITTED_BELOW = 1000  # rows; with fewer, a test split of their own would waste labels (docs/concepts/evidence.md)
FOLDS, REPETITIONS = 5, 2
_MOST_VALUES = 50  # distinct values of a column that may say which rows are to blame; with more it is an id or a text


@dataclass(frozen=True)
class Started:
    """A recipe folder, and what its user should know before running it."""

    folder: Path
    lines: list[str]


@dataclass(frozen=True)
class Choices:
    """What the user chose for the new recipe; None: the default."""

    name: str | None = None
    languages: Sequence[str] = ("en",)
    generator: str | None = None
    endpoint_model: str | None = None
    student: str | None = None
    embedded: bool = False
    folder: Path | None = None
    cluster: str | None = None


def start_recipe(source: Source, choices: Choices | None = None, *, synthetic: Source | None = None) -> Started:
    """Write a recipe folder for labelled rows.

    Args:
        synthetic: Synthetic rows that are there already: they take the generator's place.

    Raises:
        DataError: A source cannot be read, a column is missing, a label has too few rows, or the synthetic rows have
            another one.
        InputError: The folder is there already, or the name or a language is none. Nothing is written in any case.
    """
    choices = choices or Choices()
    name = _name(source, choices)
    languages = check_languages(choices.languages)
    folder = choices.folder or Path("recipes") / name
    if folder.exists() or folder.is_symlink():
        raise InputError(f"{folder}: is there already; choose another with --name or --folder")
    natural = read_source(source)
    check_labels(natural, source.label_column)
    if choices.cluster is not None and choices.cluster not in natural.other_columns:
        others = ", ".join(log.printable(column, 40) for column in natural.other_columns) or "none"
        raise DataError(
            f"{natural.name}: --cluster: no column {log.printable(choices.cluster, 40)!r}; the others are: {others}"
        )
    given = read_source(synthetic) if synthetic is not None else None
    if given is not None:
        check_same_labels(given, natural.labels, natural.name)
    content = _recipe(name, languages, natural, given, choices)
    with _moved_into(folder) as draft:
        recipe, rows = _write(draft, content, natural, given)
        lines = _expectations(folder, recipe, rows, choices)
    return Started(folder, lines)


def _name(source: Source, choices: Choices) -> str:
    if choices.name is not None:
        if re.fullmatch(NAME, choices.name) is None:
            raise InputError(
                f"--name {choices.name!r}: a recipe's name has lower-case letters, digits and hyphens only, such as "
                f"{_slug(choices.name)!r}"
            )
        return choices.name
    last = Path(source.name).name
    if is_file_name(source.name):
        while ending_of(last):  # reviews.csv.gz
            last = Path(last).stem
    return _slug(last)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "my-recipe"


def _recipe(
    name: str, languages: Sequence[str], natural: SourceRows, given: SourceRows | None, choices: Choices
) -> dict[str, Any]:
    english = [tag.split("-")[0] for tag in languages] == ["en"]
    defaults = (
        EMBEDDED
        if choices.embedded
        else {"generator": SMALL_WRITER, "student": ENGLISH_STUDENT if english else OTHER_STUDENT}
    )
    student = choices.student or defaults["student"]
    encoder = {"model": student} | ({"prefix": "query: "} if "e5-" in student else {})
    small = len(natural.rows) < CROSS_FITTED_BELOW and given is None
    files = {"train": "data/rows.jsonl"} if small else {split: f"data/{split}.jsonl" for split in _SPLITS}
    study: dict[str, Any] = {"student": encoder, "mode": "head"}
    if small:
        study |= {"cross_fitting": {"folds": FOLDS}, "replicates": REPETITIONS}
    else:
        study |= {"design": "conditional", "replicates": 10}
    return {
        "name": name,
        "description": f"Synthetic rows for {name}.",
        "language": list(languages),
        "labels": natural.labels,
        "seed": 0,
        "natural": {"files": files}
        | ({"licence": natural.licence} if natural.licence else {})
        | ({"cluster": choices.cluster} if choices.cluster else {}),
        "generate": _generate(natural, given, choices, choices.generator or defaults["generator"], small),
        "filter": {
            "length": {},
            "exact_duplicates": {},
            "overlap": {},
            "teacher": {"teacher": dict(encoder), "min_confidence": 0.5},
        },
        "study": study
        | {"variants": ["natural", "natural_repeated", "synthetic", "unfiltered", "kept", "weighted", "mixed"]},
        "publish": {"dataset": f"YOUR-NAME/{name}-synthetic", "model": f"YOUR-NAME/{name}-classifier"},
    }


def _generate(
    natural: SourceRows, given: SourceRows | None, choices: Choices, writer: str, small: bool
) -> dict[str, Any]:
    if given is not None:
        generator: dict[str, Any] = {
            "kind": "rows",
            "file": "data/synthetic.jsonl",
            "written_by": f"the author of {Path(given.name).name}",
        }
        if columns := _telling_columns(given):
            generator["attribute_columns"] = columns
        return {"generator": generator, "candidates": len(given.rows)}
    candidates = (60 if small else 100) * len(natural.labels)  # of each corpus; cross-fitting makes ten
    if choices.endpoint_model:
        return {
            "generator": {"kind": "openai", "model": choices.endpoint_model},
            "prompt": {"chat": True, "num_shots": 8},
            "sampling": {"temperature": 1.0, "max_new_tokens": 200},
            "candidates": candidates,
        }
    return {
        "generator": {"kind": "transformers", "model": writer},
        # A small local model keeps to the label best when it sees only that label, and to the language when it is
        # not too hot.
        "prompt": {"num_shots": 8, "demonstrations_of": "asked_label"},
        "sampling": {"temperature": 0.8},
        "candidates": candidates,
    }


def _telling_columns(given: SourceRows) -> list[str]:
    """Columns of the synthetic rows that tell groups of them apart, for `study --leave-out`."""
    return [
        column
        for column in given.other_columns
        if 1 < len({str(row.get(column)) for row in given.rows}) <= min(_MOST_VALUES, len(given.rows) // 2)
    ]


_SPLITS = ("train", "validation", "test")


def _write(
    folder: Path, content: dict[str, Any], natural: SourceRows, given: SourceRows | None
) -> tuple[Recipe, NaturalData]:
    """Write the folder and read it back. Splits are made here once, so that the user sees them and may move rows
    between them; a cross-fitted study has none.
    """
    (folder / "data").mkdir()
    (folder / "data" / "rows.jsonl").write_text(_json_lines(natural.rows), "utf-8")
    if given is not None:
        (folder / "data" / "synthetic.jsonl").write_text(_json_lines(given.rows), "utf-8")
    else:
        template = _CHAT_PROMPT if content["generate"]["prompt"].get("chat") else _PROMPT
        (folder / "prompt.jinja2").write_text(template, "utf-8")
    if "validation" in content["natural"]["files"]:
        one_file = content | {"natural": content["natural"] | {"files": {"train": "data/rows.jsonl"}}}
        (folder / "recipe.yaml").write_text(dump_yaml(one_file), "utf-8")
        parts = load_natural(load_recipe(str(folder)))
        by_id = {f"train/{row['id']}": row for row in natural.rows}
        for split in _SPLITS:
            rows: list[Row] = getattr(parts, split)
            part = _json_lines([by_id[row.request_id] for row in rows])
            (folder / "data" / f"{split}.jsonl").write_text(part, "utf-8")
        (folder / "data" / "rows.jsonl").unlink()
    (folder / "recipe.yaml").write_text(_HEADER + dump_yaml(content), "utf-8")
    (folder / ".gitignore").write_text("data/\n", "utf-8")
    show = "" if given is not None else _SHOW
    (folder / "README.md").write_text(_README.format(name=content["name"], show=show), "utf-8")
    recipe = load_recipe(str(folder))
    return recipe, load_natural(recipe)


@contextmanager
def _moved_into(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder` that takes its name at the end; on an error it goes, with every parent made for
    it.
    """
    missing = [parent for parent in folder.absolute().parents if not parent.exists()]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name[:60]}-", dir=folder.parent))
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror}); choose another with --folder") from None
    try:
        yield draft
        draft.chmod(0o755)
        if folder.exists():
            raise InputError(f"{folder}: is there already; choose another with --name or --folder")
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        for parent in missing:
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()
        raise


def _json_lines(rows: Sequence[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _expectations(folder: Path, recipe: Recipe, natural: NaturalData, choices: Choices) -> list[str]:
    study, hub = recipe.study, " --hub local" if choices.embedded else ""
    rows = [*natural.train, *natural.validation, *natural.test]
    if study.cross_fitting is not None:
        folds, corpora = study.cross_fitting.folds, study.replicates * study.cross_fitting.folds
        lines = [
            f"{len(rows):,} rows in {folder}/data; too few to set test rows aside, so each is tested in turn: "
            f"{folds} folds, {study.replicates} times over, with {recipe.generate.candidates} "
            f"synthetic rows for each of the {corpora}"
        ]
    else:
        lines = [
            f"{len(rows):,} rows: {len(natural.train):,} train, {len(natural.validation):,} validation, "
            f"{len(natural.test):,} test, in {folder}/data"
        ]
    planned = plan_study(recipe, natural, study_samples(recipe, natural))
    lines.append(
        f"With {planned.items:,} test rows a study detects a difference of about {100 * planned.detectable:.0f} "
        "points of macro-F1 (4 times in 5); smaller ones end as 'too small to tell', the likely end of "
        f"{1 - planned.decided:.0%} of studies like it. More natural rows lower that, more synthetic rows do not."
    )
    if choices.endpoint_model:
        lines.append(
            f"Rows will leave this machine: every prompt shows {recipe.generate.prompt.num_shots} of your texts "
            "to the endpoint's operator."
        )
    look = f"{folder}/recipe.yaml"
    if recipe.generate.generator.has_prompt:
        label = recipe.labels[0] if re.fullmatch(r"[\w.-]+", recipe.labels[0]) else f"'{recipe.labels[0]}'"
        look += f" and `sentisynth prompt show {folder} --label {label}{hub}`"
    lines.append(
        f"Next: look at {look}; `sentisynth plan {folder}{hub}` measures what these rows can show and what more "
        f"labels would gain; then `sentisynth run {folder} --no-publish{hub}`"
    )
    return lines


_HEADER = """\
# Made by `sentisynth init`; every key is explained by `sentisynth schema`. Repos under `publish` are created private.
# study.mode `head` trains in minutes on a CPU, `finetune` fine-tunes every trial; the model that is judged is the one
# that is published.
"""

_PROMPT = """\
{# One labelled text a line; the model writes the last one. Say here what they are: "review", "tweet", "comment". -#}
{% if description %}
{{ verbalizer | capitalize }} means: {{ description }}
{% endif %}
{% for demonstration in demonstrations %}
{{ demonstration.verbalizer | capitalize }} text: {{ demonstration.text }}
{% endfor %}
{{ verbalizer | capitalize }} text:
"""

_CHAT_PROMPT = """\
{# Chat messages, as YAML. Say what the texts are ("review", "tweet", "comment"), and in which language. -#}
- role: system
  content: |
    You write texts as different people write them.
    Write only what is asked for: no preamble, no explanation, no label, no quotation marks.
- role: user
  content: |
    {% if demonstrations %}
    These are real examples:
    {% for demonstration in demonstrations %}
    [{{ demonstration.verbalizer }}] {{ demonstration.text }}
    {% endfor %}

    {% endif %}
    Write one new text of the kind [{{ verbalizer }}], in the language and the manner of the examples.
    It must differ from all of them.
    {% if description %}
    {{ verbalizer | capitalize }} means: {{ description }}
    {% endif %}
    Answer with the text alone, on one line.
"""

_SHOW = "    sentisynth prompt show .          what will be sent\n"
_README = """\
# {name}

{show}    sentisynth run . --no-publish     every stage, nothing is published
    sentisynth run .                  the same, then publish to the repos that recipe.yaml names

`data/` holds the natural rows, without copies; `.gitignore` keeps them out of version control.
"""
