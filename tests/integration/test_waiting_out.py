"""A rate limit that names a wait is waited for where nobody else can answer and the deadline leaves the time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import redis
from helpers.answering import no_limits
from helpers.circuit import Circuit
from helpers.http_provider import Answer, say
from helpers.roles import DOWN, Fleet, ask, chat, done, fleet_on, limited
from msgspec import structs

from worker.providers.client import AiClient
from worker.providers.clock import Clock
from worker.providers.completion import Completer
from worker.providers.paid_calls import PaidCalls


@pytest.fixture
def fleet(redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """Two providers that are well."""
    monkeypatch.setenv("NO_PROXY", "*")
    with fleet_on(redis_client) as made:
        yield made


@dataclass
class Waiting:
    """A process that waits by letting the open time of all circuits have passed; how long it waited."""

    fleet: Fleet
    alone: bool = True
    slept: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        providers = self.fleet.providers[: 1 if self.alone else 2]
        self.client = AiClient()
        clock = Clock(sleep=self.sleep, random=lambda: 0.0)
        breaker, budget = Circuit(self.fleet.client).breaker, no_limits(self.fleet.client)
        self.completer = Completer(PaidCalls(providers, self.client, breaker, budget, clock))

    def sleep(self, seconds: float) -> None:
        """Time passes at once."""
        self.slept.append(seconds)
        for name in ("first", "second"):
            if self.fleet.client.exists(f"ai_circuit:{name}"):
                self.fleet.client.hset(f"ai_circuit:{name}", "until_ms", 0)


@pytest.mark.parametrize(
    ("first", "slept"), [(limited(6), [6.0]), (say(429, {}, Retry_After="7"), [7.0]), (limited(0.5), [0.5])]
)
def test_the_only_provider_is_waited_for(fleet: Fleet, first: Answer, slept: list[float]) -> None:
    """As long as it asks; then the same customer is answered."""
    fleet.play([first, chat()])
    waiting = Waiting(fleet)
    assert done(waiting.completer.complete(ask(within_s=20))) == ("ai", "first", "a")
    assert waiting.slept == slept


def test_a_wait_that_the_deadline_does_not_leave_is_not_begun(fleet: Fleet) -> None:
    """A second must remain to ask in; the customer is told at once."""
    fleet.play([limited(6), chat()])
    waiting = Waiting(fleet)
    assert waiting.completer.complete(ask(within_s=6.9)).source == "fallback"
    assert (waiting.slept, fleet.asked()) == ([], ["a"])


def test_who_comes_while_it_is_limited_waits_for_the_rest(fleet: Fleet) -> None:
    """Without a call: the circuit knows for how long."""
    fleet.play([limited(6), chat()])
    Waiting(fleet).completer.complete(ask(within_s=2))
    waiting = Waiting(fleet)
    assert done(waiting.completer.complete(ask(within_s=20))) == ("ai", "first", "a")
    assert waiting.slept == [pytest.approx(6.0, abs=1.0)]
    assert fleet.asked() == ["a", "a"]


def test_another_provider_is_better_than_a_wait(fleet: Fleet) -> None:
    """It answers at once."""
    fleet.play([limited(6)], [chat()])
    waiting = Waiting(fleet, alone=False)
    assert done(waiting.completer.complete(ask())) == ("ai", "second", "c")
    assert waiting.slept == []


def test_the_shorter_wait_is_taken(fleet: Fleet) -> None:
    """Where both are limited; and after it the one that is free."""
    fleet.play([limited(9)], [limited(6), chat()])
    waiting = Waiting(fleet, alone=False)
    outcome = waiting.completer.complete(ask(within_s=20))
    assert outcome.source == "ai"
    assert waiting.slept[0] == pytest.approx(6.0)


def test_a_failure_beside_it_is_not_asked_again(fleet: Fleet) -> None:
    """Only who named a wait is asked after it."""
    fleet.play([limited(6), chat()], [DOWN])
    waiting = Waiting(fleet, alone=False)
    assert done(waiting.completer.complete(ask(within_s=20))) == ("ai", "first", "a")
    assert 6.0 in waiting.slept
    assert fleet.asked().count("c") <= 2


def test_a_limit_that_stays_ends_at_the_deadline(fleet: Fleet) -> None:
    """Each wait is granted only while the deadline leaves it, on the process's own clock."""
    fleet.play([limited(6)])
    now = [0.0]
    circuit = Circuit(fleet.client)

    def sleep(seconds: float) -> None:
        now[0] += seconds
        circuit.client.hset("ai_circuit:first", "until_ms", 0)

    clock = Clock(monotonic=lambda: now[0], sleep=sleep, random=lambda: 0.0)
    client = AiClient(clock)
    paid = PaidCalls(fleet.providers[:1], client, circuit.breaker, no_limits(circuit.client), clock)
    completer = Completer(paid)
    asked = ask()
    outcome = completer.complete(structs.replace(asked, customer="549", deadline=20.0))
    assert (outcome.source, now[0]) == ("fallback", 18.0)
    assert fleet.asked() == ["a"] * 4
    client.close()


def test_a_wait_beyond_the_calendar_is_a_failed_candidate(fleet: Fleet) -> None:
    """A date that no computer can reckon with: the next one is asked, nothing is raised."""
    fleet.play([say(429, {}, Retry_After="Mon, 20 Nov 99999999999 19:12:08 GMT")], [chat()])
    waiting = Waiting(fleet, alone=False)
    assert done(waiting.completer.complete(ask())) == ("ai", "second", "c")
    assert fleet.state("first")["reason"] == "rate_limited"
