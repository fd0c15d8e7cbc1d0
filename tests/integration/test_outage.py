"""Two of three providers down while messages flow: few calls to them, every message answered, used again afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import pytest
import redis
from helpers.answering import calls, completer_on, providers_of, request_of, well_behaved
from helpers.basics import GUARD_S
from helpers.turns import MILK, plan_of

from worker.devkit.simulator import Simulator
from worker.providers.circuit import CircuitBreaker
from worker.providers.circuit_rules import CircuitLimits
from worker.providers.completion import Completer

DOWN = {"deepseek": "deepseek", "openai": "gpt"}
MEDIUM, COMPLEX = "precio de la leche {}", "cual de los {} me conviene mas?"
#: Ten minutes in six seconds: every time of the breaker is a hundredth of what it is by default.
OUTAGE_S = 6.0
A_HUNDREDTH = CircuitLimits(window_ms=300, open_ms=50, open_max_ms=3_000)
CALLERS = 4
#: Longer than any message takes here.
A_MOMENT_S = 0.5
#: Answers after an open wait until the provider is used again: what was under way, and a round for each difficulty.
AT_LAST = 4 * CALLERS


@pytest.fixture
def completer(simulator: Simulator, redis_client: redis.Redis) -> Iterator[Completer]:
    """A completer on well-behaved providers and an empty Redis."""
    with completer_on(redis_client, providers_of(simulator)) as made:
        yield made


def ask(completer: Completer, number: int, text: str = MEDIUM) -> str | None:
    """Asks for something of medium difficulty, or a hard question; the provider that answered."""
    said = text.format(number)
    return completer.complete(request_of(plan_of(said, MILK), said, f"caller-{number}", "549")).provider


def let_the_wait_pass(client: redis.Redis) -> None:
    """Sets the clocks of open circuits as if their open time were over."""
    for name in DOWN.values():
        client.hset(f"ai_circuit:{name}", "until_ms", 0)


def test_an_outage_costs_few_calls_and_ends_within_a_wait(
    completer: Completer, simulator: Simulator, redis_client: redis.Redis
) -> None:
    """Five calls to each until its circuit opens, one per open wait after that, and back after two good probes."""
    for name in DOWN:
        simulator.set(name, status=503)
    assert {ask(completer, number) for number in range(30)} == {"gemini-flash"}
    assert {name: count for name, count in calls(simulator).items() if name in DOWN} == dict.fromkeys(DOWN, 5)
    for wait in range(1, 4):
        let_the_wait_pass(redis_client)
        assert {ask(completer, 100 * wait + number) for number in range(10)} == {"gemini-flash"}
        assert {name: count for name, count in calls(simulator).items() if name in DOWN} == dict.fromkeys(
            DOWN, 5 + wait
        )
    well_behaved(simulator)
    let_the_wait_pass(redis_client)
    assert [ask(completer, 1_000 + number) for number in range(3)] == ["deepseek"] * 3
    assert redis_client.hget("ai_circuit:deepseek", "state") == b"closed"
    assert int(redis_client.hget("ai_circuit:deepseek", "trips") or 0) == 4


@contextmanager
def flowing(completer: Completer) -> Iterator[list[tuple[float, str | None]]]:
    """Callers side by side, each with one message after the other, hard and medium in turn, until the end of the
    block; when each was answered (monotonic clock) and by whom.
    """
    answered: list[tuple[float, str | None]] = []
    end = Event()

    def call(number: int) -> None:
        while not end.is_set():
            number += CALLERS
            provider = ask(completer, number, (COMPLEX, MEDIUM)[number // CALLERS % 2])
            answered.append((time.monotonic(), provider))

    with ThreadPoolExecutor(CALLERS) as pool:
        callers = [pool.submit(call, number) for number in range(CALLERS)]
        try:
            yield answered
        finally:
            end.set()
    for caller in callers:
        caller.result()


def figure(client: redis.Redis, provider: str, name: str) -> float:
    """One figure of a circuit."""
    return float(client.hget(f"ai_circuit:{DOWN[provider]}", name) or 0)


def waits_left_s(client: redis.Redis) -> dict[str, float]:
    """What is left of the open waits."""
    return {name: figure(client, name, "until_ms") / 1000 - time.time() for name in DOWN}


def most_probes(outage_s: float) -> int:
    """How many open waits can end during an outage, were each a fifth shorter than it is on average."""
    probes, passed_ms = 0, 0.8 * A_HUNDREDTH.open_ms
    while passed_ms < outage_s * 1000:
        probes += 1
        passed_ms += 0.8 * min(A_HUNDREDTH.open_ms * 2**probes, A_HUNDREDTH.open_max_ms)
    return probes


def test_ten_minutes_of_outage_under_load(simulator: Simulator, redis_client: redis.Redis) -> None:
    """Calls to each who is down: at most five, those in flight when it opened, and one per open wait. Everybody is
    answered by the third meanwhile, and both are used again before the wait that is under way is over.
    """
    simulator.set("all", latency_ms=(20.0, 20.0))
    for name in DOWN:
        simulator.set(name, status=503)
    breaker = CircuitBreaker(redis_client, lambda _: None, limits=A_HUNDREDTH)
    with completer_on(redis_client, providers_of(simulator), breaker) as completer, flowing(completer) as answered:
        began_s = time.monotonic()
        Event().wait(OUTAGE_S)
        while min(waits_left_s(redis_client).values()) < A_MOMENT_S:
            # Whoever is probing just then would see the outage's last moment.
            assert time.monotonic() < began_s + 2 * OUTAGE_S
            Event().wait(0.01)
        meanwhile, made = list(answered), calls(simulator)
        waits = {name: figure(redis_client, name, "trips") - 1 for name in DOWN}
        back_s, left_s = time.monotonic(), waits_left_s(redis_client)
        well_behaved(simulator)
        while any(redis_client.hget(f"ai_circuit:{name}", "state") != b"closed" for name in DOWN.values()):
            assert time.monotonic() < back_s + GUARD_S
            Event().wait(0.01)
    assert len(meanwhile) > 100
    assert {provider for _, provider in meanwhile} == {"gemini-flash"}
    for name in DOWN:
        assert 5 + waits[name] <= made[name] <= 5 + (CALLERS - 1) + waits[name]
        assert 1 <= waits[name] <= most_probes(back_s - began_s)
        first_use_s = next(at_s for at_s, provider in answered if provider == DOWN[name])
        assert left_s[name] - A_MOMENT_S < first_use_s - back_s
        after_the_wait = [provider for at_s, provider in answered if at_s > back_s + left_s[name]]
        assert DOWN[name] in after_the_wait[:AT_LAST]


def test_a_passing_failure_of_the_only_provider_is_asked_again(simulator: Simulator, redis_client: redis.Redis) -> None:
    """With nobody else to ask, one failure of a healthy provider is worth a second attempt, and its next model a call;
    later ones are not tried twice.
    """
    simulator.set("openai", status=500)
    with completer_on(redis_client, providers_of(simulator, openai="sk-test")) as alone:
        assert ask(alone, 1) is None
        assert calls(simulator) == {"openai": 3}
        assert ask(alone, 2) is None
        assert calls(simulator) == {"openai": 5}
