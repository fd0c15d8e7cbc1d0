"""Amounts of money that a reply may name: told by the shop, prices, what so many cost, sums, what is left of a sum.

Pure: no I/O.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import combinations
from typing import Any

from msgspec import Struct

from worker.language.normalise import without_accents
from worker.language.patterns import patterns_of

#: What a customer may want to know the price of: so many pieces, or parts of a kilo or litre in twentieths.
MOST_PIECES = 99
PARTS = 20
CENT = Decimal("0.01")
#: Prices of which any two may be added up; a request has fewer products.
_MOST_COMPARED = 60
#: Products and quantities that are named, of which any sum may be told, and how many sums.
_MOST_NAMED, _MOST_SUMS = 8, 4_000
#: Amounts that one may be the rest of.
_MOST_BASES = 80
_P = patterns_of(__file__)
OF_CART = _P["of_cart"]


class Sold(Struct, frozen=True):
    """A product of the request, or a line of the cart.

    Args:
        parts: into how many one unit is cut: 1 where pieces are sold.
        words: stems of its name, the first one first.
    """

    price: Decimal
    parts: int
    words: tuple[str, ...]


class Amounts(Struct, frozen=True, dict=True):
    """Amounts that may be told.

    Args:
        told: by the shop, or in a reply before.
        written: by the customer.
        sold: products of the request and of the cart.
        total: of the cart; None where nothing is in it.
        plain: told, prices, the cart's total, and sums of two.
        named: products that the message or the reply names, and `counted`, the quantities.
        bare: neither the message nor the reply names anything that may cost something.
    """

    told: frozenset[Decimal]
    written: frozenset[Decimal]
    sold: tuple[Sold, ...]
    total: Decimal | None
    plain: frozenset[Decimal]
    named: tuple[Sold, ...]
    counted: tuple[Decimal, ...]
    bare: bool

    @property
    def sums(self) -> frozenset[Decimal]:
        """Sums of what is named, with the cart's total and without: many, and seldom asked for."""
        # Not a cached_property: before Python 3.12 one lock of it holds up the threads of all other calls.
        found: frozenset[Decimal] | None = self.__dict__.get("sums_of_named")
        if found is None:
            found = self.__dict__["sums_of_named"] = _sums(self.total, self.named, self.counted)
        return found

    def has(self, values: Collection[Decimal], sentence: str, before: str) -> bool:
        """Returns whether an amount, in one of its readings, may be told.

        Args:
            sentence: in which it stands.
            before: what of that stands before it.
        """
        sentence, before = sentence.lower(), before.lower()
        return any(self._has(value, sentence, before) for value in values)

    def _has(self, value: Decimal, sentence: str, before: str) -> bool:
        if not value:
            return value in self.told and bool(_P["fee"].search(sentence))
        if _P["compared"].search(sentence):
            rests = list(self._rests(value))
            # Thousands of sums are made only for what nothing else explains.
            is_known = self._is_price(value) or not self.plain.isdisjoint(rests)
            is_known = is_known or self._is_sum(value) or not self.sums.isdisjoint(rests)
        elif _P["of_delivery"].search(before):
            return value in self.told
        else:
            is_known = self.is_known(value) and not (self._is_wrong_total(value, sentence))
            is_known = is_known and not self._is_of_another(value, before)
            is_known = is_known and not self._is_of_shop_alone(value, sentence, before)
        return is_known or (
            bool(_P["each"].search(sentence)) and any(_is_part(value, one.price, self.counted) for one in self.sold)
        )

    def is_known(self, value: Decimal) -> bool:
        """Returns whether it is told, the price of so many, or a sum, also with a fee of the shop."""
        return self._is_price(value) or self._is_sum(value)

    def _is_price(self, value: Decimal) -> bool:
        return value in self.plain or any(_is_price_of(value, one, self.counted) for one in self.sold[:_MOST_COMPARED])

    def _is_sum(self, value: Decimal) -> bool:
        return value in self.sums or any(value - fee in self.sums for fee in self._fees())

    def _fees(self) -> list[Decimal]:
        return [fee for fee in self.told if fee][:_MOST_BASES]

    def _rests(self, value: Decimal) -> Iterator[Decimal]:
        """Amounts of which the value is the difference to another that is known."""
        bases = [*self.told, *self.written, *(one.price for one in self.sold), *([self.total] if self.total else [])]
        for base in bases[:_MOST_BASES]:
            yield abs(base - value)
            yield base + value

    def _is_wrong_total(self, value: Decimal, sentence: str) -> bool:
        """Returns whether it is said to be the cart's total, and is neither that nor what it would be with more."""
        if self.total is None or not self._tells_total(sentence):
            return False
        more = [value - self.total - fee for fee in (Decimal(0), *self._fees())]
        return 0 not in more and not any(
            _is_price_of(rest, one, self.counted)
            for rest in more
            if rest > 0 and not self.bare
            for one in self.sold[:_MOST_COMPARED]
        )

    def _tells_total(self, sentence: str) -> bool:
        return bool(OF_CART.search(sentence) or (self.bare and _P["total"].search(sentence)))

    def _is_of_shop_alone(self, value: Decimal, sentence: str, before: str) -> bool:
        """Returns whether a product is said to cost what the shop has told of something else, as its minimum."""
        if value not in self.told or _P["of_shop"].search(sentence):
            return False
        stems = _stems(_P["end_of_part"].split(before)[-1])
        meant = [one for one in self.sold if one.words and one.words[0] in stems]
        costs = any(one.price == value or _is_price_of(value, one, self.counted) for one in self.sold)
        return bool(meant) and not costs and value not in self.sums

    def _is_of_another(self, value: Decimal, before: str) -> bool:
        """Returns whether a product is said to cost what another one does: "the milk costs", and the price of rice."""
        clause = _P["end_of_part"].split(without_accents(before))[-1]
        verb = _P["priced"].search(clause)
        if not verb:
            return False
        stems = _stems(clause[: verb.start()])
        meant = [one for one in self.sold if one.words and one.words[0] in stems]
        others = any(one.price == value and not set(one.words).intersection(stems) for one in self.sold)
        return bool(meant) and others and not any(_is_price_of(value, one, self.counted) for one in meant)


def amounts(
    told: frozenset[Decimal],
    written: frozenset[Decimal],
    products: Iterable[Mapping[str, Any]],
    cart: Sequence[Mapping[str, Any]],
    spoken: str,
    counts: Iterable[Decimal],
) -> Amounts:
    """Amounts that may be told, of the products and the cart of a request.

    Args:
        spoken: the message and the reply.
        counts: quantities that stand in them.
    """
    sold = tuple(dict.fromkeys(map(_sold, (*products, *cart))))
    lines = [Decimal(str(line["price"])) * Decimal(str(line["quantity"])) for line in cart]
    stems = frozenset(_stems(spoken))
    named = tuple(one for one in sold if stems.intersection(one.words))[:_MOST_NAMED]
    counted = tuple(dict.fromkeys([Decimal(1), *counts]))[:_MOST_NAMED]
    total = sum(lines, Decimal(0)) if lines else None
    prices = list(dict.fromkeys([*(one.price for one in sold), *lines]))
    pairs = [one + other for one, other in combinations(prices[:_MOST_COMPARED], 2)]
    plain = told.union(prices, pairs, [total] if total else [])
    bare = not named and counted == (Decimal(1),)
    return Amounts(told, written, sold, total, plain, named, counted, bare)


def _sold(row: Mapping[str, Any]) -> Sold:
    return Sold(Decimal(str(row["price"])), PARTS if row.get("unit") else 1, stems_of(row["name"]))


def _sums(total: Decimal | None, named: Sequence[Sold], counts: Sequence[Decimal]) -> frozenset[Decimal]:
    """Sums of what is named, each in one of the quantities that are."""
    found = {Decimal(0)} | ({total} if total else set())
    for one in named:
        if len(found) > _MOST_SUMS:
            break
        found |= {sum_ + count * one.price for sum_ in found for count in counts}
    return frozenset(found)


def stems_of(name: str) -> tuple[str, ...]:
    """The words of a product's name by which a text may mean it, however many of it are meant."""
    return tuple(dict.fromkeys(_stems(name)))


def _stems(text: str) -> list[str]:
    return [_P["ending"].sub("", word) for word in _P["word"].findall(without_accents(text))]


def _is_price_of(value: Decimal, sold: Sold, counts: Collection[Decimal]) -> bool:
    """Returns whether so many of a product cost this: whole pieces, parts of a kilo or litre, or a quantity named."""
    if not sold.price or value > MOST_PIECES * sold.price:
        return False
    whole = ((value / sold.price) * sold.parts).to_integral_value()
    if whole > 0 and abs(whole / sold.parts * sold.price - value) < CENT:
        return True
    return sold.parts > 1 and any(abs(count * sold.price - value) < CENT for count in counts)


def _is_part(value: Decimal, price: Decimal, counts: Collection[Decimal]) -> bool:
    """Returns whether a price, divided by a quantity that is named, is this in whole money or in cents."""
    nearness = Decimal(1) if value == value.to_integral_value() else CENT
    return any(count > 0 and count != 1 and abs(price / count - value) < nearness for count in counts)
