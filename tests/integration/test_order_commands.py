"""`chasqui orders` as it is typed: what it prints, what it refuses, and what shop and customer are told."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
import structlog
from click.testing import CliRunner, Result
from helpers.away import refusing_port
from helpers.factories import ANA, BRUNO, Json, agreed_order, answer, line_of, product, row
from sqlalchemy import Connection, text

from db.customers import erase_customer
from db.orders import open_orders, unpublished_order_events
from db.products import put_products
from db.states import ORDER_STATUSES
from worker.operate.cli import main
from worker.operate.commands.terminal import out
from worker.orders.order import WORDS
from worker.redisdb.keys import ORDERS, OUTBOUND
from worker.settings import Settings


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Commands configure the logging of their process, which here is everybody's."""
    root = logging.getLogger()
    before, level = root.handlers, root.level
    yield
    root.handlers = before
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def shop(
    settings_here: Settings, connection: Connection, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> Connection:
    """A shop with milk and a ham, on empty servers; a terminal that is wide enough."""
    monkeypatch.setattr(out, "width", 200)
    put_products(connection, [product("1", "Leche", stock=50)])
    put_products(connection, [product("2", "Jamón", unit="kg", stock="3", price="9000.00")])
    return connection


def chasqui(*words: str) -> Result:
    """The outcome of a command."""
    return CliRunner().invoke(main, ("orders", *words), catch_exceptions=False)


def buy(connection: Connection, message_id: str = "m1", phone: str = ANA, wrote_h_ago: float = 1, **said: Any) -> None:
    """An order of milk and ham, whose customer last wrote so many hours ago."""
    ham = line_of(2, name="Jamón", unit="kg", price="9000.00", quantity="0.35")
    sums = {"subtotal": "3350.00", "total": "3400.00"}
    answer(connection, message_id, phone, orders=[agreed_order(line_of(1), ham, **sums | said)])
    wrote = {"at": datetime.now(UTC) - timedelta(hours=wrote_h_ago), "phone": phone}
    connection.execute(text("update messages set sent_at = :at where customer_phone = :phone"), wrote)


def entries(client: redis.Redis, stream: str) -> list[Json]:
    """Payloads of a stream."""
    found: Any = client.xrange(stream)
    return [json.loads(fields[b"payload"]) for _, fields in found]


def test_the_list_has_what_a_shop_looks_for(shop: Connection) -> None:
    """Newest first, with the customer's whole number, which is needed to deliver; also for programs."""
    assert chasqui().stdout == chasqui("list", "--open").stdout == "No orders.\n"
    buy(shop, "m1")
    buy(shop, "m2", BRUNO, delivery="pickup", address=None)
    shop.execute(text("update orders set created_at = now() - interval '3 hours' where id = 1"))
    heading, second, first = chasqui("list").stdout.splitlines()
    assert heading.split() == ["ID", "age", "status", "customer", "name", "items", "total", "delivery", "address"]
    assert first.split() == ["1", "3", "h", "received", ANA, "Ana", "2", "3,400.00", "ARS", "delivery", "Mitre", "12"]
    assert second.split()[0] == "2"
    newest, oldest = json.loads(chasqui("list", "--json").stdout)
    assert (newest["id"], oldest["customer"], oldest["total"]) == (2, ANA, "3400.00")
    assert [(item["quantity"], item["unit"]) for item in oldest["items"]] == [("2", "u"), ("0.35", "kg")]


def test_a_list_of_some(shop: Connection) -> None:
    """Those that are to be done, those in one status, the newest few."""
    for number in range(1, 4):
        buy(shop, f"m{number}", f"54911000000{number}0")
    chasqui("set", "1", "delivered")
    chasqui("set", "2", "ready")

    def ids(*words: str) -> list[int]:
        return [order["id"] for order in json.loads(chasqui("list", "--json", *words).stdout)]

    assert ids() == [3, 2, 1]
    assert ids("--open") == [3, 2]
    assert chasqui("list", "--open", "--status", "ready").exit_code == 2
    assert ids("--status", "delivered") == [1]
    assert ids("--limit", "2") == [3, 2]
    assert [order["id"] for order in open_orders(shop, 9)] == [3, 2]
    assert [order["id"] for order in open_orders(shop, 1)] == [3]


def test_one_order_is_shown_whole(shop: Connection) -> None:
    """What to pack, for whom, where it goes, until when the customer can be told, and what has happened."""
    buy(shop)
    chasqui("set", "1", "dispatched", "--tell", "Va en la moto")
    lines = chasqui("show", "1").stdout.splitlines()
    facts = {line[:12].strip(): line[13:].strip() for line in lines[:10]}
    assert (facts["customer"], facts["address"], facts["note"], facts["payment"]) == (
        ANA,
        "Mitre 12",
        "timbre 2",
        "efectivo",
    )
    assert facts["status"].startswith("dispatched, for ")
    assert facts["can be told"].startswith("until ")
    packed = [line.split() for line in lines if "kg" in line or "Leche" in line]
    assert packed[0] == ["2", "1", "Leche", "100.00", "200.00"]
    assert packed[1] == ["0.35", "kg", "2", "Jamón", "9,000.00", "3,150.00"]
    assert [line[18:] for line in lines[-2:]] == ["received", 'dispatched, told: "Va en la moto"']
    shown = json.loads(chasqui("show", "1", "--json").stdout)
    assert (shown["subtotal"], shown["items"][1]["quantity"], shown["events"][1]["told"]) == (
        "3350.00",
        "0.35",
        "Va en la moto",
    )


def test_a_status_reaches_the_shops_systems(shop: Connection, redis_client: redis.Redis) -> None:
    """At once, behind the order itself, which nobody had told them yet; the customer is told nothing unasked."""
    buy(shop)
    assert chasqui("set", "1", "preparing").stdout == "Order 1 was received and is preparing.\n"
    told = entries(redis_client, ORDERS.pattern)
    assert [(event["event"], event["order"]["status"]) for event in told] == [
        ("placed", "received"),
        ("status", "preparing"),
    ]
    assert entries(redis_client, OUTBOUND.pattern) == []
    assert row(shop, "select count(published_at) from order_events") == {"count": 2}


def test_the_customer_is_told(shop: Connection, redis_client: redis.Redis) -> None:
    """A reply of the contract: from the number that was written to, to nobody's message, until 24 h have passed."""
    buy(shop)
    moved = json.loads(chasqui("set", "1", "ready", "--json", "--tell").stdout)
    assert moved == {
        "id": 1,
        "before": "received",
        "status": "ready",
        "told": WORDS["ready"].format(id=1),
        "untold": None,
        "published": True,
    }
    (reply,) = entries(redis_client, OUTBOUND.pattern)
    event = entries(redis_client, ORDERS.pattern)[1]
    wrote = row(shop, "select sent_at from messages")["sent_at"]
    expected = {
        "reply_id": event["event_id"],
        "to": ANA,
        "channel": "100000000000001",
        "in_reply_to": [],
        "text": moved["told"],
        "quick_replies": [],
        "requires_human": False,
        "session_state": "searching",
        "source": "shop",
        "provider": None,
    }
    assert {name: reply[name] for name in expected} == expected
    assert datetime.fromisoformat(reply["expires_at"]) == (wrote + timedelta(days=1)).replace(microsecond=0)
    chasqui("set", "1", "cancelled", "--tell", "Nos quedamos sin jamón. " + "x" * 5_000)
    assert len(entries(redis_client, OUTBOUND.pattern)[1]["text"]) <= 4_096


def test_usual_words_for_every_status(shop: Connection, redis_client: redis.Redis) -> None:
    """Spanish, with the order's number; who fetches an order is not told that it is on its way."""
    buy(shop, delivery="pickup", address=None)
    for status in ORDER_STATUSES[1:6]:
        assert chasqui("set", "1", status, "--tell").exit_code == 0
    texts = [reply["text"] for reply in entries(redis_client, OUTBOUND.pattern)]
    assert texts[2] == "Pedido n.º 1: listo para retirar."
    assert set(WORDS) == {*ORDER_STATUSES, "ready_for_pickup"}
    assert all(words.startswith("Pedido n.º {id}: ") for words in WORDS.values())


@pytest.mark.parametrize("unreachable", ["window", "erased"])
def test_a_customer_who_cannot_be_told(shop: Connection, redis_client: redis.Redis, unreachable: str) -> None:
    """The status is set, and a line says why nothing went out to him."""
    buy(shop, wrote_h_ago=25)
    if unreachable == "erased":
        erase_customer(shop, ANA)
    done = chasqui("set", "1", "delivered", "--tell")
    assert (done.exit_code, done.stdout) == (0, "Order 1 was received and is delivered.\n")
    told = {"window": "more than 24 h ago", "erased": "the customer's data was erased"}
    assert told[unreachable] in done.stderr
    assert entries(redis_client, OUTBOUND.pattern) == []
    if unreachable == "window":
        assert "no longer" in chasqui("show", "1").stdout


def test_what_cannot_be_done_is_said_in_one_line(shop: Connection) -> None:
    """No such order, the same status, a final one; and a status that there is not is a wrong use."""
    buy(shop)
    chasqui("set", "1", "cancelled")
    for words, told in (
        (("set", "1", "cancelled"), "order 1 is cancelled already"),
        (("set", "1", "ready"), "order 1 is cancelled, and that is final"),
        (("set", "2", "ready"), "there is no order 2"),
        (("show", "99999999999999999999"), "there is no order 99999999999999999999"),
    ):
        done = chasqui(*words)
        assert (done.exit_code, done.stderr) == (1, f"Error: {told}\n")
    for words in (("set", "1", "lost"), ("set", "one", "ready"), ("list", "--limit", "0")):
        assert chasqui(*words).exit_code == 2


def test_an_order_outlives_a_redis_that_is_away(shop: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """The status is set; what is to be told waits for the running service."""
    buy(shop)
    with refusing_port() as port:
        monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{port}")
        done = chasqui("set", "1", "accepted", "--tell")
    assert done.exit_code == 0
    assert "the running service passes it on" in done.stderr
    assert [event["event_id"] for event in unpublished_order_events(shop, older_than_s=0)]


def test_a_customer_cannot_speak_to_the_terminal(shop: Connection) -> None:
    """Neither in control characters nor in rich's markup."""
    buy(shop, name="[red]\x1b]0;owned\x07", address="\x1b[2JMitre\r", note="\x9b1m")
    chasqui("set", "1", "ready", "--tell", "[bold]\x1b[2J")
    for words in (("list",), ("show", "1")):
        shown = chasqui(*words).stdout
        assert not {"\x1b", "\x07", "\r", "\x9b"} & set(shown)
        assert "[red]" in shown
