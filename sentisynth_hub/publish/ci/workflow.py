"""`sentisynth init ci`: a GitHub workflow that republishes a recipe whenever it could have changed, and does nothing
when it has not.

Three jobs, each on a machine of its own. The one that runs the recipe can neither ask the Hub for a token nor write to
the repository; the two that can run none of the recipe's code. What one leaves for the next is an artifact, which
anyone may download from a public repository, so it is encrypted.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from sentisynth_hub import __version__
from sentisynth_hub.core import log
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.files import replaced
from sentisynth_hub.core.repo_ids import repo_id_problem
from sentisynth_hub.recipe import Recipe


ACTIONS = {
    "CHECKOUT": "actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0",
    "SETUP_PYTHON": "actions/setup-python@a26af69be951a213d495a4c3e4e4022e16d87065 # v5.6.0",
    "UPLOAD": "actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02 # v4.6.2",
    "DOWNLOAD": "actions/download-artifact@d3f86a106a0bac45b974a628896c90dbdf5c8093 # v4.3.0",
}
_PLACEHOLDER = re.compile(r"@([A-Z_]+)@")
_FORMS = {
    "folder": re.compile(r"(?![-./ ])[^\"'`$*?!+(){}<>|;&\\#:\[\]]+"),
    "file": re.compile(r"[A-Za-z0-9][\w.\-]*\.ya?ml"),
    "install": re.compile(r"[\w.][\w./@=~,+\-\[\]<>!: ]*"),
    "requirements": re.compile(r"(?:\.github/)?[A-Za-z0-9_][\w ./\-]*"),
    "cron": re.compile(r"[\d*/,\-]+( [\d*/,\-]+){4}"),
}

_WORKFLOW = """\
# Made by `sentisynth init ci`; make it again after changing the repos the recipe publishes to.
#
# Keys: without the secret HF_TOKEN each step asks the Hub for a token of its own. For that, add this repository and
# the workflow @FILE@ as a Trusted Publisher in the settings of
@REPOS@
# With the secret HF_TOKEN that token is used instead. The job that runs the recipe has none and cannot get one.
@KEY_NOTE@name: @NAME@
on:
  push:
    branches: [main]
    paths:
      - @FOLDER_PATHS@
      - @RUN_PATHS@
      - @FILE_PATH@
  schedule:
    - cron: "@CRON@"
  repository_dispatch:
    types: [republish]
  workflow_dispatch:
    inputs:
      refresh:
        description: Ask the generator anew although its answers are stored
        type: boolean
        default: false
      create_pr:
        description: Propose the new versions as pull requests on the Hub
        type: boolean
        default: false
permissions:
  contents: read
concurrency:
  group: @NAME@
  cancel-in-progress: false
defaults:
  run:
    shell: bash
env:
  RECIPE: @RECIPE@
  STORE: @STORE@
  INSTALL: @INSTALL@
  REFRESH: ${{ inputs.refresh && '--refresh' || '' }}
  CREATE_PR: ${{ inputs.create_pr && '--create-pr' || '' }}
  HF_HUB_DISABLE_PROGRESS_BARS: "1"
jobs:
  restore:
    runs-on: ubuntu-latest
    timeout-minutes: 60
    permissions:
      contents: read@ID_TOKEN@
    outputs:
      changed: ${{ steps.check.outputs.changed }}
    steps:
@SETUP@      - name: Restore the run folder
        run: sentisynth runs restore "$RECIPE" --repo "$STORE"@HUB@
        env:
          HF_OIDC_RESOURCE: @STORE_RESOURCE@
          HF_TOKEN: ${{ secrets.HF_TOKEN }}
      - name: Is there anything to do?
        id: check
        run: sentisynth publish "$RECIPE" --check $REFRESH@HUB@ >> "$GITHUB_OUTPUT"
        env:
          HF_OIDC_RESOURCE: @CHECK_RESOURCE@
          HF_TOKEN: ${{ secrets.HF_TOKEN }}
@PACK_RESTORED@  run:
    needs: restore
    if: needs.restore.outputs.changed == 'true'
    runs-on: ubuntu-latest
    timeout-minutes: 350
    permissions:
      contents: read # and nothing else: no token of the Hub, no writing
    steps:
@SETUP@@UNPACK_RESTORED@      - name: Run the recipe
        run: >-
          accelerate launch --num_processes 1 --num_machines 1 --mixed_precision no --dynamo_backend no
          -m sentisynth_hub run "$RECIPE" --no-publish $REFRESH@HUB@
        env:
          OPENAI_API_KEY: ${{ secrets.OPENAI_API_KEY }}
          OPENAI_BASE_URL: ${{ secrets.OPENAI_BASE_URL }}
@PACK_RUN@  publish:
    needs: [restore, run]
    if: always() && needs.restore.outputs.changed == 'true'
    runs-on: ubuntu-latest
    timeout-minutes: 60
    permissions:
      contents: read@ID_TOKEN@
    steps:
@SETUP@@UNPACK_RUN@      - name: Save the run folder
        run: sentisynth runs save "$RECIPE" --repo "$STORE"@HUB@
        env:
          HF_OIDC_RESOURCE: @STORE_RESOURCE@
          HF_TOKEN: ${{ secrets.HF_TOKEN }}
@PUBLISH@"""

_SETUP = """\
      - uses: @CHECKOUT@
        with:
          persist-credentials: false
      - uses: @SETUP_PYTHON@
        with:
          python-version: "3.11"
      - name: Install
        run: @INSTALL_LINE@
@PREPARE@"""

_PREPARE = """\
      - name: Fill the embedded Hub
        run: python "$RECIPE/prepare.py"
"""

_PACK = """\
      - name: Pack the run folder@ALWAYS@
        run: @PACK_LINES@
      - uses: @UPLOAD@@ALWAYS@
        with:
          name: @ARTIFACT@
          path: run-folder.bin
          retention-days: 1
"""

_UNPACK = """\
      - uses: @DOWNLOAD@
        with:
          name: @ARTIFACT@
      - name: Unpack the run folder
        run: @UNPACK_LINES@
"""

_PUBLISH = """\
      - name: Publish the @KIND@
        if: needs.run.result == 'success'
        run: sentisynth publish "$RECIPE" --only @KIND@ --no-run --summary "$GITHUB_STEP_SUMMARY" $CREATE_PR@HUB@
        env:
          HF_OIDC_RESOURCE: @RESOURCE@
          HF_TOKEN: ${{ secrets.HF_TOKEN }}
"""

_ID_TOKEN = "\n      id-token: write # to prove to the Hub who asks"
_KEY_NOTE = """\
# The secret RUN_FOLDER_KEY encrypts the run folder on its way between the jobs (openssl rand -hex 32 makes one).
"""
_KEY = """
        env:
          RUN_FOLDER_KEY: ${{ secrets.RUN_FOLDER_KEY }}"""
_PLAIN_PACK = "mkdir -p runs && tar --create --gzip --file run-folder.bin runs"
_PLAIN_UNPACK = "tar --extract --gzip --no-same-owner --file run-folder.bin runs"
_SECRET_PACK = (
    """|
          test -n "$RUN_FOLDER_KEY" || { echo "::error::the secret RUN_FOLDER_KEY is not set"; exit 1; }
          mkdir -p runs
          tar --create --gzip --file - runs \\
            | openssl enc -aes-256-cbc -pbkdf2 -pass env:RUN_FOLDER_KEY -out run-folder.bin"""
    + _KEY
)
_SECRET_UNPACK = (
    """>-
          openssl enc -d -aes-256-cbc -pbkdf2 -pass env:RUN_FOLDER_KEY -in run-folder.bin
          | tar --extract --gzip --no-same-owner --file - runs"""
    + _KEY
)


@dataclass(frozen=True)
class Workflow:
    """What a workflow is made of.

    Attributes:
        recipe: The recipe; its `publish` section names the repos.
        folder: The recipe's folder as the repository knows it, e.g. `recipes/reviews`.
        install: What `pip install` gets, e.g. `sentisynth-hub==0.1.0`.
        requirements: File of the repository with every package's hash, installed by `--require-hashes` in place of
            `install`.
        store: Private dataset repo that keeps the run folder.
        cron: When it runs by itself.
        file: Name of the workflow file.
        embedded: Use the embedded Hub, filled by the recipe's prepare.py where it has one: nothing leaves the runner,
            so no job may ask for a token and nothing is encrypted.
    """

    recipe: Recipe
    folder: str
    install: str = f"sentisynth-hub=={__version__}"
    requirements: str | None = None
    store: str | None = None
    cron: str = "17 4 * * 1"
    file: str = "republish.yml"
    embedded: bool = False

    def text(self) -> str:
        """The workflow file.

        Raises:
            InputError: The recipe publishes nothing, or a value cannot stand in a workflow.
        """
        self._check()
        repos = _repos(self.recipe)
        store = self.store or f"{next(iter(repos.values())).removeprefix('datasets/')}-runs"
        problem = repo_id_problem(store)
        if problem is not None:
            raise InputError(f"init ci: {store!r}: {problem}; name a private dataset repo with --store")
        hub = " --hub local" if self.embedded else ""
        install = 'python -m pip install "$INSTALL"'
        if self.requirements is not None:
            install = 'python -m pip install --require-hashes --requirement "$INSTALL"'
        names = {
            **ACTIONS,
            "NAME": f"republish {self.recipe.name}",
            "FILE": self.file,
            "CRON": self.cron,
            "REPOS": "\n".join(f"#   {repo}" for repo in [*repos.values(), f"datasets/{store}"]),
            "FOLDER_PATHS": _quoted(f"{self.folder}/**"),
            "RUN_PATHS": _quoted(f"runs/{self.recipe.name}/**"),
            "FILE_PATH": _quoted(f".github/workflows/{self.file}"),
            "RECIPE": _quoted(self.folder),
            "STORE": _quoted(store),
            "INSTALL": _quoted(self.requirements or self.install),
            "INSTALL_LINE": install,
            "HUB": hub,
            "ID_TOKEN": "" if self.embedded else _ID_TOKEN,
            "KEY_NOTE": "" if self.embedded else _KEY_NOTE,
            "PACK_LINES": _PLAIN_PACK if self.embedded else _SECRET_PACK,
            "UNPACK_LINES": _PLAIN_UNPACK if self.embedded else _SECRET_UNPACK,
            "PREPARE": _PREPARE if self.embedded else "",
            "STORE_RESOURCE": _resource(f"datasets/{store}"),
            "CHECK_RESOURCE": _resource(next(iter(repos.values()))),
        }
        restored, after = {"ARTIFACT": "restored-run-folder"}, {"ARTIFACT": "run-folder"}
        names |= {
            "SETUP": _filled(_SETUP, names),
            "PACK_RESTORED": _filled(_PACK, {**names, **restored, "ALWAYS": ""}),
            "UNPACK_RESTORED": _filled(_UNPACK, {**names, **restored}),
            "PACK_RUN": _filled(_PACK, {**names, **after, "ALWAYS": "\n        if: always()"}),
            "UNPACK_RUN": _filled(_UNPACK, {**names, **after}),
            "PUBLISH": "".join(
                _filled(_PUBLISH, {"KIND": kind, "RESOURCE": _resource(resource), "HUB": hub})
                for kind, resource in repos.items()
            ),
        }
        return _filled(_WORKFLOW, names)

    def write(self, root: Path) -> Path:
        """Write it to `.github/workflows/` under `root`; a file of another making is not overwritten.

        Raises:
            InputError: There is a file of that name that `init ci` did not make, or the name is none of a workflow.
        """
        text = self.text()
        path = root / ".github" / "workflows" / self.file
        if path.is_symlink():
            raise InputError(f"{path}: is a link; name another file with --file")
        if path.exists() and "sentisynth init ci" not in path.read_text("utf-8", "replace"):
            raise InputError(
                f"{path}: is there already and was not made by `sentisynth init ci`; name another with --file"
            )
        with replaced(path) as temporary:
            temporary.write_text(text, "utf-8")
        return path

    def _check(self) -> None:
        if self.recipe.code_named:
            raise InputError(
                f"init ci: the recipe names the code {self.recipe.code_named[0]}, which would run in the jobs that "
                "hold a token; let a package you install declare it as an entry point, and name that"
            )
        hints = {
            "folder": "keep the recipe in a folder of this repository, named with letters, digits, spaces and . _ -",
            "file": "name a file in .github/workflows, e.g. republish.yml",
            "install": "name a package or a folder, e.g. sentisynth-hub==0.1.0",
            "requirements": "name a file of this repository, e.g. requirements.txt",
            "cron": "write five fields, e.g. '17 4 * * 1'",
        }
        for name, form in _FORMS.items():
            value = getattr(self, name)
            if value is None:
                continue
            if not form.fullmatch(value) or "/../" in f"/{value}/" or log.printable(value) != value:
                raise InputError(f"init ci: {name} {value[:120]!r} cannot stand in a workflow; {hints[name]}")


def _repos(recipe: Recipe) -> dict[str, str]:
    """What is published, as Trusted Publishers name it, by kind."""
    publish = recipe.publish
    repos = {"dataset": publish.dataset and f"datasets/{publish.dataset}", "model": publish.model}
    named = {kind: resource for kind, resource in repos.items() if resource}
    if not named:
        raise InputError(
            f"recipe {recipe.name}: publish names neither a dataset nor a model, so there is nothing to republish"
        )
    return named


def _quoted(value: str) -> str:
    """A text as YAML reads it and nothing else: JSON's quotes are YAML's too."""
    return json.dumps(value, ensure_ascii=False)


def _resource(repo: str) -> str:
    """What a step asks the Hub for; `repo` is made of letters, digits and . _ - / (a recipe with others does not
    load)."""
    return f"${{{{ secrets.HF_TOKEN == '' && '{repo}' || '' }}}}"


def _filled(template: str, names: dict[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: names[match[1]], template)
