"""The evaluations of the shipped studies, kept in docs/results/evaluations/ so that pages are made from numbers.

A study is one file of the package's own `evaluation.json`, and one line of `studies.yaml` that says what was studied.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from sentisynth_hub.verdict.evaluation import Evaluation, read_evaluation


EVALUATIONS = Path(__file__).resolve().parents[1] / "docs" / "results" / "evaluations"
INDEX = EVALUATIONS / "studies.yaml"


@dataclass(frozen=True)
class StoredStudy:
    """What was studied.

    Attributes:
        task: Data set and language, in a reader's words.
        writer: Who wrote the synthetic rows.
        labels: Human labels a class that every arm may train on.
        rows: Synthetic rows before the filters, in one replicate.
        student: Encoder and how it is trained.
        page: The results page that tells it.
    """

    task: str
    writer: str
    labels: int
    rows: int
    student: str
    page: str


def store_study(name: str, study: StoredStudy, evaluation: Evaluation) -> None:
    """Keep one evaluation under its name, in place of an older one."""
    EVALUATIONS.mkdir(exist_ok=True)
    text = json.dumps(evaluation.record(), ensure_ascii=False, indent=1)
    (EVALUATIONS / f"{name}.json").write_text(text + "\n", "utf-8")
    index = {known: asdict(content) for known, content in read_index().items()} | {name: asdict(study)}
    INDEX.write_text(yaml.safe_dump(dict(sorted(index.items())), allow_unicode=True, sort_keys=False), "utf-8")


def read_index() -> dict[str, StoredStudy]:
    """Every study by its name."""
    content = yaml.safe_load(INDEX.read_text("utf-8")) if INDEX.exists() else {}
    return {name: StoredStudy(**study) for name, study in content.items()}


def stored_studies() -> list[tuple[StoredStudy, Evaluation]]:
    """Every study with its evaluation, by task, labels, rows and writer."""
    index = read_index()
    order = sorted(
        index, key=lambda name: (index[name].task, index[name].labels, index[name].rows, index[name].writer)
    )
    return [(index[name], read_evaluation(EVALUATIONS / f"{name}.json")) for name in order]
