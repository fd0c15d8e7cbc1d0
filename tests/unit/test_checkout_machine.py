"""Any row of taps, words and answers of a model, from a first word to orders: nothing untold, nothing without a yes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any

from helpers.factories import ANA
from helpers.fuzzing import SAYINGS, decided, quantities
from helpers.promises import check_row
from helpers.turns import CHEESE, MILK, RICE, message, turn_of
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from msgspec.structs import replace

from worker.catalog.product import Product
from worker.catalog.search import BY_SKU
from worker.devkit.demo import SHOP as SHOP_FILE
from worker.language.product_words import USUAL_PRODUCT_WORDS
from worker.messages.message import CatalogOrder, OrderItem
from worker.replies.closing import close
from worker.replies.prompt import Session
from worker.session.session import new_session, session_from_row
from worker.session.turn import Turn
from worker.session.turn_message import TurnMessage
from worker.shop.shop_file import read_shop
from worker.steps.planning import Planner, acted
from worker.steps.question import Reader

Json = dict[str, Any]
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
SHOP = read_shop(SHOP_FILE)
GOODS = {product.sku: product for product in (MILK, RICE, CHEESE)}
ADDRESSES = ("Guayaquil 380, Caballito", "Gascón 1150")
WORDS = (*SAYINGS, *ADDRESSES, "sí", "no", "quiero pagar", "Almagro", "retiro", "efectivo")
#: Ids that lead to an order.
LEADING_ON = ("checkout", "delivery:pickup", "pay:0", "area:0", "view_cart", "qty:LAC-7:3")
SEED, PLACE = st.integers(0, 10_000), st.integers(0, 100)


class Found(dict[str, tuple[Product, ...]]):
    """Searches: by sku the product of it, by words everything."""

    def __missing__(self, term: str) -> tuple[Product, ...]:
        if term.startswith(BY_SKU):
            product = GOODS.get(term.removeprefix(BY_SKU))
            return (product,) if product else ()
        return tuple(GOODS.values())

    def get(self, term: str, _default: Any = None) -> Any:
        """As `Found` is asked."""
        return self[term]


class Conversation(RuleBasedStateMachine):
    """One customer's conversation. actions: ids of all buttons and rows so far; summaries: carts by version."""

    ordered = 0

    def __init__(self) -> None:
        super().__init__()
        self.session: Session = new_session(ANA, "Ana")
        self.number = 0
        self.actions: list[str] = []
        self.summaries: dict[str, Any] = {}
        self.placed: set[str] = set()

    @rule(words=st.sampled_from(WORDS), seed=SEED, waited=st.booleans())
    def write(self, words: str, seed: int, waited: bool) -> None:
        """A text, perhaps one that waited behind the message before."""
        self.turn(message(words), seed, waited=waited)

    @rule(place=PLACE, seed=SEED, newest=st.booleans())
    def tap(self, place: int, seed: int, newest: bool) -> None:
        """Any button or row of any reply, or one of the newest."""
        offered = self.actions[-4:] if newest else self.actions
        if offered:
            action = offered[place % len(offered)]
            self.turn(message("Sí", type="interactive", selection_id=action), seed)

    @rule(action=st.sampled_from(LEADING_ON), seed=SEED)
    def press(self, action: str, seed: int) -> None:
        """What leads on to an order, whether it was offered or not."""
        self.turn(message("Sí", type="interactive", selection_id=action), seed)

    @rule(seed=SEED, many=st.integers(1, 9))
    def send_a_cart(self, seed: int, many: int) -> None:
        """A cart of the catalogue."""
        order = CatalogOrder(items=(OrderItem("LAC-7", many), OrderItem("of nobody", 1)))
        self.turn(message("un carrito", type="order", order=order), seed)

    def turn(self, sent: TurnMessage, seed: int, *, waited: bool = False) -> None:
        """One turn: by acts where it is one, else by a random answer of a model; then all promises are looked at."""
        self.number += 1
        sent = replace(sent, message_id=f"wamid.{self.number}")
        turn = turn_of(token=f"{self.number:012x}", messages=(sent,), session=self.session, waited=waited)
        turn = self.answered(turn, Random(seed))
        row: Json = close(turn, SHOP, NOW, 1_800).row()
        check_row(turn, row | {"reply": _reply(row)}, SHOP)
        self.check_orders(turn, row)
        self.take(turn, row)

    def answered(self, turn: Turn, random: Random) -> Turn:
        """As `route_ai` and a model leave it."""
        question = Reader(USUAL_PRODUCT_WORDS).question(turn)
        done = acted(turn, question, SHOP, Found())
        if done.outcome:
            return done
        made, _ = decided(Planner(SHOP, ("Lácteos",), Found()).planned(turn, question), SHOP, random)
        # Whom a person answers is not answered any more.
        decision = replace(made.decided().decision, requires_human=False)
        return replace(made, outcome=replace(made.decided(), decision=decision))

    def check_orders(self, turn: Turn, row: Mapping[str, Any]) -> None:
        """An order is of a summary that was shown, by its button or by the next words, once."""
        if not row["orders"]:
            return
        version = self.session.context.version
        assert not turn.waited
        assert version in self.summaries
        assert version not in self.placed
        assert quantities(item for order in row["orders"] for item in order["items"]) == self.summaries[version]
        self.placed.add(version)
        Conversation.ordered += 1

    def take(self, turn: Turn, row: Mapping[str, Any]) -> None:
        """The customer reads the reply; the session is stored and fetched."""
        reply = _reply(row)
        ids = [one["id"] for one in (*reply["quick_replies"], *(reply["list"] or {"rows": ()})["rows"])]
        cart = quantities(row["session"]["cart_data"])
        shown = [action.partition(":")[2] for action in ids if action.startswith("confirm:")]
        for version in shown:
            # The button may stand under another reply too: then it is still the same cart.
            assert self.summaries.setdefault(version, cart) == cart
        self.actions += [action for action in ids if action not in ("human", "menu")]
        self.session = session_from_row(row["session"] | {"version": self.number})


def _reply(row: Mapping[str, Any]) -> Json:
    return dict(row["reply"])


def test_no_conversation_breaks_the_promises() -> None:
    """Hundreds of them, of up to 40 steps; a failing one is made as short as can be. Some come to an order."""
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    Conversation.ordered = 0
    run_state_machine_as_test(
        Conversation,
        settings=settings(
            max_examples=80, stateful_step_count=40, deadline=None, derandomize=True, suppress_health_check=checks
        ),
    )
    assert Conversation.ordered > 0
