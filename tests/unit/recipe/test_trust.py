"""A recipe is a stranger's: which files it reaches, which key goes to which server."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from sentisynth_hub.cli import sentisynth
from sentisynth_hub.core.errors import InputError, RecipeError
from sentisynth_hub.recipe import Recipe, load_recipe
from sentisynth_hub.recipe.trust import endpoint_access, trust, trust_recipe, trusted_hosts
from tests.unit.recipe.test_load import SMALLEST


@pytest.fixture(autouse=True)
def _own_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTISYNTH_CONFIG", str(tmp_path / "config"))
    for name in list(os.environ):
        if name.endswith("_API_KEY") or name == "OPENAI_BASE_URL":
            monkeypatch.delenv(name)


def recipe_folder(tmp_path: Path, generator: dict[str, Any] | None = None, **prompt: Any) -> Path:
    folder = tmp_path / "recipe"
    folder.mkdir(exist_ok=True)
    (folder / "prompt.jinja2").write_text("{{ label }}")
    generate = {"generator": generator or {"kind": "transformers", "model": "m"}, "prompt": prompt, "candidates": 2}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(SMALLEST | {"generate": generate}))
    return folder


def endpoint(tmp_path: Path, *overrides: str, **settings: Any) -> Recipe:
    return load_recipe(str(recipe_folder(tmp_path, {"kind": "openai", "model": "m", **settings})), overrides)


@pytest.mark.parametrize(
    "path",
    ["../secret.txt", "/proc/self/environ", "/etc/passwd", "link.txt", "folder/../../secret.txt", "linked/secret.txt"],
)
def test_a_template_outside_the_recipe_is_not_read(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    folder = recipe_folder(tmp_path, template=path)
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "linked").symlink_to(tmp_path)
    (folder / "folder").mkdir()
    with pytest.raises(RecipeError, match=r"generate.prompt.template: .* lies outside the recipe's folder"):
        load_recipe(str(folder))


@pytest.mark.parametrize("path", ["gone.jinja2", "folder", "pipe", "a" * 300, "nul\0", "../_prompts/none.jinja2"])
def test_what_is_no_file_is_one_line(tmp_path: Path, path: str) -> None:
    folder = recipe_folder(tmp_path, template=path)
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    with pytest.raises(RecipeError, match=r"generate.prompt.template: ") as raised:
        load_recipe(str(folder))
    assert "\n" not in str(raised.value)


def test_the_other_paths_of_a_recipe_have_the_same_resolver(tmp_path: Path) -> None:
    from sentisynth_hub.generate.prompts import PromptTemplate
    from sentisynth_hub.natural.read_rows import given_rows
    from sentisynth_hub.natural.stage import load_natural

    (tmp_path / "train.csv").write_text("text,label\na,positive\n")
    folder = recipe_folder(tmp_path, seed_texts="../train.csv")
    with pytest.raises(RecipeError, match=r"generate.prompt.seed_texts: ../train.csv lies outside"):
        _ = PromptTemplate(load_recipe(str(folder))).seed_texts
    written = yaml.safe_load((folder / "recipe.yaml").read_text())
    (folder / "recipe.yaml").write_text(yaml.safe_dump(written | {"natural": {"files": {"train": "../train.csv"}}}))
    with pytest.raises(RecipeError, match=r"natural.files.train: ../train.csv lies outside"):
        load_natural(load_recipe(str(folder)))
    rows = {"kind": "rows", "file": str(tmp_path / "train.csv"), "written_by": "me"}
    folder = recipe_folder(tmp_path, rows)
    with pytest.raises(RecipeError, match=r"generate.generator.file: .*train.csv lies outside"):
        given_rows(load_recipe(str(folder), ["study.design=conditional"]))


def test_a_file_that_the_user_names_is_read_wherever_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine.jinja2").write_text("mine {{ label }}")
    recipe = load_recipe(str(recipe_folder(tmp_path)), [f"generate.prompt.template={tmp_path}/mine.jinja2"])
    assert recipe.template_file.read_text() == "mine {{ label }}"
    assert recipe.with_content(recipe.model_dump(mode="json")).template_file == recipe.template_file


def test_a_ready_prompt_is_found_from_any_folder(tmp_path: Path) -> None:
    recipe = load_recipe(str(recipe_folder(tmp_path, template="../_prompts/english_reviews.jinja2")))
    assert recipe.template_file.is_file()


@pytest.mark.parametrize(
    "variable",
    ["HF_TOKEN", "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "HF_API_KEY", "HUGGINGFACE_API_KEY", "GITHUB_API_KEY",
     "AWS_BEDROCK_API_KEY", "CI_API_KEY", "WANDB_API_KEY", "PATH", "openai_api_key", "OPENAI_API_KEY ", ""],
)  # fmt: skip
def test_other_secrets_are_no_keys(tmp_path: Path, variable: str) -> None:
    with pytest.raises(RecipeError, match="api_key_variable: .*is no name of a provider's key"):
        endpoint(tmp_path, api_key_variable=variable)


@pytest.mark.parametrize(
    "url",
    ["ftp://host/v1", "file:///etc/passwd", "https://a\\@api.openai.com/v1", "https://a b/v1", "//host", "https://",
     "https://ho\nst/v1", "javascript:x"],
)  # fmt: skip
def test_an_address_that_could_be_read_in_two_ways_is_none(tmp_path: Path, url: str) -> None:
    with pytest.raises(RecipeError, match="base_url: .* is no address of a server"):
        endpoint(tmp_path, base_url=url)


@pytest.mark.parametrize(
    "url",
    ["https://evil.example/v1", "http://api.openai.com/v1", "https://api.openai.com.evil.example/v1",
     "https://api.openai.com@evil.example/v1", "https://api.openai.com:8443/v1", "https://192.168.0.7:8000/v1"],
)  # fmt: skip
def test_a_key_goes_to_no_server_that_only_the_recipe_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine")
    with pytest.raises(RecipeError, match="would send OPENAI_API_KEY to .*sentisynth trust ") as raised:
        endpoint_access(endpoint(tmp_path, base_url=url))
    assert "sk-mine" not in str(raised.value)


def test_a_key_goes_to_its_own_provider_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "gsk-mine")
    own = endpoint(tmp_path, base_url="https://api.groq.com/openai/v1", api_key_variable="GROQ_API_KEY")
    assert endpoint_access(own).key == "gsk-mine"
    assert "gsk-mine" not in repr(endpoint_access(own)) + endpoint_access(own).sentence
    for url in (None, "https://api.mistral.ai/v1"):
        with pytest.raises(RecipeError, match="would send GROQ_API_KEY to"):
            endpoint_access(endpoint(tmp_path, base_url=url, api_key_variable="GROQ_API_KEY"))


def test_a_server_that_the_user_names_gets_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine")
    override = "generate.generator.base_url=https://llm.example/v1"
    assert endpoint_access(endpoint(tmp_path, override)).key == "sk-mine"
    monkeypatch.setenv("OPENAI_BASE_URL", "https://proxy.example/v1")
    assert endpoint_access(endpoint(tmp_path)).host == "proxy.example"
    assert endpoint_access(endpoint(tmp_path)).key == "sk-mine"


def test_a_server_on_this_machine_is_asked_without_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine")
    for url in ("http://127.0.0.1:8000/v1", "http://localhost:8000", "http://[::1]:8000/v1"):
        access = endpoint_access(endpoint(tmp_path, base_url=url))
        assert access.key is None
        assert "this machine" in access.sentence
    for url in ("http://127.0.0.1.evil.example/v1", "http://localhost.evil.example/v1"):
        with pytest.raises(RecipeError, match="would send"):
            endpoint_access(endpoint(tmp_path, base_url=url))


def test_trust_is_given_once_for_a_host_and_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine")
    recipe = endpoint(tmp_path, base_url="https://llm.example/v1")
    run = CliRunner()
    assert run.invoke(sentisynth, ["trust", "LLM.example"]).exit_code == 0
    assert run.invoke(sentisynth, ["trust"]).output.strip() == "llm.example"
    assert endpoint_access(recipe).key == "sk-mine"
    for url in ("http://llm.example/v1", "https://llm.example:8443/v1", "https://x.llm.example/v1"):
        with pytest.raises(RecipeError, match="would send"):
            endpoint_access(endpoint(tmp_path, base_url=url))
    assert run.invoke(sentisynth, ["trust", "llm.example", "--remove"]).exit_code == 0
    with pytest.raises(RecipeError, match="would send"):
        endpoint_access(recipe)
    assert trust("http://localhost:8000/v1") == "localhost:8000"
    assert trusted_hosts() == ["localhost:8000"]


@pytest.mark.parametrize("host", ["", "a b", "a\nb.example", "*", "../x", "host:port", "#comment"])
def test_what_is_no_host_is_not_trusted(host: str) -> None:
    with pytest.raises(InputError, match="is no host"):
        trust(host)
    assert trusted_hosts() == []


CODE = {
    "a generator": {"generate": {"generator": {"kind": "evil:Provider"}, "candidates": 2}},
    "a filter": {"filter": {"evil:Filter": {}}},
    "a variant": {"study": SMALLEST["study"] | {"variants": ["natural", "evil:VARIANT"]}},
}


@pytest.mark.parametrize("section", CODE.values(), ids=CODE)
def test_a_strangers_files_name_no_code_until_their_folder_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: dict[str, Any]
) -> None:
    """Not even the import happens. A copy is another folder, and permission can be taken back."""
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "evil", raising=False)
    folder = recipe_folder(tmp_path)
    content = yaml.safe_load((folder / "recipe.yaml").read_text()) | section
    (folder / "recipe.yaml").write_text(yaml.safe_dump(content))
    copied, run = tmp_path / "copied", CliRunner()
    assert run.invoke(sentisynth, ["recipes", "copy", str(folder), str(copied)]).exit_code == 0
    assert run.invoke(sentisynth, ["trust", str(folder)]).exit_code == 0
    assert run.invoke(sentisynth, ["trust", str(folder), "--remove"]).exit_code == 0
    trust_recipe(tmp_path / "another")
    for place in (folder, copied):
        refused = run.invoke(sentisynth, ["recipes", "check", str(place)])
        assert isinstance(refused.exception, RecipeError)
        assert "names Python code" in str(refused.exception)
        assert "sentisynth trust" in str(refused.exception)
    assert not (tmp_path / "ran").exists()
    assert "evil" not in sys.modules
    assert run.invoke(sentisynth, ["trust", str(folder / "recipe.yaml")]).exit_code == 0
    assert json.loads(run.invoke(sentisynth, ["trust", "--json"]).output)["recipes"][-1] == str(folder)
    allowed = run.invoke(sentisynth, ["recipes", "check", str(folder)])
    assert "names Python code" not in str(allowed.exception)
    assert (tmp_path / "ran").exists() == ("study" not in section)  # a variant is imported when the study needs it


def test_without_a_key_the_provider_is_not_asked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no key in the environment variable OPENAI_API_KEY"):
        endpoint_access(endpoint(tmp_path))
    assert endpoint_access(endpoint(tmp_path, base_url="https://llm.example/v1")).key is None


def test_a_published_recipe_names_no_folder_of_this_machine(tmp_path: Path) -> None:
    from sentisynth_hub.recipe.revisions import pin_recipe

    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder" / "config.json").write_text("{}")
    folder = recipe_folder(tmp_path)
    content = yaml.safe_load((folder / "recipe.yaml").read_text())
    content["study"]["student"]["model"] = content["generate"]["generator"]["model"] = str(tmp_path / "encoder")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(content))
    (folder / "train.csv").write_text("text,label\n")
    assert pin_recipe(load_recipe(str(folder)))[1]["study.student"].id == "encoder"
    with pytest.raises(RecipeError, match=r"generate.generator.model: a published recipe names the folder"):
        pin_recipe(load_recipe(str(folder), origin="hub"))
    named = [f"{key}.model={tmp_path}/encoder" for key in ("generate.generator", "study.student")]
    assert pin_recipe(load_recipe(str(folder), named, origin="hub"))[1]["study.student"].id == "encoder"
