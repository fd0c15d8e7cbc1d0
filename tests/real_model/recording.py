"""An HTTP proxy before the model's server that takes down what each call cost and whether its caller had given it up.

It can also stall: then a call is taken and never answered, as by a server that hangs.
"""

from __future__ import annotations

import json
import select
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import requests

from worker.runtime.embedded.server import HOST

#: Longer than the slowest answer of a small model: what its caller has given up is counted to its end.
UPSTREAM_TIMEOUT_S: Final = 180.0
LOOK_EVERY_S: Final = 0.05


@dataclass(slots=True)
class Call:
    """One call of the model. given_up: its caller did not wait for the answer; stalled: the server never saw it.

    prompt_tokens, completion_tokens: as the server counted them, 0 where it gave no answer.
    """

    body: Mapping[str, Any]
    began_s: float
    took_s: float = 0.0
    status: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    text: str = ""
    stalled: bool = False
    given_up: bool = False

    @property
    def system(self) -> str:
        """The instructions in the request."""
        return "\n".join(m["content"] for m in self.body.get("messages", ()) if m.get("role") == "system")

    @property
    def asked_chars(self) -> int:
        """Characters of all texts in the request."""
        return sum(len(str(message.get("content", ""))) for message in self.body.get("messages", ()))

    def answered(self, status: int, body: object) -> None:
        """Takes down what the server has said."""
        self.status = status
        told = body if isinstance(body, dict) else {}
        usage = told.get("usage") or {}
        self.prompt_tokens = int(usage.get("prompt_tokens") or 0)
        self.completion_tokens = int(usage.get("completion_tokens") or 0)
        choices = told.get("choices") or [{}]
        self.text = str((choices[0].get("message") or {}).get("content") or "")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Recorder

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.recorded(content) as call:
            if self.server.stalling.is_set():
                self._stall(call)
            else:
                self._pass_on(call, content)

    def _pass_on(self, call: Call, content: bytes) -> None:
        headers = {name: self.headers[name] for name in ("Authorization", "Content-Type") if name in self.headers}
        try:
            answer = requests.post(
                self.server.upstream + self.path, content, headers=headers, timeout=UPSTREAM_TIMEOUT_S
            )
        except requests.RequestException:
            # The server takes longer than anybody waits, or has ended.
            call.given_up = self.close_connection = True
            return
        with suppress(ValueError):
            call.answered(answer.status_code, answer.json())
        call.status, call.given_up = answer.status_code, self._caller_is_gone()
        self._answer(call, answer.status_code, answer.content)

    def _answer(self, call: Call, status: int, content: bytes) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:
            call.given_up = self.close_connection = True

    def _stall(self, call: Call) -> None:
        call.stalled = self.close_connection = True
        while self.server.stalling.is_set() and not self._caller_is_gone():
            time.sleep(LOOK_EVERY_S)
        call.given_up = True

    def _caller_is_gone(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        try:
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def log_message(self, *args: Any) -> None:
        """Keeps the terminal clean."""


class Recorder(ThreadingHTTPServer):
    """The proxy. stalling: while it is set, no call is answered."""

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        """upstream: the server's URL without a path."""
        super().__init__((HOST, 0), _Handler)
        self.upstream = upstream
        self.stalling = threading.Event()
        self._calls: list[Call] = []
        self._under_way = 0
        self._changed = threading.Condition()

    @property
    def url(self) -> str:
        """Where callers find it."""
        return f"http://{HOST}:{self.server_address[1]}"

    @property
    def calls(self) -> tuple[Call, ...]:
        """Calls so far, in the order in which they came."""
        with self._changed:
            return tuple(self._calls)

    @contextmanager
    def recorded(self, content: bytes) -> Iterator[Call]:
        """A new call, which is under way for the length of the block."""
        call = Call(json.loads(content), time.monotonic())
        with self._changed:
            self._calls.append(call)
            self._under_way += 1
        try:
            yield call
        finally:
            with self._changed:
                call.took_s = time.monotonic() - call.began_s
                self._under_way -= 1
                self._changed.notify_all()

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Whether within this time no call is under way any more."""
        with self._changed:
            return self._changed.wait_for(lambda: self._under_way == 0, timeout_s)


@contextmanager
def recording(upstream: str) -> Iterator[Recorder]:
    """A proxy for the length of the block."""
    with Recorder(upstream) as recorder:
        thread = threading.Thread(target=recorder.serve_forever, kwargs={"poll_interval": LOOK_EVERY_S})
        thread.start()
        try:
            yield recorder
        finally:
            recorder.stalling.clear()
            recorder.shutdown()
            thread.join()
