"""evaluation.json is data: it survives the disk, holds no sentence, and what does not fit is refused in one line."""

import json
from pathlib import Path
from typing import Any

import pytest

from sentisynth_hub.core.errors import DataError
from sentisynth_hub.verdict.evaluate import EvaluationConfig, evaluate_study
from sentisynth_hub.verdict.evaluation import Evaluation, parse_evaluation, read_evaluation
from sentisynth_hub.verdict.evaluation_text import table_lines, verdict_sentence, warnings
from tests.support.studies import made_study


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    accuracies = {"natural": 0.6, "natural_repeated": 0.6, "mixed": 0.7}
    return evaluate_study(made_study(accuracies), EvaluationConfig(resamples=200))


def test_it_survives_the_disk_and_says_the_same(evaluation: Evaluation, tmp_path: Path) -> None:
    path = tmp_path / Evaluation.FILE
    path.write_text(json.dumps(evaluation.record()), "utf-8")
    back = read_evaluation(path)
    assert back == evaluation
    assert table_lines(back) == table_lines(evaluation)


def test_no_sentence_is_stored(evaluation: Evaluation) -> None:
    def texts(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [text for inner in value.values() for text in texts(inner)]
        if isinstance(value, list):
            return [text for inner in value for text in texts(inner)]
        return [value] if isinstance(value, str) else []

    stored = texts(evaluation.record())
    assert max(map(len, stored)) <= len("no difference that matters")
    lines = [verdict_sentence(evaluation), *warnings(evaluation), *table_lines(evaluation)]
    assert not set(lines) & set(stored)


HOSTILE: list[tuple[str, Any]] = [
    ("margin", -1), ("margin", "0.02"), ("alpha", 2), ("items", 0), ("items", 1.5), ("metric", "x" * 1_000),
    ("verdict", None), ("verdict", {"outcome": "wonderful"}), ("labels", ["a"]), ("replicates", "many"),
    ("comparisons", [{}]), ("layout", 3), ("sentence", "Helps"), ("design", "magic"), ("variants", []),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), HOSTILE)
def test_what_does_not_fit_is_one_line(evaluation: Evaluation, key: str, value: Any) -> None:
    with pytest.raises(DataError) as caught:
        parse_evaluation({**evaluation.record(), key: value}, "acme/rows")
    message = str(caught.value)
    assert message.startswith("acme/rows: ")
    assert "\n" not in message
    assert len(message) < 500


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_no_number_that_is_none(evaluation: Evaluation, tmp_path: Path, number: str) -> None:
    path = tmp_path / "e.json"
    path.write_text(evaluation.model_dump_json().replace('"margin":0.02', f'"margin":{number}'), "utf-8")
    with pytest.raises(DataError, match="margin"):
        read_evaluation(path)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 50_000, b'"text"'], ids=range(8)
)
def test_files_that_are_no_evaluation(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "evaluation.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"evaluation\.json: ") as caught:
        read_evaluation(path)
    assert "\n" not in str(caught.value)


def test_an_absent_and_an_old_one_are_plainly_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_evaluation(tmp_path / "absent.json")
    old = {"schema": 1, "metric": "macro_f1", "verdict": {"sentence": "Helps: +0.0141"}, "table": ["variant"]}
    with pytest.raises(DataError, match="written in layout 1 by an older version, this one reads 2"):
        parse_evaluation(old, "acme/rows@v1.0.0")


def test_variants_are_named_once_and_comparisons_are_between_them(evaluation: Evaluation) -> None:
    record = evaluation.record()
    with pytest.raises(DataError, match="a variant is there twice"):
        parse_evaluation({**record, "variants": [*record["variants"], record["variants"][0]]})
    stranger = {**record["comparisons"][0], "variant": "stranger"}
    with pytest.raises(DataError, match="variants that are not there: stranger"):
        parse_evaluation({**record, "comparisons": [stranger]})
    assert evaluation.variant("stranger") is None
    assert evaluation.against("mixed", "stranger") is None
