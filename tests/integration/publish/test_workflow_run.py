"""The workflow that `init ci` writes, its steps executed as a runner would, on machines that start empty.

The Hub is the embedded one, the endpoint answers differently every time. Steps that only fetch code (checkout, Python,
Install) are left out: the package is installed already. Artifacts are files in a folder. Everything else is the
workflow's own shell lines under its own conditions and environments, each job on a machine of its own.
"""

import json
import os
import random
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from sentisynth_hub.localhub.control import HubState
from tests.support.tiny import reviews, tiny_recipe
from tests.support.worlds import CHAT


if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.slow  # six commands a run, four runs: a minute or two of Python starting

ROOT = Path(__file__).resolve().parents[3]
DATASET, MODEL, STORE = "workflow-tests/rows", "workflow-tests/classifier", "workflow-tests/rows-runs"
REASONS = {"encoder": "made by the test", "moody-model": "made by the test"}


class MoodyServer(ThreadingHTTPServer):
    """Never gives the same answer twice; with `leaking` it repeats natural rows instead."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.calls = 0
        self.leaking = False
        self.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_port}/v1"

    def answer(self) -> str:
        with self.lock:
            self.calls += 1
            if self.leaking:
                return reviews()[self.calls % 240]["text"]
            words = random.sample(
                ["oddly", "truly", "plot", "music", "tender", "grim", "scene", "idea", "voice", "light"], 6
            )
            return f"{' '.join(words)} number {self.calls} {random.random():.6f}"


class Handler(BaseHTTPRequestHandler):
    server: MoodyServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        message = {"role": "assistant", "content": self.server.answer()}
        body = {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": "moody-model",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 30, "completion_tokens": 10, "total_tokens": 40},
        }
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[MoodyServer]:
    with MoodyServer() as made:
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


class Runner:
    """Machines that start empty, one a job: a checkout, a home, and the secrets of the repository."""

    def __init__(self, root: Path, repository: Path, hub: HubState, server: MoodyServer, inputs: dict[str, bool]):
        self.root, self.repository, self.inputs = root, repository, inputs
        self.artifacts = root / "artifacts"
        self.secrets = {
            "HF_TOKEN": hub.token,
            "OPENAI_API_KEY": "unused-key",
            "OPENAI_BASE_URL": server.url,
            "RUN_FOLDER_KEY": "0f" * 32,
        }
        self.results: dict[str, str] = {}
        self.outputs: dict[str, str] = {}

    def run(self) -> tuple[bool, str]:
        """Execute the jobs; return whether all that were started succeeded, and everything they printed."""
        workflow = yaml.safe_load((self.repository / ".github" / "workflows" / "republish.yml").read_text())
        said = ""
        for name, job in workflow["jobs"].items():
            needs = job.get("needs", [])
            fine = all(self.results.get(need) == "success" for need in ([needs] if isinstance(needs, str) else needs))
            condition = job.get("if", "")
            if not (fine or "always()" in condition) or not self.holds(condition):
                self.results[name] = "skipped"
                continue
            ok, printed = self.run_job(name, job, workflow["env"])
            self.results[name] = "success" if ok else "failure"
            said += printed
        return "failure" not in self.results.values(), said

    def run_job(self, name: str, job: dict[str, Any], variables: dict[str, str]) -> tuple[bool, str]:
        """Execute a job's steps on a machine of its own."""
        machine = self.root / name
        shutil.copytree(self.repository, machine / "checkout")
        environment = self.environment(machine) | {key: self.filled(str(value)) for key, value in variables.items()}
        ok, said = True, ""
        for step in job["steps"]:
            condition = step.get("if", "")
            if step.get("name") == "Install" or not (ok or "always()" in condition) or not self.holds(condition):
                continue
            if "uses" in step:
                ok = self.pass_on(step, machine / "checkout") and ok
                continue
            given = {key: self.filled(str(value)) for key, value in step.get("env", {}).items()}
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
                cwd=machine / "checkout",
                env=environment | given,
                capture_output=True,
                text=True,
            )
            said += f"== {name}: {step['name']}\n{done.stdout}{done.stderr}"
            ok = ok and done.returncode == 0
        output = (machine / "output").read_text()
        self.outputs.update(line.split("=", 1) for line in output.splitlines())
        return ok, said

    def environment(self, machine: Path) -> dict[str, str]:
        """What a fresh machine's shell knows: no token, nobody's home."""
        kept = {
            name: value for name, value in os.environ.items() if name not in ("HF_TOKEN", "HF_HOME", "OPENAI_API_KEY")
        }
        (machine / "output").touch()
        (self.root / "summary.md").touch()
        return {
            **kept,
            "HOME": str(machine / "home"),
            "HF_HOME": str(machine / "home" / "hf"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "GITHUB_OUTPUT": str(machine / "output"),
            "GITHUB_STEP_SUMMARY": str(self.root / "summary.md"),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
        }

    def pass_on(self, step: dict[str, Any], checkout: Path) -> bool:
        """Do what the artifact actions do; fetching code is nothing to do."""
        if "-artifact@" not in step["uses"]:
            return True
        artifact = self.artifacts / step["with"]["name"]
        if "upload" in step["uses"]:
            self.artifacts.mkdir(exist_ok=True)
            shutil.copyfile(checkout / step["with"]["path"], artifact)
            return True
        if artifact.exists():
            shutil.copyfile(artifact, checkout / "run-folder.bin")
        return artifact.exists()

    def holds(self, condition: str) -> bool:
        """Evaluate the two conditions the workflow has."""
        if "needs.run.result == 'success'" in condition:
            return self.results["run"] == "success"
        if "needs.restore.outputs.changed == 'true'" in condition:
            return self.outputs.get("changed") == "true"
        return True

    def filled(self, text: str) -> str:
        """Evaluate `${{ }}` of secrets and inputs, with `==`, `&&` and `||`."""

        def value(match: re.Match[str]) -> str:
            expression = match[1].strip()
            for pattern, names in ((r"secrets\.(\w+)", self.secrets), (r"inputs\.(\w+)", self.inputs)):
                expression = re.sub(pattern, lambda found, names=names: repr(names.get(found[1], "")), expression)
            expression = expression.replace("&&", " and ").replace("||", " or ")
            return str(eval(expression, {"__builtins__": {}}))  # of our own workflow, made a moment ago

        return re.sub(r"\$\{\{(.*?)\}\}", value, text)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory, local_hub: HubState) -> Path:
    """A repository with a recipe that asks an endpoint, and the workflow made for it."""
    root = tmp_path_factory.mktemp("repository")
    publish = {"dataset": DATASET, "model": MODEL, "licence": "cc-by-4.0", "licence_reasons": REASONS}
    recipe = tiny_recipe(root / "recipes" / "tiny", publish=publish)
    content = yaml.safe_load((recipe / "recipe.yaml").read_text())
    price = {"input_usd_per_million": 1.0, "output_usd_per_million": 2.0, "as_of": "2026-11-01"}
    content["generate"]["generator"] = {"kind": "openai", "model": "moody-model", "price": price}
    content["generate"]["prompt"] |= {"chat": True}
    content["generate"]["samples_per_prompt"] = 1
    content["generate"]["candidates"] = 16
    (recipe / "recipe.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    (recipe / "prompt.jinja2").write_text(CHAT)
    subprocess.run(
        [sys.executable, "-m", "sentisynth_hub", "init", "ci", "recipes/tiny"],
        cwd=root,
        check=True,
        capture_output=True,
    )
    return root


def state() -> dict[str, list[str]]:
    """Tags of what is published."""
    from huggingface_hub import HfApi

    api: HfApi = HfApi()
    return {
        repo_type: sorted(tag.name for tag in api.list_repo_refs(repo_id, repo_type=repo_type).tags)
        for repo_id, repo_type in ((DATASET, "dataset"), (MODEL, "model"))
    }


def test_the_workflow_on_empty_machines(
    tmp_path: Path, repository: Path, local_hub: HubState, server: MoodyServer
) -> None:
    def run(name: str, **inputs: bool) -> tuple[bool, str, Runner]:
        (tmp_path / name).mkdir()
        runner = Runner(tmp_path / name, repository, local_hub, server, inputs)
        return (*runner.run(), runner)

    ok, said, first = run("first")
    assert ok, said
    assert server.calls >= 16
    assert state() == {"dataset": ["v1.0.0"], "model": ["v1.0.0"]}
    assert "v1.0.0" in (first.root / "summary.md").read_text()
    assert local_hub.token not in said
    for artifact in first.artifacts.iterdir():  # anyone may download it: nothing in it can be read
        assert artifact.read_bytes().startswith(b"Salted__")

    asked = server.calls
    ok, said, second = run("second")
    assert ok, said
    assert server.calls == asked, "an empty machine asked again for what was paid for"
    assert (second.outputs["changed"], second.results["run"]) == ("false", "skipped")
    assert state() == {"dataset": ["v1.0.0"], "model": ["v1.0.0"]}

    recipe = repository / "recipes" / "tiny" / "recipe.yaml"
    content = yaml.safe_load(recipe.read_text())
    content["filter"]["length"]["max_tokens"] = 79
    recipe.write_text(yaml.safe_dump(content, sort_keys=False))
    ok, said, _ = run("other filter")
    assert ok, said
    assert server.calls == asked, "a changed filter asked the endpoint again"
    assert state()["dataset"] == ["v1.0.0", "v1.0.1"], said

    prompt = recipe.with_name("prompt.jinja2")
    prompt.write_text(prompt.read_text().replace("review", "short review"))
    ok, said, third = run("other prompt")
    assert ok, said
    assert server.calls > asked
    assert state()["dataset"] == ["v1.0.0", "v1.0.1", "v1.1.0"]
    assert "rows removed" in (third.root / "summary.md").read_text()

    asked, before = server.calls, state()
    server.leaking = True
    content["filter"] = {name: value for name, value in content["filter"].items() if name != "overlap"}
    recipe.write_text(yaml.safe_dump(content, sort_keys=False))
    prompt.write_text(prompt.read_text().replace("short review", "brief review"))
    ok, said, _ = run("leak")
    assert not ok
    assert re.search("leakage gate|the filters kept none", said), said  # natural rows do not even pass the filters
    assert server.calls > asked
    assert state() == before
