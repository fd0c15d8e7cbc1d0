"""Gate in front of the page: everything but the login form needs a login, and requests must come from our own page."""

import re
import secrets
from html import escape
from pathlib import Path
from string import Template

from starlette.datastructures import MutableHeaders
from starlette.formparsers import MultiPartException
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from worker.log import logger
from worker.operate.dashboard.access import LOGIN_S, Access, is_local

COOKIE = "chasqui_dashboard"
#: The login in the session that the cookie holds.
LOGIN = "login"
#: The sub-path under which a proxy serves the page, in its header and, checked, in the scope: "" or "/chasqui".
FORWARDED_PREFIX = b"x-forwarded-prefix"
PREFIX = "chasqui.prefix"
# Anybody can send the header, and it ends up in redirects and in addresses of scripts: what could mean another host
# ("//evil.example", "https:..."), another folder ("..") or something else than a path is no prefix.
PLAIN_PATH = re.compile(r"(?=.{1,200}\Z)(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
PORT = re.compile(r":\d+$")
MAX_FORM_BYTES, MAX_FIELDS = 4_096, 10
HERE = Path(__file__).parent
FORM = Template((HERE / "login.html").read_text(encoding="utf-8"))
STYLE = (HERE / "style.css").read_text(encoding="utf-8")
SCRIPT = (HERE / "theme.js").read_text(encoding="utf-8")
# Vue compiles its templates in the browser, hence unsafe-eval; whatever is not from here is not loaded.
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # Not "no-referrer": with it, forms come from "null".
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
log = logger(__name__)


class Gate:
    """ASGI middleware around the whole application, web sockets included."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access
        self._key = secrets.token_urlsafe(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Gives the request its session and answers it. The cookie is for the page's own path alone."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        scope = under_prefix(scope)
        home, is_encrypted = f"{scope[PREFIX]}/", _is_encrypted(HTTPConnection(scope))
        session = SessionMiddleware(self._answer, self._key, COOKIE, LOGIN_S, home, "strict", is_encrypted)
        await session(scope, receive, _with_headers(send))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._answer_to(HTTPConnection(scope), scope, receive)
        if scope["type"] == "websocket" and answer is not self._app:
            answer = WebSocketClose(1008)
        await answer(scope, receive, send)

    async def _answer_to(self, connection: HTTPConnection, scope: Scope, receive: Receive) -> ASGIApp:
        if not _from_our_page(connection) or not (self._access.asks or _named_locally(connection)):
            return PlainTextResponse("This request does not come from the dashboard's own page.", 403)
        role = self._access.role(connection.session.get(LOGIN))
        at_the_door = scope["type"] == "http" and scope["path"] in ("/login", "/logout")
        if at_the_door and scope["method"] == "POST":
            request = Request(scope, receive)
            return await self._log_in(request) if scope["path"] == "/login" else self._log_out(request)
        if at_the_door:
            return _form() if scope["path"] == "/login" and role is None else _to(connection, "/")
        if role:
            return self._app
        wants_page = "text/html" in connection.headers.get("accept", "")
        return _to(connection, "/login") if wants_page else PlainTextResponse("Log in first.", 401)

    async def _log_in(self, request: Request) -> Response:
        address = request.client.host if request.client else ""
        wait_s = self._access.must_wait_s(address)
        if wait_s > 0:
            refusal = _form("Too many wrong passwords. Wait a few minutes and try again.", 429)
            refusal.headers["Retry-After"] = str(int(wait_s) + 1)
            return refusal
        login = self._access.log_in(await _password(request), address)
        if login is None:
            log.warning("dashboard_login_refused")
            return _form("That password is not right.", 401)
        log.info("dashboard_login", role=str(self._access.role(login)))
        request.session[LOGIN] = login
        return _to(request, "/")

    def _log_out(self, request: Request) -> Response:
        self._access.log_out(request.session.get(LOGIN))
        request.session.clear()
        return _to(request, "/login")


def under_prefix(scope: Scope) -> Scope:
    """Returns the request with its prefix under PREFIX and a path without it, whether the proxy has taken it off or
    not. A header that names no plain path is gone, so that NiceGUI, which believes it, does not see it.
    """
    others = [(name, value) for name, value in scope["headers"] if name != FORWARDED_PREFIX]
    given = [value.decode("latin-1") for name, value in scope["headers"] if name == FORWARDED_PREFIX]
    prefix = given[0].removesuffix("/") if len(given) == 1 else ""
    if not PLAIN_PATH.fullmatch(prefix):
        return {**scope, PREFIX: "", "headers": others}
    path = scope["path"].removeprefix(prefix) if scope["path"].startswith(f"{prefix}/") else scope["path"]
    # A plain prefix is the same with and without percent encoding.
    raw = scope.get("raw_path") or b""
    raw = raw.removeprefix(prefix.encode()) if raw.startswith(f"{prefix}/".encode()) else raw
    headers = [*others, (FORWARDED_PREFIX, prefix.encode())]
    return {**scope, PREFIX: prefix, "headers": headers, "path": path, "raw_path": raw}


def _to(connection: HTTPConnection, path: str) -> RedirectResponse:
    """Leads to a path of ours, under the prefix that the browser sees."""
    return RedirectResponse(connection.scope[PREFIX] + path, 303)


def _from_our_page(connection: HTTPConnection) -> bool:
    """Browsers name the page that a web socket or a form comes from; another site's must not act for a visitor."""
    origin = connection.headers.get("origin")
    return origin is None or origin.partition("://")[2] == connection.headers.get("host")


def _named_locally(connection: HTTPConnection) -> bool:
    """A foreign name that was made to mean 127.0.0.1 must not open a page without a password."""
    return is_local(PORT.sub("", connection.headers.get("host", "")).strip("[]"))


def _is_encrypted(connection: HTTPConnection) -> bool:
    """The browser speaks TLS, to us or to a proxy that says so; believing a lie only makes the cookie safer."""
    return "https" in (connection.scope["scheme"], connection.headers.get("x-forwarded-proto"))


def _form(problem: str = "", status: int = 200) -> HTMLResponse:
    html = FORM.substitute(style=STYLE, script=SCRIPT, problem=escape(problem), hidden="" if problem else "hidden")
    return HTMLResponse(html, status, {"Cache-Control": "no-store"})


async def _password(request: Request) -> str:
    """The password of the form; empty where there is none or the form is too long to be ours."""
    try:
        form = await request.form(max_files=0, max_fields=MAX_FIELDS, max_part_size=MAX_FORM_BYTES)
    except (MultiPartException, ValueError):
        return ""
    return str(form.get("password", ""))


def _with_headers(send: Send) -> Send:
    async def forward(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(HEADERS)
        await send(message)

    return forward
