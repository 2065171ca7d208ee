"""Progress and warnings, on stderr only: stdout belongs to results.

What is printed may hold words of strangers (names, labels, texts, a server's answers): it is escaped here, where it
leaves, and not by each of those who print.
"""

import json
import sys
import time
import unicodedata
from collections.abc import Iterable, Iterator
from typing import TypeVar


T = TypeVar("T")
_BAR_SECONDS = (
    0.5  # how often a progress line is redrawn on a terminal; on a pipe it is a new line every 20 times as long
)
_quiet = False


def set_quiet(quiet: bool) -> None:
    """Silence `info` and `progress` (not `warn`), as `-q` asks and as every process but the first does."""
    global _quiet
    _quiet = quiet


def is_quiet() -> bool:
    """Whether `info` and `progress` are silenced."""
    return _quiet


def printable(text: str, width: int = 0) -> str:
    """Make anybody's text safe to show on one line of a terminal: what is not seen becomes an escape like `\\x1b`.

    These are control characters, line ends, lone surrogates, unassigned and private characters, and everything of
    Unicode's category Cf (direction overrides, zero-width spaces, tags) but the joiners that scripts are written
    with and the signs that have a shape. Letters, marks and emoji stay. `width` > 0 also cuts to that many
    characters, with an ellipsis.
    """
    safe = "".join(map(_printable_character, text))
    return safe[: width - 1] + "…" if 0 < width < len(safe) else safe


def printable_lines(text: str) -> str:
    """`printable` for text of several lines: its newlines and tabs stay."""
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))


def printable_json(document: str) -> str:
    """A JSON document with every character that is not seen written as JSON's own escape: the same values."""
    return "\n".join(
        "".join(
            character if _printable_character(character) == character else json.dumps(character)[1:-1]
            for character in line
        )
        for line in document.split("\n")
    )


def _printable_character(character: str) -> str:
    if unicodedata.category(character) not in _UNSEEN or character in _SEEN:
        return character
    return character.encode("unicode_escape").decode("ascii")


_UNSEEN = ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")
_SEEN = frozenset(
    "\u200c\u200d"  # the joiners: Indic and Arabic scripts and emoji are written with them
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"  # have a shape
)


def info(message: str) -> None:
    """Say what is being done."""
    if not _quiet:
        sys.stderr.write(f"{printable(message)}\n")
        sys.stderr.flush()


def warn(message: str) -> None:
    """Say what the user should know before going on."""
    sys.stderr.write(f"warning: {printable(message)}\n")
    sys.stderr.flush()


def warn_once(message: str) -> None:
    """`warn`, unless this process said the same before."""
    if message not in _warned:
        _warned.add(message)
        warn(message)


_warned: set[str] = set()


class Progress:
    """One line that is redrawn on a terminal and repeated now and then in a log file.

    >>> progress = Progress("scoring", total=200)
    >>> progress.advance(32, note="accepted 71 %")
    >>> progress.close()
    """

    def __init__(self, name: str, total: int, *, done: int = 0):
        self.name, self.total, self.done = name, total, done
        self._already = done
        self._note = ""
        self._started = self._drawn = time.monotonic()
        self._terminal = sys.stderr.isatty()
        self._shown = -1

    def advance(self, count: int = 1, *, note: str = "") -> None:
        """Count `count` more items as done; `note` is shown at the end of the line."""
        self.done += count
        self._note = note or self._note
        now = time.monotonic()
        if now - self._drawn >= (_BAR_SECONDS if self._terminal else 20 * _BAR_SECONDS):
            self._drawn = now
            self._draw(now)

    def close(self) -> None:
        """Draw the line a last time and end it."""
        if self._shown != self.done or self._terminal:
            self._draw(time.monotonic())
        if self._terminal and not _quiet:
            sys.stderr.write("\n")

    def _draw(self, now: float) -> None:
        if _quiet:
            return
        self._shown = self.done
        elapsed = max(now - self._started, 1e-9)
        rate = (self.done - self._already) / elapsed
        left = f", {_duration((self.total - self.done) / rate)} left" if rate > 0 and self.done < self.total else ""
        note = f" · {self._note}" if self._note else ""
        line = printable(f"  {self.name}: {self.done:,}/{self.total:,} ({rate:.1f}/s{left}){note}")
        sys.stderr.write(f"\r\x1b[K{line}" if self._terminal else f"{line}\n")
        sys.stderr.flush()


def progress(name: str, items: Iterable[T], total: int) -> Iterator[T]:
    """Yield `items`, showing how many of `total` are done."""
    bar = Progress(name, total)
    for item in items:
        yield item
        bar.advance()
    bar.close()


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{seconds:02d}s" if minutes else f"{seconds}s"
