"""Pinning: every dataset and model a recipe names is resolved to a commit once, before anything is read.

After `pin_recipe` all revisions in the recipe are commits, so the stages' digests follow from what was really used,
and a
branch that moves during a run changes nothing.
"""

import hashlib
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sentisynth_hub.core.errors import RecipeError, StageError
from sentisynth_hub.core.hub_endpoint import hub_api, refusal, unreachable
from sentisynth_hub.core.safe_yaml import YamlError, load_yaml
from sentisynth_hub.core.text import digest
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.method_section import GroundOptions


ZERO_SHOT = "study.zero_shot"
"""Key path of the rows that only the variant `zero_shot` sees: nothing that is published comes from them."""
GIVEN_ROWS = "generate.generator"
"""Key path of rows that are there already: the pin of a generator that is a dataset."""


@dataclass(frozen=True)
class Pin:
    """One repo or local folder, and what it was at the time of the run.

    Attributes:
        id: Hub id; for a local folder or file its name only (a path is nobody's business).
        repo_type: `model` or `dataset`.
        revision: What the recipe says (tag, branch, commit or None).
        commit: The commit it resolved to; for local files the sha256 of their content.
        licence: As its card states it, None where it states none.
    """

    id: str
    repo_type: str
    revision: str | None
    commit: str
    licence: str | None

    def record(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def pin_recipe(recipe: Recipe, sections: Collection[str] | None = None) -> tuple[Recipe, dict[str, Pin]]:
    """Resolve every repo the recipe names; return the recipe with commits for revisions, and the pins by their key
    path.

    Args:
        sections: Top-level sections whose models are resolved, such as `generate`; None: all of them.

    Raises:
        RecipeError: A repo or revision is not there; names the key and what to do.
    """
    content = recipe.model_dump(mode="json")
    pins: dict[str, Pin] = {}
    natural = content["natural"]
    if natural["files"] is not None:
        for split, path in natural["files"].items():
            if path is not None:
                pins[f"natural.files.{split}"] = _pin_file(recipe, path, f"natural.files.{split}")
    else:
        pins["natural"] = _pin_repo(natural["dataset"], natural["revision"], "dataset", "natural.dataset")
        natural["revision"] = pins["natural"].commit
    if not recipe.generate.generator.has_prompt:
        pins[GIVEN_ROWS] = _pin_rows(recipe, content["generate"]["generator"], GIVEN_ROWS)
    if isinstance(recipe.generate.method, GroundOptions):
        pins["generate.method"] = _pin_rows(recipe, content["generate"]["method"], "generate.method")
    if (sections is None or "study" in sections) and "zero_shot" in recipe.study.variants:
        pins[ZERO_SHOT] = _pin_rows(recipe, content["study"]["zero_shot"], ZERO_SHOT)
    for path, section in model_sections(content):
        if sections is not None and path.partition(".")[0] not in sections:
            continue
        where = f"{path}.model"
        folder = Path(section["model"]).expanduser()
        if folder.is_dir():
            _check_model_folder(recipe, section["model"], where)
            pins[path] = _pin_folder(folder)
        else:
            pins[path] = _pin_repo(section["model"], section["revision"], "model", where)
            section["revision"] = pins[path].commit
    return recipe.with_content(content), pins


def model_sections(content: Any, path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every mapping that names a model on the Hub, with its key path; an endpoint's model name is the server's
    business."""
    if not isinstance(content, dict) or path == "scales":
        return []
    here = [(path, content)] if isinstance(content.get("model"), str) and "revision" in content else []
    return here + [
        section
        for key, value in content.items()
        for section in model_sections(value, f"{path}.{key}" if path else key)
    ]


def _check_model_folder(recipe: Recipe, name: str, where: str) -> None:
    """A recipe on the user's own disk may name any folder of a model; one that a stranger published, none that the
    user did not name.

    Raises:
        RecipeError: It does.
    """
    if recipe.origin == "hub" and name not in recipe.named:
        raise RecipeError(
            f"{where}: a published recipe names the folder {name} of this machine; name it yourself on the command "
            f"line if that is meant: {where}=FOLDER"
        )


def _pin_repo(repo_id: str, revision: str | None, repo_type: str, where: str) -> Pin:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        info = hub_api().repo_info(repo_id, revision=revision, repo_type=repo_type)
    except OfflineModeIsEnabled:
        try:  # the cache names a snapshot's folder by its commit
            snapshot = Path(snapshot_download(repo_id, revision=revision, repo_type=repo_type, local_files_only=True))
        except LocalEntryNotFoundError:
            raise RecipeError(f"{where}: {repo_id!r} {refusal(OfflineModeIsEnabled(), repo_type)}") from None
        return Pin(repo_id, repo_type, revision, snapshot.name, _card_licence(snapshot))
    except Exception as error:
        if (why := refusal(error, repo_type, revision)) is not None:
            raise RecipeError(f"{where}: {repo_id!r} {why}") from None
        if (why := unreachable(error)) is None:
            raise
        raise StageError(f"{where}: {repo_id} cannot be looked up: {why}") from None
    assert info.sha is not None
    card: Any = getattr(info, "card_data", None)
    licence = card.get("license") if card is not None else None
    return Pin(repo_id, repo_type, revision, info.sha, ", ".join(licence) if isinstance(licence, list) else licence)


def _pin_rows(recipe: Recipe, section: dict[str, Any], key: str) -> Pin:
    """Pin a file or a split of a Hub dataset; the section then carries its commit."""
    if section["file"] is not None:
        return _pin_file(recipe, section["file"], f"{key}.file")
    pin = _pin_repo(section["dataset"], section["revision"], "dataset", f"{key}.dataset")
    section["revision"] = pin.commit
    return pin


def _pin_file(recipe: Recipe, name: str, where: str) -> Pin:
    path = recipe.local_file(name, where)
    return Pin(path.name, "dataset", None, _sha256(path), None)


def _pin_folder(folder: Path) -> Pin:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    commit = digest(f"{path.relative_to(folder)}\0{_sha256(path)}" for path in files)
    return Pin(folder.name, "model", None, commit, _card_licence(folder))


def _card_licence(folder: Path) -> str | None:
    """The licence that the README.md in a folder states in its metadata, None where it states none."""
    card = folder / "README.md"
    lines = card.read_text("utf-8", "replace").split("\n") if card.is_file() else []
    if not lines or lines[0].strip() != "---" or "---" not in lines[1:]:
        return None
    try:
        metadata = load_yaml("\n".join(lines[1 : lines.index("---", 1)]))
    except YamlError:
        return None
    licence = metadata.get("license") if isinstance(metadata, dict) else None
    return ", ".join(map(str, licence)) if isinstance(licence, list) else licence if isinstance(licence, str) else None


def _sha256(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
