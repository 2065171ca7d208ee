"""The repos on disk: `repos/<type>/<namespace>/<name>.git`, each a bare git repository with its settings beside it.

A repo appears by one rename and disappears by one rename; a kill in between leaves nothing half-made that is visible.
"""

import json
import logging
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from sentisynth_hub.localhub.durable import fsync_folder, write_json
from sentisynth_hub.localhub.git import GitRepo
from sentisynth_hub.localhub.lfs import LfsStore
from sentisynth_hub.localhub.names import WEB_PREFIX, RepoType, is_repo_name
from sentisynth_hub.localhub.problems import unreadable


Gated = Literal["auto", "manual", False]
_SETTINGS_FILE = "hub.json"
_log = logging.getLogger(__name__)

# The extensions the Hub keeps as large files from the start.
_LFS_SUFFIXES = """
    7z arrow bin bz2 ckpt ftz gguf gz h5 joblib lz4 mlmodel model msgpack npy npz onnx ot parquet pb pickle pkl pt pth
    rar safetensors tar tgz tflite wasm xz zip zst bmp flac gif jpeg jpg mp3 mp4 ogg png tiff wav webm webp
"""
_LFS_LINES = [f"*.{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in _LFS_SUFFIXES.split()]
GITATTRIBUTES = "".join(_LFS_LINES).encode()


@dataclass(frozen=True)
class RepoSettings:
    """What a repo is besides its history: `created` in seconds since 1970, `granted` users may read it when gated."""

    private: bool
    gated: Gated = False
    created: float = 0.0
    granted: tuple[str, ...] = ()


@dataclass(frozen=True)
class HubRepo:
    """One repo: where it is and how it is set; `damaged` where its settings cannot be read, and then private."""

    type: RepoType
    namespace: str
    name: str
    folder: Path
    settings: RepoSettings
    damaged: bool = False

    @property
    def id(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @property
    def web_path(self) -> str:
        """`namespace/name`, with `datasets/` before it for a dataset."""
        return WEB_PREFIX[self.type] + self.id

    @property
    def lfs(self) -> LfsStore:
        """Its large files."""
        return lfs_store(self.folder)

    def git(self) -> GitRepo:
        """Open its history; close it after use.

        Raises:
            HubProblem: 403 when it is damaged; so does the end of the `with` when something in it is.
        """
        if self.damaged:
            raise unreadable(self.id)
        return GitRepo(self.folder, self.id)


def lfs_store(folder: Path) -> LfsStore:
    """The large files of the repo in `folder`."""
    return LfsStore(folder / "lfs" / "objects")


class RepoStore:
    """All repos of one data folder, and one lock a repo for those who write."""

    def __init__(self, data: Path):
        self._root = data / "repos"
        self.trash = data / "trash"
        self.incoming = data / "incoming"
        for folder in (self._root, self.trash, self.incoming):
            folder.mkdir(parents=True, exist_ok=True)
        self._locks: dict[Path, threading.RLock] = {}
        self._locks_lock = threading.Lock()
        self._reported: set[Path] = set()

    def find(self, repo_type: RepoType, namespace: str, name: str) -> HubRepo | None:
        """The repo of this name, or None."""
        if not is_repo_name(namespace, name):
            return None
        folder = self._folder(repo_type, namespace, name)
        try:
            settings = _read_settings(folder / _SETTINGS_FILE)
        except (OSError, ValueError, RecursionError) as error:
            if not folder.is_dir():
                return None
            repo = HubRepo(repo_type, namespace, name, folder, RepoSettings(private=True), damaged=True)
            self.report(repo, error)
            return repo
        return HubRepo(repo_type, namespace, name, folder, settings)

    def all(self, repo_type: RepoType) -> Iterator[HubRepo]:
        """Every repo of a type, by namespace and name."""
        for folder in sorted((self._root / repo_type).glob("*/*.git")):
            repo = self.find(repo_type, folder.parent.name, folder.name.removesuffix(".git"))
            if repo is not None:
                yield repo

    def report(self, repo: HubRepo, error: BaseException) -> None:
        """Say in the log, once, why a repo cannot be read."""
        if repo.folder not in self._reported:
            self._reported.add(repo.folder)
            _log.error("%s/%s cannot be read", repo.type, repo.id, exc_info=error)

    def create(self, repo_type: RepoType, namespace: str, name: str, author: str, private: bool) -> HubRepo | None:
        """Make a repo with branch main and a first commit; None when it exists already, or somebody was faster."""
        folder = self._folder(repo_type, namespace, name)
        folder.parent.mkdir(parents=True, exist_ok=True)
        half = self.incoming / secrets.token_hex(8)
        try:
            half.mkdir()
            GitRepo.create(half, author, {".gitattributes": GITATTRIBUTES}, "initial commit")
            (half / "lfs" / "objects").mkdir(parents=True)
            write_json(half / _SETTINGS_FILE, asdict(RepoSettings(private, created=time.time())))
            with self._locks_lock:
                if folder.exists():
                    return None
                half.rename(folder)
        finally:
            shutil.rmtree(half, ignore_errors=True)
        fsync_folder(folder.parent)
        return self.find(repo_type, namespace, name)

    def delete(self, repo: HubRepo) -> None:
        """Remove a repo and everything in it."""
        gone = self.trash / secrets.token_hex(8)
        with self.lock(repo):
            repo.folder.rename(gone)
        fsync_folder(repo.folder.parent)
        shutil.rmtree(gone)

    def update(self, repo: HubRepo, **changed: object) -> None:
        """Change some of a repo's settings."""
        with self.lock(repo):
            current = self.find(repo.type, repo.namespace, repo.name) or repo
            write_json(repo.folder / _SETTINGS_FILE, asdict(replace(current.settings, **changed)))  # type: ignore[arg-type]

    def lock(self, repo: HubRepo) -> threading.RLock:
        """The lock to hold while writing to `repo`."""
        with self._locks_lock:
            return self._locks.setdefault(repo.folder, threading.RLock())

    def _folder(self, repo_type: RepoType, namespace: str, name: str) -> Path:
        return self._root / repo_type / namespace / f"{name}.git"


def _read_settings(path: Path) -> RepoSettings:
    """Read the settings of a repo; raises ValueError when they are not what `RepoSettings` says."""
    stored = json.loads(path.read_text("utf-8"))
    try:
        private, gated, created, granted = (stored[name] for name in ("private", "gated", "created", "granted"))
        well_formed = isinstance(private, bool) and isinstance(created, int | float)
        if not well_formed or gated not in ("auto", "manual", False) or not all(isinstance(n, str) for n in granted):
            raise ValueError(f"settings of the wrong type in {path.name}")
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path.name} does not hold the settings of a repo") from error
    return RepoSettings(private, gated, created, tuple(granted))
