"""Two of three providers down while messages flow: few calls to them, every message answered, used again afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from answering import answerer_on, calls, providers_of, well_behaved
from turns import MILK, plan_of

from worker.ai.answer import Answerer, Ask
from worker.ai.consent import CartRules
from worker.local.simulator import Simulator

NOTHING = CartRules(frozenset(), frozenset(), frozenset(), frozenset())
DOWN = ("deepseek", "gemini")


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """The three providers."""
    with Simulator() as running:
        yield running


@pytest.fixture
def answerer(simulator: Simulator, redis_client: redis.Redis) -> Iterator[Answerer]:
    """An answerer on well-behaved providers and an empty Redis."""
    with answerer_on(redis_client, providers_of(well_behaved(simulator))) as made:
        yield made


def ask(answerer: Answerer, number: int) -> str | None:
    """Asks for something of medium difficulty; the provider that answered."""
    plan = plan_of(f"precio de la leche {number}", MILK)
    return answerer.answer(Ask(plan, NOTHING, f"caller-{number}", "549", float("inf"))).provider


def let_the_wait_pass(client: redis.Redis) -> None:
    """Sets the clocks of open circuits as if their open time were over."""
    for name in ("deepseek", "gemini-flash"):
        client.hset(f"ai_circuit:{name}", "until_ms", 0)


def test_an_outage_costs_few_calls_and_ends_within_a_wait(
    answerer: Answerer, simulator: Simulator, redis_client: redis.Redis
) -> None:
    """Five calls to each until its circuit opens, one per open wait after that, and back after two good probes."""
    for name in DOWN:
        simulator.set(name, status=503)
    assert {ask(answerer, number) for number in range(30)} == {"gpt-3.5"}
    assert {name: count for name, count in calls(simulator).items() if name in DOWN} == dict.fromkeys(DOWN, 5)
    for wait in range(1, 4):
        let_the_wait_pass(redis_client)
        assert {ask(answerer, 100 * wait + number) for number in range(10)} == {"gpt-3.5"}
        assert {name: count for name, count in calls(simulator).items() if name in DOWN} == dict.fromkeys(
            DOWN, 5 + wait
        )
    well_behaved(simulator)
    let_the_wait_pass(redis_client)
    assert [ask(answerer, 1_000 + number) for number in range(3)] == ["deepseek"] * 3
    assert redis_client.hget("ai_circuit:deepseek", "state") == b"closed"
    assert int(redis_client.hget("ai_circuit:deepseek", "trips") or 0) == 4


def test_a_passing_failure_of_the_only_provider_is_asked_again(simulator: Simulator, redis_client: redis.Redis) -> None:
    """With nobody else to ask, one failure of a healthy provider is worth a second attempt; later ones are not."""
    well_behaved(simulator)
    simulator.set("openai", status=500)
    with answerer_on(redis_client, providers_of(simulator, openai="sk-test")) as alone:
        assert ask(alone, 1) is None
        assert calls(simulator) == {"openai": 2}
        assert ask(alone, 2) is None
        assert calls(simulator) == {"openai": 3}
