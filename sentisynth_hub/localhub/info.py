"""What the API tells about a repo: `dataset_info`, `model_info`, and the lists of repos."""

import json
from typing import Any

from sentisynth_hub.core.safe_yaml import YamlError, load_yaml
from sentisynth_hub.localhub.cache import TextCache
from sentisynth_hub.localhub.cards import LONGEST_CARD, LONGEST_FRONT_MATTER, card_data, listed, tags_of
from sentisynth_hub.localhub.content import HubFile, date, find_file, list_files
from sentisynth_hub.localhub.git import GitRepo
from sentisynth_hub.localhub.problems import HubProblem
from sentisynth_hub.localhub.repos import HubRepo


_LONGEST_CONFIG = 256 * 1024  # bytes
_MOST_EVAL_RESULTS = 100  # files
_cache = TextCache(32 * 1024**2)  # cards and configurations as JSON: a list of repos asks for all of them each time


def repo_summary(repo: HubRepo, git: GitRepo, commit: str) -> dict[str, Any]:
    """Everything about a repo at a commit but its files and what it takes long to find out."""
    card = card_at(repo, git, commit)
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


def damaged_summary(repo: HubRepo) -> dict[str, Any]:
    """What a list says of a repo that cannot be read: its name, and that it is disabled."""
    settings = repo.settings
    return {
        "_id": repo.id,
        "id": repo.id,
        "author": repo.namespace,
        "sha": None,
        "private": settings.private,
        "gated": settings.gated,
        "disabled": True,
        "createdAt": date(settings.created),
        "lastModified": date(settings.created),
        "downloads": 0,
        "likes": 0,
        "tags": [],
        "cardData": {},
        "siblings": [],
    } | ({"modelId": repo.id} if repo.type == "models" else {})


def readme_text(repo: HubRepo, git: GitRepo, commit: str) -> str:
    """The README, empty where there is none."""
    return _text(git, _small_file(repo, git, commit, "README.md", LONGEST_CARD))


def card_at(repo: HubRepo, git: GitRepo, commit: str) -> dict[str, Any]:
    """The front matter of the README at a commit; nothing where it cannot be read."""
    file = _small_file(repo, git, commit, "README.md", LONGEST_CARD)
    key = (repo.folder, "card", file.oid if file else None)
    card: dict[str, Any] = json.loads(_cache.get(key, lambda: json.dumps(card_data(_text(git, file)))))
    return card


def _model_fields(repo: HubRepo, git: GitRepo, commit: str, card: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {"modelId": repo.id, "model-index": card.get("model-index")}
    file = _small_file(repo, git, commit, "config.json", _LONGEST_CONFIG)
    key = (repo.folder, "config", file.oid if file else None)
    config = json.loads(_cache.get(key, lambda: json.dumps(_config(_text(git, file)))))
    if config is not None:
        fields["config"] = config
    fields["library_name"] = card.get("library_name") or ("transformers" if "config" in fields else None)
    fields["pipeline_tag"] = card.get("pipeline_tag") or _task_of(fields.get("config", {}))
    return {key: value for key, value in fields.items() if value is not None}


def _config(text: str) -> dict[str, Any] | None:
    """What is told of a model's configuration; None where it is none."""
    try:
        config = json.loads(text or "{}", parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    if not isinstance(config, dict) or not config:
        return None
    return {key: config[key] for key in ("architectures", "model_type") if key in config}


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _task_of(config: dict[str, Any]) -> str | None:
    architectures = config.get("architectures")
    first = str(architectures[0]) if isinstance(architectures, list) and architectures else ""
    tasks = {"ForSequenceClassification": "text-classification", "ForCausalLM": "text-generation"}
    return next((task for ending, task in tasks.items() if first.endswith(ending)), None)


def _eval_results(repo: HubRepo, git: GitRepo, commit: str, paths: list[str]) -> list[dict[str, Any]]:
    results = []
    named = [path for path in paths if path.startswith(".eval_results/") and path.endswith((".yaml", ".yml"))]
    for path in named[:_MOST_EVAL_RESULTS]:
        try:
            file = _small_file(repo, git, commit, path, LONGEST_FRONT_MATTER)
            entries = json.loads(json.dumps(load_yaml(_text(git, file)), allow_nan=False))
        except (YamlError, ValueError):
            continue
        results += [{"filename": path, "data": entry} for entry in listed(entries) if isinstance(entry, dict)]
    return results


def _small_file(repo: HubRepo, git: GitRepo, commit: str, path: str, longest: int) -> HubFile | None:
    """The file at `path` if it is there, of at most `longest` bytes, and not a large file."""
    try:
        file = find_file(repo, git, commit, path)
    except HubProblem as problem:
        if problem.code == "EntryNotFound":
            return None
        raise
    return None if file.pointer or file.size > longest else file


def _text(git: GitRepo, file: HubFile | None) -> str:
    return git.read(file.oid).decode("utf-8", "replace") if file else ""
