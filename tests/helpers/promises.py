"""What holds of every turn that is about to be committed, whatever a model has said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from msgspec import convert

from helpers.fuzzing import DONE, NEVER, counted, quantities
from helpers.turns import SHOP
from worker.language.answers import YES, yes_or_no
from worker.messages.reply import MAX_ROWS
from worker.replies.cart_lines import measured
from worker.session.session import Context, Session
from worker.session.turn import Turn
from worker.shop.shop import Shop


def check_reply(reply: Mapping[str, Any]) -> None:
    """What WhatsApp takes."""
    has_choices = bool(reply["quick_replies"] or reply["list"])
    assert 0 < len(reply["text"].strip()) <= len(reply["text"]) <= (1024 if has_choices else 4096)
    assert len(reply["quick_replies"]) <= 3
    assert not (reply["quick_replies"] and reply["list"])
    assert all(0 < len(button["title"]) <= 20 for button in reply["quick_replies"])


def check_row(turn: Turn, row: Mapping[str, Any], shop: Shop = SHOP) -> None:
    """What holds of every turn that is about to be committed, whatever a model has said."""
    before, after, decision = turn.fetched(), row["session"], turn.decided().decision
    assert b"\\u0000" not in orjson.dumps(row)
    check_reply(row["reply"])
    if row["orders"]:
        check_order(turn, row)
    else:
        check_told(turn, row, shop)
    if turn.plan:
        wanted = counted(before.cart, decision.cart_operations, turn.plan.products)
        assert quantities(after["cart_data"]) == wanted
        assert row["orders"] == []
        assert not any(words in row["reply"]["text"] for words in NEVER)
    if turn.plan and turn.plan.shared:
        check_shared(before, row)


def check_told(turn: Turn, row: Mapping[str, Any], shop: Shop) -> None:
    """No cart changes unsaid, or without a way back; nothing is said to be done that was not."""
    text, before = row["reply"]["text"], quantities(turn.fetched().cart)
    cart = turn.decided().decision.effects.cart
    after = quantities(row["session"]["cart_data"])
    if after == before:
        assert DONE not in text
        assert shop.text("cart.changed") not in text
        return
    assert cart is not None
    for item in cart:
        assert before.get(item.id) == item.quantity or measured(shop, item) in text
    assert after or shop.text("cart.empty") in text
    assert not after or all(item.name in text for item in turn.fetched().cart if item.id not in after)
    rows = row["reply"]["list"]["rows"] if row["reply"]["list"] else []
    taps = [one["id"] for one in (*row["reply"]["quick_replies"], *rows)]
    assert len(rows) == MAX_ROWS or f"undo:{turn.version}" in taps
    undo = convert(row["session"]["context_data"], Context).undo
    assert undo is not None
    assert (undo.version, quantities(undo.cart)) == (turn.version, before)


def check_order(turn: Turn, row: Mapping[str, Any]) -> None:
    """An order holds what stands in the summary that its customer has said yes to, and nobody else may place one."""
    before = turn.fetched()
    assert turn.plan is None
    assert before.context.asking == "confirm" or turn.messages[0].selection_id == f"confirm:{before.context.version}"
    assert yes_or_no(turn.text) == YES or turn.messages[0].selection_id
    ordered = [item for order in row["orders"] for item in order["items"]]
    assert quantities(ordered) == quantities(before.cart) != {}
    assert row["session"]["cart_data"] == []


def check_shared(before: Session, row: Mapping[str, Any]) -> None:
    """An answer for everybody moves, silences and fills nobody."""
    after = row["session"]
    assert (after["session_state"], row["orders"]) == (before.state, [])
    assert quantities(after["cart_data"]) == quantities(before.cart)
    context = convert(after["context_data"], Context)
    assert context.checkout == before.context.checkout
    # The fallback may call a person for the one who asked; it is never cached.
    assert context.human_until == before.context.human_until or row["outcome"]["source"] == "fallback"
