"""Paid calls over HTTP: another attempt where it may help, money held and settled, booked by who answered."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import redis
from helpers.http_provider import Answer, Server, raw, say, serving
from helpers.roles import ask
from pydantic import SecretStr

from worker.errors import ProviderError, ProviderUnavailable
from worker.providers.budget import Budget, BudgetLimits, Reservation
from worker.providers.circuit import REROUTED_AGAIN_S, CircuitBreaker
from worker.providers.circuit_rules import Permit
from worker.providers.client import AiClient
from worker.providers.clock import Clock
from worker.providers.models import Model, Price, Provider, WeekHours
from worker.providers.paid_calls import NotPaidFor, PaidCalls
from worker.providers.pricing import cost_microusd, estimate_tokens
from worker.providers.progress import Candidate, Progress
from worker.redisdb.keys import MODEL_CIRCUIT
from worker.replies.prompt import AiRequest, Completion
from worker.usage import ModelCalls, Usage

REQUEST = AiRequest(system="Answer in JSON.", user="{}", max_output_tokens=100)
SUNDAY, MONDAY = datetime(2026, 11, 29, 2, 0, tzinfo=UTC), datetime(2026, 11, 30, 2, 0, tzinfo=UTC)
ONE, TWO, DEAR = (Price(Decimal(usd), Decimal(usd), Decimal(usd), Decimal(usd)) for usd in (1, 2, 7))
PEAK = replace(DEAR, hours=(WeekHours(frozenset({0}), SUNDAY.time(), None),))
BILLED = Usage(1_000, 0, 100)


def answer(**changes: Any) -> Answer:
    """A good answer, some things about it changed."""
    figures = {"prompt_tokens": 1_000, "completion_tokens": 100}
    return say(200, {"choices": [{"message": {"content": "{}"}, "finish_reason": "stop"}], "usage": figures} | changes)


def model(name: str, *prices: Price) -> Model:
    """A model at these prices."""
    return Model(name, prices)


class Notes(CircuitBreaker):
    """A breaker without Redis that takes down who answers for another."""

    def __init__(self, noted: list[tuple[str, str, str]]) -> None:
        super().__init__(redis.Redis(port=1), lambda _: None)
        self._noted = noted

    def rerouted(self, provider: str, model: str, name: str) -> None:
        """Takes it down."""
        self._noted.append((provider, model, name))


class Unlimited(Budget):
    """A budget without Redis that pays for all calls."""

    def __init__(self) -> None:
        super().__init__(redis.Redis(port=1), BudgetLimits(None, None, 0), lambda: (0, 0))

    def reserve(self, provider: str, price: Price, request: AiRequest, customer: str) -> Reservation:
        """Reserves nothing."""
        return Reservation("", 0, ("", ""))

    def settle(self, held: Reservation, spent_microusd: int) -> None:
        """Books nothing."""


@dataclass
class Bench:
    """A provider of two models and another one, and all that is noted of its calls."""

    server: Server
    budget: Budget = field(default_factory=Unlimited)
    now: datetime = SUNDAY
    jitter: float = 0.5
    slept: list[float] = field(default_factory=list)
    noted: list[tuple[str, str, str]] = field(default_factory=list)
    calls: list[ModelCalls] = field(default_factory=list)

    def __post_init__(self) -> None:
        base = Provider("p", "openai", self.server.url, "", SecretStr("k"), "KEY", None, (), 1.0, 5.0, ())
        self.provider = replace(base, models=(model("first-1", ONE, PEAK), model("second-2", TWO)))
        self.other = replace(base, name="q", models=(model("third-3", DEAR),))
        self.client = AiClient()
        self.paid = PaidCalls(
            (self.provider, self.other),
            self.client,
            Notes(self.noted),
            self.budget,
            Clock(sleep=self.slept.append, random=lambda: self.jitter, now=lambda: self.now),
        )

    def make(self, tries: int = 2, within_s: float = 5.0) -> tuple[Completion, str]:
        """A completion of the first model."""
        candidate = Candidate(self.provider, self.provider.models[0], Permit("p", "c", 0), tries)
        planned = ask(within_s=within_s)
        return self.paid.make(candidate, REQUEST, Progress(planned, self.calls))

    def fails(self, **asked: Any) -> ProviderError:
        """The error that a call ends with."""
        with pytest.raises(ProviderError) as raised:
            self.make(**asked)
        return raised.value


@contextmanager
def bench_on(*answers: Answer, **given: Any) -> Iterator[Bench]:
    """A bench whose provider gives these answers, one after the other."""
    with serving(*answers) as server:
        bench = Bench(server, **given)
        yield bench
        bench.client.close()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.mark.parametrize("first", [say(500, {}), say(503, {}, Retry_After="1"), raw(b"")])
def test_second_attempt_succeeds(first: Answer) -> None:
    """After a failure that may pass, one more attempt about a second later."""
    with bench_on(first, answer()) as bench:
        assert bench.make()[0].text == "{}"
        assert bench.slept == [1.0]
        assert [call.outcome for call in bench.calls] == ["unavailable", "ok"]


def test_two_attempts_at_most() -> None:
    """A provider that stays sick is given up after the second attempt; with one try after the first."""
    with bench_on(say(500, {})) as bench:
        assert isinstance(bench.fails(), ProviderUnavailable)
        assert len(bench.server.seen) == len(bench.calls) == 2
        assert isinstance(bench.fails(tries=1), ProviderUnavailable)
        assert len(bench.server.seen) == 3


def test_a_short_wait_is_kept() -> None:
    """A wait of up to two seconds that the provider asks for is kept."""
    with bench_on(say(503, {}, Retry_After="2"), answer()) as bench:
        bench.make()
        assert bench.slept == [2.0]


@pytest.mark.parametrize(
    "first",
    [
        say(429, {}),
        say(503, {}, Retry_After="3"),
        say(401, {}),
        say(400, {}),
        say(404, {"error": {"code": "model_not_found"}}),
        say(408, {}),
        say(200, b"?"),
    ],
    ids=["rate limited", "long wait", "denied", "refused", "gone", "timeout", "unreadable"],
)
def test_no_second_attempt(first: Answer) -> None:
    """What another second will not mend is not repeated."""
    with bench_on(first) as bench:
        bench.fails()
        assert len(bench.server.seen) == 1
        assert bench.slept == []


def test_no_second_attempt_without_time() -> None:
    """The delay and one second must fit before the deadline."""
    with bench_on(say(500, {})) as bench:
        bench.fails(within_s=1.9)
        assert (len(bench.server.seen), bench.slept) == (1, [])


@pytest.mark.parametrize(("number", "delay_s"), [(0.0, 0.75), (0.999999, 1.25)])
def test_jitter(number: float, delay_s: float) -> None:
    """The delay lies a quarter of a second around one."""
    with bench_on(say(500, {}), answer(), jitter=number) as bench:
        bench.make()
        assert bench.slept == [pytest.approx(delay_s, abs=0.001)]


def test_a_call_that_was_given_up_is_booked_by_estimate() -> None:
    """Input as counted, output to the limit: better a little too much in the books."""
    with bench_on(raw(b"")) as bench:
        bench.fails(tries=1)
    most = Usage(estimate_tokens(REQUEST.text), 0, 100)
    assert bench.calls == [ModelCalls("p", "first-1", "unavailable", 1, most, cost_microusd(ONE, most))]


def test_money_is_settled_by_what_was_billed(redis_client: redis.Redis) -> None:
    """Nothing stays reserved, whatever the end; without money nobody is called."""
    budget = Budget(redis_client, BudgetLimits(2_000, None, 100), lambda: (0, 0))
    with bench_on(answer(), say(404, {"error": {"code": "model_not_found"}}), answer(), budget=budget) as bench:
        bench.make()
        bench.fails()
        bench.make()
        assert redis_client.zcard("budget:reserved") == 0
        assert redis_client.hget(time.strftime("budget:%Y-%m", time.gmtime()), "spent") == b"2200"
        with pytest.raises(NotPaidFor):
            bench.make()
        assert len(bench.server.seen) == len(bench.calls) == 3


@pytest.mark.parametrize(
    ("name", "model_name", "microusd", "noted"),
    [
        (None, "first-1", 1_100, False),
        ("first-1", "first-1", 1_100, False),
        ("first-1-2026-09-22", "first-1", 1_100, False),
        ("second-2", "second-2", 2_200, True),
        ("second-2-0813", "second-2", 2_200, True),
        ("third-3", "third-3", 7_700, True),
        ("nobody-knows", "nobody-knows", 1_100, True),
    ],
)
def test_an_answer_is_booked_on_the_model_that_made_it(
    name: str | None, model_name: str, microusd: int, noted: bool
) -> None:
    """At its own price where it is configured; a snapshot is no news, another model is noted."""
    with bench_on(answer(**{} if name is None else {"model": name})) as bench:
        completion, told = bench.make()
    assert (completion.model, told) == ("first-1", model_name)
    assert bench.calls == [ModelCalls("p", model_name, "ok", 1, BILLED, microusd)]
    assert bench.noted == ([("p", "first-1", name)] if noted else [])


def test_the_price_of_the_hour_counts() -> None:
    """A call on Monday night costs what that hour costs."""
    with bench_on(answer()) as bench:
        bench.make()
        bench.now = MONDAY
        bench.make()
    assert [call.cost_microusd for call in bench.calls] == [1_100, 7_700]


def test_who_answers_for_another_is_noted_with_its_circuit(
    redis_client: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    """For the operator, and said once in a while, not for every call."""
    now = [1_000_000.0]
    breaker = CircuitBreaker(redis_client, lambda _: None, clock=Clock(now=lambda: datetime.fromtimestamp(now[0], UTC)))
    for _ in range(3):
        breaker.rerouted("p", "first-1", "second-2")
    key = MODEL_CIRCUIT.key("p:first-1")
    assert redis_client.hgetall(key) == {b"answered_by": b"second-2", b"answered_at": b"1000000"}
    assert int(str(redis_client.ttl(key))) > 0
    now[0] += REROUTED_AGAIN_S
    breaker.rerouted("p", "first-1", "second-2")
    assert redis_client.hget(key, "answered_at") == b"1000600"
    logged = capsys.readouterr()
    assert (logged.out + logged.err).count("answered_by_another_model") == 2
