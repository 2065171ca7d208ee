"""What can be known before anything is spent: whether the result may be published, and by whom.

Nothing is written to find out. A repo that is there is asked whether this token may write to it; for one that is not,
the token's own account tells whether it may be made.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sentisynth_hub.core.errors import PublishError, RecipeError
from sentisynth_hub.core.hub_endpoint import hub_api
from sentisynth_hub.publish.checks.licences import gather_licences
from sentisynth_hub.recipe import Recipe
from sentisynth_hub.recipe.revisions import Pin


if TYPE_CHECKING:
    from huggingface_hub import HfApi


def check_publishable(recipe: Recipe, pins: Mapping[str, Pin]) -> None:
    """Check what would stop publishing at the end: a name left open, licences, and who may write where.

    Raises:
        RecipeError: A repo id still says YOUR-NAME, or a licence is missing, unknown or clashes (all are named).
        PublishError: The token may not write to a repo, or may not make it.
    """
    repos = {"dataset": recipe.publish.dataset, "model": recipe.publish.model}
    for repo_type, repo_id in repos.items():
        if repo_id is not None and repo_id.startswith("YOUR-NAME/"):
            raise RecipeError(f"publish.{repo_type}: {repo_id} still says YOUR-NAME; put your Hub name there")
    gather_licences(recipe, pins)
    for repo_type, repo_id in repos.items():
        if repo_id is not None:
            _check_write(hub_api(), repo_id, repo_type)


def _check_write(api: "HfApi", repo_id: str, repo_type: str) -> None:
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

    try:
        api.auth_check(repo_id, repo_type=repo_type, write=True)
    except RepositoryNotFoundError:
        _check_may_create(api, repo_id, repo_type)
    except HfHubHTTPError as error:
        if error.response.status_code in (401, 403):
            raise PublishError(
                f"{repo_type} {repo_id}: this token may not write there; set HF_TOKEN to one that may, or name "
                "another repo"
            ) from None
        raise PublishError(
            f"{repo_type} {repo_id}: the Hub answered {error.response.status_code} when asked who may write there; "
            "run again, or run with --no-publish"
        ) from None


def _check_may_create(api: "HfApi", repo_id: str, repo_type: str) -> None:
    """Refuse only what is certain: no token, a token that only reads, a namespace of somebody else."""
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    try:
        account: dict[str, Any] = api.whoami()
    except (LocalTokenNotFoundError, HfHubHTTPError) as error:
        if isinstance(error, HfHubHTTPError) and error.response.status_code != 401:
            return  # a token for one repo only, say, which need not know its owner
        raise PublishError(
            f"{repo_type} {repo_id}: is not there, or this token may not see it, and nobody is logged in who could "
            "make it; run `hf auth login`, or set HF_TOKEN"
        ) from None
    token = account.get("auth", {}).get("accessToken", {})
    if token.get("role") == "read":
        raise PublishError(f"{repo_type} {repo_id}: this token only reads; set HF_TOKEN to one that writes")
    namespaces = {account.get("name"), *(org.get("name") for org in account.get("orgs", []))}
    embedded = "//127.0.0.1" in os.environ.get("HF_ENDPOINT", "")  # whose owner writes everywhere
    if not embedded and repo_id.partition("/")[0] not in namespaces:
        raise PublishError(
            f"{repo_type} {repo_id}: {account.get('name')} belongs to no namespace {repo_id.partition('/')[0]!r}; "
            "name a repo of your own, or of an organisation of yours"
        )
