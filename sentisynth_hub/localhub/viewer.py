"""What the dataset page shows: the splits of a commit and a preview of one of them."""

import json
import secrets
from collections.abc import Hashable
from dataclasses import asdict

from sentisynth_hub.localhub.cache import TextCache
from sentisynth_hub.localhub.content import HubFile, find_file, list_files
from sentisynth_hub.localhub.file_splits import Split, splits_of
from sentisynth_hub.localhub.git import GitRepo
from sentisynth_hub.localhub.hub import Hub
from sentisynth_hub.localhub.info import card_at
from sentisynth_hub.localhub.preview import Preview, preview_of
from sentisynth_hub.localhub.repos import HubRepo


_previews = TextCache(32 * 1024**2)


def splits_at(repo: HubRepo, git: GitRepo, commit: str) -> list[Split]:
    """The splits of a dataset at a commit."""
    paths = [file.path for file in list_files(repo, git, commit)]
    return splits_of(card_at(repo, git, commit), paths)


def first_file(repo: HubRepo, git: GitRepo, commit: str, split: Split) -> HubFile:
    """The file of a split that is previewed."""
    return find_file(repo, git, commit, split.paths[0])


def kept_preview(repo: HubRepo, file: HubFile) -> Preview | None:
    """The preview of a file if it was made before."""
    text = _previews.kept(_key(repo, file))
    return Preview(**json.loads(text)) if text else None


def make_preview(hub: Hub, repo: HubRepo, file: HubFile) -> Preview:
    """The preview of a file; it may take a while."""
    return Preview(
        **json.loads(_previews.get(_key(repo, file), lambda: json.dumps(asdict(_preview(hub, repo, file)))))
    )


def _key(repo: HubRepo, file: HubFile) -> Hashable:
    return repo.folder, file.oid, _suffix(file)


def _suffix(file: HubFile) -> str:
    return "." + file.path.rpartition(".")[2]


def _preview(hub: Hub, repo: HubRepo, file: HubFile) -> Preview:
    if file.pointer:
        return preview_of(repo.lfs.path(file.pointer.oid), _suffix(file))
    unpacked = hub.repos.incoming / secrets.token_hex(8)
    try:
        with repo.git() as git:
            unpacked.write_bytes(git.read(file.oid))
        return preview_of(unpacked, _suffix(file))
    finally:
        unpacked.unlink(missing_ok=True)
