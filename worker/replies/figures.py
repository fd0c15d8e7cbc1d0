"""Figures of a reply that stand in no fact: prices, totals, shares, times, counts of what is left.

Money, shares and times come from the facts of the request alone; other figures from the customer's own words too. A
recipe has figures of its own: sizes, degrees, minutes of cooking. Pure: no I/O.
"""

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any

from msgspec import Struct

from worker.language.patterns import patterns_of, read_data
from worker.replies.amounts import Amounts, amounts
from worker.replies.figure_kinds import (
    FIGURE,
    Figure,
    Told,
    figures_of,
    shares_in,
    speaks,
    told_in,
    unspaced,
    values_of,
)

#: Smaller figures count ("las 3 opciones"), unless they are of a kind.
_COUNTS_UP_TO = 31
#: The words around a figure that tell what it is of.
_AROUND = 160
_HALF_DAY = 12
_THOUSAND = Decimal(1000)
#: Of a hundred: "100 % algodón".
_ALL = Decimal(100)
_P = patterns_of(__file__)
#: Quantities in words.
_QUANTITIES = {word: Decimal(value) for word, value in read_data(__file__, "patterns")["quantities"].items()}


class Known(Struct, frozen=True):
    """Figures that may be said.

    Args:
        told: in the facts.
        hours: of the day, also as half a day has them.
        times: from now, as "48 horas".
        shares: of a hundred.
        left: of what is in stock, which only a reply of ours has told.
        money: amounts.
        written: by the customer.
        weighed: something is sold by weight or measure.
        said: the customer's message, in small letters.
    """

    told: frozenset[Decimal]
    hours: frozenset[Decimal]
    times: frozenset[Decimal]
    shares: frozenset[Decimal]
    left: frozenset[Decimal]
    money: Amounts
    written: frozenset[Decimal]
    weighed: bool
    said: str

    def has(self, kind: str, values: frozenset[Decimal], sentence: str, before: str) -> bool:
        """Returns whether a figure of a kind, in one of its readings, may be said in a sentence."""
        match kind:
            case "money":
                return self.money.has(values, sentence, before)
            case "clock":
                return bool(values & self.hours) or any(map(self._is_within_hours, values & self.written))
            case "time":
                return bool(values & self.times) or not self._waits(sentence)
            case "share":
                of_stuff = speaks("stuff", sentence) or values == {_ALL}
                return bool(values & self.shares) or (of_stuff and not speaks("bargain", sentence))
            case "left":
                return bool(values & self.left)
            case "instalments":
                return bool(values & self.told)
            case "size" | "grades" | "count" if not speaks("sold", sentence):
                return True
        return (
            bool(values & (self.told | self.written))
            or max(values) <= _COUNTS_UP_TO
            or (kind == "size" and self.weighed)
            or any(map(self.money.is_known, values))
        )

    def _is_within_hours(self, value: Decimal) -> bool:
        """Returns whether an hour that the customer has named lies between those of the shop."""
        return bool(self.hours) and min(self.hours) < value < max(self.hours)

    def _waits(self, sentence: str) -> bool:
        """Returns whether a time is that of a delivery, or another promise of the shop, and not of cooking."""
        if speaks("promised", sentence):
            return True
        return not speaks("cooking", sentence) and any(
            speaks(name, text)
            for name, text in (("lasting", sentence), ("lasting", self.said), ("promised", self.said))
        )


def unfounded_figure(reply: str, facts: dict[str, Any], shop: str) -> str | None:
    """The kind of the first figure that stands in no fact; None where all do.

    Args:
        facts: of the request.
        shop: what the shop has told.
    """
    if not FIGURE.search(reply):
        return None
    reply = unspaced(reply)
    figures = list(figures_of(reply))
    known = _known(facts, shop, reply, figures)
    for match, kind, values in figures:
        before, behind = _around(reply, match)
        if known.has(kind, values, f"{before}{match[0]}{behind}", before):
            continue
        if not (values & known.written and _is_given_back(kind, before, behind)):
            return kind
    return None


def _around(reply: str, match: re.Match[str]) -> tuple[str, str]:
    """The sentence of a figure, before it and behind it."""
    first, start, end = max(0, match.start() - _AROUND), match.start(), match.end()
    last_end, next_end = _P["to_last_end"].match(reply, first, start), _P["end"].search(reply, end, end + _AROUND)
    return reply[last_end.end() if last_end else first : start], reply[
        end : next_end.start() if next_end else end + _AROUND
    ]


def _is_given_back(kind: str, before: str, behind: str) -> bool:
    """Returns whether a figure of the customer's own is denied, asked back, or his own money."""
    if _P["denied"].search(before) or _P["denied_behind"].match(behind):
        return True
    return kind == "money" and bool(_P["his"].search(before)) and not _P["given"].search(before)


def _known(facts: dict[str, Any], shop: str, reply: str, figures: list[Figure]) -> Known:
    session = facts.get("session") or {}
    cart, history = session.get("cart") or [], session.get("history") or []
    products = facts.get("products") or []
    sold = [*products, *cart]
    told = _of_shop(shop) | told_in(_texts([facts.get("now"), [exchange.get("reply") for exchange in history]]))
    names = "\n\n".join(one["name"] for one in sold)
    written = _texts([facts.get("message"), session.get("name"), [exchange.get("customer") for exchange in history]])
    hours = frozenset(hour for hour in told.values if hour <= 2 * _HALF_DAY)
    own = frozenset(values_of(written))
    said = str(facts.get("message") or "")
    return Known(
        told=told.values.union(values_of([names])),
        hours=hours | {hour - _HALF_DAY for hour in hours if hour > _HALF_DAY},
        times=told.times,
        shares=told.shares | shares_in(names),
        left=frozenset(values_of(exchange.get("reply") or "" for exchange in history)),
        money=amounts(told.amounts, own, products, cart, f"{said}\n{reply}", _counts(said, reply, figures)),
        written=own,
        weighed=any(one.get("unit") for one in sold),
        said=said.lower(),
    )


@lru_cache(maxsize=4)
def _of_shop(shop: str) -> Told:
    return told_in([unspaced(_P["sample"].sub("", shop))])


def _counts(said: str, reply: str, figures: Iterable[Figure]) -> Iterator[Decimal]:
    """Quantities that the message or the reply names: pieces, parts of a kilo or litre, numbers in words."""
    for _match, kind, values in (*figures_of(said), *figures):
        for value in values:
            if kind == "size" and value > 1:
                yield value / _THOUSAND
            if kind in ("size", "number", "count", "left") and 0 <= value < 100:
                yield value
    for word in _P["number_word"].findall(f"{said}\n{reply}".lower()):
        yield _QUANTITIES[word]


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
