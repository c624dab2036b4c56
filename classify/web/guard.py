"""Who may ask: checks of every request before anything else sees it, and headers of every answer.

    Host      names this server. Otherwise a page of another site could reach it under that site's own name, once its
              name leads to 127.0.0.1 (DNS rebinding).
    Origin    of what changes something is this page's own; browsers also say where a request comes from in
              Sec-Fetch-Site. Otherwise any page that somebody has open could post here.
    token     where there is one: in `Authorization: Bearer`, or in a cookie that `/?token=` sets once. The cookie holds
              a digest of it, and no script can read it.

A refusal is logged without what was sent.
"""

import hmac
import socket
from collections.abc import Mapping
from hashlib import sha256
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from classify.web.answers import ApiError
from classify.web.config import ServeConfig, address_of, is_own_machine

_COOKIE = "framehead_session"
_OPEN = frozenset({"/healthz"})  # says only that the server runs
_LARGE = frozenset({"/api/predict"})  # has limits of its own
_BODY_BYTES = 24 << 20  # of others: a picture to search for
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "style-src 'self'; script-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
"""Headers of every answer. Sources: OWASP's cheat sheet of HTTP headers; W3C's Content Security Policy, level 3."""

_ASK = """<!doctype html><html lang="en"><meta charset="utf-8"><title>framehead</title>
<meta name="viewport" content="width=device-width"><h1>framehead</h1>
<p>This server asks for the token that it was started with.</p>
<form action="/"><label>Token <input type="password" name="token" autocomplete="current-password" autofocus></label>
<button>Open</button></form></html>"""


class Guard:
    """Lets requests through to an application.

    Args:
        app: what is guarded.
        config: address, names and token.
    """

    def __init__(self, app: ASGIApp, config: ServeConfig) -> None:
        self._app, self._config = app, config
        self._token = config.token
        self._session = sha256(f"framehead session {config.token}".encode()).hexdigest()
        self._names = _own_names(config)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":  # there are no websockets here
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def send_safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        answer = self._refusal(scope)
        await (answer or self._app)(scope, _bounded(scope, receive), send_safe)

    def _refusal(self, scope: Scope) -> Response | None:
        """Return the answer to a request that is not let through."""
        headers = Headers(scope=scope)
        try:
            self._check_host(headers)
            self._check_origin(scope, headers)
            _check_size(scope, headers)
        except ApiError as error:
            return error.answer()
        return None if self._token is None else self._ask_for_token(scope, headers, self._token)

    def _check_host(self, headers: Headers) -> None:
        given = headers.getlist("host")
        name = _host_of(given[0]) if len(given) == 1 else ""
        if not self._is_own(name):
            raise ApiError(
                421,
                "wrong_host",
                "This server does not answer under the name that was asked for. Open it under the address that "
                "serve-videos printed, or start it with --host-name and this name.",
            )

    def _is_own(self, name: str) -> bool:
        if name in self._names:
            return True
        address = address_of(name)  # no site can make an address of its own lead here
        if is_own_machine(self._config.host):
            return address is not None and address.is_loopback
        return address is not None

    def _check_origin(self, scope: Scope, headers: Headers) -> None:
        """Refuse what another site's page asks for; opening the page from a link is allowed."""
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        own = f"{scope.get('scheme', 'http')}://{headers.get('host', '')}".lower()
        is_foreign = (
            origin is not None and origin.lower() != own and _host_of_origin(origin) not in self._config.host_names
        )
        is_visit = scope["method"] == "GET" and scope["path"] == "/"
        if (scope["method"] not in _SAFE and is_foreign) or (site in ("cross-site", "same-site") and not is_visit):
            raise ApiError(
                403,
                "cross_origin",
                "A page of another site asked for this. Open this server's own page and try again there.",
            )

    def _ask_for_token(self, scope: Scope, headers: Headers, token: str) -> Response | None:
        """Return an answer that asks for the token, or takes it from the address into a cookie; None lets through."""
        if scope["path"] in _OPEN or self._knows(headers, token):
            return None
        if scope["path"] == "/" and scope["method"] == "GET":
            given = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1")))
            if _is_equal(given.pop("token", ""), token):
                return self._let_in(scope, given)
            return HTMLResponse(_ASK, 401)
        return ApiError(
            401,
            "token_needed",
            "This server asks for its token. Send it as `Authorization: Bearer TOKEN`, or open /?token=TOKEN once.",
            {"WWW-Authenticate": "Bearer"},
        ).answer()

    def _knows(self, headers: Headers, token: str) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and _is_equal(given.strip(), token):
            return True
        cookies = (part.strip().partition("=") for part in headers.get("cookie", "").split(";"))
        return any(name == _COOKIE and _is_equal(value, self._session) for name, _, value in cookies)

    def _let_in(self, scope: Scope, rest: Mapping[str, str]) -> Response:
        """Set the cookie, and lead to the page without the token in its address."""
        answer = RedirectResponse(f"/?{urlencode(rest)}" if rest else "/", 303)
        is_https = scope.get("scheme") == "https"
        answer.set_cookie(_COOKIE, self._session, httponly=True, samesite="strict", secure=is_https, path="/")
        return answer


def _check_size(scope: Scope, headers: Headers) -> None:
    stated = headers.get("content-length", "0")
    if scope["path"] not in _LARGE and (not stated.isdecimal() or len(stated) > 18 or int(stated) > _BODY_BYTES):
        raise ApiError(413, "too_large", f"A request may have {_BODY_BYTES:,} bytes. Send less, or several.")


def _bounded(scope: Scope, receive: Receive) -> Receive:
    """Return a source of a body that ends with an error where more comes than was stated."""
    if scope["path"] in _LARGE:
        return receive
    received = 0

    async def receive_bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > _BODY_BYTES:
            raise ApiError(413, "too_large", f"A request may have {_BODY_BYTES:,} bytes. Send less, or several.")
        return message

    return receive_bounded


def _own_names(config: ServeConfig) -> frozenset[str]:
    """Return the names, in lower case, under which the server is reached."""
    names = {"localhost", config.host.lower(), *(name.lower() for name in config.host_names)}
    if not is_own_machine(config.host):
        own = socket.gethostname().lower()
        names |= {own, f"{own}.local"}
    return frozenset(names)


def _host_of(header: str) -> str:
    """Return the name in a Host header, in lower case, without its port; "" if it is none.

    >>> _host_of("LocalHost:8000"), _host_of("[::1]:80"), _host_of("a@localhost"), _host_of("localhost:80x")
    ('localhost', '[::1]', '', '')
    """
    name, colon, port = header.rpartition(":") if not header.endswith("]") else (header, "", "")
    name = name if colon else header
    is_odd = (colon and not port.isdecimal()) or any(sign in name for sign in "@/\\? #,")
    return "" if is_odd else name.lower().rstrip(".")


def _host_of_origin(origin: str) -> str:
    try:
        return urlsplit(origin).hostname or ""
    except ValueError:
        return ""


def _is_equal(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), secret.encode("utf-8"))
