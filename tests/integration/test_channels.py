"""Business numbers of the shop: a turn holds messages of one, and its reply, order and figures know which."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import orjson
import redis
from helpers.factories import ANA, BRUNO, accept, commit, commit_row, expire_leases, inbound, metrics_row, row, rows
from helpers.turns import decided, made, session_of, turn_from_dict
from msgspec.structs import replace
from sqlalchemy import Connection, text

from db import queries
from worker.intake.sweep import LIMIT, MAX_ATTEMPTS, Sweep
from worker.replies.closing import close
from worker.session.outcome import Effects
from worker.session.session import Order
from worker.settings import Settings
from worker.shop.shop import Shop
from worker.steps.services import build
from worker.telemetry.report import make_report

ONE, TWO = "100000000000001", "100000000000002"


def test_a_turn_holds_messages_of_one_number(connection: Connection) -> None:
    """A burst over two numbers is two turns, in order; those of an unnamed number are a turn of their own."""
    numbers = [ONE, ONE, TWO, TWO, ONE, None]
    (turn,) = accept(connection, *(inbound(f"m{place}", channel=number) for place, number in enumerate(numbers)))
    seen = []
    while turn:
        seen.append((turn.get("channel"), [message["message_id"] for message in turn["messages"]]))
        turn = next(iter(commit(connection, commit_row(turn))["next"]), None)
    assert seen == [(ONE, ["m0", "m1"]), (TWO, ["m2", "m3"]), (ONE, ["m4"]), (None, ["m5"])]


def test_a_swept_turn_has_its_number(connection: Connection) -> None:
    """As any other."""
    accept(connection, inbound("m1", channel=ONE))
    expire_leases(connection, ANA)
    (turn,), _ = queries.sweep_turns(connection, lease_s=15.0, limit=LIMIT)
    assert (turn["channel"], turn["swept"]) == (ONE, True)


def test_an_apology_leaves_from_the_number_that_was_written_to(
    connection: Connection, redis_client: redis.Redis, settings_here: Settings
) -> None:
    """A dead letter's."""
    accept(connection, inbound("m1", channel=ONE))
    connection.execute(text("update messages set attempts = :n"), {"n": MAX_ATTEMPTS})
    expire_leases(connection, ANA)
    Sweep(build(settings_here), lambda _turns: None).once(connection)
    ((_, entry),) = redis_client.xrange("whatsapp:outbound")
    assert orjson.loads(entry[b"payload"])["channel"] == ONE


def test_reply_and_order_have_the_number_of_the_turn(connection: Connection) -> None:
    """Both, as they are committed."""
    (claimed,) = accept(connection, inbound("m1", channel=ONE))
    order = Order("ARS", Decimal(1), Decimal(0), Decimal(1), ())
    turn = replace(turn_from_dict(claimed), session=session_of())
    turn = replace(turn, outcome=replace(decided(), decision=replace(made(), effects=Effects(orders=(order,)))))
    closing = close(turn, Shop("el supermercado"), datetime.now(UTC), 1_800.0)
    assert closing.reply
    assert closing.reply.channel == ONE
    assert [each.channel for each in closing.orders] == [ONE]
    assert turn.stored_outcome().channel == ONE


def test_the_report_counts_messages_by_number(connection: Connection) -> None:
    """Of this hour and of those that are summed up; lost turns and unnamed numbers are none."""
    old = metrics_row("00000000-0000-4000-8000-000000000001", channel=ONE, messages=3)
    queries.record_metrics(connection, [old])
    connection.execute(text("update ai_metrics set at = at - interval '3 hours'"))
    others = [metrics_row(f"00000000-0000-4000-8000-00000000001{n}", channel=c) for n, c in enumerate([ONE, TWO, None])]
    lost = metrics_row("00000000-0000-4000-8000-000000000002", channel=TWO, committed=False)
    queries.record_metrics(connection, [*others, lost])
    assert row(connection, "select messages from channel_hours") == {"messages": 3}
    assert make_report(connection)["channels"] == {ONE: 4, TWO: 1}


def test_metrics_name_twenty_numbers(connection: Connection) -> None:
    """The others are counted together, also those that come in one commit with the twentieth."""
    connection.execute(text("delete from metric_totals"))
    for first in (0, 15, 30, 0):
        some = range(first, first + 15)
        ids = [f"00000000-0000-4000-8000-{first:06}{n:06}" for n in some]
        made_rows = [metrics_row(i, channel=f"10{n:03}") for i, n in zip(ids, some, strict=True)]
        queries.record_metrics(connection, made_rows)
    found = rows(
        connection, "select labels ->> 'channel' as c, value from metric_totals where name = 'channel_messages'"
    )
    counted = {each["c"]: each["value"] for each in found}
    assert counted.pop("other") == 25
    assert sorted(counted) == [f"10{n:03}" for n in range(20)]


def test_order_of_a_customer_is_kept_over_numbers(connection: Connection) -> None:
    """What was written to the other number meanwhile waits for the turn under way."""
    (first,) = accept(connection, inbound("m1", channel=ONE))
    assert (
        accept(connection, inbound("m2", channel=TWO), inbound("b1", BRUNO, channel=TWO))[0]["customer_phone"] == BRUNO
    )
    (following,) = commit(connection, commit_row(first))["next"]
    assert (following["channel"], following["messages"][0]["message_id"]) == (TWO, "m2")
