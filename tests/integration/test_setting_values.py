"""Every value that a setting allows is run once: each scheme of a URL leads to its server, each word is understood."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

import pytest
import structlog
from helpers.basics import Servers
from helpers.command_line import run, urls_of
from helpers.sockets import redis_on_a_socket
from helpers.tls import certificate, tls_front
from sqlalchemy import text

from db.engine import connect
from worker import log
from worker.app import make_app
from worker.celery_ext.queues import check_queues, queue_lengths
from worker.errors import ConfigurationError
from worker.redisdb.connect import connect_redis
from worker.runtime.environment import environment
from worker.runtime.startup import wait_for_servers
from worker.settings import SCHEMES, Settings, read_settings

#: Run by the tests of Sentinel and RabbitMQ, which take real ones.
ELSEWHERE = {"sentinel", "rediss+sentinel", "amqp", "amqps"}
#: Run by the tests of a Redis of several servers.
SEVERAL = {"sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"}
ONE_SERVER = [scheme for scheme in SCHEMES["redis_url"] if scheme not in SEVERAL]


@pytest.fixture(scope="module")
def doors(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """URLs by scheme: the Redis of this run by TCP and by TLS, and one that listens on a socket alone."""
    plain = urlsplit(servers.redis_url)
    trusted = certificate(tmp_path_factory.mktemp("doors"))
    with ExitStack() as stack:
        socket = stack.enter_context(redis_on_a_socket())
        secured = stack.enter_context(tls_front(plain.port or 0, trusted))
        login = f"{plain.username}:{plain.password}"
        yield {
            "redis": servers.redis_url,
            "rediss": f"rediss://{login}@127.0.0.1:{secured}/0?ssl_ca_certs={trusted.file}",
            "unix": socket,
            "redis+socket": socket.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host="),
        }


def test_every_scheme_has_a_door() -> None:
    """One that is added to the settings must be added here."""
    assert set(SCHEMES) == {"database_url", "redis_url", "cache_redis_url", "broker_url"}
    assert set(SCHEMES["redis_url"]) == set(SCHEMES["cache_redis_url"]) == {"redis", "rediss", "unix", *SEVERAL}
    assert set(SCHEMES["broker_url"]) == {"redis", "rediss", "redis+socket", *ELSEWHERE}
    assert set(SCHEMES["database_url"]) == {"postgresql", "postgres", "postgresql+psycopg2"}


@pytest.mark.parametrize("scheme", SCHEMES["database_url"])
def test_every_scheme_of_postgresql(servers: Servers, scheme: str) -> None:
    """All of them mean the same driver."""
    url = scheme + servers.database_url[servers.database_url.index("://") :]
    assert read_settings({"DATABASE_URL": url}).required("database_url") == url
    with connect(url) as connection:
        assert connection.execute(text("select 1")).scalar_one() == 1


@pytest.mark.parametrize("scheme", ONE_SERVER)
@pytest.mark.parametrize("setting", ["redis_url", "cache_redis_url"])
def test_every_scheme_of_redis(doors: dict[str, str], setting: str, scheme: str) -> None:
    """As our own clients understand it."""
    url = read_settings({setting.upper(): doors[scheme]}).required(setting)
    with connect_redis(url, 5.0) as client:
        assert client.ping()


@pytest.mark.parametrize("scheme", [*ONE_SERVER, "redis+socket"])
def test_every_scheme_of_the_broker(doors: dict[str, str], scheme: str) -> None:
    """As Celery understands it, whether it is the broker's own setting or the durable Redis serves for it."""
    setting = "REDIS_URL" if scheme in SCHEMES["redis_url"] else "BROKER_URL"
    with environment({"BROKER_URL": None, setting: doors[scheme]}), make_app() as application:
        check_queues(application)
        assert set(queue_lengths(application)) == {"flow", "ai", "inbound", "periodic"}


def test_a_socket_means_the_same_database_for_all(doors: dict[str, str]) -> None:
    """What Celery sends by the URL of a socket lies where our own clients look by the same URL."""
    url = doors["unix"]
    with (
        environment({"BROKER_URL": None, "REDIS_URL": url}),
        make_app() as application,
        connect_redis(url, 5) as client,
    ):
        application.send_task("worker.receive", ("{}",), queue=application.amqp.queues["inbound"])
        assert client.llen("inbound") == 1
        client.flushdb()


def test_an_option_that_redis_does_not_know_is_told(servers: Servers, tmp_path: Path) -> None:
    """When the process starts, in one line."""
    given = urls_of(servers) | {"REDIS_URL": f"{servers.redis_url}?hunter2=1"}
    done = run(tmp_path, "intake", **given)
    assert done.returncode == 1
    assert "see REDIS_URL" in done.stderr
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize(
    "query", ["hunter2=1", "sslmode=hunter2", "port=hunter2", "sslmode=verify-full&sslrootcert=/hunter2"]
)
def test_an_option_that_postgresql_does_not_know_is_told(servers: Servers, query: str) -> None:
    """When the process starts, and not shown; nothing waits for it to become right."""
    url = f"{servers.database_url}?{query}"
    configured = read_settings({"DATABASE_URL": url, "REDIS_URL": servers.redis_url})
    with pytest.raises(ConfigurationError, match=r"^PostgreSQL: .*DATABASE_URL") as caught:
        wait_for_servers(configured, lambda: None)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("log_format", ["auto", "json", "console"])
@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR"])
def test_every_format_and_level_of_the_log(
    log_format: str, level: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is taken by the settings, and writes what it should."""
    monkeypatch.setattr("sys.excepthook", lambda *_: None)
    configured = read_settings({"LOG_FORMAT": log_format, "LOG_LEVEL": level})
    try:
        log.configure(configured.log_format, configured.log_level)
        log.logger("x").error("seen")
        assert "seen" in capsys.readouterr().err
    finally:
        structlog.reset_defaults()


def test_every_number_at_its_bounds() -> None:
    """The least and the greatest that a number may be are taken."""
    bounds = {
        name: [getattr(rule, bound) for rule in field.metadata for bound in ("ge", "le") if hasattr(rule, bound)]
        for name, field in Settings.model_fields.items()
        if any(kind in (int, float) for kind in (field.annotation, *get_args(field.annotation)))
    }
    assert {"batch_max", "metrics_port", "ai_parallel_calls"} <= bounds.keys()
    for name, values in bounds.items():
        for value in values:
            assert getattr(read_settings({name.upper(): str(value)}), name) == value
