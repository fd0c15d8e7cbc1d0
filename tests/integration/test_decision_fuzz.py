"""Random answers, thousands of them, that a schema allows: taken, or refused for a reason, and no harm done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any

import orjson
import pytest
from helpers.factories import accept, inbound, product, rows
from helpers.fuzzing import AGREEING, SAYINGS, allowed_by, counted, decided, quantities
from helpers.turns import MILK, MILK_ITEM, RICE, RICE_ITEM, closing_row, planned, session_of, turn_from_dict, turn_of
from msgspec.structs import replace
from sqlalchemy import Connection

from db import queries
from worker import steps
from worker.providers.reply_cache import cacheable
from worker.replies.decision import InvalidDecision
from worker.session.cart import CartItem
from worker.session.outcome import Decision
from worker.session.session import CHECKOUT_STATES, Session
from worker.session.turn import Turn
from worker.steps.route_ai import plan, read
from worker.steps.services import Services

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
STATES = ("browsing", "searching", "viewing_cart", *sorted(CHECKOUT_STATES))
CARTS: tuple[tuple[CartItem, ...], ...] = (
    (),
    (MILK_ITEM,),
    (MILK_ITEM, RICE_ITEM),
    (CartItem(7, "Leche", 1850.0, 99),),
)
LAST = (
    [],
    [{"customer": "hola", "reply": "¿Cuántas leches querés?"}],
    [{"customer": "3 leches", "reply": "1. Leche entera\n2. Arroz largo\n¿Cuál?"}],
    [{"customer": "quiero pagar", "reply": "2 × Leche entera, $ 3.700. ¿Confirmás el pedido?"}],
)
KINDS = ("taken", "refused", "add", "set", "remove", "clear", "order", "shared")
SEEDS, PARTS = 3_000, 3
CUSTOMERS, ROUNDS = 25, 14


def situation(random: Random) -> Turn:
    """A planned turn of a customer somewhere in a conversation."""
    session = session_of(
        state=random.choice(STATES), cart=random.choice(CARTS), context={"history": random.choice(LAST)}
    )
    few = [replace(MILK, stock=Decimal(0)), replace(RICE, stock=Decimal(3))]
    found = random.choice(([], [MILK], [MILK, RICE], few))
    return planned(turn_of(random.choice(SAYINGS), session=session), *found)


def check_row(turn: Turn, row: dict[str, Any]) -> None:
    """What holds of every turn that is about to be committed, whatever a model has said."""
    before, after, decision = turn.fetched(), row["session"], turn.decided().decision
    stored = orjson.dumps(row)
    assert b"\\u0000" not in stored
    assert 0 < len(row["reply"]["text"].strip()) <= len(row["reply"]["text"]) <= 4096
    assert len(row["reply"]["quick_replies"]) <= 3
    assert all(0 < len(button["title"]) <= 20 for button in row["reply"]["quick_replies"])
    operations = decision.cart_operations
    wanted = counted(quantities(before.cart), operations)
    assert all(1 <= count <= 99 for count in wanted.values())
    assert quantities(after["cart_data"]) == ({} if row["orders"] else wanted)
    if row["orders"]:
        check_order(turn, row, wanted)
    if turn.planned().shared:
        check_shared(before, row)


def check_order(turn: Turn, row: dict[str, Any], wanted: dict[int, int]) -> None:
    """An order holds what was in the cart, and comes out of a checkout by words that agree."""
    assert quantities([item for order in row["orders"] for item in order["items"]]) == wanted != {}
    assert turn.fetched().state in CHECKOUT_STATES
    assert turn.text in AGREEING


def check_shared(before: Session, row: dict[str, Any]) -> None:
    """An answer for everybody moves, silences and fills nobody."""
    after = row["session"]
    assert (after["session_state"], row["orders"]) == (before.state, [])
    assert quantities(after["cart_data"]) == quantities(before.cart)
    assert after["context_data"].get("address", "") == before.context.address
    # The fallback may call a person for the one who asked; it is never cached.
    assert "human_until" not in after["context_data"] or row["outcome"]["source"] == "fallback"


def check_entry(turn: Turn) -> None:
    """What others may get from the reply cache does nothing to them."""
    entry = cacheable(turn.decided())
    assert entry is None or turn.decided().source == "ai"
    if entry is not None:
        assert not entry.decision.requires_human
    if entry is not None and turn.planned().shared:
        assert not entry.decision.cart_operations
        assert entry.decision.next_state is None


def check_refusal(refusal: InvalidDecision) -> None:
    """The schema leaves only words to be refused, and the reason quotes none of them."""
    assert str(refusal).startswith("reply: ")
    assert len(str(refusal)) < 120


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_the_schema_allows_is_taken_or_refused(part: int) -> None:
    """No other exception, no cart but as the operations say, no order out of nowhere; all kinds of answers come up."""
    seen: Counter[str] = Counter()
    for seed in range(part, SEEDS, PARTS):
        random = Random(seed)
        turn, result = decided(situation(random), random)
        row = closing_row(turn, NOW)
        try:
            check_row(turn, row)
            check_entry(turn)
            if isinstance(result, InvalidDecision):
                check_refusal(result)
        except AssertionError as exc:
            raise AssertionError(f"seed {seed}: {turn.text!r}: {turn.decided().decision}: {exc}") from exc
        seen.update(kinds_of(turn, row, result))
    assert min(seen[kind] for kind in ("taken", "refused", "add", "set", "remove", "clear", "order", "shared")) >= 5, (
        seen
    )


def kinds_of(turn: Turn, row: dict[str, Any], result: Decision | InvalidDecision) -> Iterator[str]:
    """What came up, so that the test is known to have tried it."""
    yield "taken" if isinstance(result, Decision) else "refused"
    yield from {operation.op for operation in turn.decided().decision.cart_operations}
    yield from ["order"] * bool(row["orders"]) + ["shared"] * turn.planned().shared


def test_random_answers_are_committed(shop_services: Services, connection: Connection) -> None:
    """Some hundreds go all the way: accepted, planned, judged, committed, published, and read back."""
    queries.put_products(connection, [product(str(n), f"Queso {n}", stock=n) for n in range(3, 9)])
    random = Random(20_261)
    ordered = 0
    for number in range(ROUNDS):
        turns = [turn_from_dict(turn) for turn in accept(connection, *messages(number, random))]
        ended = [answered(shop_services, turn, random) for turn in routed(shop_services, turns)]
        closed = steps.update_session.run(shop_services, ended)
        assert [turn.committed for turn in closed.turns] == [True] * CUSTOMERS
        steps.record_metrics.run(shop_services, closed.turns)
        ordered += sum(check_committed(connection, turn) for turn in ended)
    assert ordered == len(rows(connection, "select id from orders")) > 0
    told = rows(connection, "select count(*) as replies from messages where state = 'answered' and reply is not null")
    assert told[0]["replies"] == CUSTOMERS * ROUNDS == shop_services.redis.xlen("whatsapp:outbound")


def messages(number: int, random: Random) -> list[dict[str, Any]]:
    """What each customer writes in a round."""
    texts = (random.choice((*SAYINGS, "tenés queso?", "2 quesos", "sí")) for _ in range(CUSTOMERS))
    return [inbound(f"m{number}.{n}", f"54911{n:08}", text=words) for n, words in enumerate(texts)]


def routed(services: Services, turns: list[Turn]) -> list[Turn]:
    """The turns on their way to a model, none of them left to a person."""
    fetched = steps.fetch_session.run(services, turns)
    planned_turns = plan(services, fetched, read(services, fetched))
    assert len(planned_turns) == CUSTOMERS
    return planned_turns


def answered(services: Services, turn: Turn, random: Random) -> Turn:
    """The turn with a random answer."""
    made, _ = decided(turn, random)
    check_row(made, closing_row(made, NOW))
    return made


def check_committed(connection: Connection, turn: Turn) -> bool:
    """PostgreSQL holds the session that was meant; whether an order was placed."""
    meant = closing_row(turn, NOW)
    (kept,) = rows(
        connection,
        f"select session_state, cart_data from customer_sessions where customer_phone = '{turn.customer_phone}'",
    )
    assert kept["session_state"] == meant["session"]["session_state"]
    assert kept["cart_data"] == orjson.loads(orjson.dumps(meant["session"]["cart_data"]))
    placed = rows(connection, f"select total from orders where reply_id = '{turn.token}'")
    assert [order["total"] for order in placed] == [Decimal(order["total"]) for order in meant["orders"]]
    return bool(placed)


SCHEMA = {
    "type": "object",
    "properties": {"a": {"$ref": "#/$defs/one"}, "b": {"type": ["integer", "null"], "minimum": 1, "maximum": 2}},
    "required": ["a"],
    "$defs": {"one": {"type": "array", "items": {"type": "string", "maxLength": 3}, "minItems": 1, "maxItems": 2}},
}


def test_random_values_fit_their_schema() -> None:
    """The generator keeps to bounds, references and what is required, and reaches all of it."""
    values = [allowed_by(SCHEMA, Random(seed)) for seed in range(300)]
    assert all(1 <= len(value["a"]) <= 2 and all(len(text) <= 3 for text in value["a"]) for value in values)
    assert {value.get("b", "left out") for value in values} == {1, 2, None, "left out"}
    with pytest.raises(ValueError, match="not known here: pattern"):
        allowed_by({"type": "string", "pattern": "a"}, Random(1))
