"""Batches of turns before the providers: one call per key, nobody left waiting."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from decimal import Decimal

import orjson
import pytest
import redis
from helpers.answering import calls, completer_on, no_limits, patient, providers_of, well_behaved
from helpers.away import absent_redis
from helpers.basics import ends
from helpers.circuit import Circuit
from helpers.turns import MILK, MILK_ITEM, RICE_ITEM, SHOP, planned, session_of, turn_of, turn_to_dict
from msgspec import convert
from msgspec.structs import replace

from worker.devkit.simulator import Simulator
from worker.providers.budget import Budget, BudgetLimits
from worker.providers.client import AiClient
from worker.providers.completion import Completer
from worker.providers.dispatch import Dispatched, Dispatcher
from worker.providers.paid_calls import PaidCalls
from worker.providers.progress import PlannedRequest
from worker.providers.single_flight import JoinRequest, SingleFlight
from worker.redisdb.cache import Cache
from worker.redisdb.keys import AI_RESPONSE, FLIGHT, PARKED
from worker.replies.fallback import fallback_decision
from worker.replies.scene import NOBODY, scene_of
from worker.session.cart import CartOperation
from worker.session.outcome import Decision, Outcome
from worker.session.turn import Turn

LEASE_S, MARGIN_S = 20.0, 5.0
KEEP_S = 90.0
TROUBLE = {"status": 500}


class Broken(Completer):
    """A completer with a defect, which the real one must not have."""

    def complete(self, ask: PlannedRequest) -> Outcome:
        """Always raises."""
        raise ZeroDivisionError(ask.caller)


@pytest.fixture
def pool() -> Iterator[Executor]:
    """The threads of a process."""
    with ThreadPoolExecutor(8) as pool:
        yield pool


@pytest.fixture
def completer(simulator: Simulator, redis_client: redis.Redis) -> Iterator[Completer]:
    """A completer with closed circuits."""
    with completer_on(redis_client, providers_of(simulator)) as completer:
        yield completer


def dispatcher_on(
    completer: Completer, client: redis.Redis, pool: Executor, budget: Budget | None = None
) -> Dispatcher:
    """A dispatcher on this Redis."""
    return Dispatcher(completer, SingleFlight(client, KEEP_S), Cache(client), pool, budget or no_limits(client), SHOP)


@pytest.fixture
def dispatcher(completer: Completer, redis_client: redis.Redis, pool: Executor) -> Dispatcher:
    """The provider side of one process."""
    return dispatcher_on(completer, redis_client, pool)


def customers(number: int, text: str = "hola", first: int = 0) -> list[Turn]:
    """Turns of so many customers who write the same."""
    return [
        planned(turn_of(text, f"54911{each:08}", f"token-{each}", session=session_of(f"54911{each:08}")), MILK)
        for each in range(first, first + number)
    ]


def dispatched(dispatcher: Dispatcher, turns: list[Turn], left_s: float = LEASE_S) -> Dispatched:
    """All that becomes of these turns, in one."""
    parts = list(dispatcher.call(turns, {turn.token: left_s for turn in turns}, MARGIN_S))
    answered = tuple(turn for part in parts for turn in part.answered)
    return Dispatched(answered, tuple(turn for part in parts for turn in part.failed))


def tokens(turns: tuple[Turn, ...] | list[Turn]) -> list[str]:
    """Their tokens, sorted."""
    return sorted(turn.token for turn in turns)


def sources(turns: tuple[Turn, ...]) -> Counter[str]:
    """How many outcomes of each source."""
    return Counter(turn.decided().source for turn in turns)


def left_behind(client: redis.Redis, key: str) -> int:
    """Single flight keys that are still there."""
    found = client.exists(FLIGHT.key(key), PARKED.key(key))
    assert isinstance(found, int)
    return found


def test_twenty_turns_of_one_key_are_one_call(dispatcher: Dispatcher, simulator: Simulator) -> None:
    """All are answered with the same words, and one of them is paid for."""
    turns = customers(20)
    done = dispatched(dispatcher, turns)
    assert (tokens(done.answered), done.failed) == (tokens(turns), ())
    assert sum(calls(simulator).values()) == 1
    assert sources(done.answered) == {"ai": 1, "cache": 19}
    assert len({turn.decided().decision.reply for turn in done.answered}) == 1
    assert sum(turn.decided().calls for turn in done.answered) == 1
    assert sum(turn.decided().cost_microusd > 0 for turn in done.answered) == 1
    assert {turn.decided().baseline_microusd > 0 for turn in done.answered} == {True}


def test_every_turn_keeps_what_is_its_own(dispatcher: Dispatcher) -> None:
    """Session, messages and token come back with the outcome of another."""
    turns = customers(3)
    for turn in dispatched(dispatcher, turns).answered:
        assert replace(turn, outcome=None) in turns


def test_processes_side_by_side_make_one_call(dispatcher: Dispatcher, simulator: Simulator) -> None:
    """Four batches at once; whoever leads goes on with all."""
    simulator.set("all", latency_ms=(100.0, 100.0))
    batches = [customers(5, first=5 * number) for number in range(4)]
    with ThreadPoolExecutor(4) as processes:
        done = [
            turn
            for each in processes.map(lambda turns: dispatched(dispatcher, turns), batches)
            for turn in each.answered
        ]
    assert tokens(done) == tokens([turn for batch in batches for turn in batch])
    assert sum(calls(simulator).values()) == 1


def test_who_comes_later_is_served_without_a_call(
    dispatcher: Dispatcher, simulator: Simulator, redis_client: redis.Redis
) -> None:
    """By single flight for a while, by the reply cache for a day."""
    first = dispatched(dispatcher, customers(1)).answered[0]
    later = dispatched(dispatcher, customers(2, first=50))
    assert (sources(later.answered), sum(calls(simulator).values())) == ({"cache": 2}, 1)
    cached = Cache(redis_client).get_many(AI_RESPONSE, [first.planned().key])
    assert convert(cached[first.planned().key]["decision"], Decision) == first.decided().decision


def test_different_keys_are_called_side_by_side(dispatcher: Dispatcher, simulator: Simulator) -> None:
    """What is ready goes on; one provider that hangs holds up nobody else."""
    simulator.set("deepseek", mode="hang")
    quick, slow = customers(2, "hola"), customers(2, "tenes leche?", first=2)
    parts = dispatcher.call([*slow, *quick], {turn.token: LEASE_S for turn in (*quick, *slow)}, MARGIN_S)
    assert tokens(next(parts).answered) == tokens(quick)
    simulator.set("deepseek", mode="ok")
    rest = [turn for part in parts for turn in part.answered]
    assert (tokens(rest), calls(simulator)) == (tokens(slow), {"gemini": 1, "deepseek": 1})


def test_the_parked_of_another_process_go_with_the_leader(dispatcher: Dispatcher, redis_client: redis.Redis) -> None:
    """They had left their turn and gone on with other work."""
    mine, other = customers(2)
    flights = SingleFlight(redis_client, KEEP_S)
    key = mine.planned().key
    flights.join([JoinRequest(key, mine.token, b"", LEASE_S)])
    flights.join([JoinRequest(key, other.token, orjson.dumps(turn_to_dict(other)), LEASE_S)])
    assert tokens(dispatched(dispatcher, [mine]).answered) == tokens([mine, other])


def test_a_parked_turn_does_not_appear(dispatcher: Dispatcher, simulator: Simulator, redis_client: redis.Redis) -> None:
    """Another process leads; there is nothing to wait for here."""
    turns = customers(2)
    SingleFlight(redis_client, KEEP_S).join([JoinRequest(turns[0].planned().key, "elsewhere", b"", LEASE_S)])
    assert (dispatched(dispatcher, turns), calls(simulator)) == (Dispatched(), {})


def test_a_fallback_goes_to_the_parked_and_leaves_no_result(
    dispatcher: Dispatcher, simulator: Simulator, redis_client: redis.Redis
) -> None:
    """Twenty customers are answered at the price of one try, the last candidate twice; the next one tries again."""
    simulator.set("all", **TROUBLE)
    turns = customers(20)
    done = dispatched(dispatcher, turns)
    assert (tokens(done.answered), sources(done.answered)) == (tokens(turns), {"fallback": 20})
    assert sorted(turn.decided().calls for turn in done.answered) == [0] * 19 + [4]
    key = turns[0].planned().key
    assert left_behind(redis_client, key) == 0
    assert Cache(redis_client).get_many(AI_RESPONSE, [key]) == {}
    well_behaved(simulator)
    assert sources(dispatched(dispatcher, customers(1)).answered) == {"ai": 1}


def test_a_fallback_fits_the_words_and_the_cart_of_its_customer(dispatcher: Dispatcher, simulator: Simulator) -> None:
    """Each turn of a batch by its own; who waits for the same answer gets the same."""
    simulator.set("all", **TROUBLE)
    carts = (MILK_ITEM,), (RICE_ITEM,)
    viewing = [
        planned(turn_of("mostrame que llevo en el carrito", phone, phone, session=session_of(phone, cart=cart)), MILK)
        for phone, cart in zip(("5491100000001", "5491100000002"), carts, strict=True)
    ]
    searching = customers(3, "tenes leche?", first=10)
    done = {turn.token: turn.decided().decision for turn in dispatched(dispatcher, [*viewing, *searching]).answered}
    expected = {turn.token: fallback_decision(scene_of(turn, SHOP)) for turn in (*viewing, *searching)}
    assert done == expected
    assert ["Leche entera" in done[turn.token].reply for turn in viewing] == [True, False]
    assert len({done[turn.token].reply for turn in searching}) == 1


def test_a_cart_is_kept_from_a_reply_that_others_get(dispatcher: Dispatcher, simulator: Simulator) -> None:
    """Should a message for everybody ever be taken for a look into the cart."""
    simulator.set("all", **TROUBLE)
    turn = planned(turn_of("ver carrito", session=session_of(cart=(MILK_ITEM,))), MILK)
    (done,) = dispatched(dispatcher, [replace(turn, plan=replace(turn.planned(), shared=True))]).answered
    assert done.decided().decision == fallback_decision(replace(scene_of(turn, SHOP), session=NOBODY))


def test_over_the_limit_there_is_a_fallback_that_fits(
    simulator: Simulator, redis_client: redis.Redis, pool: Executor
) -> None:
    """Without a call, and the others of the batch are asked for."""
    limited, free = customers(1, "agregame 2 leches"), customers(1, "hola", first=1)
    redis_client.set(f"limit:{limited[0].customer_phone}", 60)
    providers = providers_of(simulator)
    budget = Budget(redis_client, BudgetLimits(None, None, 60), lambda: (0, 0))
    with completer_on(redis_client, providers, budget=budget) as completer:
        dispatcher = dispatcher_on(completer, redis_client, pool, budget)
        done = dispatched(dispatcher, [*limited, *free])
    outcomes = {turn.token: turn.decided() for turn in done.answered}
    assert outcomes[limited[0].token].decision == fallback_decision(scene_of(limited[0], SHOP))
    assert (outcomes[free[0].token].source, sum(calls(simulator).values())) == ("ai", 1)


def test_a_defect_fails_the_turn_and_all_who_wait_for_it(redis_client: redis.Redis, pool: Executor) -> None:
    """Nobody is left to the end of a lease, and the key is free."""
    turns = customers(5)
    broken = Broken(PaidCalls([], AiClient(), Circuit(redis_client).breaker, no_limits(redis_client)))
    done = dispatched(dispatcher_on(broken, redis_client, pool), turns)
    assert (done.answered, tokens(done.failed)) == ((), tokens(turns))
    assert {turn.outcome for turn in done.failed} == {None}
    assert left_behind(redis_client, turns[0].planned().key) == 0


@pytest.mark.parametrize("left_s", [MARGIN_S, MARGIN_S - 1.0, 0.01])
def test_past_the_deadline_there_is_a_fallback_without_a_call(
    dispatcher: Dispatcher, simulator: Simulator, left_s: float
) -> None:
    """The wait on the queue counts: what is left of the lease is only the margin."""
    done = dispatched(dispatcher, customers(2), left_s=left_s)
    assert calls(simulator) == {}
    assert "fallback" in sources(done.answered)


def test_the_deadline_is_the_leases_end_less_the_margin(
    simulator: Simulator, redis_client: redis.Redis, pool: Executor
) -> None:
    """A provider that hangs is left in time to commit the fallback, and not before."""
    simulator.set("all", mode="hang")
    with completer_on(redis_client, patient(providers_of(simulator))) as completer:
        dispatcher = dispatcher_on(completer, redis_client, pool)
        began_s = time.monotonic()
        done = ends(lambda: dispatched(dispatcher, customers(1), left_s=MARGIN_S + 0.5))
        assert time.monotonic() - began_s > 0.4
    assert sources(done.answered) == {"fallback": 1}


def test_without_redis_every_turn_is_answered_by_a_call_of_its_own(
    completer: Completer, simulator: Simulator, pool: Executor
) -> None:
    """Dearer, never silent."""
    with absent_redis() as client:
        done = dispatched(dispatcher_on(completer, client, pool), customers(3))
    assert (sources(done.answered), sum(calls(simulator).values())) == ({"ai": 3}, 3)


@pytest.mark.parametrize("with_served", [False, True])
def test_what_nobody_takes_is_kept(
    completer: Completer, simulator: Simulator, redis_client: redis.Redis, with_served: bool
) -> None:
    """Who went on with the answers fails after the first: what was asked for besides is in the cache, nobody leads."""
    turns = [*customers(1), *customers(1, "tienen arroz?", first=1), *customers(1, "y leche?", first=2)]
    served = customers(1, "tienen pan?", first=3)
    with ThreadPoolExecutor(1) as one_by_one:
        dispatcher = dispatcher_on(completer, redis_client, one_by_one)
        if with_served:
            dispatched(dispatcher, served)
        wanted = [*turns, *served] if with_served else turns
        ready = dispatcher.call(wanted, {turn.token: LEASE_S for turn in wanted}, MARGIN_S)
        next(ready)
        ready.close()
    assert sum(calls(simulator).values()) == 3 + with_served
    assert len(Cache(redis_client).get_many(AI_RESPONSE, [turn.planned().key for turn in turns])) == 3
    with ThreadPoolExecutor(1) as one_by_one:
        dispatcher = dispatcher_on(completer, redis_client, one_by_one)
        assert sources(dispatched(dispatcher, turns).answered) == {"cache": 3}


def test_a_parked_turn_that_cannot_be_read_is_his_trouble_alone(
    dispatcher: Dispatcher, simulator: Simulator, redis_client: redis.Redis
) -> None:
    """Another release has parked it; the leader and the others are answered."""
    turns = customers(3)
    key = turns[0].planned().key
    redis_client.rpush(PARKED.key(key), b'{"token": "of another release"}', b"garbage")
    done = dispatched(dispatcher, turns)
    assert (tokens(done.answered), done.failed) == (tokens(turns), ())
    assert left_behind(redis_client, key) == 1


def test_no_turns_is_nothing(dispatcher: Dispatcher) -> None:
    """An empty batch."""
    assert dispatched(dispatcher, []) == Dispatched()


def test_a_cart_changes_only_as_its_customer_asked(dispatcher: Dispatcher) -> None:
    """The scene comes from the turn itself: its words, its session, its products."""
    (turn,) = dispatched(dispatcher, customers(1, "agregame 2 leches")).answered
    assert turn.decided().decision.cart_operations == (CartOperation("add", 7, Decimal(2)),)
    assert turn.decided().decision.effects.cart == (MILK_ITEM,)
