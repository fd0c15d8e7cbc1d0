"""Details of the order to come, as far as they stand in the customer's own words. Pure: no I/O."""

from msgspec.structs import replace

from worker.language.answers import asks, denies, folded, way_of_delivery
from worker.language.topics import is_address
from worker.messages.text import clip
from worker.replies.scene import Scene
from worker.replies.summary import DELIVERY, ways_of
from worker.session.outcome import Decision
from worker.session.session import CHECKOUT_STATES, MAX_DETAIL_CHARS, Checkout

#: An address of fewer words is none ("casa"): it would be delivered to nobody.
LEAST_ADDRESS_WORDS = 2


def details_of(decision: Decision, scene: Scene, *, untouched: bool) -> Checkout:
    """The details that were known, with those that this turn gives: a model's, where the customer has said the same in
    this conversation, and answers to what we have asked for.

    Args:
        untouched: nothing is done to the cart, so that the words may be all an answer.
    """
    known = scene.session.context.checkout
    address = _said(decision, scene, "address") or (_given_address(scene) if untouched else "")
    if address and folded(address) != folded(known.address):
        known = replace(known, address=address, area="", delivery=DELIVERY)
    if note := _said(decision, scene, "note"):
        known = replace(known, note=note)
    return _answered(known, scene) if scene.session.state in CHECKOUT_STATES and not asks(scene.text) else known


def _said(decision: Decision, scene: Scene, name: str) -> str:
    """A detail that a model has understood; empty where the customer has not said it."""
    value = decision.entities.get(name)
    words = folded(value) if isinstance(value, str) else ""
    said = [scene.text, *(exchange.customer for exchange in scene.session.context.history)]
    is_short = name == "address" and len(words.split()) < LEAST_ADDRESS_WORDS
    is_said = any(f" {words} " in f" {folded(text)} " for text in said)
    return clip(str(value).strip(), MAX_DETAIL_CHARS) if words and is_said and not is_short else ""


def _given_address(scene: Scene) -> str:
    """The whole text where we have asked for an address and it is one."""
    text = " ".join(scene.text.split())
    asked = scene.session.context.asking == "address" and is_address(text)
    return clip(text, MAX_DETAIL_CHARS) if asked else ""


def _answered(known: Checkout, scene: Scene) -> Checkout:
    """The details with the answers to questions of the checkout."""
    asking, text = scene.session.context.asking, scene.text
    way = way_of_delivery(text)
    area = scene.shop.area_of(text) if asking == "area" and not denies(text) else None
    return replace(
        known,
        payment=scene.payment_in(text) or known.payment,
        delivery=way if way in ways_of(scene.shop) else known.delivery,
        area=area.name if area else known.area,
    )
