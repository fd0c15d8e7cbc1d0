"""Judging a model's answer: a valid decision with what it does told by us, or why it cannot be used; and the request
for it, with the products that it may name and the JSON schema of what can be said. Pure: no I/O.
"""

from collections.abc import Iterable
from typing import Any, get_args

from msgspec import Struct
from msgspec.structs import replace

from worker.catalog.product import Product, availability
from worker.messages.formatting import whatsapp_text
from worker.replies import buttons
from worker.replies.claims import Facts, check_claims, facts_of, problem_of, without_changes
from worker.replies.decision import Intent, InvalidDecision, RefusedChange, parse_decision
from worker.replies.prompt import AiRequest
from worker.replies.reply_check import check_reply
from worker.replies.scene import Scene
from worker.replies.telling import MODEL_STATES, told
from worker.session.cart import CartItem
from worker.session.outcome import Decision
from worker.session.turn import Plan

#: Intents that are about one customer's cart.
OF_ONE_CUSTOMER = frozenset(
    {"add_to_cart", "modify_cart_quantity", "remove_from_cart", "view_cart", "clear_cart", "checkout"}
)
#: Details of one customer's order.
OF_ONE_ORDER = frozenset({"address", "note"})
#: Added to the request when the first answer could not be used.
REPAIR = "Your last answer could not be used ({problem}). Answer again: one JSON object that fits, and nothing else."
#: The same when it claimed or proposed what cannot be so.
REFUSED = (
    "Your last answer was refused because of this: {told}. Answer again without it: one JSON object that fits, and "
    "nothing else. Change the cart only by cart_operations on products that stand in the request; the reply must not "
    "say that anything was done, and must name no price, figure, discount or time that stands in no fact."
)
Schema = dict[str, Any]
_TEXT: Schema = {"type": "string"}


class Offer(Struct, frozen=True):
    """Products of a request.

    Args:
        offered: ids of those that stand in it or in the cart.
        in_stock: those of them that can be added.
    """

    offered: frozenset[int] = frozenset()
    in_stock: frozenset[int] = frozenset()


def request_of(plan: Plan, scene: Scene, caller: str, problem: InvalidDecision | None = None) -> AiRequest:
    """The planned request with the schema of its answers. problem: of the last answer, if there was one."""
    schema = decision_schema(_offer(plan, scene), shared=plan.shared)
    if problem is None:
        return AiRequest(plan.system, plan.user, schema, caller=caller)
    refused = problem.told if isinstance(problem, RefusedChange) else None
    advice = REFUSED.format(told=refused) if refused else REPAIR.format(problem=problem)
    return AiRequest(f"{plan.system}\n{advice}", plan.user, schema, caller=caller)


def _offer(plan: Plan, scene: Scene) -> Offer:
    """Products that the answer may put into the cart or take out; none where it is everybody's."""
    return Offer() if plan.shared else offer_of(plan.products, scene.session.cart)


def decide(text: str, plan: Plan, scene: Scene) -> Decision:
    """A valid decision, with what it does told by us.

    Raises:
        InvalidDecision: the answer cannot be used.
    """
    decision = parse_decision(text, None if plan.shared else _offer(plan, scene).offered)
    decision = replace(decision, reply=whatsapp_text(decision.reply, scene.shop.links))
    check_reply(decision.reply, scene.text, plan.system, plan.user)
    if plan.shared:
        decision = _for_everybody(decision)
    facts = facts_of(plan.user, plan.system)
    if decision.cart_operations:
        decision = without_changes(decision, facts)
    check_claims(decision, facts, changes=bool(decision.cart_operations))
    return told(_with_true_titles(decision, facts, scene), scene)


def _with_true_titles(decision: Decision, facts: Facts, scene: Scene) -> Decision:
    """The decision with our titles on buttons of ours, and without those whose titles claim what is not so."""
    kept = (
        one
        for one in (buttons.titled(scene.shop, button) for button in decision.quick_replies)
        if not problem_of(one.title, facts, changes=False)
    )
    return replace(decision, quick_replies=tuple(kept))


def _for_everybody(decision: Decision) -> Decision:
    """A decision that changes nobody's cart and moves nobody's conversation."""
    if decision.requires_human:
        raise InvalidDecision("requires_human: the answer goes to everybody who asks this and can call no person")
    intent = "support" if decision.intent in OF_ONE_CUSTOMER else decision.intent
    entities = {name: value for name, value in decision.entities.items() if name not in OF_ONE_ORDER}
    return replace(decision, intent=intent, entities=entities, cart_operations=(), next_state=None)


def offer_of(products: Iterable[Product], cart: Iterable[CartItem]) -> Offer:
    """The offer of a request with these products for a customer with this cart."""
    known = {product.id: product for product in products}
    in_cart = {item.id for item in cart}
    sold_out = {number for number, product in known.items() if availability(product.stock) == "none"}
    offered = frozenset(known.keys() | in_cart)
    return Offer(offered, offered - sold_out)


def decision_schema(offer: Offer, *, shared: bool) -> Schema:
    """The schema of a decision under this offer, in the subset that every provider takes: each object closed, each of
    its properties required, no lengths and no bounds (Azure refuses `minimum` and `maxItems`), which the check behind
    it knows. shared: the answer is everybody's, so it changes no cart, calls no person and moves no conversation.
    """
    properties: Schema = {
        "intent": {"type": "string", "enum": list(get_args(Intent))},
        "confidence": {"type": "number"},
        # An object whose names are not known beforehand cannot be closed, so it is a list of pairs.
        "entities": {"type": "array", "items": _object(name=_TEXT, value=_TEXT)},
        "reply": _TEXT,
        "quick_replies": {"type": "array", "items": _object(id=_TEXT, title=_TEXT)},
    }
    if not shared:
        properties |= {
            "requires_human": {"type": "boolean"},
            "next_state": {"type": ["string", "null"], "enum": [*sorted(MODEL_STATES), None]},
            "cart_operations": {"type": "array", "items": {"anyOf": list(_operations(offer))}},
        }
    return _object(**properties)


def _object(**properties: Any) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _operations(offer: Offer) -> Iterable[Schema]:
    """One alternative for each form of operation that may be made."""
    if offer.in_stock:
        product, quantity = _one_of(offer.in_stock), {"type": "number"}
        yield _object(op={"type": "string", "enum": ["add", "set"]}, product_id=product, quantity=quantity)
    if offer.offered:
        yield _object(op={"type": "string", "enum": ["remove"]}, product_id=_one_of(offer.offered))
    yield _object(op={"type": "string", "enum": ["clear"]})


def _one_of(numbers: Iterable[int]) -> Schema:
    return {"type": "integer", "enum": sorted(number for number in numbers if number > 0)}
