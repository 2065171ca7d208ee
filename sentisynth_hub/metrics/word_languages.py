"""The language of each word of a code-mixed text.

>>> WordTagger(["ml-Latn", "en"]).tags("padam super aayirunnu, loved it!")
['ml-Latn', 'en', 'ml-Latn', None, 'en', 'en', None]

A word is settled by the first of these that knows it: its script, where only one of the languages is written in it;
the lexicons in `lexicons/` (`hi-Latn`, `ml-Latn` and `en`; words that stand in two are left to the next step);
lingua. For two languages that lingua knows it chooses between them. Romanised Indic languages it does not know: there
it is asked how English a word looks beside languages of similar sound, and what lies between stays unknown.
"""

import re
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.text import tokens
from sentisynth_hub.metrics.code_mixing import UNKNOWN
from sentisynth_hub.metrics.scripts import scripts_of


LEXICONS = Path(__file__).parent / "lexicons"
_APART = re.compile(
    r"(?:https?://|www\.)\S+|[@#]\w+|&\w+;", re.IGNORECASE
)  # links, mentions, hashtags: of no language
_SCRIPTS = {"hi": "Devanagari", "mr": "Devanagari", "ml": "Malayalam", "ta": "Tamil", "te": "Telugu", "kn": "Kannada",
            "bn": "Bengali", "gu": "Gujarati", "pa": "Gurmukhi", "ar": "Arabic", "ur": "Arabic", "ru": "Cyrillic",
            "uk": "Cyrillic", "el": "Greek", "he": "Hebrew", "th": "Thai", "ko": "Hangul", "zh": "Cjk", "ja":
            "Hiragana"}  # fmt: skip
_LIKE_ROMANISED = ("SWAHILI", "MALAY", "TURKISH", "ESTONIAN", "TAGALOG", "SOMALI", "SHONA", "YORUBA")
_ENGLISH_FROM, _ROMANISED_TO = 0.3, 0.08  # confidence in English beside those; chosen on Hinglish training tweets
_SURE = 0.65  # confidence in one of two languages lingua knows


class WordTagger:
    """Tags words with one of `languages` (BCP-47, e.g. `hi-Latn`, `en`), `UNKNOWN`, or None.

    Raises:
        InputError: Nothing here can tell these languages apart; names what could.
    """

    def __init__(self, languages: Sequence[str]):
        self.languages = tuple(dict.fromkeys(languages))
        spoken = {lang: lang.split("-")[0] for lang in self.languages}
        self._by_script = {_SCRIPTS[base]: lang for lang, base in spoken.items() if base in _SCRIPTS}
        self._latin = [lang for lang, base in spoken.items() if base not in _SCRIPTS or lang.endswith("-Latn")]
        self._lexicon = _lexicon_of(self._latin)
        self._seen: dict[str, str] = {}
        unknown = [lang for lang in self._latin if lang not in _listed() and lingua_name(lang) is None]
        if unknown:
            raise InputError(
                f"language: no tagger knows {unknown[0]!r}; drop filter.code_mixing, or add a word list "
                f"{LEXICONS.name}/{unknown[0]}.txt"
            )

    @property
    def description(self) -> str:
        """What tagged, for the manifest and beside every value."""
        listed = [lang for lang in self._latin if lang in _listed()]
        return " + ".join(["script", *[f"lexicon {lang}" for lang in listed], *(["lingua"] if self._latin else [])])

    def tags(self, text: str) -> list[str | None]:
        """One tag a token of `text` (see `sentisynth_hub.core.text.tokens`; links, mentions and hashtags are one token
        each).
        """
        found_tags: list[str | None] = []
        at = 0
        for apart in _APART.finditer(text):
            found_tags += [self._tag(token) for token in tokens(text[at : apart.start()])]
            found_tags.append(None)
            at = apart.end()
        return found_tags + [self._tag(token) for token in tokens(text[at:])]

    def _tag(self, token: str) -> str | None:
        scripts = scripts_of(token)
        if not scripts:
            return None
        script = scripts.most_common(1)[0][0]
        if script != "Latin":
            return self._by_script.get(script, UNKNOWN)
        word = token.lower()
        if word not in self._seen:
            self._seen[word] = self._latin_word(word)
        return self._seen[word]

    def _latin_word(self, word: str) -> str:
        if len(self._latin) < 2:
            return self._latin[0] if self._latin else UNKNOWN
        bare = word.replace("’", "").replace("'", "")
        if bare in self._lexicon:
            return self._lexicon[bare]
        if len(bare) < 2 or self._detector is None:
            return UNKNOWN
        detector, compared = self._detector
        if compared:
            best = max(compared, key=lambda lang: detector.compute_language_confidence(word, compared[lang]))
            return best if detector.compute_language_confidence(word, compared[best]) >= _SURE else UNKNOWN
        return self._english_or_romanised(detector, word)

    def _english_or_romanised(self, detector: Any, word: str) -> str:
        from lingua import Language

        english = detector.compute_language_confidence(word, Language.ENGLISH)
        if english >= _ENGLISH_FROM:
            return "en"
        return next(lang for lang in self._latin if lang != "en") if english <= _ROMANISED_TO else UNKNOWN

    @cached_property
    def _detector(self) -> tuple[Any, dict[str, Any]] | None:
        """A lingua detector and its languages by tag; none by tag where it is to say how English a word looks."""
        from lingua import Language, LanguageDetectorBuilder

        detectable = {lang: name for lang in self._latin if (name := lingua_name(lang)) is not None}
        if len(detectable) == len(self._latin):
            languages = {lang: getattr(Language, name) for lang, name in detectable.items()}
            return LanguageDetectorBuilder.from_languages(*languages.values()).build(), languages
        if "en" in detectable and len(self._latin) == 2:
            beside = [getattr(Language, name) for name in _LIKE_ROMANISED]
            return LanguageDetectorBuilder.from_languages(Language.ENGLISH, *beside).build(), {}
        return None


def _lexicon_of(languages: Sequence[str]) -> dict[str, str]:
    """Language of each listed word that stands in one list only; romanised lists only beside each other or English."""
    if not any(lang in _listed() and lang != "en" for lang in languages):
        return {}
    lexicon_languages: dict[str, set[str]] = {}
    for lang in languages:
        if lang in _listed():
            for word in _words_of(lang):
                lexicon_languages.setdefault(word, set()).add(lang)
    return {word: next(iter(langs)) for word, langs in lexicon_languages.items() if len(langs) == 1}


@cache
def _listed() -> frozenset[str]:
    return frozenset(path.stem for path in LEXICONS.glob("*.txt"))


@cache
def _words_of(language: str) -> frozenset[str]:
    lines = (LEXICONS / f"{language}.txt").read_text("utf-8").split("\n")
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


def lingua_name(language: str) -> str | None:
    """lingua's name of a language written in its own script, None where it does not know it."""
    from lingua import IsoCode639_1, Language

    code = getattr(IsoCode639_1, language.split("-")[0].upper(), None)
    if code is None or language.endswith("-Latn"):
        return None
    return next((str(each.name) for each in Language.all() if each.iso_code_639_1 == code), None)
