"""Simulator of three language model providers in one local HTTP server, and of every way they can misbehave.

The first part of the path names the provider: `/openai/v1`, `/gemini/v1beta`, `/deepseek`. Completions are answered by
`assistant.answer`, and refused where the real API would: models and parameters are those of `sold_models.toml`.
`GET /control` shows behaviours and counters; `POST /control` changes them while the server runs:
`{"provider": "openai", "mode": "hang"}` (`"all"`, or no provider: all three; `"reset": true` sets counters to zero,
`"forget": true` empties the prompt caches), `{"provider": "openai", "models": {"gpt-6-luna": "gone"}}`.
"""

from __future__ import annotations

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

from worker.devkit.behaviour import Behaviour, Calls, Mode, Plan, SimulatedProvider
from worker.devkit.completions import complete
from worker.devkit.json_schema import Json
from worker.devkit.prompt import check_key, read_prompt
from worker.devkit.sold_models import APIS, Refused, error_body, failure, model_list, one_model

DRIP_EVERY_S: Final = 0.1
LOOK_EVERY_S: Final = 0.05
HTML: Final = b"<!doctype html><title>Bad gateway</title><h1>The site is being looked after</h1>"


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """Options of a simulator.

    Args:
        port: 0 takes a free one.
        seed: of latencies and failures.
        everyone: behaviour of those not in `providers`.
    """

    port: int = 0
    seed: int = 0
    everyone: Behaviour = field(default_factory=Behaviour)
    providers: Mapping[str, Behaviour] = field(default_factory=dict)


class Simulator(ThreadingHTTPServer):
    """Server of the three providers: listens on 127.0.0.1 inside its block, and leaves no thread or socket."""

    daemon_threads = False  # so that server_close waits for them
    request_queue_size = 128

    def __init__(self, options: SimulatorOptions | None = None) -> None:
        chosen = options or SimulatorOptions()
        super().__init__(("127.0.0.1", chosen.port), Handler, bind_and_activate=False)
        behaviours = {name: chosen.providers.get(name, chosen.everyone) for name in APIS}
        self.providers = {name: SimulatedProvider(each, f"{chosen.seed}:{name}") for name, each in behaviours.items()}
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

    def set(self, provider: str, **fields: Any) -> None:
        """Changes fields of `Behaviour` for one provider or "all". Raises ValueError for a bad one."""
        if provider not in (*APIS, "all"):
            raise ValueError(f"provider: {provider!r} is none of all, {', '.join(APIS)}")
        for name in APIS if provider == "all" else (provider,):
            self.providers[name].change(fields)

    def calls(self, provider: str) -> int:
        """Counts the completion calls taken so far."""
        return self.counters(provider).calls

    def counters(self, provider: str) -> Calls:
        """Copies a provider's counters."""
        return self.providers[provider].counted()

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
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024  # head and body in one packet, as servers send them
    server: Simulator

    def do_GET(self) -> None:
        """Answers lists of models and the control."""
        url = urlsplit(self.path)
        name = url.path.lstrip("/").partition("/")[0]
        listed = f"{APIS[name].base_path}/models" if name in APIS else "/"
        if url.path == "/control":
            self._respond(self._shown())
        elif name in APIS and f"{url.path}/".startswith(f"{listed}/"):
            model = unquote(url.path.removeprefix(listed).lstrip("/"))
            self._respond(_refusable(lambda: self._models(name, model, dict(parse_qsl(url.query)))))
        else:
            self._respond(Answer(404, error_body(name, 404, f"Unknown path {url.path}")))

    def do_POST(self) -> None:
        """Answers completions and the control."""
        path = urlsplit(self.path).path
        name, body = path.lstrip("/").partition("/")[0], self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if path == "/control":
            self._respond(self._control(body))
        elif name in APIS and path.endswith(APIS[name].completion):
            answer = _refusable(lambda: self.complete(name, path, body))
            # Counted as ended before the first byte goes out: whoever has read an answer finds it ended.
            self.server.providers[name].ended(answer.status)
            self._respond(answer)
        else:
            self._respond(Answer(404, error_body(name, 404, f"Unknown path {path}")))

    def complete(self, name: str, path: str, body: bytes) -> Answer:
        """Answers a completion call of one provider. Raises Refused."""
        provider = self.server.providers[name]
        prompt = read_prompt(name, path, body)
        check_key(name, self.headers)
        with provider.call(prompt.user_sha256, prompt.model):
            plan = self._plan(name)
            is_html = plan.mode == "html"
            completion = {} if is_html else complete(prompt, provider.cache, plan.mode, plan.models)
            return Answer(200, completion, mode=plan.mode)

    def _models(self, name: str, model: str, query: Mapping[str, str]) -> Answer:
        check_key(name, self.headers)
        plan = self._plan(name)
        if plan.mode == "html":
            return Answer(200, {}, mode="html")
        models = one_model(name, model, plan.models) if model else model_list(name, plan.models, query)
        return Answer(200, models, mode=plan.mode)

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

    def _plan(self, name: str) -> Plan:
        """Returns the plan that holds after the wait.

        Raises:
            Refused: the call is to fail.
            ConnectionError: the wait is in vain.
        """
        plan = self.server.providers[name].plan()
        self._pause(plan.latency_s)
        while plan.status is None and plan.mode == "hang":
            while not plan.changed.wait(LOOK_EVERY_S):
                with suppress(BlockingIOError):
                    if not self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                        raise ConnectionAbortedError("the client has gone, or the simulator closes")
            plan = self.server.providers[name].plan()
        if plan.status is not None:
            raise failure(name, plan.status, plan.retry_after_s)
        return plan

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
        with Simulator(SimulatorOptions(port=port, seed=seed)) as simulator:
            click.echo(json.dumps(simulator.base_urls | {"CONTROL_URL": simulator.control_url}))
            signal.sigwait(ending)
    except OSError as exc:
        raise click.ClickException(f"port {port}: {exc.strerror}") from exc


if __name__ == "__main__":
    main()
