"""What the servers tell the exporter: sums that never fall, and a look that stays short however much there is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import redis
from helpers.basics import GUARD_S
from helpers.factories import (
    ANA,
    BRUNO,
    CARLA,
    accept,
    accept_one,
    answer,
    commit,
    commit_row,
    expire_leases,
    expire_sessions,
    inbound,
    metrics_row,
    order_of,
    rows,
    tell_the_shop,
)
from sqlalchemy import Connection, Engine, text

from db import monitoring, queries
from db.locks import INTAKE_LOCK, try_lock
from db.monitoring import REPLY_BUCKETS_MS, UNFINISHED
from db.orders import set_order_status
from worker.errors import ProviderDenied, ProviderTimeout, RequestRefused
from worker.operate.snapshot import read_cache_use, read_counters, read_redis, read_streams
from worker.providers.circuit import CircuitBreaker
from worker.redisdb.keys import CALL_COUNTS
from worker.redisdb.streams import Streams
from worker.telemetry.recording import CALL_BUCKETS_MS, CLEANUP, count_call, note_run

Sums = dict[tuple[Any, ...], int]
NAMED = [("deepseek", ["deepseek-flash"]), ("gpt", ["gpt-6-luna"])]


@pytest.fixture
def uncounted(connection: Connection) -> Connection:
    """A connection to an empty database whose sums begin anew."""
    connection.execute(text("truncate metric_totals"))
    return connection


def sums(connection: Connection, name: str) -> Sums:
    """Values of one name by the values of its labels, in the labels' alphabetical order."""
    totals = [total for total in monitoring.totals(connection) if total.name == name]
    return {tuple(total.labels[label] for label in sorted(total.labels)): total.value for total in totals}


def record(connection: Connection, *rows_given: dict[str, Any]) -> None:
    """Records metrics as the chain does."""
    queries.record_metrics(connection, list(rows_given))


def test_endings_and_money_are_summed_up(uncounted: Connection) -> None:
    """By state, source and provider; messages, not turns; a cost without a provider is not lost."""
    token = str(answer(uncounted, "m1")["token"])
    record(uncounted, metrics_row(token, source="ai", provider="deepseek", messages=3, cost_microusd=40))
    record(
        uncounted,
        metrics_row(str(uuid4()), source="ai", provider="deepseek", messages=1, cost_microusd=1),
        metrics_row(str(uuid4()), source="ai", provider="deepseek", messages=1, cost_microusd=1),
        metrics_row(str(uuid4()), source="cache", messages=2, cost_microusd=0),
        metrics_row(str(uuid4()), source="fallback", messages=1, cost_microusd=7),
        metrics_row(str(uuid4()), source="closed", messages=5, cost_microusd=0, baseline_microusd=0),
    )
    assert sums(uncounted, "messages_ended") == {
        ("ai", "answered"): 5,
        ("cache", "answered"): 2,
        ("fallback", "answered"): 1,
        ("closed", "closed"): 5,
    }
    assert sums(uncounted, "cost_microusd") == {("deepseek",): 42, ("none",): 7}
    assert sums(uncounted, "baseline_microusd") == {(): 50}
    assert sum(sums(uncounted, "reply_latency").values()) == 1


def test_calls_are_summed_up_by_model(uncounted: Connection) -> None:
    """Tokens and money of every call, of lost turns too; what was not used is no series."""
    usage = {"prompt_tokens": 600, "cached_tokens": 500, "completion_tokens": 60}
    none = dict.fromkeys(usage, 0)

    def call(model: str, outcome: str, calls: int, usage: dict[str, int], cost: int) -> dict[str, Any]:
        named = {"provider": "deepseek", "model": model, "outcome": outcome, "calls": calls}
        return named | {"usage": usage, "cost_microusd": cost}

    made = [call("deepseek-flash", "model_gone", 1, none, 0), call("deepseek-v4-pro", "ok", 2, usage, 90)]
    record(uncounted, metrics_row(str(uuid4()), calls_made=made), metrics_row(str(uuid4()), source="cache"))
    record(uncounted, metrics_row(str(uuid4()), committed=False, calls_made=made[1:]))
    name = ("deepseek-v4-pro", "deepseek")
    assert sums(uncounted, "model_cost_microusd") == {name: 180}
    assert sums(uncounted, "model_tokens") == {
        ("prompt", *name): 1_200,
        ("cached", *name): 1_000,
        ("completion", *name): 120,
    }


def test_a_dead_letter_is_told_from_other_canned_replies(uncounted: Connection) -> None:
    """Both have a reply of ours."""
    dead, canned = answer(uncounted, "m1", state="dead"), answer(uncounted, "m2", BRUNO)
    record(uncounted, *(metrics_row(str(each["token"]), source="canned") for each in (dead, canned)))
    assert sums(uncounted, "messages_ended") == {("canned", "dead"): 1, ("canned", "answered"): 1}


def test_messages_that_need_no_reply_are_counted_as_they_come(uncounted: Connection) -> None:
    """They have no turn; a repeated delivery is no second one, and a message that waits has not ended."""
    for _ in range(2):
        accept(uncounted, inbound("m1", reply_due=False), inbound("m2", BRUNO, reply_due=False), inbound("m3", CARLA))
    assert sums(uncounted, "messages_ended") == {("closed", "closed"): 2}
    record(uncounted, metrics_row(str(uuid4()), source="closed", messages=3))
    assert sums(uncounted, "messages_ended") == {("closed", "closed"): 5}


def test_only_a_reply_took_time(uncounted: Connection) -> None:
    """Neither a turn that was closed without one nor a lost one; an apology for a dead letter did."""
    closed, apology = answer(uncounted, "m1", state="closed"), answer(uncounted, "m2", BRUNO, state="dead")
    lost = answer(uncounted, "m3", CARLA)
    record(uncounted, metrics_row(str(closed["token"]), source="closed"))
    record(uncounted, metrics_row(str(lost["token"]), committed=False))
    assert sums(uncounted, "reply_latency") == sums(uncounted, "reply_latency_ms") == {}
    record(uncounted, metrics_row(str(apology["token"]), source="canned"))
    assert list(sums(uncounted, "reply_latency").values()) == [1]


def test_a_lost_turn_costs_and_ends_nothing(uncounted: Connection) -> None:
    """Its messages are counted when somebody else has ended them."""
    record(uncounted, metrics_row(str(uuid4()), committed=False, provider="deepseek", cost_microusd=9))
    assert sums(uncounted, "cost_microusd") == {("deepseek",): 9}
    assert {total.name for total in monitoring.totals(uncounted)} == {"cost_microusd"}


def test_what_is_recorded_twice_is_counted_once(uncounted: Connection) -> None:
    """A step is repeated after a crash; its sums are not."""
    row = metrics_row(str(uuid4()), provider="deepseek", cost_microusd=9)
    for _ in range(2):
        record(uncounted, row)
    assert sums(uncounted, "cost_microusd") == {("deepseek",): 9}
    assert sums(uncounted, "messages_ended") == {("ai", "answered"): 1}


def test_a_total_outlives_what_it_was_summed_from(uncounted: Connection) -> None:
    """Deleting old rows lowers no counter, which Prometheus would take for a restart and count all of it again."""
    record(uncounted, metrics_row(str(uuid4())))
    before = monitoring.totals(uncounted)
    uncounted.execute(text("delete from ai_metrics"))
    assert monitoring.totals(uncounted) == before != ()


@pytest.mark.parametrize("over_ms", [0, 1])
def test_bounds_of_latency_are_those_of_the_exporter(uncounted: Connection, over_ms: int) -> None:
    """A reply that takes just as long as a bound lies below it, one of a millisecond more beyond it."""
    add = """
        insert into ai_metrics (reply_id, source, reply_latency_ms)
        select gen_random_uuid(), 'ai', bound + :over_ms from unnest(cast(:bounds as bigint[])) bound
    """
    uncounted.execute(text(add), {"bounds": list(REPLY_BUCKETS_MS), "over_ms": over_ms})
    expected: Sequence[int | None] = (*REPLY_BUCKETS_MS[1:], None) if over_ms else REPLY_BUCKETS_MS
    assert sums(uncounted, "reply_latency") == {(bound, "ai"): 1 for bound in expected}
    assert sums(uncounted, "reply_latency_ms") == {("ai",): sum(REPLY_BUCKETS_MS) + over_ms * len(REPLY_BUCKETS_MS)}


def test_several_workers_count_at_once(engine: Engine, uncounted: Connection) -> None:
    """Batches with the same sources in opposite orders: nothing is lost, nobody waits for ever."""
    orders = [("ai", "cache", "fallback"), ("fallback", "cache", "ai")] * 2

    def work(sources: Sequence[str]) -> None:
        with engine.connect() as connection:
            for _ in range(25):
                record(connection, *(metrics_row(str(uuid4()), source=source) for source in sources))

    with ThreadPoolExecutor(len(orders)) as workers:
        for done in [workers.submit(work, order) for order in orders]:
            done.result(GUARD_S)
    assert sums(uncounted, "messages_ended") == {(source, "answered"): 100 for source in orders[0]}


def test_what_is_unfinished_is_seen(connection: Connection, engine: Engine) -> None:
    """Waiting, under way, overdue, unpublished, dead; and whether an intake is active."""
    accept(connection, inbound("m1"), inbound("m2", BRUNO), inbound("m3", CARLA))
    connection.execute(text("update messages set accepted_at = now() - interval '90 s' where message_id = 'm2'"))
    expire_leases(connection, BRUNO)
    seen = monitoring.unfinished(connection)
    assert (seen.waiting, seen.turns_under_way, seen.turns_overdue) == (3, 2, 1)
    assert 90 <= seen.oldest_waiting_s < 180
    assert (seen.unpublished, seen.oldest_unpublished_s, seen.dead, seen.active_sessions) == (0, 0.0, 0, 0)
    assert not seen.intake_active
    for number, (message_id, state) in enumerate((("m4", "answered"), ("m5", "dead")), 1):
        turn = accept_one(connection, message_id, f"549110000009{number}")
        commit(connection, commit_row(turn, state=state))
    connection.execute(text("update messages set answered_at = now() - interval '40 s' where message_id = 'm4'"))
    with engine.connect() as intake:
        assert try_lock(intake, INTAKE_LOCK)
        later = monitoring.unfinished(connection)
        intake.invalidate()
    assert (later.waiting, later.unpublished, later.dead, later.active_sessions) == (3, 2, 1, 2)
    assert 40 <= later.oldest_unpublished_s < 90
    assert later.intake_active
    expire_sessions(connection, "5491100000091")
    assert monitoring.unfinished(connection).active_sessions == 1


def test_orders_that_wait_are_seen(connection: Connection) -> None:
    """Those that nobody has moved on, but for those from before statuses were kept; and what the shop is not told."""
    for number, phone in enumerate((ANA, BRUNO, CARLA), 1):
        answer(connection, f"m{number}", phone, orders=[order_of()])
    connection.execute(text("update messages set published_at = now()"))
    connection.execute(text("update orders set status_at = null where id = 1"))
    connection.execute(text("update orders set status_at = now() - interval '90 s' where id = 2"))
    connection.execute(text("update order_events set at = now() - interval '40 s' where id = 3"))
    seen = monitoring.unfinished(connection)
    assert (seen.orders_unattended, seen.unpublished) == (2, 3)
    assert 90 <= seen.oldest_unattended_s < 180
    assert 40 <= seen.oldest_unpublished_s < 90
    set_order_status(connection, 2, "accepted")
    tell_the_shop(connection)
    later = monitoring.unfinished(connection)
    assert (later.orders_unattended, later.unpublished) == (1, 0)
    assert later.oldest_unattended_s < 90


def test_a_look_reads_no_finished_message(connection: Connection) -> None:
    """With many answered messages, only the small indexes of what is unfinished are read."""
    connection.execute(
        text("""
            insert into messages (message_id, customer_phone, content, state, reply, answered_at, published_at)
            select 'm' || n, 'p' || n % 1000, '{}', 'answered', '{}', now(), now() from generate_series(1, 20000) n
        """)
    )
    connection.execute(
        text(
            "insert into orders (customer_phone, total, status)"
            " select 'p', 1, 'delivered' from generate_series(1, 5000)"
        )
    )
    accept(connection, inbound("waits", ANA))
    connection.execute(text("analyze messages, turns, orders"))
    plan = rows(connection, f"explain (analyze, costs off, timing off) {UNFINISHED.text}")
    scans = [line["QUERY PLAN"].strip() for line in plan if " on messages" in line["QUERY PLAN"]]
    assert len(scans) == 3
    assert [line for line in plan if "orders_open_idx" in line["QUERY PLAN"]]
    assert all(" using " in scan or "Bitmap" in scan for scan in scans)
    assert all("rows=0 " in scan or "rows=1 " in scan for scan in scans)


def test_calls_are_counted_by_the_breaker(redis_client: redis.Redis) -> None:
    """Each call once with its outcome; a permit that was not used is none; how long only where it was answered."""
    breaker = CircuitBreaker(redis_client, lambda *_: None, on_call=lambda *call: count_call(redis_client, *call))
    for end in ("answer", "slow answer", "timeout", "refused", "unused", "denied"):
        permit = breaker.permit("deepseek", end, ["deepseek-flash"])
        assert permit is not None
        match end:
            case "answer":
                breaker.succeeded(permit, 250.0)
            case "slow answer":
                breaker.succeeded(permit, 31_000.0)
            case "timeout":
                breaker.failed(permit, ProviderTimeout("deepseek", "x"), 15_000.0)
            case "refused":
                breaker.failed(permit, RequestRefused("deepseek", "x"), 10.0)
            case "denied":
                breaker.failed(permit, ProviderDenied("deepseek", "x"), 10.0)
            case "unused":
                breaker.released(permit)
    assert read_counters(redis_client).calls == {
        "deepseek/deepseek-flash:ok": 2,
        "deepseek:le:250": 1,
        "deepseek:le:inf": 1,
        "deepseek:ms": 31_250,
        "deepseek/deepseek-flash:timeout": 1,
        "deepseek/deepseek-flash:refused": 1,
        "deepseek/deepseek-flash:denied": 1,
    }
    seen = read_redis(redis_client, NAMED)
    assert [(circuit.provider, circuit.state, circuit.trips) for circuit in seen.providers] == [("deepseek", "open", 1)]
    assert [(each.name, each.state) for each in seen.models] == [
        ("deepseek/deepseek-flash", "closed"),
        ("gpt/gpt-6-luna", "closed"),
    ]
    (key,) = redis_client.keys("metrics:calls:*")
    assert 0 < redis_client.ttl(key) <= CALL_COUNTS.ttl_s


@pytest.mark.parametrize("bound", CALL_BUCKETS_MS)
def test_a_call_as_long_as_a_bound_lies_below_it(redis_client: redis.Redis, bound: int) -> None:
    """As `le` says."""
    count_call(redis_client, "a", "m", "ok", float(bound))
    assert f"a:le:{bound}" in read_counters(redis_client).calls


def test_streams_books_and_runs_are_read(redis_client: redis.Redis) -> None:
    """From the keys under which the others write."""
    now_s = time.time()
    streams = Streams(redis_client)
    redis_client.xadd("whatsapp:inbound", {"payload": "{}"}, id=f"{int((now_s - 20) * 1000)}-0")
    streams.send("{}")
    streams.reject("{", "broken")
    redis_client.hset(time.strftime("budget:%Y-%m", time.gmtime(now_s)), "spent", 70)
    redis_client.hset(time.strftime("budget:%Y-%m-%d", time.gmtime(now_s)), "spent", 30)
    note_run(redis_client, CLEANUP)
    lengths, counters, seen = (
        read_streams(redis_client),
        read_counters(redis_client, now_s),
        read_redis(redis_client, NAMED[:1]),
    )
    assert (lengths.inbound, lengths.outbound, lengths.rejected) == (2, 0, 1)
    assert lengths.oldest_inbound_s == pytest.approx(20, abs=5)
    assert counters.spent_microusd == {"month": 70, "day": 30}
    assert counters.last_cleanup_at_s is not None
    assert abs(counters.last_cleanup_at_s - now_s) < 5
    assert abs(counters.at_s - now_s) < 5
    assert (seen.providers, counters.calls, seen.probes) == ((), {}, ())
    assert [each.name for each in seen.models] == ["deepseek/deepseek-flash"]


def test_counters_of_another_day_are_not_today_s(redis_client: redis.Redis) -> None:
    """Day by day they begin at nothing, and never lose some of what they had."""
    yesterday = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86_400))
    redis_client.hset(f"metrics:cache:{yesterday}", "session:hits", 5)
    redis_client.hset(f"metrics:calls:{yesterday}", "deepseek/deepseek-flash:ok", 5)
    today, the_day_before = read_cache_use(redis_client), read_cache_use(redis_client, time.time() - 86_400)
    assert read_counters(redis_client).calls == {}
    assert {layer.wanted for layer in today.layers} == {0}
    assert {layer.name: layer.hits for layer in the_day_before.layers if layer.wanted} == {"session": 5}
