"""Builders of turns on their way through the chain, for tests of what happens to one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from helpers.factories import ANA, SENT_AT_S
from worker.language.complexity import complexity
from worker.replies.prompt import cache_key, render
from worker.session.session import CartItem, Session
from worker.session.turn import Outcome, Plan, Turn, TurnMessage
from worker.steps.planning import with_plan

SHOP = "el supermercado"
CATEGORIES = ("Lácteos", "Almacén")
MILK: dict[str, Any] = {
    "id": 7,
    "name": "Leche entera",
    "brand": "Nubelinda",
    "category": "Lácteos",
    "format": "1 L",
    "price": "1850.00",
    "currency": "ARS",
    "stock": 120,
}
RICE = MILK | {"id": 8, "name": "Arroz largo", "brand": "", "format": "1 kg", "price": "1200.50", "category": "Almacén"}
MILK_ITEM = CartItem(7, "Leche entera Nubelinda 1 L", 1850.0, 2)
RICE_ITEM = CartItem(8, "Arroz largo 1 kg", 1200.5, 1)


def message(text: str | None = "hola", number: int = 1, **changes: Any) -> TurnMessage:
    """One message of a turn."""
    given: dict[str, Any] = {"id": number, "message_id": f"wamid.{number}", "sent_at_s": SENT_AT_S, "attempts": 0}
    return TurnMessage(**given | {"type": "text", "text": text, "selection_id": None} | changes)


def session_of(phone: str = ANA, **changes: Any) -> Session:
    """A customer's session; the same customer's always has the same id."""
    given: dict[str, Any] = {"id": f"session of {phone}", "customer_phone": phone, "version": 3}
    return Session(**given | changes)


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


def planned(turn: Turn, *products: Mapping[str, Any]) -> Turn:
    """The turn as `route_ai` leaves it; every search it makes finds these products."""
    return with_plan(turn, SHOP, CATEGORIES, _Everything(products))


def plan_of(text: str, *products: dict[str, Any], shared: bool = True) -> Plan:
    """A plan for a message, with or without a session in its request."""
    request = render(SHOP, text, CATEGORIES, products, None if shared else session_of())
    return Plan(complexity(text), shared, (), products, cache_key(request), request.system, request.user)


def decision_of(**changes: Any) -> dict[str, Any]:
    """A validated decision as JSON."""
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
    return Outcome(source, decision_of(**changes), provider)


class _Everything(dict[str, list[dict[str, Any]]]):
    """Search results that hold the same products for every term."""

    def __init__(self, products: tuple[Mapping[str, Any], ...]) -> None:
        super().__init__()
        self._products = [dict(product) for product in products]

    def __missing__(self, term: str) -> list[dict[str, Any]]:
        return self._products
