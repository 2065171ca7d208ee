"""The live meter against counts made the long way."""

from sentisynth_hub.core.text import tokens
from sentisynth_hub.generate.repetition import DiversityMeter
from sentisynth_hub.recipe.generate_section import DiversityLimits


def meter(**limits: float) -> DiversityMeter:
    return DiversityMeter(DiversityLimits.model_validate(limits), ["A warm and clever plot with a fine cast."])


def test_duplicates_and_near_copies_are_counted_by_normalised_text() -> None:
    watched = meter()
    for text in (
        "Dull film",
        "dull film!",
        "a warm and clever plot",
        "a WARM and clever plot with a fine cast",
        "xyz",
    ):
        watched.add(text)
    assert (watched.texts, watched.duplicates, watched.near_copies) == (5, 1, 2)


def test_distinct_2_is_that_of_the_last_2000_pairs() -> None:
    texts = [f"word{i % 37} word{i % 11} word{i % 5} end" for i in range(900)]
    watched = meter()
    for text in texts:
        watched.add(text)
    pairs = [pair for text in texts for pair in zip(tokens(text), tokens(text)[1:], strict=False)][-2000:]
    assert watched.distinct_2 == len(set(pairs)) / 2000


def test_nothing_is_judged_before_200_texts() -> None:
    watched = meter(max_duplicates=0.1)
    for _ in range(199):
        watched.add("the same")
    assert watched.breach() is None
    watched.add("the same")
    assert "100% of the texts are duplicates (max_duplicates 0.1)" in str(watched.breach())


def test_each_limit_is_told_by_its_name() -> None:
    copying, narrow = meter(max_near_copies=0.2), meter(min_distinct_2=0.5)
    for i in range(300):
        copying.add(f"a warm and clever plot {i}" if i % 2 else f"something else entirely {i * i}")
        narrow.add("again and again the same old words of a dull film " + "very " * (i % 40) + str(i))
    assert "max_near_copies" in str(copying.breach())
    assert "min_distinct_2" in str(narrow.breach())
