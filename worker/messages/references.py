"""References of a message: what it quotes, the product it is about, the advertisement it comes from, a filled-in form.

None of it is ever an error: it adds to a message, and is no reason to lose one.
"""

import orjson
from msgspec import Struct

from worker.messages.fields import JsonObject, at, readable
from worker.messages.message import MAX_ID_CHARS
from worker.messages.text import mend

MAX_SKU_CHARS = 256
MAX_ADVERTISEMENT_CHARS = 500
#: Fields of a form that are WhatsApp's own.
FORM_TOKENS = frozenset({"flow_token", "wa_flow_response_params"})
MAX_FORM_FIELDS = 100


class References(Struct, frozen=True):
    """References of a webhook's message, each None where there is none.

    Args:
        quoted: WhatsApp's id of the message that it answers.
        product: the catalogue's id of the product that it is about.
        advertisement: words of the advertisement that led here.
    """

    quoted: str | None = None
    product: str | None = None
    advertisement: str | None = None


def read_references(message: JsonObject, *, tapped: bool) -> References:
    """Reads what a message refers to.

    Args:
        tapped: a button or row was tapped; WhatsApp then quotes by itself, and the customer means what stands on it.
    """
    return References(
        None if tapped else quoted_id(at(message, "context", "id")),
        _short(at(message, "context", "referred_product", "product_retailer_id"), MAX_SKU_CHARS),
        _advertisement(message),
    )


def quoted_id(value: object) -> str | None:
    """The id of a quoted message; None where it cannot be one."""
    return _short(value, MAX_ID_CHARS)


def form_words(answers: object) -> str | None:
    """Words of a filled-in form, a line for each field.

    Args:
        answers: the JSON text of WhatsApp's `response_json`.
    """
    try:
        fields = orjson.loads(answers) if isinstance(answers, str) else None
    except orjson.JSONDecodeError:
        return None
    form = fields.items() if isinstance(fields, dict) else ()
    told = [(name, _value(value)) for name, value in form if name not in FORM_TOKENS]
    lines = [f"{name}: {value}" for name, value in told if value]
    return readable(mend("\n".join(lines[:MAX_FORM_FIELDS])))


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(filter(None, map(_value, value)))
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, bool):
        return "sí" if value else "no"
    return str(value) if isinstance(value, int | float) else ""


def _advertisement(message: JsonObject) -> str | None:
    told = [at(message, "referral", name) for name in ("headline", "body")]
    words = [readable(text) for text in told if isinstance(text, str)]
    said = ". ".join(" ".join(text.split()).rstrip(".") for text in words if text)
    return said[:MAX_ADVERTISEMENT_CHARS].rstrip() or None


def _short(value: object, most: int) -> str | None:
    kept = readable(value) if isinstance(value, str) and len(value) <= most else None
    return kept.strip() if kept else None
