"""What the version before has stored is read: parked turns, rows of PostgreSQL, entries of the caches."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from helpers.turns import MILK, MILK_ITEM, decided
from msgspec import ValidationError, convert
from msgspec.structs import replace

from worker.providers.reply_cache import CachedReply
from worker.session.cart import CartOperation
from worker.session.outcome import StoredOutcome
from worker.session.session import Context, Exchange, session_from_row
from worker.session.turn import decode_turn, decode_turns, encode_turn
from worker.telemetry.recording import metrics_row

CONTEXT = {
    "history": [{"customer": "hola", "reply": "¡Hola!"}],
    "terms": ["leche"],
    "human_until": "2026-11-23T12:30:00+00:00",
    "human_told": True,
}
LINE = {"id": 7, "name": "Leche entera Nubelinda 1 L", "price": 1850.0, "quantity": 2, "currency": "ARS"}
SESSION: dict[str, Any] = {
    "session_id": "4b6cbe5c-6b1f-4a53-9d5b-0d2b0a1c9f11",
    "customer_phone": "5491100000001",
    "session_state": "browsing",
    "cart_data": [LINE],
    "context_data": CONTEXT,
    "customer_name": None,
    "total_orders": 0,
    "version": 3,
}
PRODUCT = {
    "id": 7,
    "name": "Leche entera",
    "brand": "Nubelinda",
    "category": "Lácteos",
    "format": "1 L",
    "price": "1850.00",
    "currency": "ARS",
    "stock": 120,
}
SAID = {
    "id": 1,
    "message_id": "wamid.1",
    "sent_at_s": 1763800000,
    "attempts": 0,
    "type": "order",
    "text": "Pedido: 2 x A-1",
    "selection_id": None,
}
TURN: dict[str, Any] = {
    "token": "token-1",
    "customer_phone": "5491100000001",
    "customer_name": "Ana",
    "swept": False,
    "session_version": 3,
    "catalog_version": 5,
    "messages": [SAID],
    "session": SESSION,
    "session_cache": "hit",
    "plan": {
        "complexity": "simple",
        "shared": False,
        "terms": ["leche"],
        "products": [PRODUCT],
        "key": "ac498c2f",
        "system": "s",
        "user": "u",
    },
    "outcome": None,
    "committed": False,
    "accepted_at_s": None,
    "begun_at_s": 0.0,
    "steps_ms": {},
}
FIGURES = dict.fromkeys(
    ("calls", "prompt_tokens", "cached_tokens", "completion_tokens", "cost_microusd", "baseline_microusd"), 0
)
OUTCOME: dict[str, Any] = FIGURES | {
    "source": "canned",
    "provider": None,
    "model": None,
    "provider_latency_ms": None,
    "cost_by_provider": None,
    "calls_made": [],
    "decision": {
        "intent": "support",
        "confidence": 1.0,
        "reply": "Le avisé a una persona del equipo.",
        "quick_replies": [],
        "requires_human": True,
    },
    "complexity": "simple",
    "terms": ["leche"],
    "reply_key": "ac498c2f",
    "session_cache": "hit",
}
ENTRY: dict[str, Any] = {
    "decision": {
        "intent": "greeting",
        "confidence": 0.93,
        "entities": {},
        "reply": "¡Hola!",
        "quick_replies": [],
        "requires_human": False,
        "next_state": None,
        "cart_operations": [{"op": "clear", "product_id": None, "quantity": None}],
    },
    "provider": "deepseek",
    "model": None,
    "prompt_tokens": 0,
    "completion_tokens": 0,
}


def test_a_turn_that_was_parked_or_on_its_way() -> None:
    """With its session, its plan and a cart that was kept as words."""
    turn = decode_turn(orjson.dumps(TURN))
    assert [turn] == decode_turns(orjson.dumps([TURN | {"of_another_version": 1}]))
    assert (turn.planned().products, turn.planned().terms) == ((replace(MILK, sku=""),), ("leche",))
    assert (turn.text, turn.messages[0].order) == ("Pedido: 2 x A-1", None)
    assert turn.fetched().cart == (replace(MILK_ITEM, sku=""),)


def test_a_turn_that_the_version_before_reads() -> None:
    """While both run: of a product it knows a whole stock as a number, and nothing of units."""
    written = orjson.loads(encode_turn(decode_turn(orjson.dumps(TURN))))
    product = written["plan"]["products"][0]
    assert {name: product[name] for name in PRODUCT} == PRODUCT
    assert type(product["stock"]) is int


def test_a_session() -> None:
    """Who waits for a person goes on to wait."""
    until = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
    assert session_from_row(SESSION).context == Context((Exchange("hola", "¡Hola!"),), ("leche",), until, True)
    assert session_from_row(SESSION | {"context_data": {}}).context == Context()


def test_an_outcome_that_nobody_has_recorded() -> None:
    """Its row of metrics is the one that the version before would have made."""
    row = metrics_row("r1", convert(OUTCOME, StoredOutcome), 2, committed=True)
    kept = {name: value for name, value in OUTCOME.items() if name not in ("decision", "terms", "reply_key")}
    assert orjson.loads(orjson.dumps(row)) == kept | {
        "reply_id": "r1",
        "committed": True,
        "intent": "support",
        "messages": 2,
        "cart_operations": None,
        "channel": None,
    }
    assert metrics_row("r1", convert({"source": "ai", "decision": {}}, StoredOutcome), 1, committed=True)["calls"] == 0


def test_a_reply_of_the_cache() -> None:
    """And one without words is none."""
    entry = convert(ENTRY, CachedReply)
    assert entry.outcome().decision == decided(cart_operations=[CartOperation("clear")]).decision
    with pytest.raises(ValidationError):
        convert(ENTRY | {"decision": {"intent": "greeting"}}, CachedReply)
