"""`sentisynth jobs`: the same recipe as a Hugging Face Job.

A job is a container that starts empty, so it does what a fresh CI runner does: restore the run folder, run, save,
publish.
"""

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sentisynth_hub import __version__
from sentisynth_hub.core.errors import InputError
from sentisynth_hub.core.hub_endpoint import hub_api
from sentisynth_hub.publish.checks.secret_scan import find_secret, secret_variable
from sentisynth_hub.recipe import Recipe


IMAGE = "python:3.11"


@dataclass(frozen=True)
class Job:
    """A job as it is submitted.

    Attributes:
        flavor: Hardware, e.g. `cpu-upgrade` or `a10g-small`.
        timeout: Longest it may take, e.g. `4h`.
        secrets: Names of environment variables whose values the job gets; values are read when it is submitted.
    """

    image: str
    command: list[str]
    flavor: str
    timeout: str
    secrets: tuple[str, ...]

    def shell(self) -> str:
        """The `hf` command that submits it, to be looked at or run by hand."""
        secrets = [part for name in self.secrets for part in ("--secrets", name)]
        return shlex.join(
            [
                "hf",
                "jobs",
                "run",
                "--flavor",
                self.flavor,
                "--timeout",
                self.timeout,
                *secrets,
                self.image,
                *self.command,
            ]
        )

    def record(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**vars(self), "secrets": list(self.secrets), "shell": self.shell()}


def plan_job(
    recipe: Recipe,
    recipe_name: str,
    overrides: Sequence[str],
    *,
    flavor: str,
    timeout: str,
    install: str | None = None,
) -> Job:
    """Make the job of a recipe that ships with the toolkit or lies in the image.

    Raises:
        InputError: The recipe publishes nothing, so the job's result would be lost, or an override holds a secret,
            which would stand in the job's command line for everyone who may see the job.
    """
    for override in overrides:
        what = find_secret(override) or secret_variable(override)
        if what is not None:
            raise InputError(
                f"jobs: the override of {override.partition('=')[0]} holds a secret ({what}), and a job's command "
                "line is shown on its page; leave it out: OPENAI_API_KEY and OPENAI_BASE_URL are passed on as secrets"
            )
    if recipe.publish.dataset is None and recipe.publish.model is None:
        raise InputError(
            f"recipe {recipe.name}: publish names no repo, so a job's result would be lost with its container"
        )
    named = shlex.join([recipe_name, *overrides])
    name = shlex.quote(recipe_name)
    steps = [
        f"pip install -q {shlex.quote(install or f'sentisynth-hub=={__version__}')}",
        f"sentisynth runs restore {name}",
        # The answers are saved even when a later stage fails: they are what was paid for.
        f"(accelerate launch -m sentisynth_hub run {named}; status=$?; sentisynth runs save {name}; exit $status)",
    ]
    keys = sorted({key for section in recipe.generators.values() for key in section.key_variables})
    secrets = ["HF_TOKEN", *keys, *(["OPENAI_BASE_URL"] if keys and "OPENAI_BASE_URL" in os.environ else [])]
    return Job(IMAGE, ["bash", "-c", " && ".join(steps)], flavor, timeout, tuple(secrets))


def submit_job(job: Job) -> str:
    """Submit a job; return its address.

    Raises:
        InputError: A secret it needs is not set here.
    """
    from huggingface_hub import get_token

    values = {name: get_token() if name == "HF_TOKEN" else os.environ.get(name) for name in job.secrets}
    missing = [name for name, value in values.items() if not value]
    if missing:
        raise InputError(f"jobs: {missing[0]} is not set here, and the job needs it")
    info = hub_api().run_job(
        image=job.image, command=job.command, flavor=job.flavor, timeout=job.timeout, secrets=values
    )
    return str(info.url)
