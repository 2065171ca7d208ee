"""What changed between two corpora, and the version that makes."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentisynth_hub.core.rows import Row
from sentisynth_hub.publish.versions.changes import RowCounts, compare_rows, dataset_changes, model_changes
from sentisynth_hub.publish.versions.corpus_statistics import balance_shift, statistics


LABELS = ["negative", "positive"]
COLUMNS = {"text": "string", "label": "label"}
corpora = st.lists(st.builds(Row, st.sampled_from("abcdef"), st.sampled_from(LABELS)), max_size=12)


def row(text: str, label: str = "positive") -> Row:
    return Row(text, label)


def level(
    before: list[Row], after: list[Row], *, labels: list[str] = LABELS, columns: dict[str, str] = COLUMNS
) -> str:
    changes = dataset_changes(
        "v1.0.0",
        labels=(LABELS, labels),
        columns=(COLUMNS, columns),
        rows=compare_rows(before, after).counts(),
        metadata=["card changed"],
        statistics=(statistics(before, LABELS), statistics(after, labels)),
    )
    return changes["level"]


def test_a_text_with_another_label_is_relabelled_not_removed_and_added() -> None:
    found = compare_rows([row("a"), row("b")], [row("a", "negative"), row("b"), row("c")])
    assert found.counts() == {"added": 1, "removed": 0, "relabelled": 1, "unchanged": 1}
    assert [(old.label, new.label) for old, new in found.relabelled] == [("positive", "negative")]


def test_copies_count_one_by_one() -> None:
    assert compare_rows([row("a")] * 3, [row("a"), row("a", "negative")]).counts() == {
        "added": 0,
        "removed": 1,
        "relabelled": 1,
        "unchanged": 1,
    }


def test_equal_texts_in_another_unicode_form_are_equal() -> None:
    assert compare_rows([row("caf\u00e9")], [row("cafe\u0301")]).counts()["unchanged"] == 1


@given(corpora, corpora)
def test_rows_balance(before: list[Row], after: list[Row]) -> None:
    counts = compare_rows(before, after).counts()
    assert counts["unchanged"] + counts["relabelled"] + counts["removed"] == len(before)
    assert counts["unchanged"] + counts["relabelled"] + counts["added"] == len(after)


@given(corpora, st.randoms())
def test_order_is_no_change(rows: list[Row], random: object) -> None:
    shuffled = sorted(rows, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert compare_rows(rows, shuffled).counts() == {
        "added": 0,
        "removed": 0,
        "relabelled": 0,
        "unchanged": len(rows),
    }


@given(corpora, corpora)
def test_the_changes_lead_from_one_corpus_to_the_other(before: list[Row], after: list[Row]) -> None:
    found = compare_rows(before, after)
    have = Counter((r.id, r.label) for r in before)
    have -= Counter((r.id, r.label) for r in found.removed)
    have -= Counter((old.id, old.label) for old, _ in found.relabelled)
    have += Counter((new.id, new.label) for _, new in found.relabelled)
    have += Counter((r.id, r.label) for r in found.added)
    assert have == Counter((r.id, r.label) for r in after)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ([row("a"), row("b")], "patch"),
        ([row("a"), row("b"), row("c")], "minor"),
        ([row("a")], "minor"),
        ([row("a"), row("b", "negative")], "major"),
        ([row("a"), row("c")], "minor"),
    ],
)
def test_level_of_row_changes(after: list[Row], expected: str) -> None:
    assert level([row("a"), row("b")], after) == expected


def test_labels_and_columns_are_major() -> None:
    rows = [row("a"), row("b")]
    assert level(rows, rows, labels=[*LABELS, "neutral"]) == "major"
    assert level(rows, rows, labels=LABELS[::-1]) == "major"  # the integers of the ClassLabel change
    assert level(rows, rows, columns=COLUMNS | {"cmi": "float64"}) == "major"
    assert level(rows, rows, columns=COLUMNS | {"label": "string"}) == "major"


def test_the_first_version_is_the_first() -> None:
    rows = RowCounts(added=1, removed=0, relabelled=0, unchanged=0)
    after = statistics([row("a")], LABELS)
    changes = dataset_changes(
        None, labels=([], LABELS), columns=({}, COLUMNS), rows=rows, metadata=[], statistics=(None, after)
    )
    assert (changes["previous"], changes["reasons"], changes["balance_shift"]) == (None, ["first version"], None)


@pytest.mark.parametrize(
    ("labels", "sources", "metadata", "expected"),
    [
        (["a", "c"], ["dataset changed"], [], "major"),
        (["a", "b"], ["dataset changed"], ["scores changed"], "minor"),
        (["a", "b"], [], ["scores changed"], "patch"),
    ],
)
def test_level_of_a_model(labels: list[str], sources: list[str], metadata: list[str], expected: str) -> None:
    changes = model_changes("v1.0.0", labels=(["a", "b"], labels), sources=sources, metadata=metadata)
    assert changes["level"] == expected


def test_balance_shift_is_the_share_that_would_change_label() -> None:
    assert balance_shift({"a": 50, "b": 50}, {"a": 5, "b": 5}) == 0
    assert balance_shift({"a": 50, "b": 50}, {"a": 75, "b": 25}) == pytest.approx(0.25)
    assert balance_shift({"a": 1}, {"b": 1}) == 1


def test_statistics_of_a_small_corpus_by_hand() -> None:
    rows = [
        Row("the film was dull", "negative", scores={"cmi": 10.0}),
        Row("the film was bright", "positive", scores={"cmi": 30.0}),
        Row("the film", "positive"),
    ]
    found = statistics(rows, LABELS)
    assert found["labels"] == {"negative": 1, "positive": 2}
    assert found["words_mean"] == pytest.approx(10 / 3)
    # pairs: the-film x3, film-was x2, was-dull, was-bright: 4 distinct of 7
    assert found["distinct_2"] == pytest.approx(4 / 7)
    assert found["distinct_2_words"] == 10
    assert found["cmi_mean"] == 20


@given(st.lists(st.builds(Row, st.text(max_size=20), st.sampled_from(LABELS)), min_size=1, max_size=8), st.randoms())
def test_statistics_do_not_depend_on_order(rows: list[Row], random: object) -> None:
    shuffled = sorted(rows, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert statistics(rows, LABELS) == statistics(shuffled, LABELS)


def test_diversity_is_measured_on_the_asked_number_of_words() -> None:
    rows = [Row(f"word{i} again and again", "positive") for i in range(100)]
    assert statistics(rows, LABELS, words=40)["distinct_2_words"] == 40
