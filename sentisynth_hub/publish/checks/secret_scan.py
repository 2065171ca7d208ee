"""Looking for access tokens, private keys and passwords in what is to be published.

The forms are those that `detect-secrets` (Yelp's scanner) keeps, with a few providers of this field that it lacks.
Its detectors of high entropy and of assignments are left out: a manifest is full of digests, and a review is full of
words.
"""

import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    import pyarrow as pa


_LEFT_OUT = frozenset(  # they judge by entropy, or take any long word or digest beside a keyword for a secret
    [
        "ArtifactoryDetector",
        "Base64HighEntropyString",
        "CloudantDetector",
        "HexHighEntropyString",
        "IbmCloudIamDetector",
        "IbmCosHmacDetector",
        "IPPublicDetector",
        "KeywordDetector",
        "SoftlayerDetector",
    ]
)
_OWN = {
    "Hugging Face token": r"\bhf_[A-Za-z0-9]{20,}",
    "embedded Hub token": r"\bhub_[0-9a-f]{40}\b",
    "API key": r"\bsk-[A-Za-z0-9_\-]{20,}",
    "Google API key": r"\bAIza[0-9A-Za-z_\-]{35}",
    "Groq key": r"\bgsk_[A-Za-z0-9]{20,}",
    "GitHub token": r"\b(?:github_pat_[A-Za-z0-9_]{22,}|gh[pousr]_[A-Za-z0-9]{20,})",
    "npm token": r"\bnpm_[A-Za-z0-9]{20,}",
    "PyPI token": r"\bpypi-[A-Za-z0-9_\-]{40,}",
    "Slack token": r"\bxox[a-z]-[A-Za-z0-9\-]{10,}",
    "private key": r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY",
    "password in an address": r"\b[a-z][a-z0-9+.\-]{1,20}://[^\s/:@]{1,100}:[^\s/@]{1,200}@",
}
_WORTH_A_LOOK = re.compile(r"[A-Za-z0-9_\-+/=.]{16}|PRIVATE KEY|PuTTY|://")
"""No form matches a text without one of these, and few texts that people or models write have one."""
_DIGEST = re.compile(r"[0-9a-f]{0,128}")  # what most columns of ids are: no form is made of these alone
_ID = r"\A[0-9a-f]{0,128}\z"  # the same for Arrow
_WINDOW, _OVERLAP = 4_000, 500  # characters looked at together, since some forms take quadratic time
_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSWORD|API_?KEY|CREDENTIAL", re.IGNORECASE)
_LEAST_SECRET = 8  # characters; a shorter value stands in innocent texts


def find_secret(text: str) -> str | None:
    """Name the first kind of secret that `text` holds something like; None where it holds none."""
    if _DIGEST.fullmatch(text):
        return None
    for start in range(0, max(len(text) - _OVERLAP, 1), _WINDOW - _OVERLAP):
        window = text[start : start + _WINDOW]
        if not (_WORTH_A_LOOK.search(window) and _any_form().search(window)):
            continue
        for kind, pattern in _forms():
            if pattern.search(window):
                return kind
    return None


def texts_with_secrets(texts: "pa.Array") -> dict[int, str]:
    """Place and kind of every text of an Arrow array that holds something like a secret; most are only glanced at."""
    import pyarrow.compute as pc

    maybe = pc.and_not(pc.match_substring_regex(texts, _WORTH_A_LOOK.pattern), pc.match_substring_regex(texts, _ID))
    places = pc.indices_nonzero(pc.fill_null(maybe, False))
    suspects = zip(places.to_pylist(), texts.take(places).to_pylist(), strict=True)
    return {place: kind for place, text in suspects if (kind := find_secret(text)) is not None}


def secret_variable(text: str, environment: Mapping[str, str] | None = None) -> str | None:
    """Name the environment variable whose secret value stands in `text`; None where none does."""
    return next((name for name, value in _secrets(environment) if value in text), None)


def secret_variable_in(texts: "pa.Array") -> str | None:
    """Name the environment variable whose secret value stands in a text of an Arrow array; None where none does."""
    import pyarrow.compute as pc

    for name, value in _secrets(None):
        if pc.any(pc.match_substring(texts, value.encode("utf-8", "surrogateescape"))).as_py():
            return name
    return None


def _secrets(environment: Mapping[str, str] | None) -> Iterator[tuple[str, str]]:
    variables = os.environ if environment is None else environment
    for name, value in variables.items():
        if _SECRET_NAME.search(name) and len(value) >= _LEAST_SECRET:
            yield name, value


@cache
def _any_form() -> re.Pattern[str]:
    """Matches where any of the forms does, and sometimes where none does: one search in place of fifty."""
    forms = []
    for _, pattern in _forms():
        form = pattern.pattern.removeprefix(r"\b")  # a form that begins with a letter is passed over at a glance
        forms.append(f"(?i:{form})" if pattern.flags & re.IGNORECASE else f"(?:{form})")
    return re.compile("|".join(forms))


@cache
def _forms() -> tuple[tuple[str, re.Pattern[str]], ...]:
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    from detect_secrets.plugins.base import RegexBasedDetector

    detectors: dict[str, type] = get_mapping_from_secret_type_to_class()
    theirs = [
        (kind, pattern)
        for kind, detector in sorted(detectors.items())
        if detector.__name__ not in _LEFT_OUT and issubclass(detector, RegexBasedDetector)
        for pattern in detector().denylist
    ]
    return (*((kind, re.compile(form)) for kind, form in _OWN.items()), *theirs)
