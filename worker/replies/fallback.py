"""Replies that need no model: when none can answer, and where a message cannot be read. Spanish, for customers."""

from __future__ import annotations

from collections.abc import Sequence

from worker.language.intent import guess_intent
from worker.messages.reply import QuickReply
from worker.replies.cart_limits import VIEW_CART, cart_lines
from worker.session.cart import CartItem
from worker.session.handover import ASKED, BUTTON, FAILED
from worker.session.outcome import Decision

MENU = QuickReply("menu", "Menú")
PERSON = QuickReply(BUTTON, "Hablar con alguien")
QUICK_REPLIES = (MENU, VIEW_CART, PERSON)
#: What could not be done, by what the message seems to want, and the buttons that lead on.
FALLBACKS = {
    "greeting": ("¡Gracias por escribirnos! Perdón, en este momento no puedo atenderte como quisiera.", QUICK_REPLIES),
    "search_product": ("Perdón, en este momento no puedo consultar los productos.", (MENU, PERSON)),
    "browse_category": ("Perdón, en este momento no puedo mostrarte lo que tenemos.", (MENU, PERSON)),
    "add_to_cart": ("Perdón, en este momento no pude agregar nada.", (VIEW_CART, PERSON)),
    "modify_cart_quantity": ("Perdón, en este momento no pude cambiar nada.", (VIEW_CART, PERSON)),
    "remove_from_cart": ("Perdón, en este momento no pude sacar nada.", (VIEW_CART, PERSON)),
    "clear_cart": ("Perdón, en este momento no pude vaciar ni cancelar nada.", (VIEW_CART, PERSON)),
    "view_cart": ("Perdón, en este momento no puedo mostrarte el carrito.", (VIEW_CART, PERSON)),
    "checkout": ("Perdón, en este momento no pude avanzar con la compra: no confirmé nada.", (VIEW_CART, PERSON)),
    "support": ("Perdón, en este momento no puedo ayudarte con eso.", (PERSON, MENU)),
    "unknown": ("Perdón, en este momento no puedo responderte como quisiera.", QUICK_REPLIES),
}
#: Whoever wrote one of these may think that the cart has changed; behind "unknown" may stand a yes.
ABOUT_THE_CART = frozenset(
    {"add_to_cart", "modify_cart_quantity", "remove_from_cart", "clear_cart", "checkout", "unknown"}
)
UNCHANGED = "Tu carrito sigue como estaba."
KEPT = "Tu mensaje quedó guardado: {advice}, o elegí una opción."
TRY_AGAIN = "probá de nuevo en un rato"
SAY_OTHERWISE = "probá escribirlo de otra manera, con el producto y la cantidad"
CART = "Perdón, en este momento no puedo responderte como quisiera, pero esto es lo que hay en tu carrito:\n{items}"
EMPTY_CART = "Perdón, en este momento no puedo responderte como quisiera. Tu carrito está vacío."
UNREADABLE_TEXT = {
    "audio": "Todavía no puedo escuchar audios. ¿Me lo escribís, por favor?",
    "image": "Todavía no puedo ver imágenes. ¿Me contás por escrito qué necesitás?",
    "video": "Todavía no puedo ver videos. ¿Me contás por escrito qué necesitás?",
    "sticker": "¡Lindo sticker! Contame por escrito qué necesitás y te ayudo.",
    "document": "Todavía no puedo leer archivos. ¿Me contás por escrito qué necesitás?",
    "location": "¡Gracias por la ubicación! Por ahora solo leo texto: ¿me escribís la dirección?",
    "contacts": "Recibí el contacto, pero por ahora solo leo texto. ¿En qué te ayudo?",
}
UNREADABLE_DEFAULT = "No pude leer ese tipo de mensaje. ¿Me lo escribís, por favor?"
HANDOVER_TEXT = (
    "Le avisé a una persona del equipo: te va a responder por acá lo antes posible. Mientras tanto no te contesto yo."
)
APOLOGY_TEXT = "Perdón, tuvimos un problema con tu mensaje y no pudimos procesarlo. ¿Nos escribís de nuevo, por favor?"


def _decision(text: str, confidence: float) -> Decision:
    return Decision("unknown", confidence, reply=text, quick_replies=QUICK_REPLIES)


def fallback_decision(
    said: str, cart: Sequence[CartItem] | None = None, *, requires_human: bool = False, refused: bool = False
) -> Decision:
    """Decision where no model could answer what was said.

    Args:
        cart: as it stands, None where it is not known.
        requires_human: a person will answer, and until then nobody else.
        refused: models did answer, but with changes to the cart that nobody asked for.
    """
    intent = guess_intent(said)
    lead, buttons = FALLBACKS[intent]
    if intent == "view_cart" and cart is not None:
        lead, buttons = _shown(cart), (MENU, PERSON)
    unchanged = [UNCHANGED] if refused or intent in ABOUT_THE_CART else []
    last = HANDOVER_TEXT if requires_human else KEPT.format(advice=SAY_OTHERWISE if refused else TRY_AGAIN)
    return Decision(
        intent,
        reply="\n".join([lead, *unchanged, last]),
        quick_replies=() if requires_human else buttons,
        requires_human=requires_human,
        human_reason=FAILED if requires_human else "",
    )


def _shown(cart: Sequence[CartItem]) -> str:
    return CART.format(items="\n".join(cart_lines(cart))) if cart else EMPTY_CART


def unreadable_decision(kind: str) -> Decision:
    """Decision about a message of this WhatsApp type, which holds no text."""
    return _decision(UNREADABLE_TEXT.get(kind, UNREADABLE_DEFAULT), 1.0)


def handover_decision(text: str = HANDOVER_TEXT, reason: str = ASKED) -> Decision:
    """Decision that leaves a customer to a person of the shop."""
    return Decision("support", 1.0, reply=text, requires_human=True, human_reason=reason)


def apology_decision() -> Decision:
    """Decision about a message that has become a dead letter."""
    return _decision(APOLOGY_TEXT, 1.0)
