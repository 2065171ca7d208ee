"""Logging in on the pages: a signed cookie that stands for a token, good for looking and nothing else.

The two forms, login and logout, carry a proof in a hidden field that belongs to a cookie of the same browser, so that
no other page can send them for somebody: their `Origin` is `null`, like that of many pages that are not ours.
"""

import hmac
import re
import secrets
import time
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie

from sentisynth_hub.localhub.accounts import Account
from sentisynth_hub.localhub.hub import Hub


COOKIE = "localhub"
FORM_COOKIE = "localhub-form"
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


def form_of(cookie: str) -> str:
    """The value of the cookie that a login form belongs to: the browser's own if it is one of ours, or a new one."""
    return cookie if re.fullmatch("[0-9a-f]{32}", cookie) else secrets.token_hex(16)


def form_cookie(form: str) -> str:
    """The value of a `Set-Cookie` header for the login form."""
    return f"{FORM_COOKIE}={form}; Path=/login; HttpOnly; SameSite=Strict; Max-Age=3600"


def form_proof(hub: Hub, cookie: str) -> str:
    """What the hidden field of a form must hold that belongs to a browser with this cookie."""
    return hmac.new(hub.secret, f"form\0{cookie}".encode(), sha256).hexdigest()


def is_form_proof(hub: Hub, cookie: str, proof: str) -> bool:
    """Whether a form was ours, for the browser that has this cookie."""
    return bool(cookie) and hmac.compare_digest(proof.encode(), form_proof(hub, cookie).encode())


def _mac(hub: Hub, digest: str, expires: str) -> str:
    return hmac.new(hub.secret, f"session\0{digest}\0{expires}".encode(), sha256).hexdigest()
