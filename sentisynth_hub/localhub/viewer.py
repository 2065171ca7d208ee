"""What the dataset page shows: the splits of a commit and a preview of one of them."""

import secrets
from functools import lru_cache
from pathlib import Path

from sentisynth_hub.localhub.cards import card_data
from sentisynth_hub.localhub.content import HubFile, find_file, list_files
from sentisynth_hub.localhub.file_splits import Split, splits_of
from sentisynth_hub.localhub.git import GitRepo
from sentisynth_hub.localhub.hub import Hub
from sentisynth_hub.localhub.info import readme_text
from sentisynth_hub.localhub.preview import Preview, preview_of
from sentisynth_hub.localhub.repos import HubRepo, lfs_store


def splits_at(repo: HubRepo, git: GitRepo, commit: str) -> list[Split]:
    """The splits of a dataset at a commit."""
    paths = [file.path for file in list_files(repo, git, commit)]
    return splits_of(card_data(readme_text(repo, git, commit)), paths)


def preview_split(hub: Hub, repo: HubRepo, git: GitRepo, commit: str, split: Split) -> Preview:
    """A preview of a split's first file."""
    file = find_file(repo, git, commit, split.paths[0])
    return _preview(repo.folder, hub.repos.incoming, file)


@lru_cache(maxsize=256)
def _preview(folder: Path, incoming: Path, file: HubFile) -> Preview:
    suffix = "." + file.path.rpartition(".")[2]
    if file.pointer:
        return preview_of(lfs_store(folder).path(file.pointer.oid), suffix)
    unpacked = incoming / secrets.token_hex(8)
    with GitRepo(folder) as git:
        unpacked.write_bytes(git.read(file.oid))
    try:
        return preview_of(unpacked, suffix)
    finally:
        unpacked.unlink()
