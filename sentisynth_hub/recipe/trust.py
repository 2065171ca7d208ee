"""Which key may go to which server: a recipe names both, and recipes come from strangers.

    access = endpoint_access(recipe)        # the key to send (None: none), and where everything goes
    access.sentence                         # what every command that sends rows says, once

A key is an environment variable whose name ends in `_API_KEY` and which belongs to no Hub, CI or cloud. It is sent
only to the provider it belongs to, to a server that the user's environment or command line names, or to one that the
user allowed once with `sentisynth trust HOST`. Everything else gets no key: a server on this machine is asked without
one, any other is not asked at all.

The list of hosts is the user's own and so is that of recipes (`trusted_recipes`): one that names Python code as
`module:object` loads only from a folder in that list, since what lies on a disk may be anybody's.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sentisynth_hub.core.errors import InputError, RecipeError
from sentisynth_hub.core.files import replaced, shipped
from sentisynth_hub.recipe.endpoint_rules import check_base_url, check_key_name, is_base_url
from sentisynth_hub.recipe.generator_kinds import EndpointGenerator
from sentisynth_hub.recipe.schema import Recipe


DEFAULT_HOST = "api.openai.com"
PROVIDERS = {
    "ANTHROPIC_API_KEY": ("api.anthropic.com",),
    "CEREBRAS_API_KEY": ("api.cerebras.ai",),
    "COHERE_API_KEY": ("api.cohere.ai", "api.cohere.com"),
    "DASHSCOPE_API_KEY": ("dashscope.aliyuncs.com", "dashscope-intl.aliyuncs.com"),
    "DEEPINFRA_API_KEY": ("api.deepinfra.com",),
    "DEEPSEEK_API_KEY": ("api.deepseek.com",),
    "FIREWORKS_API_KEY": ("api.fireworks.ai",),
    "GEMINI_API_KEY": ("generativelanguage.googleapis.com",),
    "GOOGLE_API_KEY": ("generativelanguage.googleapis.com",),
    "GROQ_API_KEY": ("api.groq.com",),
    "MISTRAL_API_KEY": ("api.mistral.ai",),
    "NVIDIA_API_KEY": ("integrate.api.nvidia.com",),
    "OPENAI_API_KEY": (DEFAULT_HOST, "eu.api.openai.com", "us.api.openai.com"),
    "OPENROUTER_API_KEY": ("openrouter.ai",),
    "SAMBANOVA_API_KEY": ("api.sambanova.ai",),
    "TOGETHER_API_KEY": ("api.together.ai", "api.together.xyz"),
    "XAI_API_KEY": ("api.x.ai",),
}
"""Hosts that a provider's own key belongs to."""
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
_HTTPS = 443


@dataclass(frozen=True)
class EndpointAccess:
    """Where an endpoint generator's calls go, and what goes with them.

    Attributes:
        host: Host, with its port where it is not the scheme's own.
        key: The key to send, None for none. Never printed.
        variable: Environment variable it was taken from.
        sentence: What is sent where, for the user.
    """

    host: str
    key: str | None
    variable: str
    sentence: str

    def __repr__(self) -> str:
        return f"EndpointAccess({self.host}, key {'set' if self.key else 'not set'})"


def endpoint_access(recipe: Recipe) -> EndpointAccess:
    """Decide whether the recipe's endpoint gets the recipe's key; the recipe names one server of it.

    Raises:
        RecipeError: A key is there, and the server is neither its provider's nor one the user allowed.
        InputError: No key is set and the server is the provider's.
    """
    endpoint = recipe.generate.asked
    assert isinstance(endpoint, EndpointGenerator)
    variable = check_key_name(endpoint.api_key_variable)
    environment = os.environ.get("OPENAI_BASE_URL")
    [address] = endpoint.addresses
    url = check_base_url(address or environment or f"https://{DEFAULT_HOST}/v1")
    host = _host_of(url)
    by_user = environment is not None if address is None else url == environment or url in recipe.named
    own = url.startswith("https://") and host in PROVIDERS.get(variable, ())
    key = os.environ.get(variable) or None
    if key is None and (own or (address is None and not environment)):
        raise InputError(f"no key in the environment variable {variable}; set it, or set base_url")
    allowed = own or by_user or host in trusted_hosts()
    if key is not None and not allowed and not _is_this_machine(host):
        raise RecipeError(
            f"generate.generator.base_url: the recipe would send {variable} to {host}, which is not its provider; if "
            f"you know that server, allow it once: sentisynth trust {host}"
        )
    sent = key if allowed else None
    if sent is not None:
        with_key = f"with the key in {variable}"
    elif key is not None:
        with_key = f"without a key (`sentisynth trust {host}` lets it have {variable})"
    else:
        with_key = "without a key"
    shots = recipe.generate.prompt.num_shots
    content = f"shows {shots} natural texts" if shots else "shows no natural texts"
    if recipe.generate.prompt.seed_texts is not None:
        content += " and a seed text"
    if (insertion := recipe.generate.method.insertion) is not None:
        content += f" and {insertion}"
    place = "prompts go to a server on this machine," if _is_this_machine(host) else "prompts leave this machine: to"
    return EndpointAccess(
        host, sent, variable, f"{place} {host}, {with_key}; each asks {endpoint.model} and {content}"
    )


def trusted_hosts() -> list[str]:
    """Hosts that the user allowed to get keys."""
    return [line.strip() for line in _read(trust_file()) if line.strip() and not line.startswith("#")]


def trust(host: str) -> str:
    """Allow a host to get keys from now on; return it as it is kept.

    Raises:
        InputError: It is no host.
    """
    name = check_host(host)
    _add(trust_file(), name)
    return name


def distrust(host: str) -> bool:
    """Take the permission back; return whether there was one."""
    return _remove(trust_file(), check_host(host))


def check_host(host: str) -> str:
    """A host as it is kept: lower case, with its port unless that is 443; an address gives its host.

    Raises:
        InputError: It is no host.
    """
    if "://" in host and is_base_url(host):
        return _host_of(host)
    if _HOST.fullmatch(host) is None:
        raise InputError(f"{host[:60]!r} is no host; write it as api.example.com or localhost:8000")
    return host.lower()


def trust_file() -> Path:
    """Where the user's own list of hosts is kept, outside every recipe."""
    return user_folder() / "trusted-hosts"


def user_folder() -> Path:
    """What is the user's own, over all recipes: `$SENTISYNTH_CONFIG`, or the system's folder for it."""
    import click

    return Path(os.environ.get("SENTISYNTH_CONFIG") or click.get_app_dir("sentisynth"))


def trusted_recipes() -> list[str]:
    """Folders, links followed, whose recipes the user allowed to name Python code."""
    return _read(_recipes_file())


def trust_recipe(folder: Path) -> str:
    """Allow the recipe in `folder` to name Python code from now on; return the folder as it is kept.

    Raises:
        InputError: The name of the folder has a line break, so the list could not hold it.
    """
    name = str(folder.resolve())
    if "\n" in name:
        raise InputError(f"{name[:60]!r}: the name of a folder in the list has no line break; rename the folder")
    _add(_recipes_file(), name)
    return name


def distrust_recipe(folder: Path) -> bool:
    """Take the permission back; return whether there was one."""
    return _remove(_recipes_file(), str(folder.resolve()))


def may_name_code(folder: Path) -> bool:
    """Whether a recipe in `folder` may name Python code: it ships with the toolkit, or the user allowed it."""
    place = folder.resolve()
    return place.is_relative_to(shipped("recipes").resolve()) or str(place) in trusted_recipes()


def _recipes_file() -> Path:
    return trust_file().with_name("trusted-recipes")


def _read(path: Path) -> list[str]:
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError):
        return []
    return [line for line in lines if line]


def _add(path: Path, entry: str) -> None:
    kept = _read(path)
    if entry not in kept:
        _write(path, [*kept, entry])


def _remove(path: Path, entry: str) -> bool:
    kept = _read(path)
    if entry not in kept:
        return False
    _write(path, [other for other in kept if other != entry])
    return True


def _write(path: Path, entries: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced(path) as temporary:
        temporary.write_text("".join(f"{entry}\n" for entry in entries), "utf-8")


def _host_of(url: str) -> str:
    parts = urlsplit(url)
    name = (parts.hostname or "").rstrip(".").lower()
    name = f"[{name}]" if ":" in name else name
    port = parts.port
    if parts.scheme == "https":
        return name if port in (None, _HTTPS) else f"{name}:{port}"
    return f"{name}:{port or 80}"  # a host that was trusted over TLS is not trusted without it


def _is_this_machine(host: str) -> bool:
    name = host.rpartition(":")[0] if re.search(r":\d+$", host) and not host.endswith("]") else host
    return name in ("localhost", "[::1]") or re.fullmatch(r"127(?:\.\d{1,3}){3}", name) is not None
