"""Does the generator repeat itself? Watched while texts come in, in constant time a text."""

from collections import Counter, deque
from collections.abc import Iterable

from sentisynth_hub.core.text import normalised, tokens
from sentisynth_hub.recipe.generate_section import DiversityLimits


_FROM = 200  # texts before anything is judged
_WINDOW = 2000  # words over which distinct_2 is counted: it falls with length, so only equal lengths compare
_COPIED = 0.5  # share of a text's word triples that makes it a near copy of a demonstration


class DiversityMeter:
    """Counts duplicates, near copies of demonstrations, and distinct_2 over the last 2,000 words."""

    def __init__(self, limits: DiversityLimits, demonstrations: Iterable[str]):
        self.limits = limits
        self.texts = self.duplicates = self.near_copies = 0
        self._seen: set[int] = set()  # hashes: a corpus may have millions of texts
        examples = list(demonstrations)
        self._demonstrations = {normalised(text) for text in examples}
        self._triples = {triple for text in examples for triple in _ngrams(text, 3)}
        self._pairs: deque[tuple[str, ...]] = deque()
        self._counts: Counter[tuple[str, ...]] = Counter()

    def add(self, text: str) -> None:
        """Count one more text."""
        self.texts += 1
        form = normalised(text)
        self.duplicates += hash(form) in self._seen
        self._seen.add(hash(form))
        triples = _ngrams(text, 3)
        copied = sum(triple in self._triples for triple in triples)
        self.near_copies += form in self._demonstrations or (bool(triples) and copied >= _COPIED * len(triples))
        for pair in _ngrams(text, 2):
            self._pairs.append(pair)
            self._counts[pair] += 1
            if len(self._pairs) > _WINDOW:
                gone = self._pairs.popleft()
                self._counts[gone] -= 1
                if not self._counts[gone]:
                    del self._counts[gone]

    @property
    def distinct_2(self) -> float:
        """Distinct word pairs over word pairs in the window; 1.0 before the first pair."""
        return len(self._counts) / len(self._pairs) if self._pairs else 1.0

    def note(self) -> str:
        """What the progress line says."""
        duplicates, copies = (100 * count / max(1, self.texts) for count in (self.duplicates, self.near_copies))
        return f"duplicates {duplicates:.0f} %, distinct_2 {self.distinct_2:.2f}, near copies {copies:.0f} %"

    def breach(self) -> str | None:
        """Which limit is broken, in a few words; None where none is or it is too early to say."""
        limits = self.limits
        if self.texts < _FROM:
            return None
        if (share := self.duplicates / self.texts) > limits.max_duplicates:
            return f"{share:.0%} of the texts are duplicates (max_duplicates {limits.max_duplicates:g})"
        if (share := self.near_copies / self.texts) > limits.max_near_copies:
            return f"{share:.0%} of the texts copy a demonstration (max_near_copies {limits.max_near_copies:g})"
        if len(self._pairs) == _WINDOW and self.distinct_2 < limits.min_distinct_2:
            return f"distinct_2 is {self.distinct_2:.2f} (min_distinct_2 {limits.min_distinct_2:g})"
        return None


def _ngrams(text: str, n: int) -> list[tuple[str, ...]]:
    words = [word.lower() for word in tokens(text)]
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
