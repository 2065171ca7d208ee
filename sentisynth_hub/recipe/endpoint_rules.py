"""What a recipe may call a key and a server's address; who gets which key is decided in `recipe.trust`."""

import re


_KEY_NAME = re.compile(r"[A-Z][A-Z0-9_]*_API_KEY")
_NO_KEY = re.compile(
    r"(?:HF|HUGGING_?FACE(?:HUB)?|HUB|GITHUB|GH|GITLAB|BITBUCKET|CI|ACTIONS|RUNNER|CIRCLE(?:CI)?|TRAVIS|JENKINS|"
    r"BUILDKITE|AWS|AMAZON|GCP|GCLOUD|GOOGLE_CLOUD|GOOGLE_APPLICATION|CLOUDFLARE|CLOUDSDK|DIGITALOCEAN|LINODE|HETZNER|"
    r"HEROKU|VERCEL|NETLIFY|FLY|RENDER|NPM|PYPI|DOCKER|WANDB|COMET|NEPTUNE|CLEARML|SENTRY|DATADOG|DD|STRIPE|TWILIO|"
    r"SENDGRID|SLACK|KAGGLE)_(?:\w+_)?API_KEY"
)
_URL = re.compile(r"https?://(?:[^\s/?#@\\]+@)?(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?(?:/[^\s\\]*)?")


def check_key_name(variable: str) -> str:
    """Return the name of an environment variable that may hold a provider's key.

    Raises:
        ValueError: A recipe could read other secrets through this name.
    """
    if _KEY_NAME.fullmatch(variable) is None or _NO_KEY.fullmatch(variable) is not None:
        raise ValueError(
            f"{variable[:60]!r} is no name of a provider's key: it must end in _API_KEY and belong to no Hub, CI or "
            "cloud; put the key into a variable such as OPENAI_API_KEY"
        )
    return variable


def check_base_url(url: str) -> str:
    """Return an address that everyone reads alike.

    Raises:
        ValueError: It is no plain http or https address.
    """
    if _URL.fullmatch(url) is None:
        raise ValueError(f"{url[:60]!r} is no address of a server; write it as https://host/v1")
    return url


def is_base_url(url: str) -> bool:
    """Whether `check_base_url` takes the address."""
    return _URL.fullmatch(url) is not None
