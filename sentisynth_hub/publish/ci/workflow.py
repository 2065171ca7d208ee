"""`sentisynth init ci`: a GitHub workflow that republishes a recipe whenever it could have changed, and does nothing
when it has not."""

import re
from dataclasses import dataclass
from pathlib import Path

from sentisynth_hub import __version__
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.files import replaced
from sentisynth_hub.recipe import Recipe


CHECKOUT = "actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0"
SETUP_PYTHON = "actions/setup-python@a26af69be951a213d495a4c3e4e4022e16d87065 # v5.6.0"
_PLACEHOLDER = re.compile(r"@([A-Z_]+)@")
_SAFE = re.compile(r"[\w./@=~,+\-\[\]<>! \"]+")

_WORKFLOW = """\
# Made by `sentisynth init ci`; make it again after changing the repos the recipe publishes to.
#
# Keys: without the secret HF_TOKEN each step asks the Hub for a token of its own. For that, add this repository and
# the workflow @FILE@ as a Trusted Publisher in the settings of
@REPOS@
# With the secret HF_TOKEN that token is used instead. The step that runs the recipe has no Hub token at all.
name: @NAME@
on:
  push:
    branches: [main]
    paths:
      - "@FOLDER@/**"
      - "runs/@RECIPE_NAME@/**"
      - ".github/workflows/@FILE@"
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
jobs:
  republish:
    runs-on: ubuntu-latest
    timeout-minutes: 350
    permissions:
      contents: read
      id-token: write # to prove to the Hub who asks
    env:
      RECIPE: @FOLDER@
      REFRESH: ${{ inputs.refresh && '--refresh' || '' }}
      CREATE_PR: ${{ inputs.create_pr && '--create-pr' || '' }}
      HF_HUB_DISABLE_PROGRESS_BARS: "1"
    steps:
      - uses: @CHECKOUT@
        with:
          persist-credentials: false
      - uses: @SETUP_PYTHON@
        with:
          python-version: "3.11"
      - name: Install
        run: python -m pip install @INSTALL@
@PREPARE@      - name: Restore the run folder
        run: sentisynth runs restore "$RECIPE" --repo @STORE@@HUB@
        env:
          HF_OIDC_RESOURCE: ${{ secrets.HF_TOKEN == '' && 'datasets/@STORE@' || '' }}
          HF_TOKEN: ${{ secrets.HF_TOKEN }}
      - name: Is there anything to do?
        id: check
        run: sentisynth publish "$RECIPE" --check $REFRESH@HUB@ >> "$GITHUB_OUTPUT"
        env:
          HF_OIDC_RESOURCE: ${{ secrets.HF_TOKEN == '' && '@CHECK_RESOURCE@' || '' }}
          HF_TOKEN: ${{ secrets.HF_TOKEN }}
      - name: Run the recipe
        if: steps.check.outputs.changed == 'true'
        run: >-
          accelerate launch --num_processes 1 --num_machines 1 --mixed_precision no --dynamo_backend no
          -m sentisynth_hub run "$RECIPE" --no-publish $REFRESH@HUB@
        env:
          OPENAI_API_KEY: ${{ secrets.OPENAI_API_KEY }}
          OPENAI_BASE_URL: ${{ secrets.OPENAI_BASE_URL }}
      - name: Save the run folder
        if: always() && steps.check.outputs.changed == 'true'
        run: sentisynth runs save "$RECIPE" --repo @STORE@@HUB@
        env:
          HF_OIDC_RESOURCE: ${{ secrets.HF_TOKEN == '' && 'datasets/@STORE@' || '' }}
          HF_TOKEN: ${{ secrets.HF_TOKEN }}
@PUBLISH@"""

_PUBLISH = """\
      - name: Publish the @KIND@
        if: steps.check.outputs.changed == 'true'
        run: sentisynth publish "$RECIPE" --only @KIND@ --summary "$GITHUB_STEP_SUMMARY" $CREATE_PR@HUB@
        env:
          HF_OIDC_RESOURCE: ${{ secrets.HF_TOKEN == '' && '@RESOURCE@' || '' }}
          HF_TOKEN: ${{ secrets.HF_TOKEN }}
"""

_PREPARE = """\
      - name: Fill the embedded Hub
        run: python @PREPARE_SCRIPT@
"""


@dataclass(frozen=True)
class Workflow:
    """What a workflow is made of.

    Attributes:
        recipe: The recipe; its `publish` section names the repos.
        folder: The recipe's folder as the repository knows it, e.g. `recipes/reviews`.
        install: What `pip install` gets, e.g. `sentisynth-hub==0.1.0`.
        store: Private dataset repo that keeps the run folder.
        cron: When it runs by itself.
        file: Name of the workflow file.
        embedded: Use the embedded Hub, filled by the recipe's prepare.py where it has one.
    """

    recipe: Recipe
    folder: str
    install: str = f"sentisynth-hub=={__version__}"
    store: str | None = None
    cron: str = "17 4 * * 1"
    file: str = "republish.yml"
    embedded: bool = False

    def text(self) -> str:
        """The workflow file.

        Raises:
            InputError: The recipe publishes nothing, or a value cannot stand in a workflow.
        """
        repos = _repos(self.recipe)
        store = self.store or f"{next(iter(repos.values())).removeprefix('datasets/')}-runs"
        hub = " --hub local" if self.embedded else ""
        script = f"{self.folder}/prepare.py"
        names = {
            "NAME": f"republish {self.recipe.name}",
            "RECIPE_NAME": self.recipe.name,
            "FOLDER": self.folder,
            "FILE": self.file,
            "CRON": self.cron,
            "REPOS": "\n".join(f"#   {repo}" for repo in [*repos.values(), f"datasets/{store}"]),
            "CHECKOUT": CHECKOUT,
            "SETUP_PYTHON": SETUP_PYTHON,
            "INSTALL": self.install,
            "STORE": store,
            "HUB": hub,
            "CHECK_RESOURCE": next(iter(repos.values())),
        }
        checked = {
            name: value
            for name, value in names.items()
            if name not in ("CRON", "CHECKOUT", "SETUP_PYTHON", "HUB", "REPOS")
        }
        for name, value in checked.items():
            if not _SAFE.fullmatch(value):
                raise InputError(
                    f"init ci: {value!r} cannot stand in a workflow ({name.lower()}); use letters, digits and . _ - /"
                )
        if not re.fullmatch(r"[\d*/,\- ]+", self.cron):
            raise InputError(f"init ci: {self.cron!r} is no cron expression; write five fields, e.g. '17 4 * * 1'")
        names["PUBLISH"] = "".join(
            _filled(_PUBLISH, {"KIND": kind, "RESOURCE": resource, "HUB": hub}) for kind, resource in repos.items()
        )
        names["PREPARE"] = _filled(_PREPARE, {"PREPARE_SCRIPT": script}) if self.embedded else ""
        return _filled(_WORKFLOW, names)

    def write(self, root: Path) -> Path:
        """Write it to `.github/workflows/` under `root`; a file of another making is not overwritten.

        Raises:
            InputError: There is a file of that name that `init ci` did not make.
        """
        path = root / ".github" / "workflows" / self.file
        if path.exists() and "sentisynth init ci" not in path.read_text("utf-8"):
            raise InputError(
                f"{path}: is there already and was not made by `sentisynth init ci`; name another with --file"
            )
        with replaced(path) as temporary:
            temporary.write_text(self.text(), "utf-8")
        return path


def _repos(recipe: Recipe) -> dict[str, str]:
    """What is published, as Trusted Publishers name it, by kind."""
    publish = recipe.publish
    repos = {"dataset": publish.dataset and f"datasets/{publish.dataset}", "model": publish.model}
    found = {kind: resource for kind, resource in repos.items() if resource}
    if not found:
        raise InputError(
            f"recipe {recipe.name}: publish names neither a dataset nor a model, so there is nothing to republish"
        )
    return found


def _filled(template: str, names: dict[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: names[match[1]], template)
