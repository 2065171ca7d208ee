"""From a file of labelled texts to a recipe folder, with an honest word on what that much data can show.

made = start_recipe("reviews.csv", text_column="review", label_column="stars")
made.folder      # recipes/reviews: recipe.yaml, prompt.jinja2, README.md, data/ (kept out of git)
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import DataError, InputError, did_you_mean
from sentisynth_hub.core.files import replaced
from sentisynth_hub.core.read_files import read_file
from sentisynth_hub.natural.stage import load_natural
from sentisynth_hub.recipe import load_recipe
from sentisynth_hub.verdict.statistics.power import detectable_effect


ENGLISH_STUDENT = "sentence-transformers/all-MiniLM-L6-v2"
OTHER_STUDENT = "intfloat/multilingual-e5-small"
SMALL_WRITER = "HuggingFaceTB/SmolLM2-135M-Instruct"
EMBEDDED = {"generator": "quickstart/SmolLM2-135M-Instruct", "student": "quickstart/all-MiniLM-L6-v2"}
MOST_LABELS = 20  # more distinct values than this is a column of something else
FEWEST_PER_LABEL = 12  # below this a label cannot be split into train, validation and test and still say anything


@dataclass(frozen=True)
class Started:
    """A recipe folder, and what its user should know before running it."""

    folder: Path
    lines: list[str]


def start_recipe(
    source: str,
    *,
    text_column: str,
    label_column: str,
    name: str | None = None,
    languages: Sequence[str] = ("en",),
    generator: str | None = None,
    endpoint_model: str | None = None,
    student: str | None = None,
    synthetic: str | None = None,
    embedded: bool = False,
    folder: Path | None = None,
) -> Started:
    """Write a recipe folder for a CSV, JSONL or Parquet file, or a Hub dataset id.

    Args:
        synthetic: The same kind of source, of synthetic rows that are there already: they take the generator's place.

    Raises:
        DataError: A source cannot be read, a column is missing, a label has too few rows, or the synthetic rows have
            another one.
        InputError: The folder is there already.
    """
    name = name or re.sub(r"[^a-z0-9]+", "-", Path(source).stem.lower()).strip("-") or "my-recipe"
    folder = folder or Path("recipes") / name
    if folder.exists():
        raise InputError(f"{folder}: is there already; choose another with --name or --folder")
    rows = _read(source, text_column, label_column)
    counts = Counter(row["label"] for row in rows)
    _check(source, label_column, counts)
    given = _read(synthetic, text_column, label_column) if synthetic else []
    if strange := sorted({row["label"] for row in given} - set(counts)):
        raise DataError(
            f"{synthetic}: {log.printable(repr(strange[0]), 40)} is no label of {source}, whose labels are "
            f"{', '.join(sorted(counts))}; rename it, or leave those rows out"
        )
    english = [tag.split("-")[0] for tag in languages] == ["en"]
    models = (
        EMBEDDED if embedded else {"generator": SMALL_WRITER, "student": ENGLISH_STUDENT if english else OTHER_STUDENT}
    )
    models = {"generator": generator or models["generator"], "student": student or models["student"]}
    prefix = "query: " if "e5-" in models["student"] else ""
    content = _recipe(name, languages, sorted(counts), models, endpoint_model, prefix)
    if synthetic:
        written_by = f"the author of {Path(synthetic).name}"
        generator_of_rows = {"kind": "rows", "file": "data/synthetic.jsonl", "written_by": written_by}
        content["generate"] = {"generator": generator_of_rows, "candidates": len(given)}
    _write(folder, content, rows, given)
    return Started(folder, _expectations(folder, len(rows), endpoint_model, " --hub local" if embedded else ""))


def _read(source: str, text_column: str, label_column: str) -> list[dict[str, str]]:
    """Rows with a text and a label, as id / text / label."""
    if Path(source).suffix:
        records = list(read_file(Path(source)))
    else:
        import datasets

        try:
            part = datasets.load_dataset(source, split="train")
        except (datasets.exceptions.DatasetNotFoundError, ValueError) as error:
            raise DataError(
                f"{source}: neither a file with an ending nor a Hub dataset ({str(error).splitlines()[0]})"
            ) from None
        names = getattr(part.features.get(label_column), "names", None)
        records = [
            (n, {**r, label_column: names[r[label_column]] if names else r[label_column]}) for n, r in enumerate(part)
        ]
    rows, empty = [], 0
    for number, record in records:
        for column in (text_column, label_column):
            if column not in record:
                raise DataError(
                    f"{source}: no column {column!r}{did_you_mean(column, record)}; the columns are "
                    f"{', '.join(record)}; "
                    "name them with --text and --label"
                )
        text, label = (
            str(record[text_column] or "").strip(),
            str(record[label_column] if record[label_column] is not None else "").strip(),
        )
        if text and label:
            rows.append({"id": str(number), "text": text, "label": label})
        else:
            empty += 1
    if empty:
        log.warn(f"{source}: {empty} rows without a text or a label are left out")
    if not rows:
        raise DataError(f"{source}: no row has both a text and a label")
    return rows


def _check(source: str, label_column: str, counts: Counter[str]) -> None:
    if len(counts) < 2:
        raise DataError(
            f"{source}: column {label_column!r} holds one value, {next(iter(counts))!r}; a classifier needs at "
            f"least two"
        )
    if len(counts) > MOST_LABELS:
        raise DataError(
            f"{source}: column {label_column!r} holds {len(counts)} different values; is it the label? name it "
            f"with --label"
        )
    rare = [f"{label!r} ({count})" for label, count in sorted(counts.items()) if count < FEWEST_PER_LABEL]
    if rare:
        raise DataError(
            f"{source}: fewer than {FEWEST_PER_LABEL} rows with label {', '.join(rare)}; bring more, or merge labels"
        )


def _recipe(
    name: str,
    languages: Sequence[str],
    labels: list[str],
    models: dict[str, str],
    endpoint_model: str | None,
    prefix: str,
) -> dict[str, Any]:
    generator: dict[str, Any] = {"kind": "transformers", "model": models["generator"]}
    if endpoint_model:
        generator = {"kind": "openai", "model": endpoint_model}
    encoder = {"model": models["student"]} | ({"prefix": prefix} if prefix else {})
    return {
        "name": name,
        "description": f"Synthetic rows for {name}.",
        "language": list(languages),
        "labels": labels,
        "seed": 0,
        "natural": {"files": {split: f"data/{split}.jsonl" for split in ("train", "validation", "test")}},
        "generate": {
            "generator": generator,
            # A small local model keeps to the label best when it sees only that label, and to the language when it is
            # not too hot.
            "prompt": {"num_shots": 8, "demonstrations_of": "all_labels" if endpoint_model else "asked_label"},
            "sampling": {"temperature": 1.0 if endpoint_model else 0.8},
            "candidates": 100 * len(labels),
        },
        "filter": {
            "length": {},
            "exact_duplicates": {},
            "overlap": {},
            "teacher": {"teacher": dict(encoder), "min_confidence": 0.5},
        },
        "study": {
            "student": encoder,
            "mode": "head",
            "design": "conditional",
            "replicates": 10,
            "variants": ["natural", "natural_repeated", "synthetic", "unfiltered", "mixed"],
        },
        "publish": {"dataset": f"YOUR-NAME/{name}-synthetic", "model": f"YOUR-NAME/{name}-classifier"},
    }


def _write(folder: Path, content: dict[str, Any], rows: list[dict[str, str]], given: list[dict[str, str]]) -> None:
    """Write the folder: splits are made here once, so that the user sees them and may move rows between them."""
    whole = folder / "data" / "all.jsonl"
    with replaced(whole) as temporary:
        temporary.write_text(_json_lines(rows), "utf-8")
    if given:
        (folder / "data" / "synthetic.jsonl").write_text(_json_lines(given), "utf-8")
    else:
        (folder / "prompt.jinja2").write_text(_PROMPT, "utf-8")
    unsplit = content | {"natural": {"files": {"train": "data/all.jsonl"}}}
    (folder / "recipe.yaml").write_text(_yaml(unsplit), "utf-8")
    natural = load_natural(load_recipe(str(folder)))
    for split in ("train", "validation", "test"):
        part = [{"id": row.request_id, "text": row.text, "label": row.label} for row in getattr(natural, split)]
        (folder / "data" / f"{split}.jsonl").write_text(_json_lines(part), "utf-8")
    whole.unlink()
    (folder / "recipe.yaml").write_text(_HEADER + _yaml(content), "utf-8")
    (folder / ".gitignore").write_text("data/\n", "utf-8")
    show = "" if given else _SHOW
    (folder / "README.md").write_text(_README.format(name=content["name"], show=show), "utf-8")


def _json_lines(rows: Sequence[Mapping[str, str | None]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _yaml(content: dict[str, Any]) -> str:
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)


def _expectations(folder: Path, rows: int, endpoint_model: str | None, hub: str) -> list[str]:
    recipe = load_recipe(str(folder))
    natural = load_natural(recipe)
    shares = [count / len(natural.test) for count in Counter(row.label for row in natural.test).values()]
    effect = detectable_effect(len(natural.test), recipe.study.replicates, label_shares=shares)
    lines = [
        f"{rows} rows: {len(natural.train)} train, {len(natural.validation)} validation, {len(natural.test)} "
        f"test, in {folder}/data",
        f"With {len(natural.test)} test rows a study detects a difference of about {100 * effect:.0f} points of "
        f"macro-F1 "
        "(4 times in 5); smaller ones end as 'too small to tell'. More test rows lower that, more synthetic rows "
        "do not.",
    ]
    if endpoint_model:
        lines.append(
            f"Rows will leave this machine: every prompt shows {recipe.generate.prompt.num_shots} of your texts "
            f"to the endpoint's operator."
        )
    look = f"{folder}/recipe.yaml"
    if recipe.generate.generator.kind != "rows":
        look += f" and `sentisynth prompt show {folder} --label {recipe.labels[0]}{hub}`"
    lines.append(f"Next: look at {look}, then `sentisynth run {folder} --no-publish{hub}`")
    return lines


_HEADER = """\
# Made by `sentisynth init`; every key is explained by `sentisynth schema`. Repos under `publish` are created private.
# study.mode `head` trains in minutes on a CPU, `finetune` fine-tunes every trial; the published model is fine-tuned
# either way.
"""

_PROMPT = """\
{# One labelled text a line; the model writes the last one. Say here what they are: "review", "tweet", "comment". -#}
{% for demonstration in demonstrations %}
{{ demonstration.verbalizer | capitalize }} text: {{ demonstration.text }}
{% endfor %}
{{ verbalizer | capitalize }} text:
"""

_SHOW = "    sentisynth prompt show .          what will be sent\n"
_README = """\
# {name}

{show}    sentisynth run . --no-publish     every stage, nothing leaves this machine
    sentisynth run .                  the same, then publish to the repos that recipe.yaml names

`data/` holds the natural rows, split once; `.gitignore` keeps them out of version control.
"""
