"""One request to the simulated model, read, and the pieces its replies are made of."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from worker.devkit.spanish import Item, money, plain, term

Said = dict[str, Any]
LISTED_MAX: Final = 8
TITLES: Final = {
    "view_cart": "Ver carrito",
    "checkout": "Finalizar compra",
    "menu": "Ver categorías",
    "person": "Hablar con alguien",
    "yes": "Sí",
    "no": "No",
}


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, read. `words` is the message in plain words; `parts` those of its clauses that name something."""

    message: str
    words: str
    parts: list[str]
    products: list[Item]
    categories: list[str]
    known: bool
    name: str | None
    state: str
    cart: list[Item]
    history: list[dict[str, str]]

    @property
    def offered(self) -> list[str]:
        """Names in the numbered list of the last reply, if it had one."""
        last = self.history[-1]["reply"] if self.history else ""
        return re.findall(r"^\d+\. (.+?): ", last, re.MULTILINE)

    def total(self, *operations: Item) -> str:
        """The cart's total as text, after `operations`; of two currencies one each, joined by "y"."""
        items = {item["id"]: item for item in (*self.products, *self.cart)}
        counts = {item["id"]: int(item["quantity"]) for item in self.cart}
        for operation in operations:
            kept = counts.get(operation["product_id"], 0) if operation["op"] == "add" else 0
            counts[operation["product_id"]] = kept + operation.get("quantity", 0)
        sums: dict[str, Decimal] = {}
        for key, quantity in counts.items():
            currency = currency_of(items[key])
            sums[currency] = sums.get(currency, Decimal(0)) + Decimal(items[key]["price"]) * quantity
        amounts = [money(amount, currency) for currency, amount in sums.items() if amount]
        return " y ".join(amounts) or money(Decimal(0), next(map(currency_of, items.values()), "ARS"))


@lru_cache(maxsize=64)
def categories_in(system: str) -> list[str]:
    """The categories in the first line of the instructions that is a JSON object with such a field; none without."""
    for line in system.splitlines():
        with suppress(ValueError):
            if "categories" in line and isinstance(facts := json.loads(line), dict) and facts.get("categories"):
                return [str(each) for each in facts["categories"]]
    return []


def read(context: dict[str, Any]) -> Ask:
    """The request in one value; what is absent becomes empty, `known` tells whether it came with a session."""
    session = context.get("session") or {}
    message = str(context.get("message") or "").strip()
    parts = [plain(part) for part in re.split(r"\n|,(?!\d)|;|\+| [yY] ", message)]
    return Ask(
        message=message,
        words=plain(message),
        parts=[part for part in parts if term(part)],
        products=context.get("products") or [],
        categories=context.get("categories") or [],
        known="session" in context,
        name=session.get("name"),
        state=session.get("state") or "browsing",
        cart=session.get("cart") or [],
        history=session.get("history") or [],
    )


def say(
    intent: str,
    reply: str,
    state: str | None = None,
    quick: str = "",
    *operations: Item,
    sure: float = 0.93,
    **entities: str | int,
) -> Said:
    """The reply object. quick: keys of TITLES, separated by spaces; sure: the confidence, 0..1."""
    return {
        "intent": intent,
        "confidence": sure,
        "entities": entities,
        "reply": reply,
        "quick_replies": [{"id": key, "title": TITLES[key]} for key in quick.split()],
        "requires_human": False,
        "next_state": state,
        "cart_operations": list(operations),
    }


def marked(said: Said, context: dict[str, Any]) -> Said:
    """The reply with a mark of what it was made from among its entities: `facts`, a hash of the whole request context
    (16 hexadecimal digits of the SHA-256 of what Python's `json.dumps` makes of it, keys sorted), and `session`, the id
    of the session in it, if any. Customers do not see it; who replays traffic can tell by it whom an answer was meant
    for.
    """
    facts = hashlib.sha256(json.dumps(context, sort_keys=True).encode()).hexdigest()[:16]
    session = context.get("session")
    told = {"session": str(session.get("id"))} if isinstance(session, dict) else {}
    return {**said, "entities": {**said["entities"], "facts": facts, **told}}


def currency_of(item: Item) -> str:
    """The currency of a product or of a line in the cart."""
    return str(item.get("currency", "ARS"))


def price(item: Item) -> str:
    """The price of one, as text."""
    return money(Decimal(item["price"]), currency_of(item))


def listed(items: Sequence[Item]) -> str:
    """A numbered list with prices and what is special about the stock; a later "2" picks from it."""
    notes = {"few": " (quedan pocas)", "none": " (sin stock)"}
    lines = [f"{n}. {i['name']}: {price(i)}{notes.get(i['availability'], '')}" for n, i in enumerate(items, 1)]
    return "\n".join(lines[:LISTED_MAX])
