"""Choosing the Hub: the client libraries read their endpoint when they are imported, so it is set before that or
refused."""

import os
import sys

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import InputError


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
    if "TransportError" not in names and not isinstance(error, ConnectionError | TimeoutError):
        return None
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    return (
        f"the Hub at {endpoint} cannot be reached ({' '.join(str(error).split()) or type(error).__name__}); check the "
        "network and HF_ENDPOINT, use --hub local, or name local files and model folders in place of repos"
    )
