"""Whatever a model answers, whichever worker dies over it: what happens to carts is told, and only customers order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from random import Random
from typing import Any

import psutil
import pytest
from helpers.basics import Servers
from helpers.fuzzing import DONE, NEVER, SAYINGS, allowed_by, made_fair
from helpers.shopping import Shopper, check_form
from helpers.store import Store, open_store
from sqlalchemy import Engine

from worker.language.answers import YES, yes_or_no

Json = dict[str, Any]
SEED, SHOPPERS, ROUNDS = 20_261, 10, 18
#: Every so many rounds a process is killed while it works; a share of all messages is delivered twice.
KILL_EVERY, DUPLICATES = 4, 0.2
VICTIMS = ("worker", "worker-ai")
TEXTS = (*SAYINGS, *["sí"] * 2, *["quiero pagar"] * 2, "Guayaquil 380, Caballito", "efectivo", "retiro", "leche")
NOT_TAPPED = ("human", "menu")
#: Most of these lead to an order, which a mere random walk rarely reaches.
ONWARD = ("delivery", "area", "pay", "confirm")


@dataclass(frozen=True)
class Before:
    """What a customer had before a message, and the message."""

    message: Json
    cart: dict[str, Decimal]
    orders: int


@pytest.fixture(scope="module")
def store(servers: Servers, shared_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The sample shop with a model that says anything which its request's schema allows."""
    with open_store(servers, shared_engine, tmp_path_factory.mktemp("store")) as made:
        made.begin()
        numbers = count(SEED)

        def anything(_context: Json, schema: Json) -> Json:
            random = Random(next(numbers))
            decision = made_fair(allowed_by(schema, random), random)
            return decision | ({"requires_human": False} if "requires_human" in decision else {})

        made.model.mind = anything
        yield made


def cart_of(store: Store, shopper: Shopper) -> dict[str, Decimal]:
    """Quantities by name, as the database has them."""
    found = store.conversation.sql("select cart_data from get_session_optimized(:phone)", phone=shopper.phone)
    return {item["name"]: Decimal(str(item["quantity"])) for row in found for item in row[0]}


def next_message(shopper: Shopper, random: Random) -> Json:
    """What a customer does next: taps what is there to tap, sends a cart, or writes."""
    offered = [
        one["id"]
        for reply in shopper.replies[-2:]
        for one in (*reply["quick_replies"], *(reply["list"] or {"rows": ()})["rows"])
        if one["id"] not in NOT_TAPPED
    ]
    onward = [action for action in offered if action.partition(":")[0] in ONWARD]
    if onward and random.random() < 0.6:
        return shopper.tapped(onward[-1])
    if offered and random.random() < 0.5:
        return shopper.tapped(random.choice(offered))
    if random.random() < 0.15:
        return shopper.ordered(("LAC-002", random.randint(1, 9)), ("ALM-001", 1))
    return shopper.text(random.choice(TEXTS))


def kill(store: Store, name: str) -> None:
    """Kills a process of the service, which is started again."""
    child = next(child for child in store.supervisor.children if child.program.name == name)
    try:
        psutil.Process(child.process.pid).kill()
    except psutil.NoSuchProcess:
        return


def test_nothing_happens_untold_and_only_customers_order(store: Store) -> None:
    """Many customers at once, taps and words at random, deliveries twice, workers killed."""
    random = Random(SEED)
    shoppers = [store.shopper() for _ in range(SHOPPERS)]
    seen: set[str] = set()
    for number in range(ROUNDS):
        # Whom a person answers, because no answer to a hard question could be used, is not answered any more.
        served = [shopper for shopper in shoppers if not (shopper.replies and shopper.last["requires_human"])]
        before = [_before(store, shopper, random) for shopper in served]
        for given, shopper in zip(before, served, strict=True):
            store.conversation.gateway.send(shopper.body(given.message))
            if random.random() < DUPLICATES:
                store.conversation.gateway.send(shopper.body(given.message))
        if number % KILL_EVERY == KILL_EVERY - 1:
            kill(store, VICTIMS[number // KILL_EVERY % len(VICTIMS)])
        for given, shopper in zip(before, served, strict=True):
            (reply,) = shopper.await_all(given.message)
            seen |= checked(store, shopper, given, reply)
    assert seen == {"changed", "stayed", "ordered"}
    placed = [order["id"] for shopper in shoppers for order in store.orders(shopper)]
    assert len(placed) == len(set(placed)) == store.conversation.sql("select count(*) from orders")[0][0] > 0


def _before(store: Store, shopper: Shopper, random: Random) -> Before:
    return Before(next_message(shopper, random), cart_of(store, shopper), len(store.orders(shopper)))


def checked(store: Store, shopper: Shopper, before: Before, reply: Json) -> set[str]:
    """Checks one reply against what has happened; what that was."""
    check_form(reply)
    assert reply["to"] == shopper.phone
    assert not any(words in reply["text"] for words in NEVER)
    after, orders = cart_of(store, shopper), store.orders(shopper)
    if len(orders) > before.orders:
        check_ordered(shopper, before, orders[before.orders :])
        return {"ordered"}
    check_told(reply, before.cart, after)
    return {"stayed" if after == before.cart else "changed"}


def check_told(reply: Json, before: dict[str, Decimal], after: dict[str, Decimal]) -> None:
    """A change stands in the reply with a way back; and where there is none, no word of one does."""
    text = reply["text"]
    if after == before:
        assert "Cambios en tu carrito" not in text
        assert DONE not in text
        return
    for name in after:
        assert before.get(name) == after[name] or f"{after[name].normalize():f}".replace(".", ",") in text
        assert before.get(name) == after[name] or name[:20] in text
    assert after or "vacío" in text
    assert all(name[:20] in text for name in before if name not in after) or not after
    assert reply["list"] or any(button["id"].startswith("undo:") for button in reply["quick_replies"])


def check_ordered(shopper: Shopper, before: Before, orders: list[Json]) -> None:
    """One order, by a yes of the customer's to the summary of what it holds."""
    (order,) = orders
    tapped = before.message.get("interactive", {}).get("button_reply", {}).get("id", "")
    said = before.message.get("text", {}).get("body", "")
    assert tapped.startswith("confirm:") or yes_or_no(said) == YES
    summaries = [reply for reply in shopper.replies[:-1] if any(_confirms(one) for one in reply["quick_replies"])]
    assert f"{Decimal(order['total']):,.2f}".translate(str.maketrans(",.", ".,")) in summaries[-1]["text"]
    assert {item["name"]: Decimal(item["quantity"]) for item in order["items"]} == before.cart


def _confirms(button: Json) -> bool:
    return bool(button["id"].startswith("confirm:"))
