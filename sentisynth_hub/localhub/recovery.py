"""What a server does before it serves: remove what a killed one left half-written, finish what had been decided.

Nothing here can lose an acknowledged change: a file counts once it has its name, a commit once its ref has moved, a
pull request once it is in `discussions.json`.
"""

import shutil

from sentisynth_hub.localhub.discussions import Discussions
from sentisynth_hub.localhub.durable import TEMPORARY
from sentisynth_hub.localhub.names import REPO_TYPES
from sentisynth_hub.localhub.repos import HubRepo, RepoStore


_HALF_WRITTEN = (f"**/{TEMPORARY}*", "**/*.lock", "objects/pack/tmp_*")


def recover(repos: RepoStore, upload_seconds: int) -> None:
    """Bring every repo that can be read to its last complete state; the caller must hold the data folder."""
    for folder in (repos.trash, repos.incoming):
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for repo_type in REPO_TYPES:
        for repo in repos.all(repo_type):
            try:
                _recover(repo, upload_seconds)
            except Exception as error:  # whatever is wrong with it must not keep the others from being served
                repos.report(repo, error)


def _recover(repo: HubRepo, upload_seconds: int) -> None:
    for pattern in _HALF_WRITTEN:
        for path in repo.folder.glob(pattern):
            path.unlink()
    for store in (repo.lfs, *repo.lfs.proposals()):
        store.drop_parts()
    for proposals in repo.lfs.proposals():
        proposals.sweep(upload_seconds)
    _recover_pull_requests(repo)


def _recover_pull_requests(repo: HubRepo) -> None:
    """A ref without its entry was not opened; an open one that its branch contains was merged."""
    discussions = Discussions(repo)
    stored = {str(discussion.num): discussion for discussion in discussions.all() if discussion.is_pull_request}
    with repo.git() as git:
        for name, head in git.refs("refs/pr/").items():
            discussion = stored.get(name)
            if discussion is None:
                git.remove_ref(f"refs/pr/{name}")
            elif discussion.status in ("draft", "open"):
                merged = git.merge_of(discussion.base, head)
                if merged is not None:
                    data = {"status": "merged"}
                    discussions.save(
                        discussion.with_event(
                            "status-change", merged.author, data, status="merged", merge_commit=merged.oid
                        )
                    )
