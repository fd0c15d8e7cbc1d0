"""The page when there is nothing to show, or nobody who could tell: it stays up and says why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import redis
from faults.proxy import Exchange, Proxy
from helpers.basics import EMPTY, GUARD_S
from helpers.dashboard_browser import Visit, dashboard_process, skip_without_browser, wait_for
from helpers.dashboard_rows import fill
from selenium.webdriver import Chrome
from sqlalchemy import Connection, Engine, text
from sqlalchemy.engine import make_url

from worker.redisdb.keys import CIRCUIT, INBOUND
from worker.runtime.embedded.server import free_port

CHARTS = ("Messages per minute", "Reply time", "Cache hits", "Cost", "Expired sessions per hour")


@dataclass(frozen=True, slots=True)
class Lines:
    """A dashboard that reaches its servers over lines that can be cut."""

    address: str
    postgres: Proxy
    redis: Proxy


@pytest.fixture(scope="module")
def lines(urls: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lines]:
    """The process, with proxies in front of PostgreSQL and Redis."""
    skip_without_browser()
    with ExitStack() as stack:
        exchange = stack.enter_context(Exchange())
        proxies, through = {}, {}
        for name, url in urls.items():
            target = make_url(url)
            proxies[name] = exchange.proxy(free_port(), target.port or 0)
            through[name] = target.set(port=proxies[name].port).render_as_string(hide_password=False)
        log = tmp_path_factory.mktemp("dashboard") / "log"
        address = stack.enter_context(dashboard_process(through, log))
        yield Lines(address, proxies["DATABASE_URL"], proxies["REDIS_URL"])


@pytest.fixture
def far(fresh: Chrome, lines: Lines) -> Iterator[Visit]:
    """The page of the dashboard whose lines can be cut; they are whole again afterwards."""
    yield Visit(fresh, lines.address)
    lines.postgres.heal()
    lines.redis.heal()


def test_an_empty_database_explains_itself(visit: Visit, engine: Engine, redis_client: redis.Redis) -> None:
    """Nothing is wrong, nothing is drawn, and it says what to do to see something. Few points are seen, as dots."""
    visit.open("/?range=15m")
    visit.wait_for_text('new, send a first one: chasqui send --from PHONE "hola"')
    visit.wait_for_text("All is well")
    wait_for(lambda: visit.tile("Messages answered")[1] == "0", explain=visit.text)
    wait_for(lambda: visit.tile("Reply time p95")[1] == "–", explain=visit.text)
    for words in ("No messages in this time.", "No session expired in this time.", "No model was asked in this time."):
        assert words in visit.text()
    for chart in CHARTS:
        assert visit.drawn(chart) == []
    assert "None. Every accepted message was answered" in visit.card("Dead letters").text
    assert visit.complaints() == []
    visit.screenshot("empty")
    with engine.connect() as connection:
        fill(connection, 10, 600)
    wait_for(lambda: visit.tile("Messages answered")[1] == "10")
    wait_for(lambda: "--teal" in visit.drawn("Messages per minute"))
    visit.screenshot("ten")


def test_a_server_goes_and_comes_back(far: Visit, lines: Lines, engine: Engine, redis_client: redis.Redis) -> None:
    """The last figures stay with a word of what they are, the rest lives on, and all mends itself. Whoever comes while
    PostgreSQL is away gets the page, what is known, and the reason for the rest.
    """
    with engine.connect() as connection:
        fill(connection, 200, 3_600)
    far.open("/?range=1h")
    far.wait_for_figures()
    before = far.tile("Messages answered")
    lines.postgres.refuse()
    far.wait_for_text("PostgreSQL does not answer. Figures are from before.")
    assert far.tile("Messages answered") == before
    redis_client.hset(CIRCUIT.key("deepseek"), mapping={"state": "forced_open", "reason": "operator"})
    far.wait_for_text("deepseek is left alone: circuit forced open (operator) · until somebody closes it.")
    far.screenshot("without-postgresql")
    far.open("/?range=7d")
    far.wait_for_text("PostgreSQL does not answer.")
    assert far.tile("Messages answered")[1] == "–"
    far.wait_for_card("Circuits", "deepseek\nforced open")
    far.screenshot("never-read")
    lines.postgres.heal()
    wait_for(lambda: "PostgreSQL does not answer" not in far.text(), GUARD_S, far.text)
    far.wait_for_figures()
    lines.redis.refuse()
    far.wait_for_text("Redis (REDIS_URL) does not answer. Circuits and the inbound stream cannot be seen")
    with engine.connect() as connection:
        connection.execute(EMPTY)
        fill(connection, 50, 600)
    wait_for(lambda: far.tile("Messages answered")[1] == "50", GUARD_S)
    far.screenshot("without-redis")
    lines.redis.heal()
    wait_for(lambda: "Redis (REDIS_URL) does not answer" not in far.text(), GUARD_S, far.text)


def test_a_silent_postgresql_does_not_hold_up_the_rest(far: Visit, lines: Lines, redis_client: redis.Redis) -> None:
    """Connections that stay open without an answer are given up; what Redis says is seen while they still stand."""
    far.open("/?range=1h")
    far.wait_for_figures()
    lines.postgres.swallow()
    far.wait_for_text("PostgreSQL does not answer.", 30)
    redis_client.xadd(INBOUND.pattern, {"payload": "{}"})
    wait_for(lambda: "Not read yet (inbound stream)\n1" in far.card("Backlog").text, GUARD_S, far.text)
    assert "PostgreSQL does not answer." in far.text()
    lines.postgres.heal()
    wait_for(lambda: "PostgreSQL does not answer" not in far.text(), GUARD_S, far.text)


def test_a_database_that_is_slow_or_of_another_version_is_explained(
    visit: Visit, shared_engine: Engine, connection: Connection, redis_client: redis.Redis
) -> None:
    """A locked table stands for a busy server: the statement timeout ends the wait. Of missing tables the page says
    which command makes them.
    """
    with shared_engine.execution_options(isolation_level="READ COMMITTED").begin() as locker:
        locker.execute(text("lock table metric_hours in access exclusive mode"))
        visit.open("/?range=7d")
        visit.wait_for_text("PostgreSQL took too long to answer.", 40)
    wait_for(lambda: "took too long" not in visit.text(), GUARD_S, visit.text)
    connection.execute(text("alter table metric_hours rename to metric_hours_away"))
    try:
        visit.wait_for_text("The database does not have the tables of this version. Run: chasqui db upgrade")
    finally:
        connection.execute(text("alter table metric_hours_away rename to metric_hours"))
    wait_for(lambda: "chasqui db upgrade" not in visit.text(), GUARD_S, visit.text)
