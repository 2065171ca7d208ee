"""The page that shows the first rows of a dataset's split."""

from dataclasses import dataclass

from starlette.responses import Response

from sentisynth_hub.localhub.content import HubFile
from sentisynth_hub.localhub.file_splits import Split
from sentisynth_hub.localhub.http import Call
from sentisynth_hub.localhub.pages import render_repo_page, revision_of
from sentisynth_hub.localhub.preview import Preview
from sentisynth_hub.localhub.repos import HubRepo
from sentisynth_hub.localhub.viewer import first_file, kept_preview, make_preview, splits_at


async def viewer(call: Call) -> Response:
    """The first rows of a split, its labels and lengths."""
    lanes = call.hub.lanes
    view = await lanes.usual.run(lambda: _view(call))
    preview = view.preview
    if view.file is not None and preview is None:
        file = view.file
        preview = await lanes.previews.run(lambda: make_preview(call.hub, view.repo, file))
    return await lanes.usual.run(lambda: _viewer_page(call, view, preview))


@dataclass(frozen=True)
class _View:
    """What a page of rows is about; `preview` is set where it was made before."""

    repo: HubRepo
    revision: str
    splits: list[Split]
    split: Split | None
    file: HubFile | None
    preview: Preview | None


def _view(call: Call) -> _View:
    repo = call.repo(content=True)
    with repo.git() as git:
        revision, commit = revision_of(call, git)
        splits = splits_at(repo, git, commit)
        name = (call.query.get("config"), call.query.get("split"))
        split = next((split for split in splits if (split.config, split.name) == name), splits[0] if splits else None)
        file = first_file(repo, git, commit, split) if split else None
    return _View(repo, revision, splits, split, file, kept_preview(repo, file) if file else None)


def _viewer_page(call: Call, view: _View, preview: Preview | None) -> Response:
    with view.repo.git() as git:
        values = {"splits": view.splits, "chosen": view.split, "preview": preview}
        return render_repo_page(call, view.repo, git, "viewer.html", "viewer", view.revision, **values)
