"""Keeping a run folder in a private dataset repo, so that a fresh machine goes on where another stopped and pays for
nothing twice.

Stage folders are named by digests and never change once complete; journals only grow. So a path that is on both sides
is the same file, or a journal of which each side may know lines the other does not: then the union of their lines is
kept, on both sides. A local journal that begins with the remote one has it all already and is left as it is.

Both directions hold the run folder's lock: a run that appends to a journal must not have it replaced under its hands.
Only regular files under the run folder are sent or written; links are neither followed nor sent.
"""

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import InputError, PublishError, StageError
from sentisynth_hub.core.files import replaced
from sentisynth_hub.core.hub_endpoint import LIBRARY, hub_api
from sentisynth_hub.core.repo_ids import repo_id_problem
from sentisynth_hub.core.run_folder import locked
from sentisynth_hub.generate.journal import union_journals
from sentisynth_hub.publish.repo_head import read_head


if TYPE_CHECKING:
    from huggingface_hub import HfApi


_ATTEMPTS = 20
_JOURNAL = ".jsonl"


def restore_run(run: Path, repo_id: str) -> int:
    """Fetch what the repo has and this folder lacks; return how many files were written. No repo: nothing to restore.

    Raises:
        InputError: Another process is running in the folder, or `repo_id` can be no repo's.
        PublishError: The repo is public, or holds what no run folder can hold; nothing of that was written.
    """
    _check_repo_id(repo_id)
    api = hub_api()
    if read_head(api, repo_id, "dataset") is None:
        return 0
    _must_be_private(api, repo_id)
    with locked(run):
        return _fetch(api, run, repo_id)


def save_run(run: Path, repo_id: str) -> int:
    """Send what this folder has and the repo lacks, in one commit; return how many files were sent. The repo is made
    private.

    Raises:
        InputError: Another process is running in the folder, or `repo_id` can be no repo's.
        PublishError: The repo is public, or the Hub refused.
    """
    from huggingface_hub import CommitOperationAdd
    from huggingface_hub.errors import HfHubHTTPError

    _check_repo_id(repo_id)
    api = hub_api()
    with locked(run):
        if read_head(api, repo_id, "dataset") is None:
            api.create_repo(repo_id, repo_type="dataset", private=True, exist_ok=True)
        _must_be_private(api, repo_id)
        for _ in range(_ATTEMPTS):
            _fetch(api, run, repo_id)  # journals become the union of both sides before they are sent
            head = read_head(api, repo_id, "dataset")
            assert head is not None
            remote = _remote_files(api, repo_id, head.commit)
            changed = [path for path in _local_files(run) if path not in remote or not _same(run / path, remote[path])]
            if not changed:
                return 0
            try:
                api.create_commit(
                    repo_id,
                    [CommitOperationAdd(path, run / path) for path in changed],
                    repo_type="dataset",
                    commit_message=f"Save {len(changed)} files of the run",
                    parent_commit=head.commit,
                )
                return len(changed)
            except HfHubHTTPError as error:
                if error.response.status_code not in (409, 412):
                    raise PublishError(
                        f"{repo_id}: the Hub answered {error.response.status_code}; run again"
                    ) from None
                log.info(f"{repo_id}: another machine saved first; trying again")
    raise PublishError(f"{repo_id}: others keep saving there; run again later")


def _check_repo_id(repo_id: str) -> None:
    problem = repo_id_problem(repo_id)
    if problem is not None:
        raise InputError(f"{log.printable(repo_id, 120)}: {problem}; name a private dataset repo with --repo")


def _fetch(api: "HfApi", run: Path, repo_id: str) -> int:
    """Write what the head of the repo has and `run` lacks; return how many files were written."""
    from huggingface_hub import hf_hub_download

    head = read_head(api, repo_id, "dataset")
    if head is None:
        return 0
    written = 0
    for path, remote in _remote_files(api, repo_id, head.commit).items():
        local = _inside(run, path, repo_id)
        if local.exists() and (local.suffix != _JOURNAL or _same(local, remote)):
            continue
        fetched = Path(hf_hub_download(repo_id, path, repo_type="dataset", revision=head.commit, **LIBRARY))
        if not local.exists():
            with replaced(local) as temporary:
                shutil.copyfile(fetched, temporary)
        elif not _join(fetched, local, f"{repo_id}: {path}"):
            continue
        written += 1
    return written


def _inside(run: Path, path: str, repo_id: str) -> Path:
    """Where a file of the repo belongs in the run folder.

    Raises:
        PublishError: The name leads out of the folder, by itself or through a link that lies in it.
    """
    parts = PurePosixPath(path).parts
    local = run.joinpath(*parts)
    leads_out = path.startswith("/") or "\\" in path or "\0" in path or ".." in parts
    if leads_out or any(place.is_symlink() for place in [local, *local.parents][: len(parts)]):
        raise PublishError(
            f"{repo_id}: {log.printable(path, 200)} would be written outside {run}; remove the file from the repo, "
            "or the link from the folder"
        )
    return local


def _must_be_private(api: "HfApi", repo_id: str) -> None:
    if not api.dataset_info(repo_id).private:
        raise PublishError(
            f"{repo_id}: is public, but a run folder holds natural rows; make it private or name another repo"
        )


def _local_files(run: Path) -> list[str]:
    """Files worth keeping: regular ones, no locks, no temporary names."""
    files: list[str] = []
    links: list[str] = []
    for folder, folders, names in os.walk(run):
        place = Path(folder)
        links += [name for name in folders if (place / name).is_symlink()]
        folders[:] = [name for name in folders if not name.startswith(".") and not (place / name).is_symlink()]
        for name in names:
            if name.startswith("."):
                continue
            if (place / name).is_symlink():
                links.append(name)
            elif (place / name).is_file():
                files.append((place / name).relative_to(run).as_posix())
    if links:
        log.warn(f"{run}: {len(links)} links are not saved, e.g. {log.printable(links[0], 80)}")
    return sorted(files)


def _remote_files(api: "HfApi", repo_id: str, commit: str) -> Mapping[str, Any]:
    items = api.list_repo_tree(repo_id, repo_type="dataset", revision=commit, recursive=True)
    return {item.path: item for item in items if "size" in vars(item) and not _is_hidden(item.path)}


def _is_hidden(path: str) -> bool:
    """Locks, temporary names and the repo's own `.gitattributes`; `..` is not hidden but refused."""
    return any(part.startswith(".") and part != ".." for part in PurePosixPath(path).parts)


def _same(local: Path, remote: Any) -> bool:
    """Whether a local file is the remote one, by size and then by the Hub's own hash."""
    if local.stat().st_size != remote.size:
        return False
    if remote.lfs is not None:
        with open(local, "rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest() == str(remote.lfs.sha256)
    content = local.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() == str(remote.blob_id)


def _join(remote: Path, local: Path, where: str) -> bool:
    """Put the union of two journals in place of the local one; whether the local one lacked anything.

    Raises:
        PublishError: A line of either is no journal line, so that no run could read the union; both stay as they are.
    """
    try:
        return union_journals(remote, local, local)
    except StageError as error:
        raise PublishError(f"{log.printable(where, 200)}: {error}") from error
