"""The HTTP side of the exporter: `/metrics`, `/healthz` and `/readyz`."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import orjson
import redis
from prometheus_client import CollectorRegistry, make_wsgi_app
from sqlalchemy import Engine
from sqlalchemy.exc import ProgrammingError

from db import migrations, monitoring, retry
from db.engine import make_engine
from worker.errors import CommandError
from worker.operate.background_read import BackgroundRead, error_of, settle
from worker.operate.exporter.collector import Exporter, Known
from worker.operate.snapshot import RETRY_S, QueueLengths, SnapshotReader
from worker.providers.circuit_states import named
from worker.providers.providers_file import load_providers
from worker.redisdb.connect import connect_redis
from worker.settings import Settings

#: A client that sends no request, or takes no answer, is let go after this time.
CLIENT_TIMEOUT_S = 10.0
#: Each statement reads few rows; what takes longer finds a server in trouble.
STATEMENT_TIMEOUT_MS = 2_000
REDIS_TIMEOUT_S = 2.0
Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]


@contextmanager
def exporter(configured: Settings, queue_lengths: QueueLengths) -> Iterator[Application]:
    """Yields the WSGI application of the exporter, which connects when it is first asked. Raises ConfigurationError."""
    providers = load_providers(configured)
    limits = {"month": configured.ai_monthly_budget_usd, "day": configured.ai_daily_budget_usd}
    known = Known(providers, {period: limit for period, limit in limits.items() if limit is not None})
    url = configured.required("database_url")
    engine = make_engine(url, pool_size=2, statement_timeout_ms=STATEMENT_TIMEOUT_MS)
    with (
        connect_redis(configured.required("redis_url"), REDIS_TIMEOUT_S) as durable,
        connect_redis(configured.required("cache_url"), REDIS_TIMEOUT_S) as cache,
    ):
        registry = CollectorRegistry(auto_describe=False)
        registry.register(Exporter(SnapshotReader(engine, durable, cache, queue_lengths, named(providers)), known))
        yield application(make_wsgi_app(registry), Readiness(engine, durable))
    engine.dispose()


class Readiness:
    """Whether PostgreSQL is at the revision this code is written for, and the durable Redis answers."""

    def __init__(self, engine: Engine, durable: redis.Redis) -> None:
        self._revision = BackgroundRead(
            "postgresql", lambda: retry.run(engine, monitoring.revision, give_up_after_s=RETRY_S)
        )
        self._ping = BackgroundRead("redis", lambda: bool(durable.ping()))
        self._head = migrations.head()

    def reasons(self) -> list[str]:
        """Why not; empty where all is well."""
        revision, ping = self._revision.begin(), self._ping.begin()
        settle(revision, ping)
        found = (about_schema(revision, self._head), about_redis(ping))
        return [reason for reason in found if reason is not None]


def about_schema(revision: Future[str | None], head: str) -> str | None:
    """What is wrong with PostgreSQL, without a word of its own error, which may hold the URL."""
    error = error_of(revision)
    if isinstance(error, ProgrammingError):
        return "PostgreSQL has no schema: run chasqui db upgrade"
    if error is not None:
        return f"PostgreSQL does not answer: {type(error).__name__}"
    if revision.result() != head:
        return f"PostgreSQL is at revision {revision.result()}, this version needs {head}: run chasqui db upgrade"
    return None


def about_redis(ping: Future[bool]) -> str | None:
    """What is wrong with the durable Redis."""
    error = error_of(ping)
    return f"Redis does not answer: {type(error).__name__}" if error is not None else None


def application(metrics: Application, readiness: Readiness) -> Application:
    """The three pages. metrics: the application that serves the first."""

    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "GET":
            return as_json(start_response, "405 Method Not Allowed", {"error": "only GET is answered"})
        match environ["PATH_INFO"]:
            case "/metrics":
                return metrics(environ, start_response)
            case "/healthz":
                return as_json(start_response, "200 OK", {"alive": True})
            case "/readyz":
                reasons = readiness.reasons()
                status = "503 Service Unavailable" if reasons else "200 OK"
                return as_json(start_response, status, {"ready": not reasons, "reasons": reasons})
        return as_json(start_response, "404 Not Found", {"pages": ["/metrics", "/healthz", "/readyz"]})

    return answer


def as_json(start_response: StartResponse, status: str, value: dict[str, Any]) -> list[bytes]:
    """An answer of one JSON object."""
    start_response(status, [("Content-Type", "application/json")])
    return [orjson.dumps(value)]


class Server(ThreadingMixIn, WSGIServer):
    """A thread per request, none of which keeps the process alive."""

    daemon_threads = True


class ServerOfIPv6(Server):
    """The same on an IPv6 address."""

    address_family = socket.AF_INET6


class Handler(WSGIRequestHandler):
    """Does not log requests: Prometheus asks every few seconds."""

    timeout = CLIENT_TIMEOUT_S

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def serving(answer: Application, host: str, port: int) -> Iterator[int]:
    """The application on this address for the length of the block; the port it has. Raises CommandError where the
    address cannot be had.
    """
    server_class = ServerOfIPv6 if ":" in host else Server
    try:
        server = make_server(host, port, answer, server_class, Handler)
    except OSError as exc:
        raise CommandError(f"METRICS_HOST {host}, METRICS_PORT {port}: {exc.strerror}") from exc
    thread = Thread(target=server.serve_forever, name="metrics")
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
