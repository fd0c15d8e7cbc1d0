"""Real servers for all tests: one embedded PostgreSQL and Redis per run, emptied for each test that asks for them."""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Iterator

import pytest
import redis
import structlog
from helpers.basics import EMPTY, Servers, keep_as_template, spare_the_disk
from helpers.factories import product
from sqlalchemy import Connection, Engine
from xdist.scheduler import LoadFileScheduling

from db import migrations
from db.engine import make_engine
from db.products import put_products
from worker.redisdb.connect import connect_redis
from worker.runtime.embedded.servers import embedded_servers
from worker.runtime.environment import environment
from worker.settings import Settings
from worker.steps.services import Services, build

#: Files of these stay together, since what they share is dear: a browser and two dashboards.
TOGETHER = "tests/dashboard/"
#: What takes one process longest begins first, so that it does not end last.
LONGEST = (TOGETHER, "tests/unit/test_bounded_work.py")
#: Tests that watch servers, several processes, or a browser, on a machine that may be busy with others: one that
#: fails is tried once more. The summary shows how it failed at first, and no more than a few in a run are forgiven
#: (`addopts`).
TRIED_TWICE = (
    "tests/acceptance/",
    "tests/dashboard/",
    "tests/failover/",
    "tests/faults/",
    "tests/integration/",
)
_tried_again: set[str] = set()


class Scheduling(LoadFileScheduling):
    """Each file in one process, and a folder of `TOGETHER` too."""

    def _split_scope(self, nodeid: str) -> str:
        return TOGETHER if nodeid.startswith(TOGETHER) else str(super()._split_scope(nodeid))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Orders the tests; lets those of running processes be tried twice."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))
    for item in items:
        if item.nodeid.startswith(TRIED_TWICE):
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Notes that a test is tried again."""
    if report.outcome == "rerun":
        _tried_again.add(report.nodeid)


def pytest_runtest_logfinish(nodeid: str) -> None:
    """Lets go of what a first try has left open: found in the middle of another test, it would fail that."""
    if nodeid in _tried_again:
        _tried_again.remove(nodeid)
        for name in ("last_value", "last_traceback"):
            vars(sys).pop(name, None)
        with warnings.catch_warnings(action="ignore", category=ResourceWarning):
            gc.collect()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadFileScheduling:
    """Shares the tests out."""
    return Scheduling(config, log)


@pytest.fixture(autouse=True)
def _plain_tracebacks() -> None:
    """Lines of the log with an exception are written plainly; with every local variable, as by default, each takes a
    second. Whatever a test before has configured is gone.
    """
    structlog.reset_defaults()
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, renderer])


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """PostgreSQL, migrated, and Redis."""
    directory = tmp_path_factory.mktemp("servers")
    with embedded_servers(directory) as running:
        spare_the_disk(directory / "postgres" / "data")
        assert running.database_url is not None
        assert running.redis_url is not None
        migrations.upgrade(running.database_url)
        found = Servers(running.database_url, running.redis_url, directory)
        keep_as_template(found)
        yield found


@pytest.fixture(scope="session")
def shared_engine(servers: Servers) -> Iterator[Engine]:
    """The engine of the whole run; tests take `engine`, which is emptied."""
    engine = make_engine(servers.database_url, pool_size=10)
    yield engine
    engine.dispose()


@pytest.fixture
def engine(shared_engine: Engine) -> Engine:
    """An engine on an empty, migrated database."""
    with shared_engine.connect() as connection:
        connection.execute(EMPTY)
    return shared_engine


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """A connection to an empty, migrated database; every statement commits by itself."""
    with engine.connect() as connection:
        yield connection


@pytest.fixture
def redis_client(servers: Servers) -> Iterator[redis.Redis]:
    """A client of an empty Redis."""
    client = connect_redis(servers.redis_url, timeout_s=5.0)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def settings_here(servers: Servers) -> Iterator[Settings]:
    """Settings, and an environment, that name the servers of this test run and no provider."""
    unset = (
        "CACHE_REDIS_URL",
        "BROKER_URL",
        "PROVIDERS_FILE",
        "SHOP_FILE",
        "OPENAI_API_KEY",
        "GEMINI_API_KEY",
        "DEEPSEEK_API_KEY",
    )
    urls = {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url}
    with environment(dict.fromkeys(unset) | urls | {"REPLY_QUIET_S": "0"}):
        from worker.settings import settings

        yield settings()


@pytest.fixture
def shop_services(settings_here: Settings, redis_client: redis.Redis, engine: Engine) -> Iterator[Services]:
    """Services of a shop with two products, on empty servers."""
    with engine.begin() as connection:
        put_products(connection, [product("1", "Leche entera"), product("2", "Arroz largo")])
    made = build(settings_here)
    yield made
    made.engine.dispose()
    made.redis.close()
