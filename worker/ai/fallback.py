"""Replies that need no model: when none can answer, and where a message cannot be read. Spanish, for customers."""

from __future__ import annotations

from typing import Any

QUICK_REPLIES = (
    {"id": "menu", "title": "Menú"},
    {"id": "view_cart", "title": "Ver carrito"},
    {"id": "human", "title": "Hablar con alguien"},
)
FALLBACK_TEXT = (
    "Perdón, en este momento no puedo responderte como quisiera. Tu mensaje quedó guardado: probá de nuevo en unos "
    "minutos, o elegí una opción."
)
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


def _decision(text: str, confidence: float) -> dict[str, Any]:
    return {"intent": "unknown", "confidence": confidence, "reply": text, "quick_replies": list(QUICK_REPLIES)}


def fallback_decision() -> dict[str, Any]:
    """No model could answer."""
    return _decision(FALLBACK_TEXT, 0.0)


def unreadable_decision(kind: str) -> dict[str, Any]:
    """A message of this WhatsApp type holds no text."""
    return _decision(UNREADABLE_TEXT.get(kind, UNREADABLE_DEFAULT), 1.0)


def handover_decision() -> dict[str, Any]:
    """A person will answer."""
    return _decision(HANDOVER_TEXT, 1.0) | {"intent": "support", "requires_human": True, "quick_replies": []}


def apology_decision() -> dict[str, Any]:
    """A message has become a dead letter."""
    return _decision(APOLOGY_TEXT, 1.0)
