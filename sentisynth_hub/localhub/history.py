"""Which commit changed each file last, found in one walk through the history."""

from collections.abc import Iterator
from typing import Any

from dulwich.objects import Tree


LONGEST_WALK = 5_000  # commits; what was last changed before stays unknown
_KEPT_TREES = 64


def last_changes(repo: Any, commit: bytes, paths: list[str]) -> Iterator[tuple[str, Any]]:
    """Yield (path, commit object) for each path with the newest commit that changed it.

    Folders whose tree is that of a parent are not looked into, so a walk costs little more than the commits it passes.
    """
    trees = _Trees(repo.object_store)
    waiting: dict[str, dict[str, bytes | None]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        now = trees.children(trees.find(repo.object_store[commit].tree, folder)).get(name)
        waiting.setdefault(folder, {})[name] = now
    for entry in repo.get_walker(include=[commit], max_entries=LONGEST_WALK):
        parents = [repo.object_store[parent].tree for parent in entry.commit.parents]
        for folder, names in list(waiting.items()):
            here = trees.find(entry.commit.tree, folder)
            above = [trees.find(tree, folder) for tree in parents]
            if here in above:
                continue
            for name in _changed(names, trees.children(here), [trees.children(tree) for tree in above]):
                yield (f"{folder}/{name}" if folder else name), entry.commit
                del names[name]
            if not names:
                del waiting[folder]
        if not waiting:
            return


def _changed(names: dict[str, bytes | None], here: dict[str, bytes], above: list[dict[str, bytes]]) -> list[str]:
    """Those of `names` that have their present content here and had another one in every parent."""
    return [
        name
        for name, now in names.items()
        if here.get(name) == now and all(children.get(name) != now for children in above)
    ]


class _Trees:
    """The trees of one walk; the latest are kept, because a commit's parent comes next."""

    def __init__(self, store: Any):
        self._store = store
        self._read: dict[bytes, dict[str, bytes]] = {}

    def find(self, root: bytes, folder: str) -> bytes | None:
        """The tree of a folder; None where there is none."""
        tree: bytes | None = root
        for name in folder.split("/") if folder else []:
            tree = self.children(tree).get(name)
        return tree

    def children(self, tree: bytes | None) -> dict[str, bytes]:
        """Name to object of a tree's entries; nothing for a file or None."""
        if tree is None:
            return {}
        if tree not in self._read:
            if len(self._read) >= _KEPT_TREES:
                self._read.clear()
            item = self._store[tree]
            entries = item.iteritems() if isinstance(item, Tree) else []
            self._read[tree] = {entry.path.decode("utf-8", "replace"): entry.sha for entry in entries}
        return self._read[tree]
