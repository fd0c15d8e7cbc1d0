"""Replies made before the question: what is counted, what is made, what is left, and what it brings."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import redis
from helpers.answering import calls
from helpers.asked import MILK, RICE, AskedShop, asked_shop
from helpers.basics import GUARD_S
from helpers.factories import metrics_row, product
from helpers.turns import decided
from msgspec.structs import replace
from sqlalchemy import Engine

from db import queries
from db.engine import connect
from db.locks import PRECACHE_LOCK, try_lock, unlock
from db.products import put_products
from worker.devkit.simulator import Simulator
from worker.precache.allowance import spent_key
from worker.precache.requests import REST_DAYS, WASTED
from worker.providers.single_flight import JoinRequest, SingleFlight
from worker.redisdb.keys import AI_RESPONSE, FLIGHT, PARKED
from worker.session.turn import encode_turn
from worker.settings import Settings
from worker.telemetry.asked import form_key
from worker.telemetry.report import make_report

QUESTION = "Hola! qué leche me recomendás?"


@pytest.fixture
def shop(
    settings_here: Settings, redis_client: redis.Redis, engine: Engine, simulator: Simulator
) -> Iterator[AskedShop]:
    """A shop that was asked for milk ten times yesterday."""
    with asked_shop(settings_here, engine, simulator.base_urls) as made:
        made.was_asked(MILK)
        yield made


def test_a_changed_price_is_answered_before_it_is_asked_for(shop: AskedShop, simulator: Simulator) -> None:
    """The next beat asks a model about the new price; the customer's question is a hit and no call."""
    assert shop.make_ahead() == 1
    shop.reprice("250.00")
    assert shop.make_ahead() == 1
    made = calls(simulator)
    turn = shop.routed(QUESTION)
    assert turn.decided().source == "cache"
    assert turn.decided().ahead
    assert "250" in turn.decided().decision.reply
    assert (sum(made.values()), calls(simulator)) == (2, made)


def test_there_is_nothing_to_do_twice(shop: AskedShop, simulator: Simulator) -> None:
    """A reply that there is stays; one that was evicted is not paid for again on the same day."""
    assert [shop.make_ahead(), shop.make_ahead()] == [1, 0]
    key = AI_RESPONSE.key(shop.planned(QUESTION).planned().key)
    shop.services.redis.expire(key, 60)
    assert shop.make_ahead() == 0
    assert int(str(shop.services.redis.ttl(key))) > 60
    shop.services.redis.delete(key)
    assert shop.make_ahead() == 0
    assert sum(calls(simulator).values()) == 1


def test_what_is_unlikely_is_left(shop: AskedShop) -> None:
    """Asked once, long ago."""
    shop.was_asked(RICE, times=1, days_ago=20)
    assert shop.make_ahead() == 1
    assert shop.routed("qué arroz me recomendás?").outcome is None


def test_a_first_hit_is_noted_once_with_what_it_saved(shop: AskedShop) -> None:
    """The report counts what was made, what of it was asked for, what it cost and spared; no message, no baseline."""
    before = totals(shop)
    shop.make_ahead()
    for phone in ("5491100000001", "5491100000002"):
        shop.recorded(shop.routed(QUESTION, phone))
    shop.make_ahead()
    with shop.engine.connect() as connection:
        report = make_report(connection)
    ((cost, saved),) = shop.sql("select cost_microusd, saved_microusd from replies_ahead")
    assert cost > 0
    assert saved > 0
    assert report["precache"] == {
        "answered": 1,
        "hits": 1,
        "waste": 0,
        "cost_usd": cost / 1e6,
        "saved_usd": saved / 1e6,
    }
    assert report["ai"]["ai_cache_hit_rate"] == 100.0
    assert (report["messages"], report["costs"]["total_usd"]) == (2, cost / 1e6)
    added = {name: value - before.get(name, 0) for name, value in totals(shop).items()}
    assert added == {"precache_replies": 1, "precache_hits": 1, "precache_cost_microusd": cost}


def spent_microusd(client: redis.Redis) -> int:
    """What the day's book says."""
    found: Any = client.get(spent_key())
    return int(found or 0)


def totals(shop: AskedShop) -> dict[str, int]:
    """What Prometheus is told of replies made ahead."""
    return dict(map(tuple, shop.sql("select name, value from metric_totals where name like 'precache%'")))


def test_what_is_never_asked_is_not_answered_again(shop: AskedShop, simulator: Simulator) -> None:
    """After so many replies in vain the form is left alone, for some days."""
    for number in range(WASTED):
        shop.sql("update replies_ahead set made_at = made_at - interval '1 day'")
        shop.reprice(f"{200 + number}")
        assert shop.make_ahead() == 1
    shop.reprice("300")
    assert shop.make_ahead() == 0
    shop.sql(f"update replies_ahead set made_at = made_at - interval '{REST_DAYS} days'")
    assert shop.make_ahead() == 1
    assert sum(calls(simulator).values()) == WASTED + 1


def test_one_hit_among_them_keeps_it(shop: AskedShop) -> None:
    """It is asked, if not after every change."""
    for number in range(WASTED):
        shop.reprice(f"{200 + number}")
        assert shop.make_ahead() == 1
        if not number:
            shop.recorded(shop.routed(QUESTION))
    shop.reprice("300")
    assert shop.make_ahead() == 1


def test_a_lead_that_was_killed_is_taken_up_when_it_has_lapsed(shop: AskedShop, simulator: Simulator) -> None:
    """Killed between the reservation and the reply: nobody pays twice at a time, and nothing is lost."""
    plan = shop.planned(QUESTION).planned()
    flight = SingleFlight(shop.services.redis, 90.0)
    flight.join([JoinRequest(plan.key, "killed", b"", 60.0)])
    assert shop.make_ahead() == 0
    assert calls(simulator) == {}
    assert spent_microusd(shop.services.redis) == 0
    shop.services.redis.pexpire(FLIGHT.key(plan.key), 1)
    while shop.services.redis.exists(FLIGHT.key(plan.key)):
        time.sleep(0.001)
    assert shop.make_ahead() == 1


def test_a_customers_call_under_way_is_not_made_again(shop: AskedShop, simulator: Simulator) -> None:
    """Who is asked about already needs no reply ahead."""
    turn = shop.planned(QUESTION)
    SingleFlight(shop.services.redis, 90.0).join([JoinRequest(turn.planned().key, turn.token, encode_turn(turn), 60.0)])
    assert (shop.make_ahead(), calls(simulator)) == (0, {})
    assert not shop.services.redis.exists(PARKED.key(turn.planned().key))


def test_a_customer_who_comes_meanwhile_gets_the_reply(shop: AskedShop, simulator: Simulator) -> None:
    """One call, shared; the turn goes on with it as with a leader's."""
    _meet(shop, simulator)
    assert [turn.decided().source for turn in shop.answered] == ["cache"]
    assert shop.asking == []
    assert sum(calls(simulator).values()) == 1


def test_a_customer_who_comes_to_a_call_that_fails_asks_alone(shop: AskedShop, simulator: Simulator) -> None:
    """One cheap model has failed: the customer's turn has all the others still."""
    simulator.set("all", status=500)
    _meet(shop, simulator)
    assert (shop.answered, [turn.outcome for turn in shop.asking]) == ([], [None])


def _meet(shop: AskedShop, simulator: Simulator) -> None:
    """A customer asks while the call ahead is under way."""
    simulator.set("all", latency_ms=(500.0, 500.0))
    turn = shop.planned(QUESTION)
    key = FLIGHT.key(turn.planned().key)
    with ThreadPoolExecutor(1) as pool:
        making = pool.submit(shop.make_ahead)
        while not shop.services.redis.exists(key):
            time.sleep(0.001)
        assert list(shop.services.dispatcher.call([turn], {turn.token: 40.0}, 15.0)) == []
        making.result(GUARD_S)


def test_an_open_circuit_ends_the_run(shop: AskedShop, simulator: Simulator) -> None:
    """Nothing is asked, nothing is paid, no other model is asked in its place, and no other request is tried."""
    for name in ("gemini-flash", "deepseek", "gpt"):
        shop.services.redis.hset(f"ai_circuit:{name}", mapping={"state": "forced_open"})
    shop.was_asked(RICE)
    shop.looks = 10
    assert (shop.make_ahead(), calls(simulator)) == (0, {})
    assert shop.looks == 8
    assert spent_microusd(shop.services.redis) == 0
    assert shop.sql("select * from replies_ahead") == []


def test_a_failing_provider_is_paid_once_and_left(shop: AskedShop, simulator: Simulator) -> None:
    """The same request is not tried again within a day."""
    simulator.set("all", mode="garbage")
    assert shop.make_ahead() == 0
    tried = sum(calls(simulator).values())
    assert (len(calls(simulator)), tried > 0) == (1, True)
    assert shop.make_ahead() == 0
    assert sum(calls(simulator).values()) == tried
    assert shop.sql("select answered from replies_ahead") == [(False,)]


def test_customers_calls_come_first(shop: AskedShop, simulator: Simulator) -> None:
    """With one in the queue nothing begins, and a run ends before its next call."""
    shop.was_asked(RICE)
    shop.looks = 0
    assert (shop.make_ahead(), calls(simulator)) == (0, {})
    shop.looks = 2
    assert shop.make_ahead() == 1
    shop.looks = 10
    assert shop.make_ahead() == 1


def test_one_of_the_fleet_does_it(shop: AskedShop, engine: Engine, simulator: Simulator) -> None:
    """Whoever finds the lock taken goes away; it is free after each run."""
    with engine.connect() as connection:
        assert try_lock(connection, PRECACHE_LOCK)
        assert shop.make_ahead() == 0
        unlock(connection, PRECACHE_LOCK)
    shop.was_asked(RICE)
    assert shop.make_ahead() == 2
    with engine.connect() as connection:
        assert try_lock(connection, PRECACHE_LOCK)
        unlock(connection, PRECACHE_LOCK)
    assert sum(calls(simulator).values()) == 2


@pytest.mark.parametrize(("allowed", "made"), [("0", 0), ("0.000001", 0), ("1", 2)])
def test_the_days_money(
    allowed: str, made: int, settings_here: Settings, redis_client: redis.Redis, engine: Engine, simulator: Simulator
) -> None:
    """Reserved before the call; 0 turns it off. Corrected to what was paid."""
    with asked_shop(settings_here, engine, simulator.base_urls, PRECACHE_DAILY_USD=allowed) as shop:
        shop.was_asked(MILK)
        shop.was_asked(RICE)
        assert shop.make_ahead() == made
        paid = shop.sql("select coalesce(sum(cost_microusd), 0)::bigint from replies_ahead")
        assert spent_microusd(redis_client) == paid[0][0]


def test_unset_it_is_a_tenth_of_what_customers_cost_yesterday(
    settings_here: Settings, redis_client: redis.Redis, engine: Engine, simulator: Simulator
) -> None:
    """Replies ahead do not pay for themselves."""
    with asked_shop(settings_here, engine, simulator.base_urls, PRECACHE_DAILY_USD="") as shop:
        shop.was_asked(MILK)
        assert shop.make_ahead() == 0
        with engine.begin() as connection:
            queries.record_metrics(connection, [metrics_row(str(uuid4()), source="ahead", cost_microusd=10**9)])
            queries.record_metrics(connection, [metrics_row(str(uuid4()), cost_microusd=100)])
        noon = datetime.now(UTC).replace(hour=12, minute=0) - timedelta(days=1)
        shop.sql("update ai_metrics set at = :at", at=noon)
        assert shop.make_ahead() == 0
        shop.sql("update ai_metrics set cost_microusd = 1000000 where source = 'ai'")
        assert shop.make_ahead() == 1


def test_while_the_cache_is_away_nothing_is_made(shop: AskedShop, simulator: Simulator) -> None:
    """It could not be kept."""
    shop.services.cache._away_until = float("inf")
    assert (shop.make_ahead(), calls(simulator)) == (0, {})


def test_what_is_asked_is_counted_by_form(shop: AskedShop) -> None:
    """Whatever the words; and what conversations go on to."""
    first = replace(shop.planned("Buenas! qué arroz me recomiendan??", "5491100000001"), outcome=decided())
    shop.planned(QUESTION)
    again = replace(shop.planned("me recomendás arroz?", "5491100000002", before=QUESTION), outcome=decided())
    shop.recorded(first, again)
    counted = "select asked from request_hours where form_key = :key"
    assert shop.sql(counted, key=form_key(RICE)) == [(2,)]
    assert shop.sql("select after_key, form_key, asked from request_followers") == [(form_key(MILK), form_key(RICE), 1)]


def test_the_words_of_one_customer_are_not_kept(shop: AskedShop) -> None:
    """Their digest is, until another customer has asked the same; what leans on its conversation leaves nothing."""
    asked = "select form, askers from request_forms where form_key = :key"
    for _ in range(3):
        shop.recorded(replace(shop.planned("qué arroz me recomendás?", "5491100000001"), outcome=decided()))
    ((form, askers),) = shop.sql(asked, key=form_key(RICE))
    assert (form, askers.bit_count()) == (None, 1)
    shop.recorded(replace(shop.planned("me recomendás arroz?", "5491100000003"), outcome=decided()))
    assert shop.sql(asked, key=form_key(RICE))[0][0] == RICE
    before = shop.sql("select count(*) from request_forms")
    shop.recorded(replace(shop.planned("dame la que te dije", "5491100000003"), outcome=decided()))
    assert shop.sql("select count(*) from request_forms") == before


def test_old_requests_are_forgotten(shop: AskedShop) -> None:
    """With the retention; conversations weigh half as much every day."""
    shop.was_asked(MILK, days_ago=40)
    shop.sql("update request_forms set asked_on = current_date - 40")
    shop.sql("insert into request_followers values ('a', 'b', 5), ('a', 'c', 1)")
    assert shop.sql("select forget_requests(35)") == [(3,)]
    assert shop.sql("select count(*) from request_hours") == [(1,)]
    assert shop.sql("select * from request_followers") == [("a", "b", 2)]


def test_who_holds_a_count_stops_nobody(shop: AskedShop, settings_here: Settings) -> None:
    """The turn is recorded; what it asked is not counted, and a forecast can do without."""
    with connect(settings_here.required("database_url")) as connection, connection.begin():
        connection.exec_driver_sql("lock table request_hours")
        shop.recorded(replace(shop.planned("qué arroz me recomendás?"), outcome=decided()))
        assert shop.sql("select count(*) from ai_metrics") == [(1,)]
    assert shop.sql("select count(*) from request_hours where form_key = :key", key=form_key(RICE)) == [(0,)]


def test_what_has_become_cheaper_is_asked_more(shop: AskedShop) -> None:
    """What was asked once, the day before yesterday, is not likely enough by itself, nor if it has become dearer."""
    shop.was_asked(RICE, times=1, days_ago=2)
    made = []
    for price in ("100.00", "120.00", "90.00"):
        with shop.engine.begin() as connection:
            put_products(connection, [product("2", "Arroz largo", price=price)])
        shop.make_ahead()
        made.append(shop.routed("qué arroz me recomendás?").outcome is not None)
    assert made == [False, False, True]
