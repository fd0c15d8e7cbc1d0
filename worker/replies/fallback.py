"""Replies that need no model: when none can answer, and where a message cannot be read. Pure: no I/O."""

from worker.language.classifier import guess_intent
from worker.replies.buttons import PERSON, VIEW_CART, buttons
from worker.replies.open_question import listed
from worker.replies.scene import Scene
from worker.replies.telling import SEARCHES, told
from worker.session.handover import ASKED, FAILED
from worker.session.outcome import Decision
from worker.shop.shop import Shop

MENU = "menu"
#: Buttons that lead on from what could not be done, by what the message seems to want; the others get all three.
LEADING_ON = (
    dict.fromkeys(("search_product", "browse_category", "view_cart"), (MENU, PERSON))
    | dict.fromkeys(
        ("add_to_cart", "modify_cart_quantity", "remove_from_cart", "clear_cart", "checkout"), (VIEW_CART, PERSON)
    )
    | {"support": (PERSON, MENU)}
)
ALL = (MENU, VIEW_CART, PERSON)
#: Whoever wrote one of these may think that the cart has changed; behind "unknown" may stand a yes.
ABOUT_THE_CART = frozenset(
    {"add_to_cart", "modify_cart_quantity", "remove_from_cart", "clear_cart", "checkout", "unknown"}
)


def fallback_decision(scene: Scene, *, requires_human: bool = False, refused: bool = False) -> Decision:
    """Decision where no model could answer. What we know ourselves is answered all the same: the cart, the products
    that were found, the next step of the checkout.

    Args:
        requires_human: a person will answer, and until then nobody else.
        refused: models did answer, but nothing that could be sent.
    """
    intent = guess_intent(scene.text)
    if not requires_human and (known := _known(intent, scene)):
        return known
    unchanged = ["fallback.unchanged"] if refused or intent in ABOUT_THE_CART else []
    lines = [scene.shop.text(name) for name in (f"fallback.{intent}", *unchanged)]
    advice = scene.shop.text(f"fallback.{'say_otherwise' if refused else 'try_again'}")
    lines.append(
        scene.shop.text("handover.asked") if requires_human else scene.shop.text("fallback.kept", advice=advice)
    )
    return Decision(
        intent,
        reply="\n".join(lines),
        quick_replies=() if requires_human else buttons(scene.shop, *LEADING_ON.get(intent, ALL)),
        requires_human=requires_human,
        human_reason=FAILED if requires_human else "",
    )


def _known(intent: str, scene: Scene) -> Decision | None:
    found = scene.products[: scene.searched]
    if intent in SEARCHES and found and (lines := listed(scene.shop, found)):
        return told(Decision(intent, reply=lines), scene)
    if scene.session.id and (intent in ("view_cart", "checkout") or scene.session.context.asking == "address"):
        decision = told(Decision(intent), scene)
        return decision if decision.reply else None
    return None


def unreadable_decision(shop: Shop, kind: str) -> Decision:
    """Decision about a message of this WhatsApp type, which holds no text."""
    name = f"unreadable.{kind}"
    return _canned(shop, name if shop.has_text(name) else "unreadable.other")


def handover_decision(shop: Shop, name: str = "handover.asked", reason: str = ASKED) -> Decision:
    """Decision that leaves a customer to a person of the shop. name: of the text that says so."""
    return Decision("support", 1.0, reply=shop.text(name), requires_human=True, human_reason=reason)


def apology_decision(shop: Shop) -> Decision:
    """Decision about a message that has become a dead letter."""
    return _canned(shop, "apology.dead_letter")


def _canned(shop: Shop, name: str) -> Decision:
    return Decision("unknown", 1.0, reply=shop.text(name), quick_replies=buttons(shop, *ALL))
