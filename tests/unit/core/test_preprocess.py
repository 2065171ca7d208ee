"""The paper's preprocessing: what goes, what stays, and that no script is damaged."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentisynth_hub.core.preprocess import STEPS, preprocess


@pytest.mark.parametrize(
    ("text", "steps", "expected"),
    [
        ("@ana_1 mira esto https://t.co/xyz ya", ["mentions", "urls"], "mira esto ya"),
        ("RT @ana: hola www.x.es/a?b=1", ["mentions", "urls"], "RT : hola"),
        ("@ Modi ji namaste https // t . co / aBc1 haan", ["mentions", "urls"], "ji namaste haan"),
        ("haan https // t co / aBc1 ji http :/ …", ["urls"], "haan ji"),
        ("mira http… y ya https", ["urls"], "mira y ya"),
        ("httpster is no link", ["urls"], "httpster is no link"),
        ("write to a@b.org", ["mentions"], "write to a@b.org"),
        ("jaja 😂😂 te 😍amo", ["emoji_names"],
         "jaja face with tears of joy face with tears of joy te smiling face with heart-eyes amo"),
        ("👩‍🚀 ❤️ ☺", ["emoji_names"], "woman astronaut red heart smiling face"),
        ("va por 🇲🇽!", ["emoji_names"], "va por Mexico !"),
        ("¡Qué día! #FelizLunes, don't te vayas... well-known $5", ["punctuation"],
         "Qué día #FelizLunes don't te vayas well-known 5"),
        ("'quoted' -- ' - it’s", ["punctuation"], "quoted it’s"),
        ("😂 wow!!", ["punctuation"], "😂 wow"),
        ("സിനിമ കൊള്ളാം! നല്ലത്‌.", ["punctuation"], "സിനിമ കൊള്ളാം നല്ലത്\u200c"),
        ("बहुत अच्छा। sahi hai", ["punctuation"], "बहुत अच्छा sahi hai"),
        ("今天很开心，so happy！", ["punctuation"], "今天很开心 so happy"),
        ("@ana 😂!!", [*STEPS], "face with tears of joy"),
        ("hola,amigo", [*STEPS], "hola amigo"),
    ],
)  # fmt: skip
def test_what_goes_and_what_stays(text: str, steps: list, expected: str) -> None:  # type: ignore[type-arg]
    assert preprocess(text, steps) == expected


@pytest.mark.parametrize("text", ["https://t.co/abc", "@ana", "!!!", ""])
def test_a_text_of_which_nothing_would_be_left_stays(text: str) -> None:
    assert preprocess(text, STEPS) == text


def test_the_order_in_the_recipe_does_not_matter() -> None:
    text = "@ana 😍 https://x.es/😂 #sí, señor!"
    assert preprocess(text, STEPS) == preprocess(text, STEPS[::-1]) == "smiling face with heart-eyes #sí señor"


def test_no_step_changes_nothing_but_the_form() -> None:
    assert preprocess("que\u0301  tal, @ana", []) == "qué  tal, @ana"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), st.lists(st.sampled_from(STEPS), unique=True))
def test_text_stays_nfc_and_letters_stay_where_only_punctuation_goes(text: str, steps: list) -> None:  # type: ignore[type-arg]
    found = preprocess(text, steps)
    assert found == unicodedata.normalize("NFC", found)
    if steps == ["punctuation"]:
        kept = [c for c in unicodedata.normalize("NFC", text) if unicodedata.category(c)[0] in "LN"]
        assert [c for c in found if unicodedata.category(c)[0] in "LN"] == kept
