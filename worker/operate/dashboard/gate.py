"""The door of the dashboard: everything but the login form needs a login, and requests must come from our own page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker.log import logger
from worker.operate.dashboard.access import LOGIN_S, Access, Visitor, is_local
from worker.operate.dashboard.prefix import PREFIX, under_prefix

COOKIE = "chasqui_dashboard"
#: Where the gate leaves the visitor for the page.
VISITOR = "chasqui.visitor"
MAX_FORM_BYTES = 4_096
PORT = re.compile(r":\d+$")
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
        self.app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers by itself or lets the request through."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        scope = under_prefix(scope)
        answer = await self._answer(HTTPConnection(scope), scope, receive)
        if scope["type"] == "websocket" and answer is not self.app:
            await send({"type": "websocket.close", "code": 1008})
        else:
            await answer(scope, receive, _with_headers(send))

    async def _answer(self, connection: HTTPConnection, scope: Scope, receive: Receive) -> ASGIApp:
        visitor = self._access.visitor(connection.cookies.get(COOKIE))
        if not _from_our_page(connection) or not (self._access.asks or _named_locally(connection)):
            return PlainTextResponse("This request does not come from the dashboard's own page.", 403)
        if scope["type"] == "http" and scope["path"] in ("/login", "/logout"):
            return await self._at_the_door(Request(scope, receive), visitor)
        if visitor is None:
            return _login_first(connection)
        scope[VISITOR] = visitor
        return self.app

    async def _at_the_door(self, request: Request, visitor: Visitor | None) -> Response:
        if request.method == "POST":
            return await self._log_in(request) if request.url.path == "/login" else self._log_out(request)
        if request.url.path == "/login" and visitor is None:
            return _form()
        return _to(request, "/")

    async def _log_in(self, request: Request) -> Response:
        address = request.client.host if request.client else ""
        wait_s = self._access.must_wait_s(address)
        if wait_s > 0:
            return _form(
                "Too many wrong passwords. Wait a few minutes and try again.",
                429,
                {"Retry-After": str(int(wait_s) + 1)},
            )
        visitor = self._access.log_in(await _password(request), address)
        if visitor is None:
            log.warning("dashboard_login_refused")
            return _form("That password is not right.", 401)
        log.info("dashboard_login", role=visitor.role.value)
        answer = _to(request, "/")
        answer.set_cookie(
            COOKIE,
            visitor.login or "",
            max_age=LOGIN_S,
            path=_home(request),
            httponly=True,
            samesite="strict",
            secure=_is_encrypted(request),
        )
        return answer

    def _log_out(self, request: Request) -> Response:
        self._access.log_out(request.cookies.get(COOKIE))
        answer = _to(request, "/login")
        answer.delete_cookie(COOKIE, path=_home(request), httponly=True, samesite="strict")
        return answer


def _home(connection: HTTPConnection) -> str:
    """The path of the page, as the browser sees it."""
    return f"{connection.scope[PREFIX]}/"


def _to(connection: HTTPConnection, path: str) -> RedirectResponse:
    """Leads to a path of ours, under the prefix that the browser sees."""
    return RedirectResponse(connection.scope[PREFIX] + path, 303)


def _from_our_page(connection: HTTPConnection) -> bool:
    """Browsers name the page that a web socket or a form comes from; another site's must not act for a visitor."""
    origin = connection.headers.get("origin")
    return origin is None or origin.partition("://")[2] == connection.headers.get("host")


def _named_locally(connection: HTTPConnection) -> bool:
    """Where no password is asked for, a foreign name that was made to mean 127.0.0.1 must not open the page."""
    return is_local(PORT.sub("", connection.headers.get("host", "")).strip("[]"))


def _is_encrypted(request: Request) -> bool:
    """Whether the browser speaks TLS, to us or to a proxy that says so. Believing a lie only makes the cookie safer."""
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))


def _login_first(connection: HTTPConnection) -> Response:
    wants_page = "text/html" in connection.headers.get("accept", "")
    return _to(connection, "/login") if wants_page else PlainTextResponse("Log in first.", 401)


def _form(problem: str = "", status: int = 200, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    html = FORM.substitute(style=STYLE, script=SCRIPT, problem=escape(problem), hidden="" if problem else "hidden")
    return HTMLResponse(html, status, {"Cache-Control": "no-store"} | dict(headers or {}))


async def _password(request: Request) -> str:
    """The password of the form; empty where there is none or the body is too long to be one."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            return ""
    fields = parse_qs(body.decode("utf-8", "replace"))
    return fields.get("password", [""])[0]


def _with_headers(send: Send) -> Send:
    async def forward(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers: Any = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return forward
