"""Cards, files and damaged repos of one member of a team: they are listed as such and harm nobody else's."""

import shutil
import zlib
from pathlib import Path
from typing import Any

import pytest

from sentisynth_hub.localhub.control import running_hub
from tests.support.raw_client import RawClient, file_line


@pytest.mark.parametrize(
    "front_matter",
    [
        "a: !!bool x",
        "a: !!timestamp x",
        "a: !!int ''",
        "a: !!float ''",
        'a: "\\ud800"',
        "? [a]\n: b",
        "a: !!set {b}",
        "!!python/name:os.system",
        "[" * 2000,
        "a: &a [*a]",
        "a: 1e999",
        "a: " + "9" * 5000,
        "model-index: [{name: m, results: 5}]",
        "model-index: [{name: m, results: [{metrics: 5}]}]",
        "model-index: 5",
        "tags: {a: b}",
        "configs: [{config_name: x, data_files: 5}]",
        "library_name: [a]\npipeline_tag: {b: c}",
    ],
)
def test_no_card_harms_another_repo(mallory: RawClient, nobody: RawClient, front_matter: str) -> None:
    mallory.create("mallory/card")
    card = f"---\n{front_matter}\n---\n# card\n".encode()
    assert mallory.commit("models/mallory/card", file_line("README.md", card)).status == 200
    try:
        listed = nobody.send("GET", "/api/models")
        assert listed.status == 200
        assert {"acme/public", "mallory/card"} <= {item["id"] for item in listed.json()}
        for path in ("/", "/mallory/card", "/api/models/mallory/card", "/api/models?full=true&expand=evalResults"):
            assert nobody.send("GET", path).status == 200, path
        answer = mallory.send("POST", "/api/validate-yaml", {"content": card.decode(), "repoType": "model"})
        assert answer.status in (200, 400)
        assert "\n" not in "".join(item["message"] for item in answer.json()["errors"])
    finally:
        mallory.send("DELETE", "/api/repos/delete", {"name": "card", "organization": "mallory"})


@pytest.mark.parametrize(
    "files",
    [
        {"config.json": b'{"architectures": ["\\ud800"], "model_type": "\\udfff"}'},
        {".eval_results/a.yaml": b"5"},
        {".eval_results/a.yaml": b"- !!bool x"},
        {".eval_results/a.yaml": b"- a: .nan"},
        {"README.md": b"\xff\xfe\x00"},
        {"config.json": b"[" * 100_000},
    ],
)
def test_no_file_harms_a_list(mallory: RawClient, nobody: RawClient, files: dict[str, bytes]) -> None:
    mallory.create("mallory/files")
    try:
        lines = [file_line(path, content) for path, content in files.items()]
        assert mallory.commit("models/mallory/files", *lines).status == 200
        for path in ("/api/models", "/api/models?full=true", "/api/models?expand=evalResults", "/mallory/files", "/"):
            assert nobody.send("GET", path).status == 200, path
    finally:
        mallory.send("DELETE", "/api/repos/delete", {"name": "files", "organization": "mallory"})


def damage_settings(folder: Path) -> None:
    (folder / "hub.json").write_bytes(b'{"private": fal')


def damage_settings_type(folder: Path) -> None:
    (folder / "hub.json").write_text('{"private": "no", "gated": 5, "created": [], "granted": null}')


def lose_settings(folder: Path) -> None:
    (folder / "hub.json").unlink()


def lose_objects(folder: Path) -> None:
    shutil.rmtree(folder / "objects")


def cut_objects(folder: Path) -> None:
    for path in folder.glob("objects/??/*"):
        path.chmod(0o644)
        path.write_bytes(b"")


def exchange_objects(folder: Path) -> None:
    for path in folder.glob("objects/??/*"):
        path.chmod(0o644)
        path.write_bytes(zlib.compress(b"tree 3\0abc"))


def lose_branch(folder: Path) -> None:
    shutil.rmtree(folder / "refs")


def damage_head(folder: Path) -> None:
    (folder / "HEAD").write_bytes(b"\xff\xfe")
    (folder / "refs" / "heads" / "main").write_bytes(b"zzz\n")


def damage_discussions(folder: Path) -> None:
    (folder / "discussions.json").write_text('[{"num": 1}]')


DAMAGES = [
    damage_settings,
    damage_settings_type,
    lose_settings,
    lose_objects,
    cut_objects,
    exchange_objects,
    lose_branch,
    damage_head,
    damage_discussions,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_repo_is_listed_as_such_and_breaks_nothing_else(tmp_path: Path, damage: Any) -> None:
    from huggingface_hub import HfApi

    with running_hub(tmp_path) as state:
        owner = RawClient(state.endpoint, state.token)
        owner.create("acme/good")
        owner.create("acme/damaged")
        owner.commit("models/acme/damaged", file_line("README.md", b"---\ntags: [a]\n---\n"))
    damage(tmp_path / "repos/models/acme/damaged.git")
    with running_hub(tmp_path) as state:  # which looks through all repos when it starts
        owner, nobody = RawClient(state.endpoint, state.token), RawClient(state.endpoint, None)
        listed = {item["id"]: item["disabled"] for item in owner.send("GET", "/api/models").json()}
        assert listed == {"acme/good": False, "acme/damaged": damage is not damage_discussions}
        assert b"acme/<wbr><b>damaged" in owner.send("GET", "/").body
        assert nobody.send("GET", "/api/models").status == 200
        for path in ("", "/tree/main", "/refs", "/commits/main", "/discussions", "/revision/main"):
            answer = owner.send("GET", f"/api/models/acme/damaged{path}")
            assert answer.status < 500, path
        for path in ("", "/tree/main", "/blob/main/README.md", "/commits/main", "/tags", "/discussions"):
            assert owner.send("GET", f"/acme/damaged{path}").status < 500, path
        assert owner.send("GET", "/acme/damaged/resolve/main/README.md").status < 500
        assert owner.commit("models/acme/damaged", file_line("a", b"a")).status < 500
        assert owner.send("GET", "/api/models/acme/good").status == 200
        assert {model.id for model in HfApi(endpoint=state.endpoint, token=state.token).list_models()} == set(listed)
        assert owner.send("DELETE", "/api/repos/delete", {"name": "damaged", "organization": "acme"}).status == 200
        assert [item["id"] for item in owner.send("GET", "/api/models").json()] == ["acme/good"]


def test_a_repo_whose_settings_are_lost_is_private(tmp_path: Path) -> None:
    with running_hub(tmp_path) as state:
        owner, nobody = RawClient(state.endpoint, state.token), RawClient(state.endpoint, None)
        owner.create("acme/m")
        damage_settings(tmp_path / "repos/models/acme/m.git")
        assert nobody.send("GET", "/api/models").json() == []
        assert nobody.send("GET", "/api/models/acme/m").status == 401
        assert owner.send("GET", "/api/models/acme/m").headers["x-error-message"] == (
            "Access to this resource is disabled."
        )
