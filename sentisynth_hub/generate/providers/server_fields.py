"""Which fields of a call a server refuses: found out by the first call, and remembered for a week.

Models of one provider differ (reasoning models take no `temperature`, and count `max_completion_tokens`), and servers
of one protocol do. The first call to a server goes alone. Where it is refused for a field that can be left out, the
same request goes again without it, and so do all that follow.
"""

import os
import re
import time
from pathlib import Path
from typing import Any

from sentisynth_hub.core import log
from sentisynth_hub.core.files import write_json
from sentisynth_hub.core.untrusted import loads_untrusted


_LIMITS = ("max_tokens", "max_completion_tokens")
_KEEP = 7 * 24 * 3600.0  # seconds a server's ways are remembered
# In this order they are left out, where a server names several of them ("temperature and top_p cannot both be given").
_OPTIONAL = ("seed", "top_p", "temperature", "stop", "response_format", "n")
_REFUSES = re.compile(
    r"unsupported|not support|unrecogni[sz]ed|unknown|unexpected|not permitted|not allowed|extra (?:field|input)|"
    r"cannot (?:both )?be|can't be|only the default|deprecated|additional propert|not available|must be 1\b|"
    r"invalid (?:param|field|argument)",
    re.IGNORECASE,
)


def cache_file() -> Path:
    """Where servers' ways are kept: `endpoints.json` in SENTISYNTH_CACHE, else in the user's cache folder."""
    folder = os.environ.get("SENTISYNTH_CACHE")
    if folder:
        return Path(folder) / "endpoints.json"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sentisynth" / "endpoints.json"


class ServerFields:
    """The fields one server refuses for one model.

    Attributes:
        refused: Names of fields that are left out, in the order they were found.
        settled: A call got through, so that calls need not wait for the first one any more.
    """

    def __init__(self, host: str, model: str, *, fresh: bool = False):
        """What is remembered of a server (host and port) and model; with `fresh` nothing is."""
        self.key = f"{host} {model}"
        self.refused: list[str] = []
        self.settled = False
        record = None if fresh else _read().get(self.key)
        if record is not None:
            self.refused, self.settled = [str(name) for name in record["refused"]], True

    @property
    def left_out(self) -> str:
        """The refused fields with commas between; empty where there are none."""
        return ",".join(self.refused)

    def apply(self, body: dict[str, Any]) -> dict[str, Any]:
        """A call's body without what the server refuses; the limit of tokens under the name it takes."""
        content = {name: value for name, value in body.items() if name not in self.refused}
        for name, other in (_LIMITS, _LIMITS[::-1]):
            if name in body and name in self.refused and other not in self.refused:
                content[other] = body[name]
        return content

    def learn(self, body: dict[str, Any], words: str, parameter: str | None = None) -> str | None:
        """Take note of the field of `body` that a refusal names; None where it names none that can be left out.

        Args:
            words: The whole text of the refusal.
            parameter: The field that it says is at fault, where the server has a place for that.
        """
        if parameter is None and not _REFUSES.search(words):
            return None
        limit = next((name for name in _LIMITS if name in body), "")
        extra = [name for name in body if name not in (*_OPTIONAL, *_LIMITS, "model", "messages", "prompt")]
        for name in (*_OPTIONAL, *extra, limit):
            if name not in body or name in self.refused:
                continue
            if parameter == name or (parameter not in body and _names(name, words)):
                if name in _LIMITS and _LIMITS[1 - _LIMITS.index(name)] in self.refused:
                    return None  # it takes neither: nothing to try
                self.refused.append(name)
                log.info(f"the server refuses {name}; it is left out from here on")
                return name
        return None

    def settle(self, *, keep: bool) -> None:
        """A call got through; `keep` remembers what was found for the next run."""
        self.settled = True
        if not keep:
            return
        records = _read()
        records[self.key] = {"refused": self.refused, "at": time.time()}
        try:
            write_json(cache_file(), records)
        except OSError as error:
            log.info(f"{cache_file()}: cannot be written ({error.strerror}); the next run finds it out again")


def _names(field: str, words: str) -> bool:
    """Whether a text names a field, as a word of its own."""
    if field == "response_format" and "json_schema" in words:
        return True
    return re.search(rf"(?<![A-Za-z0-9_]){re.escape(field)}(?![A-Za-z0-9_])", words) is not None


def _read() -> dict[str, dict[str, Any]]:
    """The remembered servers, those of longer ago left out; none where the file is not what was written."""
    try:
        content = loads_untrusted(cache_file().read_bytes())
    except (OSError, ValueError):
        return {}
    records = content if isinstance(content, dict) else {}
    return {
        key: record
        for key, record in records.items()
        if isinstance(record, dict)
        and isinstance(record.get("refused"), list)
        and isinstance(record.get("at"), int | float)
        and 0 <= time.time() - record["at"] < _KEEP
    }
