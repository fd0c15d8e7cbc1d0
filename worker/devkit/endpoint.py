"""The simulator's HTTP side: which path is what, and how an answer, or what is left of it, goes out."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Event, Thread
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

from worker.devkit import http_exchange
from worker.devkit.behaviour import Mode, Plan, SimulatedProvider
from worker.devkit.model_lists import model_list, one_model
from worker.devkit.sold import Refused
from worker.devkit.speaking import spoken

BASE_PATHS: Final = {"openai": "/openai/v1", "gemini": "/gemini/v1beta", "deepseek": "/deepseek"}
COMPLETION: Final = {"openai": "/chat/completions", "gemini": ":generateContent", "deepseek": "/chat/completions"}
DRIP_EVERY_S: Final = 0.1
LOOK_EVERY_S: Final = 0.05
HTML: Final = b"<!doctype html><title>Bad gateway</title><h1>The site is being looked after</h1>"


class SimulatorServer(ThreadingHTTPServer):
    """Listens on 127.0.0.1 and answers for the providers of BASE_PATHS; a thread for each connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, providers: Mapping[str, SimulatedProvider]) -> None:
        self.closing = Event()
        self.providers = providers
        self._connections: dict[Any, Thread] = {}
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # HTTPServer's looks up the host's name, which may take seconds without a network
        self.server_port = self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        self._connections = {known: each for known, each in self._connections.items() if each.is_alive()}
        self._connections[request] = thread
        thread.start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def close(self) -> None:
        """Stops listening, drops every connection, hanging ones too, and waits for their threads."""
        self.closing.set()
        self.shutdown()
        for connection in self._connections:
            with suppress(OSError):  # its thread has closed it already
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._connections.values():
            thread.join()
        self.server_close()

    def change(self, provider: str, fields: Mapping[str, Any]) -> None:
        """Changes the behaviour of one provider or "all". ValueError for an unknown one or a bad field."""
        names = BASE_PATHS if provider == "all" else (provider,)
        if provider not in (*BASE_PATHS, "all"):
            raise ValueError(f"provider: {provider!r} is none of all, {', '.join(BASE_PATHS)}")
        for name in names:
            self.providers[name].change(fields)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024  # head and body in one packet, as servers send them
    server: SimulatorServer

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        name = url.path.lstrip("/").partition("/")[0]
        listed = f"{BASE_PATHS.get(name)}/models"
        if url.path == "/control":
            self._send(200, {each: provider.shown() for each, provider in self.server.providers.items()})
        elif url.path != listed and not url.path.startswith(f"{listed}/"):
            self._send(404, http_exchange.error(name, 404, f"Unknown path {url.path}"))
        elif refusal := http_exchange.refused_key(name, self.headers):
            self._send(*refusal)
        else:
            model = unquote(url.path.removeprefix(listed).lstrip("/"))
            self._respond(self._list_models(name, model, dict(parse_qsl(url.query))))

    def _list_models(self, name: str, model: str, query: Mapping[str, str]) -> _Answer:
        plan = self._wait(name)
        if model:
            return _answer(name, plan, lambda: one_model(name, model, plan.models))
        return _answer(name, plan, lambda: model_list(name, plan.models, query))

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        name, body = path.lstrip("/").partition("/")[0], self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if path == "/control":
            self._control(body)
        elif name in BASE_PATHS and path.endswith(COMPLETION[name]):
            self._complete(name, path, body)
        else:
            self._send(404, http_exchange.error(name, 404, f"Unknown path {path}"))

    def _control(self, body: bytes) -> None:
        try:
            order = orjson.loads(body)
            reset, forget = order.pop("reset", False), order.pop("forget", False)
            self.server.change(order.pop("provider", "all"), order)
        except (AttributeError, TypeError, ValueError) as exc:
            return self._send(400, {"error": str(exc)})
        for each in self.server.providers.values():
            if reset:
                each.reset()
            if forget:
                each.cache.forget()
        return self._send(200, {each: known.shown() for each, known in self.server.providers.items()})

    def _complete(self, name: str, path: str, body: bytes) -> None:
        provider = self.server.providers[name]
        try:
            prompt = http_exchange.read_prompt(name, path, body)
        except ValueError as exc:
            provider.ended(400)
            return self._send(400, http_exchange.error(name, 400, str(exc)))
        if refusal := http_exchange.refused_key(name, self.headers):
            provider.ended(refusal[0])
            return self._send(*refusal)
        # Counted as ended before the first byte goes out: whoever has read an answer finds it ended.
        with provider.call(prompt.user_sha256, prompt.model):
            plan = self._wait(name)
            answer = _answer(name, plan, lambda: spoken(provider, prompt, plan))
            provider.ended(answer.status)
        return self._respond(answer)

    def _wait(self, name: str) -> Plan:
        """Takes the time the behaviour asks for; returns what to do then. ConnectionError where the wait is in vain."""
        provider = self.server.providers[name]
        plan = provider.plan()
        self._pause(plan.latency_s)
        while plan.status is None and plan.mode == "hang":
            while not plan.changed.wait(LOOK_EVERY_S):
                self._look_for_client()
            plan = provider.plan()
        return plan

    def _pause(self, duration_s: float) -> None:
        if self.server.closing.wait(duration_s):
            raise ConnectionAbortedError("the simulator closes")

    def _look_for_client(self) -> None:
        with suppress(BlockingIOError):
            if not self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                raise ConnectionAbortedError("the client has gone, or the simulator closes")

    def _respond(self, answer: _Answer) -> None:
        if answer.mode == "html":
            self._head(200, len(HTML), {"Content-Type": "text/html"})
            self.wfile.write(HTML)
        elif answer.mode == "ok":
            self._send(answer.status, answer.body, answer.headers)
        else:
            self._deliver(_encoded(answer.body), answer.mode)

    def _deliver(self, body: bytes, mode: Mode) -> None:
        self._head(200, len(body), {})
        if mode == "drip":
            for byte in body:
                self.wfile.write(bytes((byte,)))
                self.wfile.flush()
                self._pause(DRIP_EVERY_S)
        elif mode == "cut":
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        else:
            self.wfile.write(body)

    def _send(self, status: int, body: http_exchange.Json, headers: Mapping[str, str] | None = None) -> None:
        encoded = _encoded(body)
        self._head(status, len(encoded), headers or {})
        self.wfile.write(encoded)

    def _head(self, status: int, length: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: a request's line in every log would only hide what matters."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What goes out, and how. mode: one that spoils the sending, or ok."""

    status: int
    body: http_exchange.Json
    headers: Mapping[str, str] = field(default_factory=dict)
    mode: Mode = "ok"


def _answer(name: str, plan: Plan, speak: Callable[[], http_exchange.Json]) -> _Answer:
    """What a plan makes of an answer: a failure, a page in its place, the answer or its refusal by the API's rules."""
    if plan.status is not None:
        return _Answer(plan.status, *http_exchange.failure(name, plan.status, plan.retry_after_s))
    if plan.mode == "html":
        return _Answer(200, {}, mode="html")
    try:
        return _Answer(200, speak(), mode=plan.mode if plan.mode in ("drip", "cut") else "ok")
    except Refused as exc:
        return _Answer(exc.status, exc.body)


def _encoded(body: http_exchange.Json) -> bytes:
    return orjson.dumps(body)
