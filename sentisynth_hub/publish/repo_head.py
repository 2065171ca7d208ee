"""What stands at the head of a repo, and mending a version whose tag is missing."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import PublishError
from sentisynth_hub.core.hub_endpoint import LIBRARY
from sentisynth_hub.publish.cards.published_manifest import MANIFEST_FILE, Manifest, read_manifest
from sentisynth_hub.publish.versions.tags import Version, latest, parse_tag


if TYPE_CHECKING:
    from huggingface_hub import HfApi


_LARGEST_TEXT = 64 << 20  # bytes
_DATA = (".parquet", ".csv", ".tsv", ".jsonl", ".arrow", ".safetensors", ".bin")


@dataclass(frozen=True)
class RepoHead:
    """A repo at one commit.

    Attributes:
        commit: The commit everything here was read at.
        paths: All files at that commit.
        tags: Commit by tag name.
    """

    repo_id: str
    repo_type: str
    commit: str
    paths: frozenset[str]
    tags: Mapping[str, str]

    @cached_property
    def manifest(self) -> Manifest | None:
        """sentisynth.json, None where the repo was not published by this toolkit.

        Raises:
            PublishError: It cannot be read, or a newer toolkit wrote it.
        """
        text = self.text(MANIFEST_FILE)
        return None if text is None else read_manifest(text, f"{self.repo_id}: {MANIFEST_FILE} at {self.commit[:12]}")

    @property
    def version(self) -> Version | None:
        """The version its manifest names."""
        return parse_tag(self.manifest.tag) if self.manifest is not None else None

    def text(self, path: str) -> str | None:
        """Content of a text file, None where there is none.

        Raises:
            PublishError: It is no UTF-8, or too large to be one of ours.
        """
        local = self.file(path)
        if local is None:
            return None
        if local.stat().st_size > _LARGEST_TEXT:
            raise PublishError(f"{self.repo_id}: {path} has more than {_LARGEST_TEXT:,} bytes; not read")
        try:
            return local.read_bytes().decode("utf-8").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            raise PublishError(
                f"{self.repo_id}: {path} is no UTF-8 (byte {error.start}); restore it from the last version's tag"
            ) from None

    def file(self, path: str) -> Path | None:
        """A file fetched into the client's cache, None where there is none."""
        if path not in self.paths:
            return None
        from huggingface_hub import hf_hub_download

        return Path(hf_hub_download(self.repo_id, path, repo_type=self.repo_type, revision=self.commit, **LIBRARY))


def read_head(api: "HfApi", repo_id: str, repo_type: str, revision: str = "main") -> RepoHead | None:
    """Read what a repo holds at `revision`; None where there is no such repo that may be read."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        # Tags first: a tag that is there then lies at or below the head that is read after it.
        refs = api.list_repo_refs(repo_id, repo_type=repo_type)
        info = api.repo_info(repo_id, repo_type=repo_type, revision=revision)
    except RepositoryNotFoundError:
        return None
    assert info.sha is not None
    paths = frozenset(sibling.rfilename for sibling in info.siblings or [])  # type: ignore[union-attr]
    return RepoHead(repo_id, repo_type, info.sha, paths, {tag.name: tag.target_commit for tag in refs.tags})


def check_ours(head: RepoHead) -> None:
    """Make sure that publishing builds upon our own work, or upon an empty repo.

    Raises:
        PublishError: The repo holds data or versions that something else put there.
    """
    if head.manifest is not None:
        return
    foreign = sorted(path for path in head.paths if path.endswith(_DATA))
    if foreign or latest(head.tags) is not None:
        what = foreign[0] if foreign else f"the tag {latest(head.tags).tag}"  # type: ignore[union-attr]
        raise PublishError(
            f"{head.repo_id}: holds {what} but no {MANIFEST_FILE}, so something else publishes there; "
            "name another repo"
        )


def heal_tag(api: "HfApi", head: RepoHead) -> bool:
    """Set the tag that a publisher who died after its commit could not set; return whether one was missing.

    The tag goes to the oldest commit that brought the head's manifest: people may have edited the card since.
    """
    version = head.version
    if version is None or version.tag in head.tags:
        return False
    commit = _commit_of_manifest(api, head)
    set_tag(api, head.repo_id, head.repo_type, version, commit)
    log.info(f"{head.repo_id}: {version.tag} was published without its tag; set it at {commit[:12]}")
    return True


def set_tag(api: "HfApi", repo_id: str, repo_type: str, version: Version, commit: str) -> None:
    """Tag `commit`; harmless where another run has already tagged the same commit.

    Raises:
        PublishError: The tag names another commit.
    """
    from huggingface_hub.errors import HfHubHTTPError

    try:
        api.create_tag(
            repo_id, tag=version.tag, revision=commit, repo_type=repo_type, tag_message=f"version {version.tag}"
        )
    except HfHubHTTPError as error:
        if error.response.status_code != 409:
            raise
        tags = {tag.name: tag.target_commit for tag in api.list_repo_refs(repo_id, repo_type=repo_type).tags}
        if tags.get(version.tag) != commit:
            raise PublishError(
                f"{repo_id}: the tag {version.tag} names commit {tags.get(version.tag, 'unknown')[:12]}, "
                f"not {commit[:12]} which holds that version; delete or rename the tag and run again"
            ) from None


def _commit_of_manifest(api: "HfApi", head: RepoHead) -> str:
    """The oldest commit of an unbroken run that holds the same manifest as the head."""

    def manifest_id(commit: str) -> str | None:
        infos = api.get_paths_info(head.repo_id, [MANIFEST_FILE], repo_type=head.repo_type, revision=commit)
        return infos[0].blob_id if infos else None  # type: ignore[union-attr]

    newest, oldest = manifest_id(head.commit), head.commit
    for commit in api.list_repo_commits(head.repo_id, repo_type=head.repo_type, revision=head.commit)[1:]:
        if manifest_id(commit.commit_id) != newest:
            break
        oldest = commit.commit_id
    return oldest
