"""The word tagger: script, lexicon, lingua, and what it does not know."""

import pytest

from sentisynth_hub.core.errors import InputError
from sentisynth_hub.metrics.code_mixing import UNKNOWN
from sentisynth_hub.metrics.scripts import scripts_of
from sentisynth_hub.metrics.word_languages import WordTagger
from sentisynth_hub.metrics.words import ngrams, words


def test_script_settles_what_only_one_language_is_written_in() -> None:
    tagger = WordTagger(["ml-Latn", "en"])
    assert tagger.tags("സിനിമ the") == ["ml-Latn", "en"]
    assert tagger.tags("хорошо") == [UNKNOWN]


def test_lexicons_settle_romanised_function_words() -> None:
    assert WordTagger(["ml-Latn", "en"]).tags("oru movie aanu, was") == ["ml-Latn", "en", "ml-Latn", None, "en"]
    assert WordTagger(["hi-Latn", "en"]).tags("yeh MOVIE nahi tha") == ["hi-Latn", "en", "hi-Latn", "hi-Latn"]


def test_what_belongs_to_no_language() -> None:
    tags = WordTagger(["hi-Latn", "en"]).tags("@someone #Tag https://a.b/c 12 !! 👍 nahi")
    assert tags[:-1] == [None] * (len(tags) - 1)
    assert tags[-1] == "hi-Latn"


def test_lingua_tells_languages_it_knows_apart() -> None:
    tagger = WordTagger(["es", "en"])
    assert tagger.tags("canción thought niños weather") == ["es", "en", "es", "en"]
    assert tagger.description == "script + lexicon en + lingua"


def test_a_language_nothing_knows_is_an_error() -> None:
    with pytest.raises(InputError, match="'xx-Latn'"):
        WordTagger(["xx-Latn", "en"])


def test_one_language_needs_no_choice() -> None:
    assert WordTagger(["en"]).tags("any word, 2") == ["en", "en", None, None]


def test_scripts() -> None:
    assert scripts_of("Aé സി п 漢 か 1!👍") == {"Latin": 2, "Malayalam": 1, "Cyrillic": 1, "Cjk": 1, "Hiragana": 1}


def test_words_keep_marks_with_their_letters() -> None:
    assert words("Don't PANIC — സിനിമ കൊള്ളാം! 100% 👍") == ["don't", "panic", "സിനിമ", "കൊള്ളാം", "100"]
    assert words("नहीं क्या") == ["नहीं", "क्या"]
    assert words("我爱film") == ["我", "爱", "film"]
    assert words("ที่นี่") == ["ที่", "นี่"]


def test_ngrams() -> None:
    assert list(ngrams(["a", "b", "c"], 2)) == [("a", "b"), ("b", "c")]
    assert list(ngrams(["a"], 2)) == []
