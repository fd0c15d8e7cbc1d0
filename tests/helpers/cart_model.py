"""A model that proposes exactly what is labelled, behind a real HTTP server that speaks OpenAI's wire."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec import Struct

from helpers.cart_turns import CartTurn, Goods, Operation
from helpers.http_provider import Handler, say

Json = dict[str, Any]
PROVIDERS = """
[[provider]]
name = "labelled"
wire = "openai"
base_url = "{url}"
complexities = ["simple", "medium", "complex"]
connect_timeout_s = 3.0
timeout_s = 10.0

[[provider.model]]
id = "labelled"
json = "object"

[[provider.model.price]]
input_usd = 0.1
cached_input_usd = 0.1
output_usd = 0.1
"""
INTENTS = {"add": "add_to_cart", "set": "modify_cart_quantity", "remove": "remove_from_cart", "clear": "clear_cart"}
DONE, NOTHING = "Con gusto, listo.", "Con gusto, decime en qué te ayudo."


class Call(Struct, frozen=True):
    """One request for the message in hand.

    Args:
        refusal: what the service added to its instructions because the answer before was not taken.
    """

    context: Json
    missing: tuple[str, ...]
    refusal: str


class LabelledModel:
    """Answers with the operations it is told to propose, as far as their products stand in the request."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._reply = ""
        self._operations: tuple[Operation, ...] = ()
        self._goods: dict[str, Goods] = {}
        self._system = ""
        self._is_careless = False

    def expect(self, turn: CartTurn, operations: Sequence[Operation], reply: str = "") -> None:
        """Gets ready for the next message. reply: what it says; something suitable where nothing is given."""
        self.calls = []
        self._system = ""
        self._is_careless = False
        self._goods = turn.goods
        self._operations = tuple(operations)
        self._reply = reply or (DONE if operations else NOTHING)

    def be_careless(self) -> None:
        """Adds one of the first product in the request of the next message, whatever the customer wants."""
        self._is_careless = True

    def answer(self, handler: Handler) -> None:
        """Plays the answer to the request that has just come in."""
        body = handler.server.seen[-1].body
        system, user = (_text(message["content"]) for message in body["messages"][:2])
        decision = self._decision(json.loads(user), system)
        message = {"role": "assistant", "content": json.dumps(decision, ensure_ascii=False)}
        usage = {"prompt_tokens": 600, "completion_tokens": 60}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        say(200, {"id": "x", "model": body["model"], "choices": choices, "usage": usage})(handler)

    def _decision(self, context: Json, system: str) -> Json:
        offered = list(goods_in(context))
        found = {each.product_id: id_of(self._goods[each.product_id], offered) for each in self._named()}
        missing = tuple(self._goods[key].name for key, known in found.items() if known is None)
        self._system = self._system or system
        self.calls.append(Call(context, missing, system.removeprefix(self._system).strip()))
        proposed = [_proposed(each, found.get(each.product_id)) for each in self._operations]
        if self._is_careless:
            proposed = [{"op": "add", "product_id": each["id"], "quantity": 1} for each in offered[:1]]
        operations = [each for each in proposed if each]
        return {
            "intent": INTENTS[operations[0]["op"]] if operations else "unknown",
            "confidence": 0.9,
            "entities": [],
            "reply": DONE if self._is_careless else self._reply if operations or not self._operations else NOTHING,
            "quick_replies": [],
            "requires_human": False,
            "next_state": None,
            "cart_operations": operations,
        }

    def _named(self) -> list[Operation]:
        return [each for each in self._operations if each.product_id]


def _text(content: str | list[Json]) -> str:
    return content if isinstance(content, str) else str(content[0]["text"])


def goods_in(value: Any) -> Iterator[Json]:
    """Everything in a request that has an id, a name and a price: products that were found, those kept on offer, and
    lines of the cart.
    """
    if isinstance(value, dict):
        if {"id", "name", "price"} <= value.keys():
            yield value
        for each in value.values():
            yield from goods_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from goods_in(each)


def id_of(goods: Goods, offered: Sequence[Json]) -> int | None:
    """Its id in the request: products of several countries share a name, but then not the price."""
    named = (each for each in offered if each["name"] == goods.name and _price(each) == goods.price)
    return next((each["id"] for each in named), None)


def _price(offered: Json) -> Decimal:
    return Decimal(str(offered["price"]))


def _proposed(operation: Operation, product_id: int | None) -> Json | None:
    if operation.op == "clear":
        return {"op": "clear"}
    if product_id is None:
        return None
    quantity = operation.quantity
    count = {} if operation.op == "remove" else {"quantity": float(quantity) if quantity % 1 else int(quantity)}
    return {"op": operation.op, "product_id": product_id, **count}


def write_providers(file: Path, url: str) -> None:
    """Writes a PROVIDERS_FILE with this model and no other."""
    file.write_text(PROVIDERS.format(url=url))
