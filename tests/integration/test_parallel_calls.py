"""How many providers' answers a process waits for at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import redis
from helpers.answering import well_behaved
from helpers.basics import GUARD_S, Servers
from helpers.turns import MILK, planned, turn_of
from sqlalchemy import Engine

from worker.devkit.simulator import Simulator
from worker.redisdb.connect import connect_redis
from worker.session.turn import Turn
from worker.settings import read_settings
from worker.steps.services import Services, build

WAIT_S = GUARD_S
LEASE_S, MARGIN_S = 45.0, 15.0
#: Calls and batches, and some to spare.
AT_MOST = 192 + 64 + 32
Make = Callable[..., Services]


@pytest.fixture
def simulator(simulator: Simulator) -> Iterator[Simulator]:
    """Providers that nobody has called, and that do not answer until they are told to."""
    simulator.set("all", mode="hang")
    yield simulator
    well_behaved(simulator)


@pytest.fixture
def make(servers: Servers, engine: Engine, redis_client: redis.Redis, simulator: Simulator) -> Make:
    """A maker of the services of a process on the servers of the test run."""

    def made(**environ: str) -> Services:
        urls = {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url}
        keys = dict.fromkeys(("GEMINI_API_KEY",), "sk-test")
        return build(read_settings(urls | keys | simulator.base_urls | environ))

    return made


def greetings(count: int) -> list[Turn]:
    """Turns of as many customers, each with a request of its own."""
    return [planned(turn_of(f"busco la leche {n}", f"54911{n:08d}", f"token-{n}"), MILK) for n in range(count)]


@pytest.mark.parametrize(("environ", "at_once"), [({}, 128), ({"AI_PARALLEL_CALLS": "7"}, 7)])
def test_so_many_are_asked_side_by_side(
    make: Make, simulator: Simulator, environ: dict[str, str], at_once: int
) -> None:
    """No fewer, while as many more wait; and none of those is forgotten."""
    services, turns = make(**environ), greetings(at_once + 5)
    left_s = {turn.token: LEASE_S for turn in turns}

    def ask() -> int:
        return sum(len(dispatched.answered) for dispatched in services.dispatcher.call(turns, left_s, MARGIN_S))

    with ThreadPoolExecutor(1) as thread:
        answered = thread.submit(ask)
        deadline = time.monotonic() + WAIT_S
        while simulator.counters("gemini").in_flight < at_once and time.monotonic() < deadline:
            time.sleep(0.02)
        under_way = simulator.counters("gemini").in_flight
        simulator.set("all", mode="ok")
        assert answered.result(WAIT_S) == len(turns)
    assert under_way == at_once
    assert simulator.counters("gemini").max_in_flight == at_once


def test_each_of_them_has_a_connection_to_redis(servers: Servers) -> None:
    """A thread that found none would take Redis for away: its circuit, budget and flight would count no more."""
    together = Barrier(AT_MOST)
    with connect_redis(servers.redis_url, WAIT_S) as client, ThreadPoolExecutor(AT_MOST) as threads:

        def wait(number: int) -> object:
            together.wait(WAIT_S)
            return client.blpop([f"nobody:{number}"], timeout=1)

        assert list(threads.map(wait, range(AT_MOST))) == [None] * AT_MOST
