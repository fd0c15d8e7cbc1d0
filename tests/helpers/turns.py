"""Builders of turns on their way through the chain, for tests of what happens to one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
from msgspec import convert, to_builtins
from msgspec.structs import replace

from helpers.factories import ANA, SENT_AT_S
from worker.catalog.product import Product
from worker.language.classifier import complexity
from worker.language.normalise import normalised
from worker.language.product_words import USUAL_PRODUCT_WORDS, ProductWords
from worker.replies.closing import close
from worker.replies.prompt import cache_key, render
from worker.session.cart import item_of
from worker.session.outcome import Decision, Outcome
from worker.session.session import Context, Session
from worker.session.turn import Plan, Turn, TurnMessage, claimed_turn, encode_turn
from worker.shop.shop import Shop
from worker.steps.planning import Planner
from worker.steps.question import Reader

SHOP = Shop("el supermercado")
#: As it is shipped.
HUMAN_WAIT_S = 1_800.0
CATEGORIES = ("Lácteos", "Almacén")
MILK = Product(
    7,
    "Leche entera",
    "Nubelinda",
    "Lácteos",
    "1 L",
    currency="ARS",
    stock=Decimal(120),
    price=Decimal("1850.00"),
    sku="LAC-7",
)
RICE = replace(
    MILK, id=8, name="Arroz largo", brand="", format="1 kg", price=Decimal("1200.50"), category="Almacén", sku="ALM-8"
)
#: Sold by weight, in steps of 50 grams.
CHEESE = replace(
    MILK,
    id=9,
    name="Queso cremoso",
    brand="",
    format="",
    price=Decimal("9000.00"),
    stock=Decimal("3.2"),
    sku="FIA-9",
    unit="kg",
    step=Decimal("0.05"),
)
MILK_ITEM = item_of(MILK, Decimal(2))
RICE_ITEM = item_of(RICE)
CHEESE_ITEM = item_of(CHEESE, Decimal("0.5"))


def message(text: str | None = "hola", number: int = 1, **changes: Any) -> TurnMessage:
    """One message of a turn."""
    given: dict[str, Any] = {"id": number, "message_id": f"wamid.{number}", "sent_at_s": SENT_AT_S, "attempts": 0}
    return TurnMessage(**given | {"type": "text", "text": text, "selection_id": None} | changes)


def session_of(phone: str = ANA, context: Mapping[str, Any] | Context = Context(), **changes: Any) -> Session:  # noqa: B008  frozen
    """A customer's session; the same customer's always has the same id. context: also as it is stored."""
    given: dict[str, Any] = {"id": f"session of {phone}", "customer_phone": phone, "version": 3}
    return Session(context=convert(to_builtins(context), Context), **given | changes)


def turn_of(text: str | None = "hola", phone: str = ANA, token: str = "token-1", **changes: Any) -> Turn:
    """A turn of one message with its session."""
    given: dict[str, Any] = {
        "token": token,
        "customer_phone": phone,
        "customer_name": "Ana",
        "swept": False,
        "session_version": 3,
        "catalog_version": 5,
        "messages": (message(text),),
        "session": session_of(phone),
        "session_cache": "hit",
    }
    return Turn(**given | changes)


def planned(turn: Turn, *products: Product, product_words: ProductWords = USUAL_PRODUCT_WORDS) -> Turn:
    """The turn as `route_ai` leaves it; every search it makes finds these products."""
    return Planner(SHOP, CATEGORIES, defaultdict(lambda: products)).planned(turn, Reader(product_words).question(turn))


def plan_of(text: str, *products: Product, shared: bool = True) -> Plan:
    """A plan for a message, with or without a session in its request."""
    request = render(SHOP, text, CATEGORIES, products, None if shared else session_of())
    return Plan(complexity(normalised(text)), shared, (), products, cache_key(request), request.system, request.user)


def closing_row(turn: Turn, now: datetime, human_wait_s: float = HUMAN_WAIT_S) -> dict[str, Any]:
    """The end of a decided turn as JSON, as it is committed."""
    return dict(orjson.loads(orjson.dumps(close(turn, SHOP, now, human_wait_s).row())))


def turn_to_dict(turn: Turn) -> dict[str, Any]:
    """The turn as JSON, as it travels."""
    return dict(orjson.loads(encode_turn(turn)))


def turn_from_dict(row: Mapping[str, Any], begun_at_s: float | None = None) -> Turn:
    """The turn out of JSON, with the beginning of its step."""
    turn = claimed_turn(row)
    return turn if begun_at_s is None else replace(turn, begun_at_s=begun_at_s)


def decision_of(**changes: Any) -> dict[str, Any]:
    """A decision as a model writes it, and as it is stored."""
    given: dict[str, Any] = {
        "intent": "greeting",
        "confidence": 0.93,
        "entities": {},
        "reply": "¡Hola!",
        "quick_replies": [],
        "requires_human": False,
        "next_state": None,
        "cart_operations": [],
    }
    return given | changes


def decided(source: str = "ai", provider: str | None = "deepseek", **changes: Any) -> Outcome:
    """An outcome with a decision that has these changes."""
    return Outcome(source, made(**changes), provider)


def made(**changes: Any) -> Decision:
    """A validated decision."""
    return convert(decision_of(**changes), Decision)
