"""What was worked out about a file's content, kept as text up to so many characters in all; the oldest goes first."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable


class TextCache:
    """Texts by key; for content-addressed keys, which never change their meaning."""

    def __init__(self, most_characters: int):
        self._most = most_characters
        self._texts: OrderedDict[Hashable, str] = OrderedDict()
        self._characters = 0
        self._lock = threading.Lock()

    def kept(self, key: Hashable) -> str | None:
        """The text of `key` if it is here."""
        with self._lock:
            if key in self._texts:
                self._texts.move_to_end(key)
            return self._texts.get(key)

    def get(self, key: Hashable, make: Callable[[], str]) -> str:
        """The text of `key`, made now where it is not here; one longer than the cache is not kept."""
        text = self.kept(key)
        if text is not None:
            return text
        text = make()
        with self._lock:
            if key not in self._texts and len(text) <= self._most:
                self._texts[key] = text
                self._characters += len(text)
            while self._characters > self._most:
                self._characters -= len(self._texts.popitem(last=False)[1])
        return text
