"""What the API tells about a repo: `dataset_info`, `model_info`, and the lists of repos."""

import json
from typing import Any

from sentisynth_hub.localhub.cards import LONGEST_CARD, card_data, tags_of
from sentisynth_hub.localhub.content import date, find_file, list_files
from sentisynth_hub.localhub.git import GitRepo
from sentisynth_hub.localhub.problems import HubProblem
from sentisynth_hub.localhub.repos import HubRepo


_LONGEST_CONFIG = 1024**2  # bytes


def repo_summary(repo: HubRepo, git: GitRepo, commit: str) -> dict[str, Any]:
    """Everything about a repo at a commit but its files and what it takes long to find out."""
    card = card_data(readme_text(repo, git, commit))
    settings = repo.settings
    summary: dict[str, Any] = {
        "_id": repo.id,
        "id": repo.id,
        "author": repo.namespace,
        "sha": commit,
        "private": settings.private,
        "gated": settings.gated,
        "disabled": False,
        "createdAt": date(settings.created),
        "lastModified": date(git.commit_info(commit).time),
        "downloads": 0,
        "likes": 0,
        "tags": tags_of(card, repo.type),
        "cardData": card,
    }
    if repo.type == "models":
        summary |= _model_fields(repo, git, commit, card)
    return summary


def repo_info(repo: HubRepo, git: GitRepo, commit: str, *, blobs: bool, expand: list[str]) -> dict[str, Any]:
    """A repo at a commit, with its files; `blobs` adds their sizes and ids, `expand` chooses single keys instead."""
    info = repo_summary(repo, git, commit)
    files = list_files(repo, git, commit)
    info["siblings"] = [file.as_sibling() if blobs else {"rfilename": file.path} for file in files]
    info["usedStorage"] = sum(size for _, size in repo.lfs.objects())
    if "evalResults" in expand:
        info["evalResults"] = _eval_results(repo, git, commit, [file.path for file in files])
    if expand:
        return {key: value for key, value in info.items() if key in (*expand, "_id", "id")}
    return info


def readme_text(repo: HubRepo, git: GitRepo, commit: str) -> str:
    """The README, empty where there is none."""
    return _text(repo, git, commit, "README.md", LONGEST_CARD)


def _model_fields(repo: HubRepo, git: GitRepo, commit: str, card: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {"modelId": repo.id, "model-index": card.get("model-index")}
    try:
        text = _text(repo, git, commit, "config.json", _LONGEST_CONFIG)
        config = json.loads(text or "{}", parse_constant=_no_constant)
    except (ValueError, RecursionError):
        config = {}
    if isinstance(config, dict) and config:
        fields["config"] = {key: config[key] for key in ("architectures", "model_type") if key in config}
    fields["library_name"] = card.get("library_name") or ("transformers" if "config" in fields else None)
    fields["pipeline_tag"] = card.get("pipeline_tag") or _task_of(fields.get("config", {}))
    return {key: value for key, value in fields.items() if value is not None}


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _task_of(config: dict[str, Any]) -> str | None:
    architectures = config.get("architectures")
    first = str(architectures[0]) if isinstance(architectures, list) and architectures else ""
    tasks = {"ForSequenceClassification": "text-classification", "ForCausalLM": "text-generation"}
    return next((task for ending, task in tasks.items() if first.endswith(ending)), None)


def _eval_results(repo: HubRepo, git: GitRepo, commit: str, paths: list[str]) -> list[dict[str, Any]]:
    results = []
    for path in paths:
        if path.startswith(".eval_results/") and path.endswith((".yaml", ".yml")):
            entries = card_data(f"---\nentries:\n{_indented(_text(repo, git, commit, path, LONGEST_CARD))}\n---\n")
            listed = entries.get("entries")
            results += [{"filename": path, "data": entry} for entry in listed or [] if isinstance(entry, dict)]
    return results


def _indented(text: str) -> str:
    return "\n".join("  " + line for line in text.splitlines())


def _text(repo: HubRepo, git: GitRepo, commit: str, path: str, longest: int) -> str:
    try:
        file = find_file(repo, git, commit, path)
    except HubProblem:
        return ""
    if file.pointer or file.size > longest:
        return ""
    return git.read(file.oid).decode("utf-8", "replace")
