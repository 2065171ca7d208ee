"""Real corpora with known defects. Only counts are asserted; none of their text is here."""

import json
import re
import unicodedata
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from sentisynth_hub.core.errors import DataError
from sentisynth_hub.core.rows import Row
from sentisynth_hub.core.text import normalised
from sentisynth_hub.filter.apply import run_filters
from sentisynth_hub.filter.conflicting_labels import ConflictingLabels
from sentisynth_hub.filter.exact_duplicates import ExactDuplicates
from sentisynth_hub.filter.near_duplicates import NearDuplicates
from sentisynth_hub.filter.overlap import Overlap
from sentisynth_hub.metrics.code_mixing import UNKNOWN
from sentisynth_hub.metrics.word_languages import WordTagger
from sentisynth_hub.natural.leakage import check_natural_splits
from sentisynth_hub.natural.splits import NaturalData


DATA = Path(__file__).resolve().parents[3] / ".." / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the shared data is not here")


def rows(name: str) -> list[Row]:
    with open(DATA / f"{name}.jsonl", encoding="utf-8") as lines:
        return [Row(r["text"], r["label"], r["id"]) for r in map(json.loads, lines)]


def own_form(text: str) -> str:
    """The normalised form, written a second time and differently: category by category, word by word."""
    folded = unicodedata.normalize("NFKC", text).lower()
    folded = " ".join(part for part in re.split(r"\s+", re.sub(r"(https?://|www\.)\S+", "", folded)))
    kept = [c for c in folded if c not in " " and not unicodedata.category(c).startswith(("P", "S"))]
    return "".join(kept) or text


def test_every_duplicate_and_conflict_of_the_released_corpus_is_found() -> None:
    synthetic = rows("enma_cmsa/synthetic_llm")
    forms = [own_form(row.text) for row in synthetic]
    labels = defaultdict(set)
    for form, row in zip(forms, synthetic, strict=True):
        labels[form].add(row.label)
    conflicting = {form for form, found in labels.items() if len(found) > 1}
    repeats = len(forms) - len(set(forms))
    assert (len(synthetic), repeats, len(conflicting)) == (23_913, 944, 63)

    duplicates = [not decision.keep for decision in ExactDuplicates().judge(synthetic)]
    first: set[str] = set()
    expected = [form in first or bool(first.add(form)) for form in forms]
    assert duplicates == expected
    judge = ConflictingLabels.among(synthetic)
    assert judge.facts().texts == 63
    assert [not decision.keep for decision in judge.judge(synthetic)] == [form in conflicting for form in forms]


def test_the_released_corpus_in_order_loses_each_row_once() -> None:
    synthetic = rows("enma_cmsa/synthetic_llm")
    filters = [ConflictingLabels.among(synthetic), ExactDuplicates(), NearDuplicates(0.8)]
    kept, rejected = run_filters(filters, synthetic)
    assert len(kept) + len(rejected) == 23_913
    assert Counter(row.request_id for row in [*kept, *(item.row for item in rejected)]).most_common(1)[0][1] == 1
    assert len({normalised(row.text) for row in kept}) == len(kept)


def test_the_released_corpus_holds_no_natural_text() -> None:
    natural = {name: rows(f"enma_cmsa/{name}") for name in ("test", "dev", "train")}
    decisions = Overlap.against(natural, ngram=8).judge(rows("enma_cmsa/synthetic_llm"))
    assert not [decision for decision in decisions if (decision.reason or "").startswith("exact")]


@pytest.mark.parametrize(
    ("names", "pair", "shared"),
    [
        (("hinglish_sentimix2020/train", "hinglish_sentimix2020/dev", "hinglish_sentimix2020/test"), "test", 107),
        (("ensp_lince_cmsa/train", "ensp_lince_cmsa/dev", "ensp_lince_cmsa/test_unlabelled"), "validation", 20),
    ],
)
def test_leaks_between_natural_splits_stop_the_run_or_leave_train(
    names: tuple[str, str, str], pair: str, shared: int
) -> None:
    natural = NaturalData(*(rows(name) for name in names))
    with pytest.raises(DataError, match="set natural.overlap=drop_from_train") as caught:
        check_natural_splits(natural, "stop")
    assert len(str(caught.value)) < 1500
    left, dropped = check_natural_splits(natural, "drop_from_train")

    def forms(split: list[Row]) -> set[str]:
        return {own_form(row.text) for row in split}

    both = forms(natural.train) & forms(getattr(natural, pair))
    assert len(both) == shared
    assert not forms(left.train) & (forms(natural.validation) | forms(natural.test))
    assert not forms(left.validation) & forms(natural.test)
    assert left.test == natural.test
    leaking = forms(natural.validation) | forms(natural.test)
    assert dropped["train"] == sum(own_form(row.text) in leaking for row in natural.train)


def test_the_hindi_tagger_beside_human_tags() -> None:
    """SentiMix development tweets; the tagger's limits were chosen on training tweets."""
    tagger = WordTagger(["hi-Latn", "en"])
    names = {"Hin": "hi-Latn", "Eng": "en"}
    right = known = total = 0
    with open(DATA / "hinglish_sentimix2020/dev.jsonl", encoding="utf-8") as lines:
        for record in map(json.loads, lines):
            for word, human in zip(record["text"].split(), record["lid"].split(), strict=True):
                if human in names and word.isascii() and word.isalpha():
                    (tag,) = tagger.tags(word)
                    total += 1
                    known += tag != UNKNOWN
                    right += tag == names[human]
    assert total > 50_000
    assert right / known > 0.75
    assert known / total > 0.75
