"""Choosing the Hub: the client libraries read their endpoint when they are imported, so it is set before that or
refused."""

import os
import sys
from typing import TYPE_CHECKING, TypedDict

from sentisynth_hub import __version__
from sentisynth_hub.core import log
from sentisynth_hub.core.errors import InputError


if TYPE_CHECKING:
    from huggingface_hub import HfApi


class Library(TypedDict):
    """How a library names itself to the Hub's client."""

    library_name: str
    library_version: str


LIBRARY: Library = {"library_name": "sentisynth-hub", "library_version": __version__}
"""What the Hub is told of who is calling."""


def hub_api() -> "HfApi":
    """The Hub's client, which says in every call that it is this library's."""
    from huggingface_hub import HfApi

    return HfApi(**LIBRARY)


def use_hub(hub: str | None) -> str:
    """Point this process's Hub clients at `local` (the embedded Hub, found or started) or leave them as the
    environment says.

    Returns:
        The endpoint that datasets and models will be read from and published to.

    Raises:
        InputError: A client library is loaded already with another endpoint.
    """
    if hub is None:
        return os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    if hub != "local":
        raise InputError(
            f"--hub {hub}: `local` is the embedded Hub; any other Hub is named by HF_ENDPOINT and HF_TOKEN"
        )
    from sentisynth_hub.localhub.control import client_environment, start

    state = start()
    loaded = sys.modules.get("huggingface_hub.constants")
    if loaded is not None and state.endpoint != loaded.ENDPOINT:
        raise InputError(
            f"huggingface_hub is loaded with the endpoint {loaded.ENDPOINT}, not the embedded Hub's {state.endpoint}; "
            "call use_hub('local') before anything imports it, or set what `sentisynth hub env` prints before "
            "Python starts"
        )
    if os.environ.get("HF_ENDPOINT") != state.endpoint:
        log.info(f"using the embedded Hub at {state.endpoint}")
    os.environ.update(client_environment(state))
    return state.endpoint


def unreachable(error: BaseException) -> str | None:
    """Say in one line that the Hub cannot be reached, where `error` means that; None where it means something else."""
    names = {kind.__name__ for kind in type(error).__mro__}  # by name: which http library it is, the clients decide
    if "HfHubHTTPError" in names and getattr(getattr(error, "response", None), "status_code", 0) >= 500:
        return f"the Hub failed ({' '.join(str(error).split())[:200]}); try again later"
    if "TransportError" not in names and not isinstance(error, ConnectionError | TimeoutError):
        return None
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    return (
        f"the Hub at {endpoint} cannot be reached ({' '.join(str(error).split()) or type(error).__name__}); check the "
        "network and HF_ENDPOINT, use --hub local, or name local files and model folders in place of repos"
    )


_NOT_YOURS = (401, 403, 404)  # of a Hub that does not say why: the repo is not there, or not for this user


def refusal(error: BaseException, repo_type: str, revision: str | None = None, *, here: str = "folder") -> str | None:
    """Say why the Hub did not give out a repo, as the rest of a sentence that begins with its id; None where `error`
    means something else.

    Args:
        here: What else the id could have named: a `file` or a `folder`.
    """
    names = {kind.__name__ for kind in type(error).__mro__}  # by name, so that nothing heavy is imported for it
    if "GatedRepoError" in names:
        return "is gated; accept its terms on its page and set HF_TOKEN"
    if "RevisionNotFoundError" in names:
        return f"has no revision {revision!r}; its page lists its tags and branches"
    status = getattr(getattr(error, "response", None), "status_code", None)
    if names & {"RepositoryNotFoundError", "HFValidationError"} or (
        "HfHubHTTPError" in names and status in _NOT_YOURS
    ):
        return f"is neither a {here} here nor a {repo_type} on the Hub you may read; check the id and HF_TOKEN"
    if names & {"OfflineModeIsEnabled", "LocalEntryNotFoundError"}:
        return "is not in the cache and HF_HUB_OFFLINE is set; unset it"
    return None
