"""Publishing: one `create_commit` on the head that was planned for, then one `create_tag`; nothing where nothing
changed.

    published = publish_dataset(release, "org/name")

A publisher that dies before its commit leaves the repo as it was; one that dies between commit and tag leaves a whole
version whose tag the next run sets. A lost race (the head moved) is planned again against the new head, so no version
is ever overwritten.
"""

import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import PublishError
from sentisynth_hub.core.hub_endpoint import hub_api
from sentisynth_hub.publish.cards.published_manifest import MANIFEST_FILE, DatasetManifest, ModelManifest
from sentisynth_hub.publish.dataset_repo import DatasetPublication
from sentisynth_hub.publish.model_repo import ModelPublication
from sentisynth_hub.publish.publication import Publication
from sentisynth_hub.publish.release import DatasetRelease, ModelRelease
from sentisynth_hub.publish.repo_head import RepoHead, check_ours, heal_tag, read_head, set_tag
from sentisynth_hub.publish.version_plan import Plan
from sentisynth_hub.publish.versions.tags import Version


if TYPE_CHECKING:
    from huggingface_hub import CommitInfo, HfApi
    from huggingface_hub.errors import HfHubHTTPError

    from sentisynth_hub.publish.card_check import Check


_ATTEMPTS = 100  # of planning again; each lost race means that another publisher got through
_LONGEST_WAIT = 1.0  # seconds before planning again; who has lost more often waits less, so that nobody starves
_MOVED = (409, 412)  # the Hub's answers when the head is not the parent any more


@dataclass(frozen=True)
class Published:
    """What a publish did.

    Attributes:
        version: Tag of the version that stands at the head now (or is proposed, in a pull request).
        commit: Its commit; None for a dry run.
        changed: Whether a commit was made (or would be).
        why: One line.
        plan: Files and version as planned; None where nothing changed.
        checks: What was computed again afterwards, where that was asked for.
        pull_request: Address of the pull request, where one was asked for.
    """

    repo_id: str
    repo_type: str
    version: str
    commit: str | None
    url: str
    changed: bool
    why: str
    plan: Plan | None = None
    pull_request: str | None = None
    checks: "tuple[Check, ...]" = ()

    def record(self) -> dict[str, Any]:
        """JSON-ready."""
        fields = {name: value for name, value in vars(self).items() if name not in ("plan", "checks")}
        checks = {"checks": [check.record() for check in self.checks]} if self.checks else {}
        return fields | {"plan": self.plan.record() if self.plan is not None else None} | checks

    def lines(self) -> list[str]:
        """For people: version, reason, where it is, what was checked afterwards."""
        lines = [f"{self.repo_type} {self.repo_id} {self.version}: {self.why}", f"  {self.pull_request or self.url}"]
        if self.checks:
            agreeing = sum(check.agrees is True for check in self.checks)
            lines.append(f"  read back and verified: {agreeing} of {len(self.checks)} checks agree, none disagrees")
        return lines

    def frame(self) -> Any:
        """A pandas DataFrame of the files the version needed: `path`, `bytes`; empty where nothing changed."""
        import pandas as pd

        sizes = self.plan.sizes if self.plan is not None else {}
        return pd.DataFrame({"path": list(sizes), "bytes": list(sizes.values())})

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        from markupsafe import escape

        first, where, *more = self.lines()
        link = f'<a href="{escape(where.strip())}">{escape(where.strip())}</a>'
        return f"<p><b>{escape(first)}</b><br>{link}</p>" + "".join(f"<p>{escape(line.strip())}</p>" for line in more)


def publish_dataset(
    release: DatasetRelease, repo_id: str, *, private: bool = True, create_pr: bool = False, dry_run: bool = False
) -> Published:
    """Publish a corpus as the next version of `repo_id`, or do nothing where it is the version that stands there.

    Args:
        private: For a repo that is made now; an existing one stays as it is.
        create_pr: Propose the version as a pull request; its tag is set by the next run after it was merged.
        dry_run: Only plan; nothing is written to the Hub.

    Raises:
        InputError: The release may not be published; says what to do. Nothing was written.
        PublishError: The Hub refused, or holds something that must not be overwritten.
    """
    with tempfile.TemporaryDirectory(prefix="sentisynth-") as folder:
        publication = DatasetPublication(release, repo_id, Path(folder))
        return publish_publication(publication, private=private, create_pr=create_pr, dry_run=dry_run)


def publish_model(
    release: ModelRelease, repo_id: str, *, private: bool = True, create_pr: bool = False, dry_run: bool = False
) -> Published:
    """Publish a classifier as the next version of `repo_id`; arguments and errors as for `publish_dataset`."""
    publication = ModelPublication(release, repo_id)
    return publish_publication(publication, private=private, create_pr=create_pr, dry_run=dry_run)


@dataclass(frozen=True)
class Standing:
    """The version at the head of a repo; `tagged`: whether its tag is set."""

    tag: str
    tagged: bool


def already_published(inputs_digest: str, repo_id: str, repo_type: str) -> Standing | None:
    """The version at the head if it was made from the very same inputs, else None: then there is nothing to generate,
    let alone to publish. Nothing is written; `set_missing_tag` sets a tag that is not there."""
    head = read_head(hub_api(), repo_id, repo_type)
    manifest = head.manifest if head is not None else None
    if head is None or not isinstance(manifest, DatasetManifest | ModelManifest):
        return None
    return Standing(manifest.tag, manifest.tag in head.tags) if manifest.inputs_digest == inputs_digest else None


def set_missing_tag(repo_id: str, repo_type: str) -> bool:
    """Set the tag that a publisher who died after its commit could not set; return whether one was missing."""
    api = hub_api()
    head = read_head(api, repo_id, repo_type)
    return head is not None and head.manifest is not None and heal_tag(api, head)


def publish_publication(
    publication: Publication[Any], *, private: bool = True, create_pr: bool = False, dry_run: bool = False
) -> Published:
    """Publish what is ready to be; arguments and errors as for `publish_dataset`."""
    api = hub_api()
    publication.check()
    for attempt in range(_ATTEMPTS):
        head = read_head(api, publication.repo_id, publication.repo_type)
        if head is None and not dry_run:  # its first commit is what the version builds upon
            _create_repo(api, publication, private)
            head = read_head(api, publication.repo_id, publication.repo_type)
        if head is not None:
            check_ours(head)
            if not dry_run:
                heal_tag(api, head)
        plan = publication.plan(head)
        if plan.changes is None or dry_run:
            return _result(api, plan, _standing_commit(head, plan) if plan.changes is None else None)
        assert head is not None
        if plan.version.tag in head.tags:
            raise PublishError(
                f"{plan.repo_id}: the next version is {plan.version.tag}, "
                "but that tag exists already and is not the head; delete it, or put the head back to what it names"
            )
        if create_pr and (proposal := _open_pull_request(api, plan)) is not None:
            return _result(api, plan, plan.parent, pull_request=proposal, proposed_before=True)
        commit = _commit(api, plan, create_pr)
        if commit is None:
            log.info(f"{plan.repo_id}: another publisher was first; planning again")
            time.sleep(random.uniform(0, _LONGEST_WAIT / (attempt + 1)))
            continue
        if create_pr:
            return _result(api, plan, commit.oid, pull_request=commit.pr_url)
        set_tag(api, plan.repo_id, plan.repo_type, plan.version, commit.oid)
        return _result(api, plan, commit.oid)
    raise PublishError(
        f"{publication.repo_id}: lost the race {_ATTEMPTS} times; others are publishing there, run again later"
    )


def _standing_commit(head: RepoHead | None, plan: Plan) -> str | None:
    """Commit of the version that stands: its tag's, since people may have edited the card after it."""
    return head.tags.get(plan.version.tag, head.commit) if head is not None else None


def _create_repo(api: "HfApi", publication: Publication[Any], private: bool) -> None:
    from huggingface_hub.errors import HfHubHTTPError

    try:
        api.create_repo(publication.repo_id, repo_type=publication.repo_type, private=private, exist_ok=True)
    except HfHubHTTPError as error:
        raise PublishError(_refused(publication.repo_id, error)) from None


def _commit(api: "HfApi", plan: Plan, create_pr: bool) -> "CommitInfo | None":
    """Make the one commit; None where the head moved meanwhile.

    Raises:
        PublishError: The Hub refused.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete
    from huggingface_hub.errors import HfHubHTTPError

    operations: list[Any] = [CommitOperationAdd(path, content) for path, content in sorted(plan.additions.items())]
    operations += [CommitOperationDelete(path) for path in plan.deletions]
    try:
        return api.create_commit(
            plan.repo_id,
            operations,
            repo_type=plan.repo_type,
            commit_message=_title(plan.version),
            commit_description=plan.why,
            parent_commit=plan.parent,
            create_pr=create_pr,
        )
    except HfHubHTTPError as error:
        if error.response.status_code in _MOVED:
            return None
        raise PublishError(_refused(plan.repo_id, error)) from None
    except ValueError as error:  # the Hub looked through README.md's metadata before anything was sent
        raise PublishError(f"{plan.repo_id}: {str(error).strip().splitlines()[-1]}") from None


def _open_pull_request(api: "HfApi", plan: Plan) -> str | None:
    """Address of an open pull request that proposes the very same version, None where there is none."""
    manifest = plan.additions[MANIFEST_FILE]
    for discussion in api.get_repo_discussions(
        plan.repo_id, repo_type=plan.repo_type, discussion_type="pull_request", discussion_status="open"
    ):
        if discussion.title == _title(plan.version):
            proposed = read_head(api, plan.repo_id, plan.repo_type, revision=f"refs/pr/{discussion.num}")
            text = proposed.text(MANIFEST_FILE) if proposed is not None else None
            if text is not None and text.encode("utf-8") == manifest:
                return discussion.url
    return None


def _result(
    api: "HfApi",
    plan: Plan,
    commit: str | None,
    *,
    pull_request: str | None = None,
    proposed_before: bool = False,
) -> Published:
    prefix = "datasets/" if plan.repo_type == "dataset" else ""
    return Published(
        repo_id=plan.repo_id,
        repo_type=plan.repo_type,
        version=plan.version.tag,
        commit=commit,
        url=f"{api.endpoint}/{prefix}{plan.repo_id}",
        changed=plan.changes is not None and not proposed_before,
        why="an open pull request proposes it already" if proposed_before else plan.why,
        plan=plan if plan.changes is not None else None,
        pull_request=pull_request,
    )


def _title(version: Version) -> str:
    return f"Publish {version.tag}"


def _refused(repo_id: str, error: "HfHubHTTPError") -> str:
    status = error.response.status_code
    hints = {
        401: "log in, or set HF_TOKEN",
        403: "the token may not write there; use one with write access to this repo",
        429: "too many requests or commits; wait an hour and run again",
    }
    reason = str(error).strip().splitlines()[-1]
    return f"{repo_id}: the Hub answered {status} ({reason}); {hints.get(status, 'run again')}"
