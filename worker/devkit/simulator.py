"""Simulator of three language model providers in one local HTTP server, and of every way they can misbehave.

The first part of the path names the provider: `/openai/v1`, `/gemini/v1beta`, `/deepseek`. Completions are answered by
`assistant.answer`, and refused where the real API would: models and parameters are those of `sold_models.toml`.
`GET /control` shows behaviours and counters; `POST /control` changes them while the server runs:
`{"provider": "openai", "mode": "hang"}` (`"all"`, or no provider: all three; `"reset": true` sets counters to zero,
`"forget": true` empties the prompt caches), `{"provider": "openai", "models": {"gpt-6-luna": "gone"}}`.
"""

import json
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Event, Thread
from typing import Any, Final, Self
from urllib.parse import parse_qsl, unquote, urlsplit

import click
import orjson

from worker.devkit.behaviour import Behaviour, CallCounters, Mode, SimulatedProvider
from worker.devkit.completions import complete
from worker.devkit.json_schema import Json
from worker.devkit.prompt import check_key, read_prompt
from worker.devkit.sold_models import APIS, Refused, error_body, failure, model_list, one_model

DRIP_EVERY_S: Final = 0.1
LOOK_EVERY_S: Final = 0.05
HTML: Final = b"<!doctype html><title>Bad gateway</title><h1>The site is being looked after</h1>"


class Simulator(ThreadingHTTPServer):
    """The three providers on 127.0.0.1 as a context manager that leaves no thread or socket. port: 0: a free one."""

    daemon_threads = False  # so that server_close waits for them
    request_queue_size = 128

    def __init__(self, port: int = 0, seed: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler, bind_and_activate=False)
        self.providers = {name: SimulatedProvider(f"{seed}:{name}") for name in APIS}
        self.closing = Event()
        self._connections: set[Any] = set()
        self._thread = Thread(target=self.serve_forever, args=(LOOK_EVERY_S,), name="simulator", daemon=True)

    def __enter__(self) -> Self:
        """Listens. Raises OSError where the port is taken."""
        try:
            self.server_bind()
            self.server_activate()
        except OSError:
            self.server_close()
            raise
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stops listening, drops every connection, hanging ones too, and waits for their threads."""
        self.closing.set()
        self.shutdown()
        for connection in list(self._connections):
            with suppress(OSError):  # its thread has closed it already
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()
        self._thread.join()

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # HTTPServer's looks up the host's name, which may take seconds without a network
        self.server_port = self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def control_url(self) -> str:
        """Address where GET shows and POST changes behaviours."""
        return f"http://127.0.0.1:{self.server_port}/control"

    @property
    def base_urls(self) -> dict[str, str]:
        """Environment that points Chasqui here: OPENAI_BASE_URL, GEMINI_BASE_URL, DEEPSEEK_BASE_URL."""
        root = f"http://127.0.0.1:{self.server_port}"
        return {f"{name.upper()}_BASE_URL": root + api.base_path for name, api in APIS.items()}

    def counters(self, provider: str) -> CallCounters:
        """Copies a provider's counters."""
        return self.providers[provider].counted()

    def calls(self, provider: str) -> int:
        """Counts the completion calls taken so far."""
        return self.counters(provider).calls

    def set(self, provider: str, **fields: Any) -> None:
        """Changes fields of `Behaviour` for one provider or "all". Raises ValueError for a bad one."""
        if provider not in (*APIS, "all"):
            raise ValueError(f"provider: {provider!r} is none of all, {', '.join(APIS)}")
        for name in APIS if provider == "all" else (provider,):
            self.providers[name].change(fields)

    def forget(self) -> None:
        """Empties all prompt caches."""
        for provider in self.providers.values():
            provider.cache.forget()

    def reset(self) -> None:
        """Sets all counters to zero."""
        for provider in self.providers.values():
            provider.reset()


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer and how it goes out. mode: one that spoils the sending, or any other."""

    status: int
    body: Json
    headers: Mapping[str, str] = field(default_factory=dict)
    mode: Mode = "ok"


class Handler(BaseHTTPRequestHandler):
    """Connection of one client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024  # head and body in one packet, as servers send them
    server: "Simulator"

    def do_GET(self) -> None:
        """Answers completions, lists of models and the control."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._respond(_refusable(lambda: self._answer(body)))

    do_POST = do_GET  # noqa: N815  http.server calls it so

    def _answer(self, body: bytes) -> Answer:
        url, is_post = urlsplit(self.path), self.command == "POST"
        name = url.path.lstrip("/").partition("/")[0]
        if url.path == "/control":
            return self._control(body) if is_post else self._shown()
        if name in APIS and is_post and url.path.endswith(APIS[name].completion):
            answer = _refusable(lambda: self.complete(name, url.path, body))
            # Counted as ended before the first byte goes out: whoever has read an answer finds it ended.
            self.server.providers[name].ended(answer.status)
            return answer
        models = f"{APIS[name].base_path}/models" if name in APIS else "/"
        if name in APIS and not is_post and f"{url.path}/".startswith(f"{models}/"):
            return self._models(name, unquote(url.path.removeprefix(models).lstrip("/")), dict(parse_qsl(url.query)))
        raise Refused(404, error_body(name, 404, f"Unknown path {url.path}"))

    def complete(self, name: str, path: str, body: bytes) -> Answer:
        """Answers a completion call of one provider. Raises Refused."""
        provider = self.server.providers[name]
        prompt = read_prompt(name, path, body)
        check_key(name, self.headers)
        with provider.call(prompt.user_sha256, prompt.model):
            now = self._behaviour(name)
            completion = {} if now.mode == "html" else complete(prompt, provider.cache, now.mode, now.models)
            return Answer(200, completion, mode=now.mode)

    def _models(self, name: str, model: str, query: Mapping[str, str]) -> Answer:
        check_key(name, self.headers)
        now = self._behaviour(name)
        models = one_model(name, model, now.models) if model else model_list(name, now.models, query)
        return Answer(200, models, mode=now.mode)

    def _shown(self) -> Answer:
        return Answer(200, {name: provider.shown() for name, provider in self.server.providers.items()})

    def _control(self, body: bytes) -> Answer:
        try:
            order = orjson.loads(body)
            reset, forget = order.pop("reset", False), order.pop("forget", False)
            self.server.set(order.pop("provider", "all"), **order)
        except (AttributeError, TypeError, ValueError) as exc:
            return Answer(400, {"error": str(exc)})
        if reset:
            self.server.reset()
        if forget:
            self.server.forget()
        return self._shown()

    def _behaviour(self, name: str) -> Behaviour:
        """Waits as the behaviour says; returns the one that holds then. Raises Refused; ConnectionError if in vain."""
        plan = self.server.providers[name].plan()
        self._pause(plan.latency_s)
        while plan.status is None and plan.behaviour.mode == "hang":
            while not plan.changed.wait(LOOK_EVERY_S):
                with suppress(BlockingIOError):
                    if not self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                        raise ConnectionAbortedError("the client has gone, or the simulator closes")
            plan = self.server.providers[name].plan()
        if plan.status is not None:
            raise failure(name, plan.status, plan.behaviour.retry_after_s)
        return plan.behaviour

    def _pause(self, duration_s: float) -> None:
        if self.server.closing.wait(duration_s):
            raise ConnectionAbortedError("the simulator closes")

    def _respond(self, answer: Answer) -> None:
        is_html = answer.mode == "html"
        body = HTML if is_html else orjson.dumps(answer.body)
        content = {"Content-Type": "text/html" if is_html else "application/json", "Content-Length": str(len(body))}
        self.send_response(answer.status)
        for name, value in {**content, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = self.close_connection or answer.mode == "cut"
        for byte in body if answer.mode == "drip" else ():
            self.wfile.write(bytes((byte,)))
            self.wfile.flush()
            self._pause(DRIP_EVERY_S)
        if answer.mode != "drip":
            self.wfile.write(body[: len(body) // 2] if answer.mode == "cut" else body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Writes nothing: a request's line in every log would only hide what matters."""


def _refusable(answer: Callable[[], Answer]) -> Answer:
    try:
        return answer()
    except Refused as exc:
        return Answer(exc.status, exc.body, exc.headers)


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1; 0 takes a free one.")
@click.option("--seed", type=int, default=0, help="Seed of latencies and failures.")
def main(port: int, seed: int) -> None:
    """Run the simulated providers until SIGTERM or SIGINT; the first line of output is their URLs as JSON."""
    ending = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)  # before any thread, so that none of them takes the signal
    try:
        with Simulator(port, seed) as simulator:
            click.echo(json.dumps(simulator.base_urls | {"CONTROL_URL": simulator.control_url}))
            signal.sigwait(ending)
    except OSError as exc:
        raise click.ClickException(f"port {port}: {exc.strerror}") from exc


if __name__ == "__main__":
    main()
