"""Our question asked once more where a bare answer leaves open what is meant; the word to a plain no. Pure: no I/O."""

from collections.abc import Sequence

from worker.catalog.product import Product
from worker.messages.reply import QuickReply
from worker.replies import buttons
from worker.replies.scene import Scene
from worker.session.outcome import Decision
from worker.shop.shop import Shop


def asked_again(verb: str, scene: Scene) -> Decision | None:
    """The decision of "leave", "welcome" and what begins with "ask_"; None where what was shown is sold no more."""
    shop, shown = scene.shop, scene.products
    if verb == "ask_which":
        return _showing(shop, shown, listed(shop, shown, "which")) if len(shown) > 1 else None
    if verb == "ask_how_many":
        named = shown[0].full_name if len(shown) == 1 else ""
        return _showing(shop, shown, shop.text("products.how_many", name=named)) if named else None
    return Decision("unknown", 1.0, reply=shop.text(f"answer.{verb}"), quick_replies=_onward(scene))


def _showing(shop: Shop, products: Sequence[Product], text: str) -> Decision | None:
    choices = buttons.product_choices(shop, products)
    return Decision("search_product", 1.0, reply=text, choices=choices) if choices and text else None


def _onward(scene: Scene) -> tuple[QuickReply, ...]:
    shop = scene.shop
    return (buttons.view_cart(shop), buttons.checkout(shop)) if scene.session.cart else (buttons.person(shop),)


def listed(shop: Shop, products: Sequence[Product], lead: str = "found") -> str:
    """Products that can be bought, numbered as the rows of the list; empty where there is none. lead: name of the text
    before them.
    """
    choices = buttons.product_choices(shop, products)
    lines = [f"{place}. {row.description}" for place, row in enumerate(choices.rows if choices else (), 1)]
    return "\n".join([shop.text(f"products.{lead}"), *lines, shop.text("products.choose")]) if lines else ""
