"""The dashboard's gate on a port of its own, with nearly nothing behind it, and a client that does as it is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from threading import Thread

import requests
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from helpers.basics import GUARD_S
from worker.operate.dashboard.access import Access
from worker.operate.dashboard.gate import COOKIE, LOGIN, Gate
from worker.runtime.embedded.processes import wait_until
from worker.runtime.embedded.server import free_port


class Door:
    """A visitor with a cookie jar. Redirects are told, not followed."""

    def __init__(self, address: str, session: requests.Session) -> None:
        self.address = address
        self.origin = {"Origin": address}
        self._session = session

    def get(self, path: str, **headers: str) -> requests.Response:
        """Asks for a page, with the cookies of before."""
        return self._session.get(self.address + path, headers=headers, allow_redirects=False, timeout=GUARD_S)

    def post(
        self, path: str, data: dict[str, str] | bytes | None = None, headers: dict[str, str] | None = None
    ) -> requests.Response:
        """Sends a form as our own page would, or with other headers."""
        sent = self.origin | (headers or {})
        return self._session.post(self.address + path, data, headers=sent, allow_redirects=False, timeout=GUARD_S)

    def log_in(self, password: str, headers: dict[str, str] | None = None) -> requests.Response:
        """Sends the login form."""
        return self.post("/login", {"password": password}, headers)

    def cookie(self) -> str:
        """The key of the login."""
        return str(self._session.cookies[COOKIE])

    def web_socket(self, headers: dict[str, str] | None = None) -> int:
        """Knocks for a web socket; 101 where it opens."""
        connection = HTTPConnection(self.address.removeprefix("http://"), timeout=GUARD_S)
        asked = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        asked |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} | (self.origin if headers is None else headers)
        cookies = "; ".join(f"{name}={value}" for name, value in self._session.cookies.items())
        try:
            connection.request("GET", "/_nicegui_ws/socket.io/", headers=asked | {"Cookie": cookies})
            return connection.getresponse().status
        finally:
            connection.close()


@contextmanager
def door(access: Access) -> Iterator[Door]:
    """The gate, answering; behind it everybody hears their role, and web sockets open."""

    async def inside(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close"})
        else:
            await PlainTextResponse(access.role(scope["session"].get(LOGIN)))(scope, receive, send)

    port = free_port()
    config = uvicorn.Config(
        Gate(inside, access), port=port, log_config=None, lifespan="off", proxy_headers=False, ws="websockets-sansio"
    )
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, name="door")
    thread.start()
    try:
        assert wait_until(lambda: server.started, GUARD_S)
        with requests.Session() as session:
            yield Door(f"http://127.0.0.1:{port}", session)
    finally:
        server.should_exit = True
        thread.join()
