"""A second candidate asked while the first is slow: who wins, what it costs, and what becomes of the loser."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from queue import Queue

import pytest
import redis
from answering import calls, providers_of, well_behaved
from circuit import Circuit
from hedged import SLOW_MS, WAIT_S, Shop, ask_for

from worker.local.simulator import Simulator
from worker.providers.attempt import Made
from worker.providers.budget import Budget, Limits
from worker.providers.client import AiClient
from worker.providers.completion import Answerer
from worker.providers.hedging import LEAST_SAMPLES, THREADS, Hedge

Ready = Callable[..., Shop]


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
def ready(simulator: Simulator, redis_client: redis.Redis) -> Iterator[Ready]:
    """A maker of shops with closed circuits and books that are counted."""
    with ExitStack() as stack:

        def make(threads: int = THREADS) -> Shop:
            late: Queue[Made] = Queue()
            hedge = Hedge(late.put, threads)
            providers = providers_of(simulator)
            ai = AiClient(providers, sleep=lambda _seconds: None)
            stack.callback(ai.close)
            stack.callback(hedge.close)
            stack.callback(well_behaved, simulator)
            budget = Budget(redis_client, Limits(None, None, 1_000), lambda: (0, 0))
            answerer = Answerer(providers, ai, Circuit(redis_client).breaker, budget, hedge=hedge)
            return Shop(answerer, simulator, redis_client, late, hedge.close)

        yield make


@pytest.fixture
def shop(ready: Ready) -> Shop:
    """A shop that knows how fast its first candidate usually is."""
    shop = ready()
    shop.learn()
    return shop


def test_the_second_answers_where_the_first_is_slow(shop: Shop) -> None:
    """Its answer at once and its cost alone; the loser's comes when it comes, and both are paid for."""
    before = shop.booked_microusd()
    shop.simulator.set("gemini", mode="hang")
    outcome = ask_for(shop.answerer)
    assert (outcome.source, outcome.provider, outcome.calls) == ("ai", "deepseek", 1)
    assert calls(shop.simulator) == {"gemini": 1, "deepseek": 1}
    assert shop.late.empty()
    shop.simulator.set("gemini", mode="ok")
    loser = shop.late.get(timeout=WAIT_S)
    assert (loser.provider.name, loser.spent.calls) == ("gemini-flash", 1)
    assert min(outcome.cost_microusd, loser.spent.cost_microusd) > 0
    assert shop.booked_microusd() - before == outcome.cost_microusd + loser.spent.cost_microusd


def test_the_circuits_hear_of_both(shop: Shop) -> None:
    """A late answer is a success like any other, a late failure a failure, each counted once."""
    shop.simulator.set("gemini", mode="hang")
    ask_for(shop.answerer)
    shop.simulator.set("gemini", mode="ok")
    assert shop.late.get(timeout=WAIT_S).answer is not None
    assert (shop.counted("gemini-flash", "calls"), shop.counted("deepseek", "calls")) == (LEAST_SAMPLES + 1, 1)
    shop.simulator.set("gemini", mode="hang")
    ask_for(shop.answerer)
    shop.simulator.set("gemini", mode="ok", status=500)
    assert shop.late.get(timeout=WAIT_S).answer is None
    assert (shop.failures("gemini-flash"), shop.counted("gemini-flash", "failures")) == (1, 1)
    assert shop.failures("deepseek") == 0


def test_a_loser_that_was_a_probe_frees_it(shop: Shop) -> None:
    """A half-open circuit lets the next probe through when the late answer is there."""
    shop.client.hset("ai_circuit:gemini-flash", mapping={"state": "open", "opened": 1, "until_ms": 0})
    shop.simulator.set("gemini", mode="hang")
    assert ask_for(shop.answerer).provider == "deepseek"
    assert ask_for(shop.answerer).provider == "deepseek"
    assert shop.simulator.calls("gemini") == 1
    shop.simulator.set("gemini", mode="ok")
    shop.late.get(timeout=WAIT_S)
    assert ask_for(shop.answerer).provider == "gemini-flash"
    assert shop.client.hget("ai_circuit:gemini-flash", "state") == b"closed"


def test_too_little_is_known_to_hedge(ready: Ready) -> None:
    """With nineteen answers nobody can say what is slow."""
    shop = ready()
    shop.learn(LEAST_SAMPLES - 1)
    shop.simulator.set("gemini", latency_ms=SLOW_MS)
    assert ask_for(shop.answerer).provider == "gemini-flash"
    assert calls(shop.simulator) == {"gemini": 1}


def test_late_answers_teach_what_is_usual(shop: Shop) -> None:
    """Or a provider that has become slower would be hedged against for ever."""
    shop.simulator.set("gemini", latency_ms=SLOW_MS)
    for _ in range(2):
        assert ask_for(shop.answerer).provider == "deepseek"
        shop.late.get(timeout=WAIT_S)
    shop.simulator.set("gemini", latency_ms=(SLOW_MS[0] / 2, SLOW_MS[0] / 2))
    assert ask_for(shop.answerer).provider == "gemini-flash"
    assert calls(shop.simulator) == {"gemini": 3, "deepseek": 2}


def test_a_first_that_fails_at_once_is_counted_once(shop: Shop) -> None:
    """That is no case for a hedge: the next is asked after it, as ever."""
    shop.simulator.set("gemini", status=500)
    outcome = ask_for(shop.answerer)
    assert (outcome.provider, outcome.calls) == ("deepseek", 2)
    assert calls(shop.simulator) == {"gemini": 1, "deepseek": 1}
    assert (shop.failures("gemini-flash"), shop.failures("deepseek")) == (1, 0)
    shop.close()
    assert shop.late.empty()


@pytest.mark.parametrize(("slower", "winner"), [("gemini", "deepseek"), ("deepseek", "gemini-flash")])
def test_of_two_slow_ones_the_first_good_answer_is_taken(shop: Shop, slower: str, winner: str) -> None:
    """Whoever gives it."""
    shop.simulator.set("all", latency_ms=SLOW_MS)
    shop.simulator.set(slower, mode="hang")
    outcome = ask_for(shop.answerer)
    assert (outcome.provider, outcome.calls) == (winner, 1)
    assert calls(shop.simulator) == {"gemini": 1, "deepseek": 1}
    shop.simulator.set(slower, mode="ok")
    assert shop.late.get(timeout=WAIT_S).provider.name != winner


def test_a_second_that_fails_does_not_end_the_wait_for_the_first(shop: Shop) -> None:
    """Its failure is part of what the turn has cost; no third is asked beside them."""
    shop.simulator.set("gemini", latency_ms=SLOW_MS)
    shop.simulator.set("deepseek", mode="garbage")
    outcome = ask_for(shop.answerer)
    assert (outcome.provider, outcome.calls) == ("gemini-flash", 3)
    assert calls(shop.simulator) == {"gemini": 1, "deepseek": 2}
    shop.close()
    assert shop.late.empty()


def test_if_both_fail_the_third_is_asked(shop: Shop) -> None:
    """After the two, once."""
    shop.simulator.set("gemini", latency_ms=SLOW_MS, status=500)
    shop.simulator.set("deepseek", status=500)
    outcome = ask_for(shop.answerer)
    assert (outcome.provider, outcome.calls) == ("gpt-3.5", 3)
    assert calls(shop.simulator) == {"gemini": 1, "deepseek": 1, "openai": 1}
    assert (shop.failures("gemini-flash"), shop.failures("deepseek")) == (1, 1)


def test_one_deadline_for_both(shop: Shop) -> None:
    """The second has no more time than is left."""
    shop.simulator.set("all", mode="hang")
    started = time.monotonic()
    outcome = ask_for(shop.answerer, left_s=0.7)
    assert 0.6 < time.monotonic() - started < 2.0
    assert (outcome.source, outcome.calls) == ("fallback", 2)
    assert calls(shop.simulator) == {"gemini": 1, "deepseek": 1}


def test_only_who_is_permitted_is_asked(ready: Ready) -> None:
    """An open circuit is passed by; if there is nobody else, the first is waited for, and that takes up no thread."""
    shop = ready(threads=2)
    shop.learn()
    shop.client.hset("ai_circuit:deepseek", "state", "forced_open")
    shop.simulator.set("gemini", latency_ms=SLOW_MS)
    assert ask_for(shop.answerer).provider == "gpt-3.5"
    shop.late.get(timeout=WAIT_S)
    shop.client.hset("ai_circuit:gpt-3.5", "state", "forced_open")
    assert ask_for(shop.answerer).provider == "gemini-flash"
    assert calls(shop.simulator) == {"gemini": 2, "openai": 1}
    shop.client.delete("ai_circuit:deepseek")
    shop.simulator.set("gemini", mode="hang")
    assert ask_for(shop.answerer).provider == "deepseek"


def test_without_a_free_thread_the_first_is_waited_for(ready: Ready) -> None:
    """The number of calls under way is bounded; a thread is free again when its call has ended."""
    shop = ready(threads=2)
    shop.learn()
    shop.simulator.set("gemini", mode="hang")
    assert ask_for(shop.answerer).provider == "deepseek"
    assert ask_for(shop.answerer, left_s=0.5).source == "fallback"
    assert calls(shop.simulator) == {"gemini": 2, "deepseek": 1}
    for _ in range(3):
        shop.simulator.set("gemini", mode="ok")
        shop.late.get(timeout=WAIT_S)
        shop.simulator.set("gemini", mode="hang")
        assert ask_for(shop.answerer).provider == "deepseek"


def test_without_any_thread_the_calls_are_made_as_ever(ready: Ready) -> None:
    """By the turn's own, one after the other."""
    shop = ready(threads=1)
    shop.learn()
    shop.simulator.set("gemini", mode="hang")
    assert ask_for(shop.answerer, left_s=0.5).source == "fallback"
    assert calls(shop.simulator) == {"gemini": 1}
