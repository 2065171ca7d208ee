"""Keeping a run folder in a private dataset repo, so that a fresh machine goes on where another stopped and pays for
nothing twice.

Stage folders are named by digests and never change once complete; journals only grow. So a path that is on both sides
is the same file, or a journal of which each side may know lines the other does not: then the union of their lines is
kept, on both sides.
"""

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import PublishError
from sentisynth_hub.core.files import replaced
from sentisynth_hub.publish.repo_head import read_head


if TYPE_CHECKING:
    from huggingface_hub import HfApi


_ATTEMPTS = 20
_JOURNAL = ".jsonl"


def restore_run(run: Path, repo_id: str) -> int:
    """Fetch what the repo has and this folder lacks; return how many files were written. No repo: nothing to restore.

    Raises:
        PublishError: The repo is public.
    """
    from huggingface_hub import HfApi, hf_hub_download

    api = HfApi()
    head = read_head(api, repo_id, "dataset")
    if head is None:
        return 0
    _must_be_private(api, repo_id)
    written = 0
    for path, remote in _remote_files(api, repo_id, head.commit).items():
        local = run / path
        if local.exists() and (_same(local, remote) or local.suffix != _JOURNAL):
            continue
        fetched = Path(hf_hub_download(repo_id, path, repo_type="dataset", revision=head.commit))
        with replaced(local) as temporary:
            if local.exists():
                temporary.write_text(_union(fetched, local), "utf-8")
            else:
                shutil.copyfile(fetched, temporary)
        written += 1
    return written


def save_run(run: Path, repo_id: str) -> int:
    """Send what this folder has and the repo lacks, in one commit; return how many files were sent. The repo is made
    private.

    Raises:
        PublishError: The repo is public, or the Hub refused.
    """
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError

    api = HfApi()
    if read_head(api, repo_id, "dataset") is None:
        api.create_repo(repo_id, repo_type="dataset", private=True, exist_ok=True)
    _must_be_private(api, repo_id)
    for _ in range(_ATTEMPTS):
        restore_run(run, repo_id)  # journals become the union of both sides before they are sent
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
                raise PublishError(f"{repo_id}: the Hub answered {error.response.status_code}; run again") from None
            log.info(f"{repo_id}: another machine saved first; trying again")
    raise PublishError(f"{repo_id}: others keep saving there; run again later")


def _must_be_private(api: "HfApi", repo_id: str) -> None:
    if not api.dataset_info(repo_id).private:
        raise PublishError(
            f"{repo_id}: is public, but a run folder holds natural rows; make it private or name another repo"
        )


def _local_files(run: Path) -> list[str]:
    """Files worth keeping: no locks, no temporary names."""
    return sorted(
        path.relative_to(run).as_posix()
        for path in run.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(run).parts)
    )


def _remote_files(api: "HfApi", repo_id: str, commit: str) -> Mapping[str, Any]:
    found = api.list_repo_tree(repo_id, repo_type="dataset", revision=commit, recursive=True)
    return {item.path: item for item in found if "size" in vars(item) and not item.path.startswith(".")}


def _same(local: Path, remote: Any) -> bool:
    """Whether a local file is the remote one, by size and then by the Hub's own hash."""
    if local.stat().st_size != remote.size:
        return False
    if remote.lfs is not None:
        with open(local, "rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest() == str(remote.lfs.sha256)
    content = local.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() == str(remote.blob_id)


def _union(remote: Path, local: Path) -> str:
    """The remote journal's whole lines, then the local ones it lacks; a line torn by a crash has no end and is left
    out."""
    lines: dict[str, None] = {}
    for path in (remote, local):
        for line in path.read_text("utf-8").splitlines(keepends=True):
            if line.endswith("\n"):
                lines.setdefault(line)
    return "".join(lines)
