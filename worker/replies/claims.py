"""Claims of a model that nobody can rely on: figures that stand in no fact it was given, and things said to be done.

A price, a total, a percentage, a time or a house number comes from the facts of the request, or from the customer's own
words where it is no money; a change, an order, a discount or a delivery is told by us, from what was committed.
Pure: no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import combinations
from typing import Any

import orjson

from worker.catalog.numbers import readings
from worker.replies.decision import RefusedChange
from worker.session.outcome import Decision

_FIGURE = re.compile(r"\d+(?:[.,]\d+)*")
#: Money on either side of a figure, as shops of Latin America and Spain write it.
_MONEY = re.compile(
    r"(?:(?:US|U|R|S/?\.?|Bs\.?|AR|MX|COL|CLP|ARS|MXN|COP|PEN|UYU|EUR|USD)\s?)?[$€]\s?(\d+(?:[.,]\d+)*)"
    r"|\b(?:S/\.?|Bs\.?|ARS|MXN|COP|CLP|PEN|UYU|EUR|USD)\s?(\d+(?:[.,]\d+)*)"
    r"|(\d+(?:[.,]\d+)*)\s?(?:€|pesos\b|soles\b|euros?\b|d[oó]lares\b|lucas\b)",
    re.IGNORECASE,
)
_SHARE = re.compile(r"(\d+(?:[.,]\d+)*)\s?%")
_TIME = re.compile(r"(\d+(?:[.,]\d+)*)\s?(?:min(?:utos?)?|h(?:s|oras?)?|d[ií]as?)\b", re.IGNORECASE)
#: Smaller figures count ("las 3 opciones"), unless they are money, a share or a time.
_COUNTS_UP_TO = 31
#: What a customer may want to know the price of: so many pieces, or parts of a unit in twentieths.
_MOST_TIMES = 31
_PARTS = 20
_CENT = Decimal("0.01")
#: Accents tell: "agregué" is done, "agregue" is only spoken of.
_VERBS = r"(?:agreg|sum|añad|anot|carg|inclu|met|sac|quit|elimin|borr|retir|vaci|cambi|modific|actuali[cz]|dej)"
CLAIMING = re.compile(
    rf"\b{_VERBS}(?:u?é|í|amos|imos|i?ó|aron|ieron|ad[oa]s?|id[oa]s?)\b"
    r"|\b(?:saqué|modifiqué|puse|pusimos|puest[oa]s?|ya están?)\b|(?:^|[.!¡:,\n])[^\S\n]*+(?:listo|hecho)\b"
)
_NOT = r"(?:no|ni|sin|nunca|tampoco|ning[uú]n[ao]?)"
DENYING = re.compile(rf"\b{_NOT}(?: (?:te|me|se|l[aoe]s?|he|hemos|ha|han|fue|fueron|qued\w+|está|están))* \w+")
_ORDERED = re.compile(
    r"\b(?:pedido|compra|orden|encargo)\b[^.!?\n]{0,40}\b(?:confirmad|registrad|realizad|hech|tomad|procesad|despachad|enviad"
    r"|en camino|en preparaci[oó]n|saliendo|sali[oó]|program|agendad)"
    r"|\b(?:confirm|registr|proces|despach|envi|mand|program|agend)(?:é|amos|ó|aron)\b"
)
_BEFORE_IT_IS_SO = re.compile(
    r"\b(?:una vez|cuando|si |para que|antes de|despu[eé]s de|al confirmar|quer[eé]s|quieres|desea)"
)
_DISCOUNT = re.compile(r"\b(descuento|rebaj|promo|oferta|gratis|sin cargo|regal|cup[oó]n|bonific|2x1|3x2)")
#: Delivery may be free from an amount on, which must be said with it.
_FREE = frozenset({"gratis", "sin cargo", "bonific"})
_DELIVERED = re.compile(
    r"\b(?:llega|llegar[aá]n?|entreg\w+|env[ií]\w+|mand\w+|llev\w+|recib\w+)\b[^.!?\n]{0,60}"
    r"\b(hoy|mañana|ahora mismo|enseguida|en un rato|esta (?:tarde|noche|mañana)|pasado mañana)\b"
)
_SENTENCE = re.compile(r"[^.!?\n]*[.!?\n]?")


def check_claims(decision: Decision, user: str, system: str, *, changes: bool) -> None:
    """Raises RefusedChange for words that claim what nothing stands behind.

    Args:
        user, system: the rendered request: its facts.
        changes: the decision changes the cart, so that its words may say so.
    """
    facts = orjson.loads(user)
    reply = decision.reply
    problem = (
        _unfounded_figure(reply, facts, system)
        or _unfounded_words(reply.lower(), f"{system}\n{user}".lower())
        or (None if changes else _done(reply.lower()))
    )
    if problem:
        raise RefusedChange(f"reply: {problem}", f"reply: {problem}")


def _done(words: str) -> str | None:
    return "says that the cart has changed" if CLAIMING.search(DENYING.sub("", words)) else None


def _unfounded_words(words: str, facts: str) -> str | None:
    for sentence in _SENTENCE.findall(words):
        if sentence.rstrip().endswith("?") or re.search(rf"\b{_NOT}\b", sentence):
            continue
        if _ORDERED.search(sentence) and not _BEFORE_IT_IS_SO.search(sentence):
            return "says that an order was placed or is on its way"
        free = '"free_from"' in facts and _FIGURE.search(sentence)
        if any(found not in facts for found in _DISCOUNT.findall(sentence) if not (free and found in _FREE)):
            return "promises a discount that stands in no fact"
        if any(f'"{found}' not in facts and "delivery_today" not in facts for found in _DELIVERED.findall(sentence)):
            return "promises a time of delivery that stands in no fact"
    return None


def _unfounded_figure(reply: str, facts: dict[str, Any], system: str) -> str | None:
    if not _FIGURE.search(reply):
        return None
    ours, prices = _ours(facts, system)
    said = ours | set(_values(_texts([facts.get("message"), facts.get("session", {}).get("history")])))
    bound = {
        match.start(place): name
        for name, pattern in _BOUND
        for match in pattern.finditer(reply)
        for place in _groups(match)
    }
    for match in _FIGURE.finditer(reply):
        kind = bound.get(match.start())
        values = set(readings(match[0]).values()) or {Decimal(0)}
        known = ours if kind in ("money", "share") else said
        if values & known or (kind is None and any(value <= _COUNTS_UP_TO for value in values)):
            continue
        if kind in (None, "money") and any(_is_product_of(value, prices) for value in values):
            continue
        return f"names a figure that stands in no fact ({kind or 'number'})"
    return None


_BOUND = (("money", _MONEY), ("share", _SHARE), ("time", _TIME))


def _groups(match: re.Match[str]) -> Iterator[int]:
    return (place for place in range(1, (match.re.groups or 0) + 1) if match.start(place) >= 0)


def _ours(facts: dict[str, Any], system: str) -> tuple[set[Decimal], set[Decimal]]:
    """Figures of the shop's own facts, and prices among them. What the customer wrote is none of them."""
    session = facts.get("session") or {}
    cart = session.get("cart") or []
    replies = [exchange.get("reply", "") for exchange in session.get("history") or []]
    prices = {Decimal(str(one["price"])) for one in [*(facts.get("products") or []), *cart]}
    totals = [Decimal(str(line["price"])) * Decimal(str(line["quantity"])) for line in cart]
    own = {name: part for name, part in facts.items() if name not in ("message", "session")}
    found = set(_values(_texts([own, cart, replies]))) | set(_values([system]))
    pairs = list(combinations([*prices, *totals], 2))
    compared = {one + other for one, other in pairs} | {abs(one - other) for one, other in pairs}
    return found | prices | set(totals) | {sum(totals, Decimal(0))} | compared, prices


def _is_product_of(value: Decimal, prices: Iterable[Decimal]) -> bool:
    """Returns whether a value is what so many of a product cost: up to 31 pieces, or parts of a unit in twentieths."""
    return any(
        price and value / price <= _MOST_TIMES and _near((value / price) * _PARTS, value, price) for price in prices
    )


def _near(parts: Decimal, value: Decimal, price: Decimal) -> bool:
    return abs(parts.to_integral_value() / _PARTS * price - value) < _CENT


def _texts(value: Any) -> Iterator[str]:
    """All texts and numbers of a JSON value, each as text."""
    if isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)
    elif value is not None:
        yield str(value)


def _values(texts: Iterable[str]) -> Iterator[Decimal]:
    for text in texts:
        for figure in _FIGURE.findall(text):
            yield from readings(figure).values()
