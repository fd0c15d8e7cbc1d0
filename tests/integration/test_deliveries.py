"""Replies marked as WhatsApp reports them: once for each state, in whatever order, and only ours."""

from __future__ import annotations

import re
from io import StringIO
from threading import Event
from typing import Any
from uuid import uuid4

import orjson
import redis
from helpers.basics import ends
from helpers.factories import ANA, BRUNO, Json, agreed_order, answer, line_of, product, row, rows
from rich.console import Console
from sqlalchemy import Connection, Engine, text

from db import monitoring, queries
from db.customers import erase_customer
from db.products import put_products
from worker.intake.intake import Intake
from worker.operate.commands.report import as_tables
from worker.redisdb.keys import INBOUND, REJECTED
from worker.steps.services import Services
from worker.telemetry.report import make_report

TIMES = ("sent_at", "delivered_at", "read_at", "failed_at")


def mark(connection: Connection, *reported: Json) -> int:
    """Marks, as intake does."""
    return queries.mark_deliveries(connection, list(reported))


def report(reply_id: str, state: str, at_s: float | None = 1_764_446_400, **changes: Any) -> Json:
    """A status as intake passes it on."""
    return {"reply_id": reply_id, "state": state, "at_s": at_s, "wamid": "wamid.S1", "code": None} | changes


def failure(reply_id: str, code: int = 131026) -> Json:
    """A failure as intake passes it on."""
    return report(reply_id, "failed", code=code, label=str(code))


def known(connection: Connection) -> dict[str, set[str]]:
    """States that are known of each reply."""
    found = rows(connection, "select * from deliveries")
    return {str(each["reply_id"]): {name.removesuffix("_at") for name in TIMES if each[name]} for each in found}


def counted(connection: Connection) -> dict[str, int]:
    """The totals of deliveries, by their one label."""
    totals = monitoring.totals(connection)
    return {next(iter(t.labels.values())): t.value for t in totals if t.name.startswith("deliver")}


def grown(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """By how much the totals have grown."""
    return {name: more for name, value in after.items() if (more := value - before.get(name, 0))}


def test_each_state_counts_once_in_any_order(connection: Connection) -> None:
    """Repeated, late and together: what is known stays, with the time at which it was first reported."""
    before = counted(connection)
    one, two = (answer(connection, f"wamid.{n}", phone)["token"] for n, phone in ((1, ANA), (2, BRUNO)))
    assert mark(connection, report(one, "read"), report(two, "sent"), report(two, "sent", 1_764_446_300)) == 2
    assert mark(connection, report(one, "delivered", 1_764_446_500), report(one, "read", 1_764_446_900)) == 1
    assert mark(connection, report(one, "sent", None, wamid=None), failure(two), failure(two)) == 2
    assert known(connection) == {one: {"sent", "delivered", "read"}, two: {"sent", "failed"}}
    first = "select extract(epoch from read_at)::bigint as at_s, wamid from deliveries where reply_id = :id"
    assert row(connection, first, id=one) == {"at_s": 1_764_446_400, "wamid": "wamid.S1"}
    seen = {"sent": 2, "delivered": 1, "read": 1, "failed": 1, "131026": 1}
    assert grown(before, counted(connection)) == seen
    found = make_report(connection)["delivery"]
    assert found == {"sent": 2, "delivered": 1, "read": 1, "failed": {"131026": 1}}


def test_the_report_says_why_in_words(connection: Connection) -> None:
    """Outside the window and too fast for a pair are told apart; of a code that nobody knows there is the number."""
    for number, code in enumerate((131047, 131056, 99)):
        mark(connection, failure(answer(connection, f"wamid.{number}", f"549110000{number}")["token"], code))
    paper = StringIO()
    Console(file=paper, width=100).print(as_tables(make_report(connection)))
    for words in ("131047 outside the 24-hour window", "131056 too fast for this pair of numbers", "99 "):
        assert re.search(rf"not delivered, {words}\W+1\b", paper.getvalue())


def test_what_was_delivered_after_all_has_not_failed(connection: Connection) -> None:
    """A failure that comes late, or was reported of one attempt, is none in the report."""
    one = answer(connection, "wamid.1")["token"]
    mark(connection, failure(one))
    assert make_report(connection)["delivery"]["failed"] == {"131026": 1}
    mark(connection, report(one, "delivered"))
    assert make_report(connection)["delivery"] == {"sent": 0, "delivered": 1, "read": 0, "failed": {}}


def test_only_ours_are_marked(connection: Connection) -> None:
    """An id of nobody's leaves nothing; words about an order are ours."""
    before = counted(connection)
    assert mark(connection, report(str(uuid4()), "sent")) == 0
    put_products(connection, [product("1", "Leche", stock=9)])
    product_id = row(connection, "select id from products")["id"]
    answer(connection, "wamid.1", orders=[agreed_order(line_of(product_id, sku="1"))])
    words = {"reply_id": str(uuid4()), "to": ANA, "text": "Tu pedido está en camino."}
    order_id = row(connection, "select id from orders")["id"]
    connection.execute(
        text("select add_order_event(:id, 'status', :told)"), {"id": order_id, "told": orjson.dumps(words).decode()}
    )
    assert mark(connection, report(words["reply_id"], "read")) == 1
    assert grown(before, counted(connection)) == {"read": 1}


def test_whatsapps_id_of_a_reply_goes_with_its_customer(connection: Connection) -> None:
    """It holds the phone number; that the reply was read is a figure and stays."""
    one, other = (answer(connection, f"wamid.{n}", phone)["token"] for n, phone in ((1, ANA), (2, BRUNO)))
    mark(connection, report(one, "read"), report(other, "read"))
    erase_customer(connection, ANA)
    named = {str(each["reply_id"]): each["wamid"] for each in rows(connection, "select * from deliveries")}
    assert named == {one: None, other: "wamid.S1"}
    assert mark(connection, report(one, "sent", wamid="wamid.S1")) == 0
    assert make_report(connection)["delivery"]["read"] == 2


def test_a_locked_row_stops_nobody(connection: Connection, engine: Engine) -> None:
    """What cannot be marked at once is kept, and marked with the next."""
    one, other = (answer(connection, f"wamid.{n}", phone)["token"] for n, phone in ((1, ANA), (2, BRUNO)))
    mark(connection, report(one, "sent"))
    apart = engine.connect().execution_options(isolation_level="READ COMMITTED")
    with apart as holder, holder.begin():
        holder.execute(text("select from deliveries for update"))
        assert ends(lambda: mark(connection, report(one, "read"), report(other, "sent"))) == 0
    assert known(connection) == {one: {"sent"}}
    assert mark(connection, report(other, "delivered")) == 2
    assert known(connection) == {one: {"sent", "read"}, other: {"sent", "delivered"}}
    assert rows(connection, "select * from events where kind = 'unmarked'") == []


class Quiet:
    """The chain as intake sees it: stops intake once a body behind the statuses was read."""

    def __init__(self) -> None:
        self.stop = Event()

    def start(self, turns: Any) -> None:
        """Stops intake."""
        if turns:
            self.stop.set()

    def waiting(self) -> int:
        """Nothing waits."""
        return 0


def test_intake_marks_what_a_body_reports(
    shop_services: Services, redis_client: redis.Redis, connection: Connection
) -> None:
    """Four hundred statuses in one body, of which one names a reply of ours: nothing is rejected."""
    one = answer(connection, "wamid.1", BRUNO)["token"]
    statuses = [
        {
            "id": "wamid.S1",
            "status": "failed",
            "timestamp": "1764446400",
            "biz_opaque_callback_data": one,
            "errors": [{"code": 131047}],
        }
    ]
    statuses += [statuses[0] | {"status": "sent", "biz_opaque_callback_data": str(uuid4())} for _ in range(399)]
    value = {"messaging_product": "whatsapp", "statuses": statuses}
    body = {
        "object": "whatsapp_business_account",
        "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}],
    }
    redis_client.xadd(INBOUND.pattern, {"payload": orjson.dumps(body)})
    redis_client.xadd(INBOUND.pattern, {"payload": orjson.dumps({"message_id": "m", "from": ANA, "text": "hola"})})
    chain = Quiet()
    ends(Intake(shop_services, chain, chain.stop).run)
    assert row(connection, "select code, wamid from deliveries") == {"code": 131047, "wamid": "wamid.S1"}
    assert redis_client.xlen(REJECTED.pattern) == 0
    assert redis_client.xlen(INBOUND.pattern) == 0
