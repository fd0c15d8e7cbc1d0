"""HTTP server of the exporter: `/metrics`, `/healthz` and `/readyz`."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from socket import AF_INET, AF_INET6
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import orjson
import redis
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer
from sqlalchemy import Engine
from sqlalchemy.exc import ProgrammingError

from db import migrations, monitoring, retry
from db.engine import make_engine
from worker.errors import CommandError
from worker.operate.background_read import BackgroundRead, error_of, settle
from worker.operate.exporter.collector import Exporter
from worker.operate.snapshot import RETRY_S, QueueLengths, SnapshotReader
from worker.providers.circuit_states import named
from worker.providers.providers_file import load_providers
from worker.redisdb.connect import connect_cache, connect_durable
from worker.settings import Settings

#: A client that sends no request, or takes no answer, is let go after this time.
CLIENT_TIMEOUT_S = 10.0
#: Each statement reads few rows; what takes longer finds a server in trouble.
STATEMENT_TIMEOUT_MS = 2_000
REDIS_TIMEOUT_S = 2.0


@contextmanager
def exporter(configured: Settings, queue_lengths: QueueLengths) -> Iterator[WSGIApplication]:
    """Yields the WSGI application of the exporter, which connects when it is first asked. Raises ConfigurationError."""
    providers = load_providers(configured)
    limits = {"month": configured.ai_monthly_budget_usd, "day": configured.ai_daily_budget_usd}
    budgets_usd = {period: limit for period, limit in limits.items() if limit is not None}
    url = configured.required("database_url")
    engine = make_engine(url, pool_size=2, statement_timeout_ms=STATEMENT_TIMEOUT_MS)
    with connect_durable(configured, REDIS_TIMEOUT_S) as durable, connect_cache(configured, REDIS_TIMEOUT_S) as cache:
        registry = CollectorRegistry(auto_describe=False)
        reader = SnapshotReader(engine, durable, cache, queue_lengths, named(providers))
        registry.register(Exporter(reader.read, providers, budgets_usd))
        yield application(make_wsgi_app(registry), Readiness(engine, durable))
    engine.dispose()


class Readiness:
    """Readiness: PostgreSQL is at the revision this code is written for, and the durable Redis answers."""

    def __init__(self, engine: Engine, durable: redis.Redis) -> None:
        self._revision = BackgroundRead(
            "postgresql", lambda: retry.run(engine, monitoring.revision, give_up_after_s=RETRY_S)
        )
        self._ping = BackgroundRead("redis", lambda: bool(durable.ping()))
        self._head = migrations.head()

    def reasons(self) -> Iterator[str]:
        """Yields why the service is not ready, without a word of a server's own error, which may hold its URL."""
        revision, ping = self._revision.begin(), self._ping.begin()
        settle(revision, ping)
        error = error_of(revision)
        if isinstance(error, ProgrammingError):
            yield "PostgreSQL has no schema: run chasqui db upgrade"
        elif error is not None:
            yield f"PostgreSQL does not answer: {type(error).__name__}"
        elif revision.result() != self._head:
            found = revision.result()
            yield f"PostgreSQL is at revision {found}, this version needs {self._head}: run chasqui db upgrade"
        if error := error_of(ping):
            yield f"Redis does not answer: {type(error).__name__}"


def application(metrics: WSGIApplication, readiness: Readiness) -> WSGIApplication:
    """Returns the application of the three pages; `metrics` serves the first."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "GET":
            return as_json(start_response, "405 Method Not Allowed", {"error": "only GET is answered"})
        match environ["PATH_INFO"]:
            case "/metrics":
                return metrics(environ, start_response)
            case "/healthz":
                return as_json(start_response, "200 OK", {"alive": True})
            case "/readyz":
                reasons = list(readiness.reasons())
                status = "503 Service Unavailable" if reasons else "200 OK"
                return as_json(start_response, status, {"ready": not reasons, "reasons": reasons})
        return as_json(start_response, "404 Not Found", {"pages": ["/metrics", "/healthz", "/readyz"]})

    return answer


def as_json(start_response: StartResponse, status: str, value: dict[str, Any]) -> list[bytes]:
    """Answers with one JSON object."""
    start_response(status, [("Content-Type", "application/json")])
    return [orjson.dumps(value)]


class Handler(WSGIRequestHandler):
    """Handler that does not log requests: Prometheus asks every few seconds."""

    timeout = CLIENT_TIMEOUT_S

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


@contextmanager
def serving(answer: WSGIApplication, host: str, port: int) -> Iterator[int]:
    """Serves on this address for the length of the block; yields the port. Raises CommandError for a bad address."""

    class Server(ThreadingWSGIServer):
        address_family = AF_INET6 if ":" in host else AF_INET

    try:
        server = make_server(host, port, answer, Server, Handler)
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
