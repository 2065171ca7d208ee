"""Logging in on the pages: a signed cookie that stands for a token, good for looking and nothing else."""

import hmac
import time
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie

from sentisynth_hub.localhub.accounts import Account
from sentisynth_hub.localhub.hub import Hub


COOKIE = "localhub"
_SECONDS = 7 * 24 * 3600


def cookie_for(hub: Hub, token: str) -> str:
    """The value of a `Set-Cookie` header for the owner of `token`."""
    digest, expires = sha256(token.encode()).hexdigest(), str(int(time.time()) + _SECONDS)
    value = f"{digest}.{expires}.{_mac(hub, digest, expires)}"
    return f"{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={_SECONDS}"


def no_cookie() -> str:
    """The value of a `Set-Cookie` header that logs out."""
    return f"{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"


def account_of(hub: Hub, header: str | None) -> Account | None:
    """Whose the cookie of a request is; nobody's when it is missing, forged, too old, or its token is gone."""
    try:
        morsel = SimpleCookie(header or "").get(COOKIE)
    except CookieError:
        return None
    digest, _, rest = (morsel.value if morsel else "").partition(".")
    expires, _, mac = rest.partition(".")
    if not hmac.compare_digest(mac.encode(), _mac(hub, digest, expires).encode()):
        return None
    return hub.accounts.find_digest(digest) if int(expires) > time.time() else None


def _mac(hub: Hub, digest: str, expires: str) -> str:
    return hmac.new(hub.secret, f"session\0{digest}\0{expires}".encode(), sha256).hexdigest()
