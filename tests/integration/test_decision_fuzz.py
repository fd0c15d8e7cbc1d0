"""Random answers, thousands of them, that a schema allows: taken, or refused for a reason, and no harm done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any

import orjson
import pytest
from helpers.factories import accept, inbound, product, rows
from helpers.fuzzing import SAYINGS, allowed_by, decided, judged
from helpers.promises import check_row
from helpers.turns import (
    CHEESE,
    CHEESE_ITEM,
    MILK,
    MILK_ITEM,
    RICE,
    RICE_ITEM,
    SHOP,
    closing_row,
    decision_of,
    planned,
    session_of,
    turn_from_dict,
    turn_of,
)
from msgspec import convert
from msgspec.structs import replace
from sqlalchemy import Connection

from db.products import put_products
from worker import steps
from worker.providers.reply_cache import cacheable
from worker.replies.decision import InvalidDecision
from worker.replies.scene import scene_of
from worker.session.cart import CartItem
from worker.session.outcome import Decision, Outcome
from worker.session.session import CHECKOUT_STATES, Context
from worker.session.turn import Turn
from worker.steps.services import Services

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
STATES = ("browsing", "searching", "viewing_cart", *sorted(CHECKOUT_STATES))
CARTS: tuple[tuple[CartItem, ...], ...] = (
    (),
    (MILK_ITEM,),
    (MILK_ITEM, RICE_ITEM),
    (CHEESE_ITEM, RICE_ITEM),
    (replace(MILK_ITEM, quantity=Decimal(99)),),
)
LAST = (
    [],
    [{"customer": "hola", "reply": "¿Cuántas leches querés?"}],
    [{"customer": "3 leches", "reply": "1. Leche entera\n2. Arroz largo\n¿Cuál?"}],
    [{"customer": "Av. Siempreviva 742", "reply": "2 × Leche entera, $ 3.700. ¿Confirmás el pedido?"}],
)
#: What the conversation may be about: nothing, our question for an address, a summary that can be confirmed.
OPEN: tuple[dict[str, Any], ...] = (
    {},
    {"asking": "address"},
    {
        "asking": "confirm",
        "version": "v1",
        "checkout": {"delivery": "delivery", "address": "Mitre 12", "payment": "efectivo"},
    },
)
KINDS = ("taken", "refused", "add", "set", "remove", "clear", "changed", "problem", "summary", "shared")
SEEDS, PARTS = 3_000, 3
CUSTOMERS, ROUNDS = 25, 60


def situation(random: Random) -> Turn:
    """A planned turn of a customer somewhere in a conversation."""
    context = {"history": random.choice(LAST)} | random.choice(OPEN)
    session = session_of(state=random.choice(STATES), cart=random.choice(CARTS), context=context)
    few = [replace(MILK, stock=Decimal(0)), replace(RICE, stock=Decimal(3)), replace(CHEESE, stock=None)]
    found = random.choice(([], [MILK], [MILK, RICE], [MILK, RICE, CHEESE], few))
    return planned(turn_of(random.choice(SAYINGS), session=session), *found)


def check_entry(turn: Turn) -> None:
    """What others may get from the reply cache does nothing to them."""
    entry = cacheable(turn.decided())
    assert entry is None or turn.decided().source == "ai"
    if entry is not None:
        assert not entry.decision.requires_human
    if entry is not None and turn.planned().shared:
        assert not entry.decision.cart_operations
        assert entry.decision.next_state is None
        assert entry.decision.effects.cart is None


def check_refusal(refusal: InvalidDecision) -> None:
    """The schema leaves only words and quantities to be refused, and the reason quotes none of them."""
    assert str(refusal).startswith(("reply: ", "cart_operations"))
    assert len(str(refusal)) < 120


def test_a_change_that_another_run_has_made_can_be_taken_back() -> None:
    """A worker died behind the call; the next run, under another token, finds its decision in the reply cache."""
    first = planned(turn_of("agregame 2 leches", token="of-the-first-run"), MILK)
    answer = decision_of(cart_operations=[{"op": "add", "product_id": MILK.id, "quantity": 2}])
    made = judged(first, scene_of(first, SHOP), answer)
    assert isinstance(made, Decision)
    row = closing_row(replace(first, token="of-the-second-run", outcome=Outcome("cache", made)), NOW)
    undo = convert(row["session"]["context_data"], Context).undo
    assert undo is not None
    assert f"undo:{undo.version}" in [button["id"] for button in row["reply"]["quick_replies"]]


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_the_schema_allows_is_taken_or_refused(part: int) -> None:
    """No other exception, no cart but as the operations say, no order at all; all kinds of answers come up."""
    seen: Counter[str] = Counter()
    for seed in range(part, SEEDS, PARTS):
        random = Random(seed)
        turn, result = decided(situation(random), SHOP, random)
        row = closing_row(turn, NOW)
        try:
            check_row(turn, row)
            check_entry(turn)
            if isinstance(result, InvalidDecision):
                check_refusal(result)
        except AssertionError as exc:
            raise AssertionError(f"seed {seed}: {turn.text!r}: {turn.decided().decision}: {exc}") from exc
        seen.update(kinds_of(turn, row, result))
    assert min(seen[kind] for kind in KINDS) >= 5, seen


def kinds_of(turn: Turn, row: Mapping[str, Any], result: Decision | InvalidDecision) -> Iterator[str]:
    """What came up, so that the test is known to have tried it."""
    effects = turn.decided().decision.effects
    yield "taken" if isinstance(result, Decision) else "refused"
    yield from {operation.op for operation in turn.decided().decision.cart_operations}
    yield from ["changed"] * (effects.cart is not None) + ["problem"] * bool(effects.refused)
    yield from ["summary"] * bool(effects.version) + ["shared"] * turn.planned().shared


def test_random_answers_are_committed(shop_services: Services, connection: Connection) -> None:
    """Some hundreds go all the way: accepted, routed, judged, committed, published, and read back; what customers tap
    and write besides places the orders.
    """
    weighed = {"unit": "kg", "step": "0.05"}
    put_products(
        connection, [product(str(n), f"Queso {n}", stock=n * 9, **(weighed if n % 2 else {})) for n in range(3, 9)]
    )
    random, taps = Random(1), {}
    ordered = 0
    for number in range(ROUNDS):
        turns = [turn_from_dict(turn) for turn in accept(connection, *messages(number, random, taps))]
        ended = routed(shop_services, turns, random)
        closed = steps.update_session.run(shop_services, ended)
        assert [turn.committed for turn in closed.turns] == [True] * CUSTOMERS
        steps.record_metrics.run(shop_services, closed.turns)
        ordered += sum(check_committed(connection, turn) for turn in ended)
        taps = tappable(connection)
    assert ordered == len(rows(connection, "select id from orders")) > 0
    told = rows(connection, "select count(*) as replies from messages where state = 'answered' and reply is not null")
    assert told[0]["replies"] == CUSTOMERS * ROUNDS == shop_services.redis.xlen("whatsapp:outbound")


def messages(number: int, random: Random, taps: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """What each customer writes or taps in a round."""
    return [message(f"m{number}.{n}", f"54911{n:08}", random, taps) for n in range(CUSTOMERS)]


def message(message_id: str, phone: str, random: Random, taps: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Half of the time a tap on what the customer was last shown, where there is anything."""
    if (offered := taps.get(phone)) and random.random() < 0.5:
        return inbound(message_id, phone, text="Sí", type="interactive", selection_id=random.choice(offered))
    texts = (*SAYINGS, "tenés queso?", "2 quesos", "sí", "sí", "quiero pagar", "Av. Siempreviva 742")
    return inbound(message_id, phone, text=random.choice(texts))


def tappable(connection: Connection) -> dict[str, list[str]]:
    """Ids of the buttons and rows of each customer's last reply, but for those that call a person."""
    found = rows(connection, "select customer_phone, reply from messages where reply is not null order by id")
    last = {row["customer_phone"]: row["reply"] for row in found}
    return {
        phone: [one["id"] for one in (*reply["quick_replies"], *(reply["list"] or {"rows": ()})["rows"])]
        for phone, reply in last.items()
    }


def routed(services: Services, turns: list[Turn], random: Random) -> list[Turn]:
    """The turns with their outcomes: those of our own, and random answers of a model. Nobody waits for a person."""
    fetched = [_without_wait(turn) for turn in steps.fetch_session.run(services, turns)]
    done, missed = steps.route_ai.run(services, fetched, lambda: True)
    ended = [*done, *(decided(turn, services.shop, random)[0] for turn in missed)]
    assert len(ended) == CUSTOMERS
    for turn in ended:
        check_row(turn, closing_row(turn, NOW), services.shop)
    return ended


def _without_wait(turn: Turn) -> Turn:
    session = turn.fetched()
    return replace(turn, session=replace(session, context=replace(session.context, human_until=None)))


def check_committed(connection: Connection, turn: Turn) -> bool:
    """PostgreSQL holds the session that was meant, unless a new summary had to take its place; whether an order was
    placed.
    """
    meant = closing_row(turn, NOW)
    placed = rows(connection, f"select total from orders where reply_id = '{turn.token}'")
    if meant["orders"] and not placed:
        return False
    (kept,) = rows(
        connection,
        f"select session_state, cart_data from customer_sessions where customer_phone = '{turn.customer_phone}'",
    )
    assert kept["session_state"] == meant["session"]["session_state"]
    assert kept["cart_data"] == orjson.loads(orjson.dumps(meant["session"]["cart_data"]))
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
