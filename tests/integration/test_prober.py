"""Probes: each model is asked as the service asks, for at most a cent a day, and the circuits hear what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
import redis
from helpers.http_provider import Server, say, serving
from helpers.roles import DENIED, DOWN, GONE, UNCLEAR, chat, model_of, role

from worker.providers.budget import Budget, BudgetLimits
from worker.providers.circuit import CircuitBreaker, CircuitChange
from worker.providers.client import AiClient
from worker.providers.models import Provider
from worker.providers.probe import DAY_MICROUSD, LOCK_S, PRODUCT, QUESTION, Prober, read_probes
from worker.redisdb.keys import BUDGET, MODEL_PROBES, PROBE_LOCK
from worker.replies.prompt import render
from worker.replies.verdict import Offer, decision_schema
from worker.shop.shop import Shop
from worker.usage import ModelCalls

SHOP = Shop("la tienda")


@dataclass
class Bench:
    """A prober of two models, and all that it tells."""

    client: redis.Redis
    server: Server
    providers: tuple[Provider, ...]
    http: AiClient
    booked: list[ModelCalls] = field(default_factory=list)
    changes: list[CircuitChange] = field(default_factory=list)

    def prober(self) -> Prober:
        """One of another process."""
        breaker = CircuitBreaker(self.client, self.changes.append)
        budget = Budget(self.client, BudgetLimits(None, None, 100), lambda: (0, 0))
        return Prober(self.providers, self.http, breaker, self.client, budget, self.booked.extend, SHOP)

    def asked(self) -> list[str]:
        """The models that were asked."""
        return [seen.body["model"] for seen in self.server.seen]

    def unlock(self) -> None:
        """Time passes."""
        for model in ("a", "b"):
            self.client.delete(PROBE_LOCK.key(f"first/{model}"))


@contextmanager
def bench_on(client: redis.Redis) -> Iterator[Bench]:
    """A provider that is well."""
    with ExitStack() as stack:
        server = stack.enter_context(serving(chat("Sí, tenemos leche entera.", intent="search_product")))
        providers = (role("first", server, "a", "b"),)
        http = AiClient()
        stack.callback(http.close)
        yield Bench(client, server, providers, http)


@pytest.fixture
def bench(redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """On an empty Redis."""
    monkeypatch.setenv("NO_PROXY", "*")
    with bench_on(redis_client) as made:
        yield made


def test_each_model_is_asked_as_the_service_asks(bench: Bench) -> None:
    """A short real question with a product, the shop's own instructions, and the schema where it is sent."""
    bench.providers = (replace(bench.providers[0], models=(replace(model_of("a"), json_mode="schema"),)),)
    assert [probe.outcome for probe in bench.prober().run()] == ["ok"]
    (seen,) = bench.server.seen
    rendered = render(SHOP, QUESTION, (), [PRODUCT], None)
    assert [message["content"] for message in seen.body["messages"]] == [rendered.system, rendered.user]
    schema = seen.body["response_format"]["json_schema"]["schema"]
    assert schema == decision_schema(Offer(), shared=True)


def test_what_it_finds_is_booked_and_noted(bench: Bench) -> None:
    """In the money, apart for the day, and for doctor; it is read again as it was."""
    made = bench.prober().run()
    assert [(call.model, call.outcome, call.cost_microusd) for call in bench.booked] == [
        ("a", "ok", 1_100),
        ("b", "ok", 1_100),
    ]
    book = BUDGET.key(f"probes:{datetime.now(UTC):%Y-%m-%d}")
    assert bench.client.get(book) == b"2200"
    assert bench.client.hget(time.strftime("budget:%Y-%m", time.gmtime()), "spent") == b"2200"
    assert sorted(read_probes(bench.client), key=lambda one: one.model) == made
    assert 0 < int(str(bench.client.ttl(book))) <= 2 * 86_400
    assert int(str(bench.client.ttl(MODEL_PROBES.pattern))) > 0


def test_a_fleet_that_starts_together_probes_once(bench: Bench) -> None:
    """The lock lapses by itself."""
    assert len(bench.prober().run()) == 2
    assert bench.prober().run() == []
    assert bench.asked() == ["a", "b"]
    assert 0 < int(str(bench.client.ttl(PROBE_LOCK.key("first/a")))) <= LOCK_S


def test_a_cent_a_day(bench: Bench) -> None:
    """Where it does not reach for another probe there is none, until the next day."""
    bench.client.set(BUDGET.key(f"probes:{datetime.now(UTC):%Y-%m-%d}"), DAY_MICROUSD - 500)
    assert bench.prober().run() == []
    bench.client.set(BUDGET.key(f"probes:{datetime.now(UTC):%Y-%m-%d}"), DAY_MICROUSD - 1_500)
    assert [probe.model for probe in bench.prober().run()] == ["a"]
    assert bench.asked() == ["a"]


def test_the_longest_ago_goes_first(bench: Bench) -> None:
    """So that a short cent reaches all of them in the end."""
    bench.client.set(BUDGET.key(f"probes:{datetime.now(UTC):%Y-%m-%d}"), DAY_MICROUSD - 1_500)
    bench.prober().run()
    bench.unlock()
    bench.client.set(BUDGET.key(f"probes:{datetime.now(UTC):%Y-%m-%d}"), DAY_MICROUSD - 1_500)
    assert [probe.model for probe in bench.prober().run()] == ["b"]


def test_the_circuits_hear_of_it(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """A model that is gone is set aside before a customer meets it, and brought back when it answers again."""
    bench.server.answers = [GONE, chat("Sí, tenemos leche.")]
    assert [probe.outcome for probe in bench.prober().run()] == ["model_gone", "ok"]
    assert bench.changes == [("first", "a", "open", "model_gone", "The model `x` does not exist.")]
    logged = capsys.readouterr()
    assert "model_probe_failed" in logged.out + logged.err
    bench.unlock()
    bench.prober().run()
    assert bench.changes[-1][:3] == ("first", "a", "closed")


def test_a_refused_key_is_left_to_the_customers_calls(bench: Bench) -> None:
    """It may be about this model alone: a spare one must not shut its provider. The note of the probe tells it."""
    bench.server.answers = [DENIED]
    assert {probe.outcome for probe in bench.prober().run()} == {"denied"}
    assert bench.changes == []


def test_a_refusal_without_a_reason_is_the_models(bench: Bench) -> None:
    """The message is ours, so it is not the message."""
    bench.server.answers = [UNCLEAR, chat("Sí, tenemos leche.")]
    assert [probe.outcome for probe in bench.prober().run()] == ["model_unfit", "ok"]
    assert bench.changes[0][:4] == ("first", "a", "open", "model_unfit")


@pytest.mark.parametrize("answer", [DOWN, chat("greeting"), chat("Hello, we have milk for you"), say(200, b"?")])
def test_other_troubles_are_told_and_nothing_else(bench: Bench, answer: Any) -> None:
    """A failure that may pass, or an answer nobody should get, changes no circuit."""
    bench.server.answers = [answer]
    assert {probe.outcome for probe in bench.prober().run()} <= {"unavailable", "unreadable"}
    assert bench.changes == []


def test_who_answers_for_another_is_told(bench: Bench) -> None:
    """A snapshot is no news."""
    bench.server.answers = [chat("Sí, hay leche.", name="a-2026-09-22"), chat("Sí, hay leche.", name="c")]
    assert [probe.answered_by for probe in bench.prober().run()] == ["", "c"]


def test_without_a_key_nobody_is_asked(bench: Bench) -> None:
    """It could not be used either."""
    bench.providers = (replace(bench.providers[0], api_key=None),)
    assert bench.prober().run() == []
    assert bench.server.seen == []


@pytest.mark.parametrize("stored", [b"garbage", b"[]", orjson.dumps({"provider": "first"})])
def test_a_note_of_another_release_stops_no_probe(bench: Bench, stored: bytes) -> None:
    """What cannot be read counts as never looked at."""
    bench.client.hset(MODEL_PROBES.pattern, "first/a", stored)
    assert len(bench.prober().run()) == 2
