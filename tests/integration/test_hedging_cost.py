"""Hedging in the services of a process: off by default, and what it costs is in the report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import redis
from answering import calls, well_behaved
from factories import rows
from hedged import SLOW_MS, WAIT_S, ask_for
from msgspec.structs import replace
from sqlalchemy import Connection, Engine
from support import Servers
from turns import MILK, planned, turn_of

from worker import flow
from worker.local.simulator import Simulator
from worker.metrics.report import make_report
from worker.providers.hedging import LEAST_SAMPLES
from worker.services import Services, build, record_late
from worker.session.turn import Outcome
from worker.settings import read_settings


@pytest.fixture(scope="module")
def shared_simulator() -> Iterator[Simulator]:
    """The providers of this module."""
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def simulator(shared_simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """Well-behaved providers that nobody has called; whoever hangs at the end of a test is let go."""
    monkeypatch.setenv("NO_PROXY", "*")
    yield well_behaved(shared_simulator)
    well_behaved(shared_simulator)


@pytest.fixture
def service(
    servers: Servers, engine: Engine, redis_client: redis.Redis, simulator: Simulator
) -> Callable[..., Services]:
    """A maker of the services of a process on the servers of the test run."""

    def make(**environ: str) -> Services:
        urls = {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url}
        keys = dict.fromkeys(("GEMINI_API_KEY", "DEEPSEEK_API_KEY"), "sk-test")
        services = build(read_settings(urls | keys | simulator.base_urls | environ))
        for _ in range(LEAST_SAMPLES):
            assert ask_for(services.answerer).provider == "gemini-flash"
        simulator.reset()
        return services

    return make


def test_it_is_off_by_default(service: Callable[..., Services], simulator: Simulator) -> None:
    """One call, however long it takes."""
    services = service()
    simulator.set("gemini", latency_ms=SLOW_MS)
    assert ask_for(services.answerer).provider == "gemini-flash"
    assert calls(simulator) == {"gemini": 1}


def counted_today(services: Services, name: str) -> dict[str, int]:
    """Today's counters, as soon as this one is among them."""
    deadline = time.monotonic() + WAIT_S
    while True:
        found = services.redis.hgetall(time.strftime("metrics:replies:%Y-%m-%d", time.gmtime()))
        counted = {key.decode(): int(value) for key, value in found.items()}  # type: ignore[union-attr]
        if name in counted:
            return counted
        assert time.monotonic() < deadline


def test_the_report_holds_what_both_have_cost(
    service: Callable[..., Services], simulator: Simulator, connection: Connection
) -> None:
    """One message, answered by one; the loser is no reply, but its cost is its provider's."""
    services = service(AI_HEDGE="true")
    simulator.set("gemini", mode="hang")
    outcome = ask_for(services.answerer)
    assert outcome.provider == "deepseek"
    turn = planned(turn_of(token="11111111-1111-1111-1111-111111111111"), MILK)
    flow.record_metrics(services, [replace(turn, outcome=outcome, committed=True)])
    simulator.set("gemini", mode="ok")
    counted = counted_today(services, "source:late")
    (late,) = rows(connection, "select * from ai_metrics where not committed")
    assert (late["provider"], late["calls"], late["messages"]) == ("gemini-flash", 1, 0)
    assert late["cost_microusd"] > 0
    report = make_report(connection)
    both = (outcome.cost_microusd + late["cost_microusd"]) / 1_000_000
    assert report["costs"]["total_usd"] == pytest.approx(both)
    assert report["costs"]["by_provider_usd"]["gemini-flash"] == late["cost_microusd"] / 1_000_000
    assert (report["messages"], report["ai"]["ai_provider_distribution"]["deepseek"]) == (1, 100.0)
    assert (counted["source:ai"], counted["source:late"]) == (1, 1)
    assert counted["cost_microusd"] == outcome.cost_microusd + late["cost_microusd"]


def test_a_cost_that_cannot_be_recorded_is_logged(
    service: Callable[..., Services], engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    """PostgreSQL refuses; nothing is raised where nobody waits."""
    record_late(engine, service().redis, Outcome("ai", {}, provider="\0"))
    logged = capsys.readouterr()
    assert "late_cost_lost" in logged.out + logged.err
