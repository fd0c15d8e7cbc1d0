"""The schema of a request's answers: the strict subset that every provider takes, and nothing that would be refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import product
from typing import Any, get_args

import pytest
from helpers.turns import MILK, MILK_ITEM, RICE, SHOP, decision_of, plan_of, session_of
from msgspec.structs import replace

from worker.devkit.json_schema import objection
from worker.replies.decision import Intent, InvalidDecision, RefusedChange, parse_decision
from worker.replies.scene import Scene
from worker.replies.telling import MODEL_STATES
from worker.replies.verdict import REFUSED, REPAIR, Offer, decision_schema, offer_of, request_of

OFFERS = [
    offer_of(products, cart)
    for cart, products in product(
        ((), (MILK_ITEM,)), ([], [MILK], [MILK, replace(RICE, stock=Decimal(0))], [replace(RICE, stock=None)])
    )
]
BOTH = Offer(frozenset({7, 8}), frozenset({7}))


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """All objects of a schema, at any depth."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for value in schema.values():
            yield from objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects(value)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("offer", [*OFFERS, BOTH])
def test_it_is_within_the_strict_subset(offer: Offer, shared: bool) -> None:
    """Every object is closed and every property required; it is plain JSON."""
    schema = decision_schema(offer, shared=shared)
    assert json.loads(json.dumps(schema)) == schema
    assert objection(schema) is None
    for found in objects(schema):
        assert found["additionalProperties"] is False
        assert found["required"] == list(found["properties"])
    words = json.dumps(schema)
    assert not any(name in words for name in ("minLength", "maxLength", "pattern", "format", "default", "$ref"))


def test_all_that_may_be_said() -> None:
    """One alternative for each form of operation, the products that are there, and the states of looking around."""
    properties = decision_schema(BOTH, shared=False)["properties"]
    assert properties["intent"]["enum"] == list(get_args(Intent))
    assert properties["next_state"]["enum"] == [*sorted(MODEL_STATES), None]
    put, remove, clear = properties["cart_operations"]["items"]["anyOf"]
    assert put["properties"] == {
        "op": {"type": "string", "enum": ["add", "set"]},
        "product_id": {"type": "integer", "enum": [7]},
        "quantity": {"type": "number"},
    }
    assert remove["properties"]["product_id"]["enum"] == [7, 8]
    assert list(clear["properties"]) == ["op"]


def test_an_answer_for_everybody_can_change_nothing() -> None:
    """No cart, no state, no person."""
    properties = decision_schema(BOTH, shared=True)["properties"]
    assert set(properties) == {"intent", "confidence", "entities", "reply", "quick_replies"}


def test_no_model_can_say_that_an_order_is_placed() -> None:
    """Nor move a conversation into or out of the checkout."""
    for offer in OFFERS:
        states = decision_schema(offer, shared=False)["properties"]["next_state"]["enum"]
        assert not {"checkout", "waiting_address", "confirming_order", "order_completed"}.intersection(states)


def test_what_is_sold_out_can_only_be_taken_out() -> None:
    """What is not counted is there."""
    offer = offer_of([MILK, replace(RICE, stock=Decimal(0))], [])
    assert (offer.offered, offer.in_stock) == ({7, 8}, {7})
    assert offer_of([replace(RICE, stock=None)], [MILK_ITEM]).in_stock == {7, 8}


def changes() -> Iterator[dict[str, Any]]:
    """All operations with the numbers and products of these tests."""
    for op, number, quantity in product(("add", "set", "remove", "clear"), (7, 8, 9), (1, 0.5, 120)):
        made: dict[str, Any] = {"op": op}
        made |= {} if op == "clear" else {"product_id": number}
        yield made | ({"quantity": quantity} if op in ("add", "set") else {})


@pytest.mark.parametrize("offer", OFFERS)
def test_it_allows_what_the_check_takes(offer: Offer) -> None:
    """Each operation that fits is taken; what is taken and does not fit is sold out, which we tell ourselves."""
    forms = decision_schema(offer, shared=False)["properties"]["cart_operations"]["items"]["anyOf"]
    for change in changes():
        fits = any(
            change.keys() == form["properties"].keys()
            and all(change[name] in value["enum"] for name, value in form["properties"].items() if "enum" in value)
            for form in forms
        )
        try:
            parse_decision(json.dumps(decision_of(cart_operations=[change])), offer.offered)
            taken = True
        except RefusedChange:
            taken = False
        sold_out = change.get("product_id") in offer.offered - offer.in_stock and change["op"] in ("add", "set")
        assert fits is (taken and not sold_out), change


def test_the_request_carries_it() -> None:
    """The first time and when it is repaired; a repair says what was wrong."""
    plan = plan_of("agregame 2 leches", MILK, shared=False)
    scene = Scene(SHOP, session_of(cart=(MILK_ITEM,)), "v", (MILK,))
    first = request_of(plan, scene, "token")
    assert (first.system, first.user, first.caller) == (plan.system, plan.user, "token")
    assert first.schema == decision_schema(offer_of([MILK], [MILK_ITEM]), shared=False)
    repaired = request_of(plan, scene, "token", InvalidDecision("reply: missing"))
    assert repaired.system == f"{plan.system}\n{REPAIR.format(problem='reply: missing')}"
    refused = request_of(plan, scene, "token", RefusedChange("x", "told"))
    assert refused.system == f"{plan.system}\n{REFUSED.format(told='told')}"
    assert first.schema == repaired.schema == refused.schema
    shared = request_of(replace(plan, shared=True), scene, "token")
    assert "cart_operations" not in shared.schema["properties"]
