"""Asking the candidates in turn, over HTTP, with real circuits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from typing import Any, Protocol

import pytest
import redis
from helpers.answering import calls, completer_on, patient, providers_of, request_of
from helpers.basics import ends
from helpers.turns import MILK, MILK_ITEM, plan_of, session_of
from msgspec import json, structs

from worker.devkit.simulator import Simulator
from worker.providers.budget import Budget, BudgetLimits
from worker.providers.completion import LEAST_TIME_S, Completer
from worker.providers.pricing import baseline_microusd
from worker.providers.progress import PlannedRequest
from worker.replies.fallback import fallback_decision
from worker.replies.scene import NOBODY
from worker.session.cart import CartOperation
from worker.session.outcome import Decision, Effects, Outcome
from worker.session.session import Session
from worker.session.turn import Plan
from worker.usage import Usage

HELLO, MEDIUM, ADVICE = plan_of("hola"), plan_of("tenes leche?", MILK), plan_of("que conviene mas?", MILK)
ADD = plan_of("agregame 2 leches", MILK, shared=False)


class Ready(Protocol):
    """Makes a completer for these keys."""

    def __call__(self, **keys: str) -> Completer:
        """All three providers have a key where none is given."""


@pytest.fixture
def ready(simulator: Simulator, redis_client: redis.Redis) -> Iterator[Ready]:
    """A maker of completers with closed circuits."""
    with ExitStack() as stack:
        yield lambda **keys: stack.enter_context(completer_on(redis_client, providers_of(simulator, **keys)))


def ask(plan: Plan, said: str = "", session: Session = NOBODY, left_s: float = 20.0) -> PlannedRequest:
    """What a turn asks for, with so much time left."""
    return request_of(plan, said, deadline=time.monotonic() + left_s, session=session)


def failures(client: redis.Redis, provider: str) -> int:
    """Failures in a row that a provider's circuit has counted."""
    found: Any = client.hget(f"ai_circuit:{provider}", "failures")
    return int(found or 0)


@pytest.mark.parametrize(
    ("plan", "simulated", "provider"),
    [(HELLO, "gemini", "gemini-flash"), (MEDIUM, "deepseek", "deepseek"), (ADVICE, "openai", "gpt")],
    ids=["simple", "medium", "complex"],
)
def test_one_call_of_the_first_candidate(
    ready: Ready, simulator: Simulator, plan: Plan, simulated: str, provider: str
) -> None:
    """The one made for the message's complexity; its decision, figures and price."""
    outcome = ready().complete(ask(plan))
    assert calls(simulator) == {simulated: 1}
    assert (outcome.source, outcome.provider, outcome.calls) == ("ai", provider, 1)
    assert outcome.decision.reply
    assert min(outcome.prompt_tokens, outcome.completion_tokens, outcome.cost_microusd) > 0
    assert outcome.provider_latency_ms is not None


def test_the_order_of_candidates(ready: Ready, simulator: Simulator, redis_client: redis.Redis) -> None:
    """One after the other, the cheaper first, each counted once by its circuit."""
    for failing, expected in (("gemini", "gpt"), ("openai", "deepseek")):
        simulator.set(failing, status=500)
        outcome = ready().complete(ask(HELLO))
        assert (outcome.source, outcome.provider) == ("ai", expected)
    assert (outcome.calls, calls(simulator)) == (3, {"gemini": 2, "openai": 2, "deepseek": 1})
    assert [failures(redis_client, name) for name in ("gemini-flash", "gpt", "deepseek")] == [2, 1, 0]


@pytest.mark.parametrize(
    "trouble",
    [
        {"status": 500},
        {"status": 429},
        {"status": 401},
        {"status": 400},
        {"mode": "html"},
        {"mode": "garbage"},
        {"mode": "cut"},
    ],
    ids=str,
)
def test_when_all_fail_there_is_a_fallback(ready: Ready, simulator: Simulator, trouble: dict[str, Any]) -> None:
    """Whatever is the matter with them, nothing is raised, and the customer gets an answer."""
    simulator.set("all", **trouble)
    outcome = ready().complete(ask(HELLO))
    assert (outcome.source, outcome.provider, outcome.model) == ("fallback", None, None)
    assert outcome.decision == fallback_decision(ask(HELLO).scene)
    assert set(calls(simulator)) == {"gemini", "deepseek", "openai"}
    assert outcome.baseline_microusd > 0


def test_a_hard_question_without_an_answer_asks_for_a_person(ready: Ready, simulator: Simulator) -> None:
    """Nobody else could help; an easy one may be tried again."""
    simulator.set("all", status=500)
    completer = ready()
    assert completer.complete(ask(ADVICE)).decision == fallback_decision(ask(ADVICE).scene, requires_human=True)
    assert completer.complete(ask(HELLO)).decision.requires_human is False


def test_the_fallback_fits_what_was_said(ready: Ready, simulator: Simulator) -> None:
    """By the patterns, and with the cart where one is given."""
    simulator.set("all", status=500)
    asked = ask(ADD, "ver carrito", session_of(cart=(MILK_ITEM,)))
    decision = ready().complete(asked).decision
    assert decision == fallback_decision(asked.scene)
    assert "2 × Leche entera Nubelinda 1 L" in decision.reply


def test_without_any_key_there_is_a_fallback(simulator: Simulator, redis_client: redis.Redis) -> None:
    """And no call."""
    keyless = [replace(provider, api_key=None) for provider in providers_of(simulator)]
    with completer_on(redis_client, keyless) as completer:
        outcome = completer.complete(ask(HELLO))
    assert (outcome.source, outcome.calls, outcome.cost_microusd, calls(simulator)) == ("fallback", 0, 0, {})
    assert outcome.baseline_microusd > 0


def test_only_providers_with_a_key_are_asked(ready: Ready, simulator: Simulator) -> None:
    """An unfit model is better than no answer."""
    outcome = ready(openai="sk-test").complete(ask(HELLO))
    assert (outcome.provider, calls(simulator)) == ("gpt", {"openai": 1})


def test_only_the_last_candidate_is_tried_twice(ready: Ready, simulator: Simulator) -> None:
    """For the others the next one is the better second try; and who failed the last time is not tried twice."""
    simulator.set("all", status=500)
    completer = ready(gemini="sk-test", deepseek="sk-test")
    for expected in ({"gemini": 1, "deepseek": 2}, {"gemini": 2, "deepseek": 3}):
        assert completer.complete(ask(HELLO)).source == "fallback"
        assert calls(simulator) == expected


def test_without_money_nobody_else_is_asked(simulator: Simulator, redis_client: redis.Redis) -> None:
    """It would not be paid for either; the circuits hear nothing of it."""
    budget = Budget(redis_client, BudgetLimits(None, None, 0), lambda: (0, 0))
    providers = providers_of(simulator)
    with completer_on(redis_client, providers, budget=budget) as completer:
        outcome = completer.complete(ask(HELLO))
    assert (outcome.source, outcome.calls, calls(simulator)) == ("fallback", 0, {})
    assert redis_client.get("limit:5491100000001") == b"1"
    assert failures(redis_client, "gemini-flash") == 0


def test_a_wrong_key_opens_its_circuit_at_once(ready: Ready, simulator: Simulator) -> None:
    """The next message goes straight to the next candidate."""
    completer = ready(gemini="invalid", deepseek="sk-test")
    assert [completer.complete(ask(HELLO)).provider for _ in range(2)] == ["deepseek", "deepseek"]
    assert calls(simulator) == {"deepseek": 2}


def test_an_open_circuit_is_passed_by(ready: Ready, simulator: Simulator, redis_client: redis.Redis) -> None:
    """Without a call; with all of them open there is the fallback."""
    redis_client.hset("ai_circuit:gemini-flash", "state", "forced_open")
    assert ready().complete(ask(HELLO)).provider == "gpt"
    for name in ("deepseek", "gpt"):
        redis_client.hset(f"ai_circuit:{name}", "state", "forced_open")
    assert ready().complete(ask(HELLO)).source == "fallback"
    assert calls(simulator) == {"openai": 1}


def test_costs_of_failed_attempts_add_up(ready: Ready, simulator: Simulator) -> None:
    """An answer that could not be used is paid for too. Whoever is alone is asked for its next model as well."""
    simulator.set("gemini", mode="garbage")
    alone = ready(gemini="sk-test").complete(ask(HELLO))
    first = alone.calls_made[0]
    wasted = structs.replace(
        alone,
        calls=first.calls,
        prompt_tokens=first.usage.prompt_tokens,
        completion_tokens=first.usage.completion_tokens,
        cost_microusd=first.cost_microusd,
    )
    good = ready(openai="sk-test").complete(ask(HELLO))
    both = ready().complete(ask(HELLO))
    assert alone.calls == 2 * first.calls
    assert (wasted.source, good.source, both.source) == ("fallback", "ai", "ai")
    assert min(wasted.cost_microusd, good.cost_microusd) > 0
    assert both.calls == wasted.calls + good.calls
    assert both.prompt_tokens == wasted.prompt_tokens + good.prompt_tokens
    assert both.completion_tokens == wasted.completion_tokens + good.completion_tokens
    assert both.cost_microusd == pytest.approx(wasted.cost_microusd + good.cost_microusd, abs=both.calls)
    assert both.baseline_microusd == good.baseline_microusd


def test_the_baseline_is_the_yardstick_uncached(ready: Ready) -> None:
    """What the same tokens would have cost at its prices, whatever is configured and whoever answered."""
    for keys, provider in (({}, "deepseek"), ({"gemini": "sk-test"}, "gemini-flash")):
        outcome = ready(**keys).complete(ask(MEDIUM))
        usage = Usage(prompt_tokens=outcome.prompt_tokens, completion_tokens=outcome.completion_tokens)
        assert (outcome.provider, outcome.baseline_microusd) == (provider, baseline_microusd(usage))


def test_cart_operations_reach_only_their_own_customer(ready: Ready, simulator: Simulator) -> None:
    """An answer for everybody touches nobody's cart; each one's own says below the model's words what it changed."""
    own = ready().complete(ask(ADD, session=session_of()))
    everybodys = ready().complete(ask(structs.replace(ADD, shared=True)))
    assert own.decision.cart_operations == (CartOperation("add", 7, Decimal(2)),)
    assert own.decision.effects.cart == (MILK_ITEM,)
    assert "2 × Leche entera Nubelinda 1 L" in own.decision.reply
    assert (everybodys.decision.cart_operations, everybodys.decision.effects) == ((), Effects())
    assert "2 × Leche" not in everybodys.decision.reply


def test_an_operation_on_what_was_not_offered_makes_an_answer_unusable(ready: Ready, simulator: Simulator) -> None:
    """The model insists on a product that is no row of this request, and no other one is paid to be misled too."""
    outcome = ready().complete(ask(structs.replace(ADD, products=()), session=session_of()))
    assert (outcome.source, calls(simulator)) == ("fallback", {"deepseek": 2})


@pytest.mark.parametrize("left_s", [-1.0, 0.0, LEAST_TIME_S / 2])
def test_past_the_deadline_nobody_is_called(ready: Ready, simulator: Simulator, left_s: float) -> None:
    """A call that cannot end in time is not worth its money."""
    outcome = ready().complete(ask(HELLO, left_s=left_s))
    assert (outcome.source, outcome.calls, calls(simulator)) == ("fallback", 0, {})


def test_the_deadline_ends_a_call_that_hangs(simulator: Simulator, redis_client: redis.Redis) -> None:
    """One candidate may use up the time of all."""
    simulator.set("all", mode="hang")
    with completer_on(redis_client, patient(providers_of(simulator))) as completer:
        outcome = ends(lambda: completer.complete(ask(HELLO, left_s=0.5)))
    assert (outcome.source, calls(simulator)) == ("fallback", {"gemini": 1})


def test_an_outcome_is_ready_for_json(ready: Ready) -> None:
    """Nothing but plain values in the decision."""
    decision = ready().complete(ask(ADD)).decision
    assert Outcome("ai", decision).decision == decision
    assert json.decode(json.encode(decision), type=Decision) == decision
