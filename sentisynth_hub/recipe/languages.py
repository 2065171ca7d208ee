"""Language tags as the Hub takes them: BCP 47, beginning with a code of ISO 639."""

import re
from collections.abc import Sequence

from sentisynth_hub.core.errors import InputError, did_you_mean


_TAG = re.compile(
    r"(?P<language>[a-z]{2,3})(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|[0-9]{3}))?"
    r"(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*(?:-x(?:-[a-z0-9]{1,8})+)?"
)
_ISO_639_1 = (
    "aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el "
    "en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it "
    "iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt "
    "my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk "
    "sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi "
    "yo za zh zu"
)
_TWO_LETTERS = frozenset(_ISO_639_1.split())
_COMMON = {
    "arabic": "ar", "bengali": "bn", "chinese": "zh", "cn": "zh", "cz": "cs", "czech": "cs", "danish": "da",
    "dk": "da", "dutch": "nl", "english": "en", "eng": "en", "finnish": "fi", "french": "fr", "ger": "de",
    "german": "de", "gr": "el", "greek": "el", "hebrew": "he", "hindi": "hi", "indonesian": "id", "italian": "it",
    "iw": "he", "japanese": "ja", "jp": "ja", "kannada": "kn", "korean": "ko", "malayalam": "ml", "marathi": "mr",
    "norwegian": "no", "polish": "pl", "portuguese": "pt", "romanian": "ro", "russian": "ru", "sp": "es",
    "spanish": "es", "swedish": "sv", "tamil": "ta", "telugu": "te", "turkish": "tr", "ua": "uk", "ukrainian": "uk",
    "urdu": "ur", "vietnamese": "vi", "vn": "vi",
}  # fmt: skip
"""What people write for a language, and its code."""


def language_problem(tag: str) -> str | None:
    """Say why `tag` is no language tag; None where it is one.

    A tag is a code of ISO 639 (two letters, or three), then script, region and variant where they matter: `en`,
    `pt-BR`, `kn-Latn`, `zh-Hant-TW`. Of three-letter codes only the form is checked.
    """
    match = _TAG.fullmatch(tag)
    if match is not None and (len(match["language"]) == 3 or match["language"] in _TWO_LETTERS):
        return None
    quoted = repr(tag[:40])
    plain = tag.strip().replace("_", "-").lower()
    hint = _COMMON.get(plain) or _COMMON.get(plain.partition("-")[0])
    if hint is None and (written := _usual_case(plain)) != tag and language_problem(written) is None:
        hint = written
    guess = f"; did you mean {hint!r}?" if hint else did_you_mean(plain, _TWO_LETTERS)
    return f"{quoted} is no language tag (such as en, pt-BR or kn-Latn){guess}"


def language_name(tag: str) -> str:
    """What a prompt calls a language: `Spanish`, `Hindi in Latin letters`; the tag where no name is known here."""
    code, *rest = tag.split("-")
    names = sorted((name for name, known_code in _COMMON.items() if known_code == code), key=len)
    name = names[-1].title() if names else code
    return f"{name} in Latin letters" if "Latn" in rest else name


def check_languages(tags: Sequence[str]) -> list[str]:
    """The tags of a command line, white space around them removed.

    Raises:
        InputError: One is none, or none is given.
    """
    stripped = [tag.strip() for tag in tags]
    for tag in stripped:
        if (problem := language_problem(tag)) is not None:
            raise InputError(f"--language: {problem}")
    if not stripped:
        raise InputError("--language: name at least one, such as en")
    return stripped


def _usual_case(plain: str) -> str:
    """A lower-case tag with its script and region as they are usually written."""
    language, *rest = plain.split("-")
    case = {2: str.upper, 4: str.title}
    return "-".join([language, *(case.get(len(part), str)(part) for part in rest)])
