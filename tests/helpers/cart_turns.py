"""Labelled cart turns: one customer message each, what stood before it, and the cart it shall end with.

The lines are read where they lie (`SOURCES.md` beside them tells their fields), and scored by the cart that results.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from helpers.basics import SHARED_DATA
from worker.language.normalise import without_accents

TURNS = SHARED_DATA / "cart_turns" / "turns_a.jsonl"
#: The money of each country: a line's products cost what they cost there.
CURRENCIES = {"AR": "ARS", "MX": "MXN", "CO": "COP", "CL": "CLP", "PE": "PEN", "UY": "UYU", "ES": "EUR"}
#: All products stand in one section, whose name no customer says: what is found is found by its name.
SECTION = "Surtido"
COLUMNS = ("sku", "name", "category", "price", "currency", "stock", "unit")
#: A product that stands in a cart alone has no figure of its own.
STOCK = 50
GRAM = Decimal("0.001")
#: Letters that a name and a customer's word for it share at least: "atunes", "Trozos de atún".
STEM = 4

Quantities = dict[str, Decimal]


class Goods(Struct, frozen=True):
    """Product at hand, or line of the cart before the message (then without unit and stock, with a quantity).

    Args:
        price: per unit, in the country's money.
        unit: u (piece or pack), kg or l.
    """

    id: str
    name: str
    price: Decimal
    unit: str = ""
    stock: Decimal = Decimal(STOCK)
    quantity: Decimal = Decimal(0)

    def is_named_in(self, text: str) -> bool:
        """Returns whether a word of the text begins like a word of the name."""
        return not _stems(self.name).isdisjoint(_stems(text))


class Operation(Struct, frozen=True):
    """What shall happen to the cart: add, set, remove or clear."""

    op: str
    product_id: str = ""
    quantity: Decimal = Decimal(0)


class Exchange(Struct, frozen=True):
    """What the customer had said before, and what the shop answered."""

    customer: str
    reply: str


class CartTurn(Struct, frozen=True, dict=True):
    """One line: a message in its conversation, and the operations that a model shall propose for it."""

    id: str
    country: str
    message: str
    note: str
    history: list[Exchange] = field(default_factory=list)
    products: list[Goods] = field(default_factory=list)
    cart: list[Goods] = field(default_factory=list)
    expected: list[Operation] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """The kind of message, without the remark on it."""
        return self.note.partition(":")[0]

    @cached_property
    def goods(self) -> dict[str, Goods]:
        """All that the line names, by its id."""
        return {each.id: each for each in (*self.cart, *self.products)}

    @property
    def before(self) -> Quantities:
        """The cart before the message."""
        return {line.id: line.quantity for line in self.cart}

    @cached_property
    def after(self) -> Quantities:
        """The cart that the message shall leave."""
        cart = self.before
        for operation in self.expected:
            cart = _applied(cart, operation)
        return cart

    @property
    def has_fractions(self) -> bool:
        """Returns whether a quantity of it is no whole number."""
        named = (*self.before.values(), *self.after.values(), *(each.quantity for each in self.expected))
        return any(quantity % 1 for quantity in named)

    def ordered_in(self, exchange: Exchange) -> list[Goods]:
        """Lines of the cart that this earlier exchange put there: the customer named them, and the reply says so."""
        return [each for each in self.cart if each.is_named_in(exchange.customer) and each.is_named_in(exchange.reply)]


def _stems(text: str) -> set[str]:
    words = without_accents(text).replace(",", " ").split()
    return {word[:STEM] for word in words if len(word) >= STEM and word.isalpha()}


def _applied(cart: Quantities, operation: Operation) -> Quantities:
    if operation.op == "clear":
        return {}
    kept = {key: quantity for key, quantity in cart.items() if key != operation.product_id}
    if operation.op == "remove":
        return kept
    there = cart.get(operation.product_id, Decimal(0)) if operation.op == "add" else Decimal(0)
    return cart | {operation.product_id: there + operation.quantity}


def read_turns(file: Path = TURNS) -> list[CartTurn]:
    """All lines of a file."""
    decoder = msgspec.json.Decoder(CartTurn)
    return [decoder.decode(line) for line in file.read_bytes().splitlines() if line.strip()]


def write_price_list(turns: Iterable[CartTurn], file: Path) -> None:
    """Writes a price list with all that the lines name, each product once, by its id and in its country's money."""
    rows: dict[str, Mapping[str, Any]] = {}
    for turn in turns:
        for goods in turn.goods.values():
            if goods.id not in rows or goods.unit:
                rows[goods.id] = _row(goods, CURRENCIES[turn.country])
    with file.open("w", newline="") as output:
        writer = csv.DictWriter(output, COLUMNS)
        writer.writeheader()
        writer.writerows(rows.values())


def _row(goods: Goods, currency: str) -> Mapping[str, Any]:
    unit = goods.unit or ("kg" if goods.quantity % 1 else "u")
    return {
        "sku": goods.id,
        "name": goods.name,
        "category": SECTION,
        "price": f"{goods.price:.2f}",
        "currency": currency,
        "stock": int(goods.stock),
        "unit": unit,
    }


class Played(Struct, frozen=True):
    """What became of a line.

    Args:
        cart: as it stands in PostgreSQL after the message.
        missing: names of labelled products that were not in the request.
        refusals: what the model was told about answers that were not taken.
        unknown: products that an earlier reply named although they were not in its request.
        reply: as it was published.
    """

    turn: CartTurn
    cart: Quantities
    missing: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    reply: Mapping[str, Any] = {}

    @property
    def is_right(self) -> bool:
        """Returns whether the cart is the one that was meant, weights within a gram."""
        wanted = self.turn.after
        return wanted.keys() == self.cart.keys() and all(abs(self.cart[key] - wanted[key]) <= GRAM for key in wanted)

    @property
    def outcome(self) -> str:
        """right, or why not: not offered, refused (the model was told why), or otherwise wrong."""
        if self.is_right:
            return "right"
        return "not offered" if self.missing else "refused" if self.refusals else "wrong"


class Careless(Struct, frozen=True):
    """What became of a message that orders nothing, when the model put something into the cart all the same.

    Args:
        added: names of what was put in; empty where nothing was.
        is_shown: the reply names all of it.
        is_undone: one tap on the reply's button has brought the cart back.
    """

    turn: CartTurn
    added: tuple[str, ...]
    is_shown: bool = True
    is_undone: bool = True

    @property
    def outcome(self) -> str:
        """unchanged, told (shown and undone by a tap), unsaid, or stuck."""
        if not self.added:
            return "unchanged"
        return "told" if self.is_shown and self.is_undone else "stuck" if self.is_shown else "unsaid"


def table(played: Sequence[Played]) -> list[tuple[str, Counter[str]]]:
    """Outcomes by kind: first all lines that change the cart, then all that must not, then kind by kind."""
    orders = [each for each in played if each.turn.expected]
    others = [each for each in played if not each.turn.expected]
    groups = {"order lines": orders, "nothing may change": others}
    for each in played:
        groups.setdefault(f"  {each.turn.kind}", []).append(each)
    return [(name, Counter(each.outcome for each in group)) for name, group in groups.items()]
