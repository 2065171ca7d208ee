"""The pages on which a person logs in and out."""

from starlette.responses import RedirectResponse, Response

from sentisynth_hub.localhub.http import Call
from sentisynth_hub.localhub.pages import render_page
from sentisynth_hub.localhub.problems import not_allowed
from sentisynth_hub.localhub.sessions import (
    COOKIE,
    FORM_COOKIE,
    cookie_for,
    form_cookie,
    form_of,
    form_proof,
    is_form_proof,
    no_cookie,
)


def login_page(call: Call) -> Response:
    """Where a person shows their token, to see private repos."""
    return _login_form(call, 200, "", _own_path(call.query.get("next", "/")))


def login(call: Call) -> Response:
    """Check the token that was shown and remember it in a cookie."""
    form = call.form()
    token, target = form.get("token", [""])[-1].strip(), _own_path(form.get("next", ["/"])[-1])
    if not is_form_proof(call.hub, call.request.cookies.get(FORM_COOKIE, ""), form.get("form", [""])[-1]):
        return _login_form(call, 403, "This form was too old; send it again.", target)
    if call.hub.accounts.find(token) is None:
        return _login_form(call, 403, "This is not a token of this Hub.", target)
    return RedirectResponse(target, 303, {"Set-Cookie": cookie_for(call.hub, token)})


def logout(call: Call) -> Response:
    """Forget the cookie."""
    if not is_form_proof(call.hub, call.request.cookies.get(COOKIE, ""), call.form().get("form", [""])[-1]):
        raise not_allowed("This form was not sent by a page of this Hub")
    return RedirectResponse("/", 303, {"Set-Cookie": no_cookie()})


def _login_form(call: Call, status: int, problem: str, target: str) -> Response:
    cookie = form_of(call.request.cookies.get(FORM_COOKIE, ""))
    proof = form_proof(call.hub, cookie)
    page = render_page(call, "login.html", status, problem=problem, target=target, login_proof=proof)
    page.headers["Set-Cookie"] = form_cookie(cookie)
    return page


def _own_path(address: str) -> str:
    """`address` if it is a path of this server, the home page otherwise: a login must not lead elsewhere."""
    own = address.startswith("/") and not address.startswith("//") and "\\" not in address and address.isprintable()
    return address if own else "/"
