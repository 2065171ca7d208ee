"""`sentisynth trust`: which servers may get a key that a recipe names."""

import click

from sentisynth_hub.cli import options
from sentisynth_hub.core import log


@click.command()
@click.argument("host", required=False)
@click.option("--remove", is_flag=True, help="Take the permission back.")
@options.as_json
def trust(host: str | None, remove: bool, as_json: bool) -> None:
    """Allow HOST to get API keys, or list the hosts that may.

    A recipe names its server and the variable that holds the key. The key is sent to the provider it belongs to, to
    the server that OPENAI_BASE_URL or an override on the command line names, and to hosts allowed here, once for all
    recipes; to no other. The list is yours alone: no recipe can change it.

    \b
    Example:
      sentisynth trust llm.example.org
      sentisynth trust localhost:8000 --remove
    """
    from sentisynth_hub.recipe import trust as gate

    if host is None:
        hosts = gate.trusted_hosts()
        options.show({"hosts": hosts, "file": str(gate.trust_file())}, hosts, as_json)
        if not hosts and not as_json:
            log.info("no host is allowed yet; keys go to their own providers only")
        return
    if remove:
        removed, name = gate.distrust(host), gate.check_host(host)
        options.show(
            {"host": name, "removed": removed}, [f"{name}: {'removed' if removed else 'was not allowed'}"], as_json
        )
        return
    name = gate.trust(host)
    options.show({"host": name}, [f"{name}: may get API keys from now on ({gate.trust_file()})"], as_json)
