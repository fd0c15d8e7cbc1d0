"""The exporter's pages over HTTP, with servers that answer, are away, are behind, or say nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import pytest
from helpers.away import refusing_port, silent_port
from helpers.basics import GUARD_S, Servers
from helpers.factories import accept_one
from helpers.scraped import get
from sqlalchemy import Connection, Engine, text

from worker.app import make_app
from worker.celery_ext.queues import queue_lengths
from worker.errors import CommandError
from worker.operate import background_read
from worker.operate.exporter.server import exporter, serving
from worker.runtime.environment import environment
from worker.settings import Settings, settings


@contextmanager
def exporting(configured: Settings, lengths: Mapping[str, int] | None = None) -> Iterator[int]:
    """The exporter of these settings on a port of its own."""

    def given() -> Mapping[str, int]:
        if lengths is None:
            raise ConnectionError
        return lengths

    with exporter(configured, given) as pages, serving(pages, "127.0.0.1", 0) as port:
        yield port


@contextmanager
def elsewhere(**urls: str) -> Iterator[Settings]:
    """The settings with other servers."""
    with environment(urls):
        yield settings()


@pytest.fixture
def nowhere() -> Iterator[int]:
    """A port on which nobody listens, and nobody else can begin to."""
    with refusing_port() as port:
        yield port


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with silent_port() as port:
        yield port


@pytest.mark.usefixtures("redis_client")
def test_everything_answers(settings_here: Settings, connection: Connection) -> None:
    """All servers are up, figures are those of now, and the service is ready."""
    accept_one(connection)
    with exporting(settings_here, {"flow": 3}) as port:
        seen = get(port, "/metrics").metrics
        ready = get(port, "/readyz")
    assert seen.all("up") == {(what,): 1 for what in ("postgresql", "redis", "cache", "broker")}
    assert (seen.value("messages_waiting"), seen.value("queue_tasks", queue="flow")) == (1, 3)
    assert seen.value("provider_calls_total", provider="deepseek", model="deepseek-flash", outcome="ok") == 0
    assert (ready.status, ready.json) == (200, {"ready": True, "reasons": []})


@pytest.mark.usefixtures("settings_here", "redis_client")
def test_queues_are_counted_on_the_broker() -> None:
    """Every queue by its name, from the broker's own count."""
    with make_app() as producer:
        for _ in range(2):
            producer.send_task("worker.call_provider", ([],), queue="ai")
        assert queue_lengths(producer) == {"flow": 0, "ai": 2, "inbound": 0, "periodic": 0}


@pytest.mark.usefixtures("settings_here", "redis_client")
def test_postgresql_is_away(nowhere: int) -> None:
    """The rest is told as ever; the service is not ready, and says why without the URL."""
    with (
        elsewhere(DATABASE_URL=f"postgresql://u:hunter2@127.0.0.1:{nowhere}/x") as configured,
        exporting(configured) as port,
    ):
        seen, ready, alive = get(port, "/metrics"), get(port, "/readyz"), get(port, "/healthz")
    up = {("postgresql",): 0.0, ("redis",): 1.0, ("cache",): 1.0, ("broker",): 0.0}
    assert (seen.status, seen.metrics.all("up"), alive.status) == (200, up, 200)
    assert seen.metrics.value("stream_entries", stream="inbound") == 0
    assert "messages_waiting" not in seen.metrics.names()
    assert (ready.status, ready.json["reasons"]) == (503, ["PostgreSQL does not answer: OperationalError"])
    assert "hunter2" not in seen.text + ready.text


@pytest.mark.usefixtures("settings_here", "engine")
def test_redis_is_away(nowhere: int) -> None:
    """PostgreSQL's figures are told; without the durable Redis the service is not ready, without the cache it is."""
    for role, is_ready in (("REDIS_URL", False), ("CACHE_REDIS_URL", True)):
        with elsewhere(**{role: f"redis://:hunter2@127.0.0.1:{nowhere}"}) as configured, exporting(configured) as port:
            seen, ready = get(port, "/metrics").metrics, get(port, "/readyz")
        assert seen.value("messages_waiting") == 0
        assert seen.value("up", what="cache") == 0
        assert seen.value("up", what="redis") == float(is_ready)
        assert (ready.status == 200, ready.json["ready"]) == (is_ready, is_ready)
        assert "hunter2" not in ready.text


@pytest.mark.usefixtures("settings_here")
def test_servers_that_say_nothing(silent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that hangs costs a scrape the patience and no more, also the next one, and keeps nobody waiting."""
    monkeypatch.setattr(background_read, "PATIENCE_S", 0.5)
    urls = {"DATABASE_URL": f"postgresql://127.0.0.1:{silent}/x", "REDIS_URL": f"redis://127.0.0.1:{silent}"}
    with elsewhere(**urls) as configured, exporting(configured) as port:
        for _ in range(2):
            seen = get(port, "/metrics")
            assert looks_under_way(), "the scrape has waited for them"
            assert seen.metrics.all("up") == {(what,): 0 for what in ("postgresql", "redis", "cache", "broker")}
        assert get(port, "/readyz").json["reasons"] == [
            "PostgreSQL does not answer: TimeoutError",
            "Redis does not answer: TimeoutError",
        ]
        # A look that has ended with an error of its own leaves no thread behind the test.
        wait_for_looks()


def looks_under_way() -> list[threading.Thread]:
    """The threads of looks that have not ended."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("read-")]


def wait_for_looks() -> None:
    """Returns when no look is under way; fails after 15 s."""
    for thread in looks_under_way():
        thread.join(GUARD_S)
        assert not thread.is_alive()


@pytest.mark.usefixtures("redis_client")
def test_a_restarted_server_is_seen_at_once(settings_here: Settings, engine: Engine) -> None:
    """Connections that PostgreSQL or Redis has dropped are made anew within the scrape that finds them dropped."""
    drop = text(
        "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and query like :q"
    )
    with exporting(settings_here, {}) as port, engine.connect() as connection:
        assert get(port, "/metrics").metrics.value("up", what="postgresql") == 1
        dropped = connection.execute(drop, {"q": "%metric_totals%"}).scalars().all()
        assert dropped == [True]
        seen = get(port, "/metrics").metrics
    assert seen.value("up", what="postgresql") == 1


@pytest.mark.usefixtures("redis_client")
def test_a_schema_of_another_version(settings_here: Settings, connection: Connection) -> None:
    """Not ready, with both revisions and the way out; without a schema as well."""
    with exporting(settings_here, {}) as port:
        connection.execute(text("alter table alembic_version rename to alembic_version_away"))
        try:
            without = get(port, "/readyz")
        finally:
            connection.execute(text("alter table alembic_version_away rename to alembic_version"))
        head = connection.execute(text("select version_num from alembic_version")).scalar_one()
        connection.execute(text("update alembic_version set version_num = '0000'"))
        try:
            behind = get(port, "/readyz")
        finally:
            connection.execute(text("update alembic_version set version_num = :head"), {"head": head})
    assert (without.status, without.json["reasons"]) == (503, ["PostgreSQL has no schema: run chasqui db upgrade"])
    reason = f"PostgreSQL is at revision 0000, this version needs {head}: run chasqui db upgrade"
    assert (behind.status, behind.json["reasons"]) == (503, [reason])


@pytest.mark.usefixtures("redis_client", "engine")
def test_budgets_are_those_of_the_settings(settings_here: Settings) -> None:
    """In dollars."""
    with elsewhere(AI_MONTHLY_BUDGET_USD="12.5") as configured, exporting(configured, {}) as port:
        seen = get(port, "/metrics").metrics
    assert seen.all("budget_limit_dollars") == {("month",): 12.5}


def test_a_port_that_is_taken_is_told(servers: Servers) -> None:
    """One line that names the settings."""
    with ExitStack() as stack:
        port = stack.enter_context(serving(lambda _environ, _start: [], "127.0.0.1", 0))
        with pytest.raises(CommandError, match=f"METRICS_PORT {port}: Address already in use"):
            stack.enter_context(serving(lambda _environ, _start: [], "127.0.0.1", port))


def test_an_address_of_ipv6() -> None:
    """Like any other."""

    def hello(_environ: object, start: object) -> list[bytes]:
        start("200 OK", [])  # type: ignore[operator]  # WSGI's
        return [b"hello"]

    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with serving(hello, "::1", 0) as port, socket.create_connection(("::1", port), 5) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert client.makefile("rb").read().endswith(b"hello")
