"""Figures of a reply that stand in no fact: prices, totals, shares, times, counts of what is left.

Money, shares and times come from the facts of the request alone; other figures from the customer's own words too.
Pure: no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import combinations
from typing import Any

import orjson
from msgspec import Struct

from worker.catalog.numbers import readings
from worker.replies.prompt import FACTS_BEGIN

#: No figure that anybody means is longer; each is looked at once, however many digits stand in a row.
_DIGITS = r"\d{1,15}(?:[.,]\d{1,15}){0,5}"
_FIGURE = re.compile(_DIGITS)
_F = rf"(?<!\d)({_DIGITS})"
_CODES = r"ARS|USD|MXN|COP|CLP|PEN|UYU|EUR|BOB|PYG|VES|CRC|GTQ|HNL|NIO|PAB|DOP"
#: Money on either side of a figure, as shops of Latin America and Spain write it, and the price of a thing.
_MONEY = re.compile(
    rf"(?:[$€₲₡]|\b(?:S/|B/|Bs(?:\.S)?|Gs)\.?|\b(?:{_CODES}))[^\S\n]?{_F}|\b[QL]{_F}"
    rf"|{_F}[^\S\n]?(?:[€$](?![^\S\n]?\d)|pesos?\b|soles\b|euros?\b|d[oó]lar(?:es)?\b|lucas?\b|(?:{_CODES})\b)"
    r"|\b(?:cuestan?|sal(?:e|en)|valen?|queda(?:n|r[ií]a)? en|dejo (?:en|a)|(?:precio|total)(?: es| de| final)*):? "
    rf"{_F}(?=\s*(?:[;!?\n)]|[.,](?:\s|$)|$|(?:el|la|los|las|por|cada|c/u|y|en total)\b))",
    re.IGNORECASE,
)
#: Thousands apart by spaces, as in Costa Rica.
_SPACED = re.compile(r"(?<=[$€₲₡])\d{1,3}(?: \d{3}){1,4}(?!\d)")
_SHARE = re.compile(rf"{_F}\s?(?:%|por ciento\b)")
_TIME = re.compile(rf"{_F}\s?(?:min(?:utos?)?|horas?|d[ií]as?)\b", re.IGNORECASE)
_DAYS = r"(?:abr|cerr|cierr|aten|atien|horario|lunes|martes|mi[eé]rcoles|jueves|viernes|s[aá]bado|domingo)"
_CLOCK = re.compile(
    rf"\b(?:a|desde|hasta|entre|sobre|tipo) las? {_F}|{_F}\s?hs?\b"
    rf"|\b{_DAYS}[^.!?\n]{{0,30}}\bde {_F}(?::\d\d)?(?: ?hs?\.?)? a {_F}",
    re.IGNORECASE,
)
_LEFT = re.compile(rf"\bquedan? {_F}|{_F} (?:en stock|disponibles)\b", re.IGNORECASE)
_MEASURE = re.compile(rf"{_F}\s?(?:g|gr|grs|gramos?|ml|kg|kilos?|l|litros?)\b", re.IGNORECASE)
#: Kinds of figures; the first that takes one names it.
_KINDS = (("money", _MONEY), ("share", _SHARE), ("clock", _CLOCK), ("time", _TIME), ("left", _LEFT), ("size", _MEASURE))
#: A figure of the customer's that is denied or asked back may be any.
_DENIED = re.compile(
    r"\bno (?:te |se |l[aoe]s? )*(?:pued\w+|pod\w+|ha[cy]\w*|ten\w+|s[eé]|est?a?|val\w+|cuest\w+|sal\w+|lleg\w+)\b"
    r"[^.,;!?\n]*$"
    r"|¿[^?]*$",
    re.IGNORECASE,
)
#: Smaller figures count ("las 3 opciones"), unless they are of a kind.
_COUNTS_UP_TO = 31
#: What a customer may want to know the price of: so many pieces, or parts of a kilo or litre in twentieths.
_MOST_TIMES = 31
_PARTS = 20
_CENT = Decimal("0.01")
#: Prices and totals of which any two may be added up or compared; a request has fewer products.
_MOST_COMPARED = 60
#: A denial stands no further before its figure.
_LOOKED_BACK = 160
_HALF_DAY = 12
#: Of figures that are no number, as a date.
_NO_NUMBER = Decimal(-1)


class Known(Struct, frozen=True):
    """Figures that may be said.

    Args:
        told: in the facts.
        hours: of the day, also as half a day has them.
        times: from now, as "48 horas".
        money: amounts in the facts, of the cart, and sums and differences of two.
        prices: each with the number of parts into which one unit is cut.
        written: by the customer.
        weighed: something is sold by weight or measure.
    """

    told: frozenset[Decimal]
    hours: frozenset[Decimal]
    times: frozenset[Decimal]
    money: frozenset[Decimal]
    prices: tuple[tuple[Decimal, int], ...]
    written: frozenset[Decimal]
    weighed: bool

    def has(self, kind: str, values: set[Decimal]) -> bool:
        """Returns whether a figure of a kind, in one of its readings, stands in the facts."""
        if kind == "money":
            return bool(values & self.money) or any(_is_product_of(value, self.prices) for value in values)
        if kind == "clock":
            return bool(values & self.hours)
        if kind == "time":
            return bool(values & self.times)
        if kind in ("share", "left"):
            return bool(values & self.told)
        return (
            bool(values & (self.told | self.money | self.written))
            or max(values) <= _COUNTS_UP_TO
            or (kind == "size" and self.weighed)
            or any(_is_product_of(value, self.prices) for value in values)
        )


def unfounded_figure(reply: str, user: str, system: str) -> str | None:
    """The kind of the first figure that stands in no fact; None where all do.

    Args:
        user, system: the rendered request.
    """
    if not _FIGURE.search(reply):
        return None
    reply = _unspaced(reply)
    known = _known(orjson.loads(user), system.partition(FACTS_BEGIN)[2])
    kinds = _kinds(reply)
    for match in _FIGURE.finditer(reply):
        kind = kinds.get(match.start(), "number")
        values = set(readings(match[0]).values()) or {_NO_NUMBER}
        if known.has(kind, values) or (
            values & known.written and _DENIED.search(reply, max(0, match.start() - _LOOKED_BACK), match.start())
        ):
            continue
        return kind
    return None


def _unspaced(text: str) -> str:
    return _SPACED.sub(lambda match: match[0].replace(" ", ""), text)


def _kinds(reply: str) -> dict[int, str]:
    """Kinds of the figures of a reply, by the place where they begin."""
    found: dict[int, str] = {}
    for kind, pattern in _KINDS:
        for match in pattern.finditer(reply):
            for group in range(1, pattern.groups + 1):
                found.setdefault(match.start(group), kind)
    return found


def _known(facts: dict[str, Any], shop: str) -> Known:
    session = facts.get("session") or {}
    cart, products = session.get("cart") or [], facts.get("products") or []
    history = session.get("history") or []
    sold = dict.fromkeys((Decimal(str(one["price"])), _PARTS if one.get("unit") else 1) for one in [*products, *cart])
    of_shop = [_unspaced(shop), *_texts([facts.get("now"), [exchange.get("reply") for exchange in history]])]
    names = [one["name"] for one in [*products, *cart]]
    written = _texts([facts.get("message"), session.get("name"), [exchange.get("customer") for exchange in history]])
    hours = frozenset(hour for hour in _values(of_shop) if hour <= 2 * _HALF_DAY)
    return Known(
        told=frozenset(_values([*of_shop, *names])),
        hours=hours | {hour - _HALF_DAY for hour in hours if hour > _HALF_DAY},
        times=frozenset(_values(match[1] for text in of_shop for match in _TIME.finditer(text))),
        money=_money(of_shop, cart, [price for price, _ in sold]),
        prices=tuple(sold)[:_MOST_COMPARED],
        written=frozenset(_values(written)),
        weighed=any(one.get("unit") for one in [*products, *cart]),
    )


def _money(texts: Iterable[str], cart: Sequence[dict[str, Any]], prices: Sequence[Decimal]) -> frozenset[Decimal]:
    """Amounts that are told as money, prices, totals of the cart, and sums and differences of two of them."""
    lines = [Decimal(str(line["price"])) * Decimal(str(line["quantity"])) for line in cart]
    found = (match[match.lastindex or 0] for text in texts for match in _MONEY.finditer(text))
    pairs = list(combinations([*prices, *lines][:_MOST_COMPARED], 2))
    compared = [*(one + other for one, other in pairs), *(abs(one - other) for one, other in pairs)]
    return frozenset([*_values(found), *prices, *lines, sum(lines, Decimal(0)), *compared])


def _is_product_of(value: Decimal, prices: Iterable[tuple[Decimal, int]]) -> bool:
    """Returns whether a value is what so many of a product cost: whole pieces, or parts of a kilo or litre."""
    return any(
        price and value / price <= _MOST_TIMES and _near((value / price) * parts, value, price, parts)
        for price, parts in prices
    )


def _near(count: Decimal, value: Decimal, price: Decimal, parts: int) -> bool:
    whole = count.to_integral_value()
    return whole > 0 and abs(whole / parts * price - value) < _CENT


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
