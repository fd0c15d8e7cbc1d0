"""A provider that is none of ours: a plain HTTP server that plays the answers it is given, byte for byte."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Handler(BaseHTTPRequestHandler):
    """Takes down each request and plays the next of the server's answers; the last one stays."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a body must not wait until its head is acknowledged
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append(Seen(self.path, dict(self.headers), json.loads(body), self.client_address[1]))
        answers = self.server.answers
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        try:
            answer(self)
        except OSError:  # the client has hung up: what most tests with this server are about
            self.close_connection = True

    def log_message(self, *args: Any) -> None:
        """Keeps the test's output clean."""


@dataclass
class Seen:
    """One request as it arrived, and the client's port, which tells connections apart."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    port: int


class Server(ThreadingHTTPServer):
    """A provider on 127.0.0.1. `stopping` ends every answer that drips or waits."""

    request_queue_size = 128  # socketserver's five let the kernel drop callers that come together, for seconds

    def __init__(self, *answers: Answer) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Answer] = list(answers)
        self.seen: list[Seen] = []
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


Answer = Callable[[Handler], None]


@contextmanager
def serving(*answers: Answer) -> Iterator[Server]:
    """A server that plays these answers for the length of the block."""
    with Server(*answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.stopping.set()
            server.shutdown()
            thread.join()


def say(status: int, body: object, **headers: str) -> Answer:
    """A whole answer with its length; an underscore in a header's name stands for a hyphen."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def play(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(content)

    return play


def raw(content: bytes) -> Answer:
    """Exactly these bytes, then the end of the connection."""

    def play(handler: Handler) -> None:
        handler.wfile.write(content)
        handler.close_connection = True

    return play


def drip(first: bytes, drop: bytes) -> Answer:
    """`first` at once, then a drop every 20 ms until the client has had enough."""

    def play(handler: Handler) -> None:
        handler.close_connection = True
        handler.wfile.write(first)
        while not handler.server.stopping.wait(0.02):
            handler.wfile.write(drop)

    return play


def chunked(content: bytes) -> bytes:
    """The head of an answer in chunks, then what is given as its chunks."""
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + content
