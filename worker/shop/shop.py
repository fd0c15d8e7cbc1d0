"""Shop: what it has told about itself, and what of that goes into a request. Pure: no I/O.

What the shop has not told is not known: it is left out, and nothing is made up in its place.
"""

import re
import tomllib
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import orjson
from msgspec import Struct

from worker.language.normalise import without_accents
from worker.messages.links import links_in
from worker.shop.conventions import Form
from worker.shop.hours import Hours, day_in_words, hours_in_words, opening, opening_in_words, serves_today
from worker.shop.money import amount, quantity

#: An amount that shows how this shop writes all others.
SAMPLE = Decimal(1850)
_WORD = re.compile(r"[^\W_]+")
FORMS: tuple[Form, ...] = get_args(Form)


@lru_cache(maxsize=1)
def texts() -> Mapping[str, Mapping[Form, str]]:
    """Returns all texts by `group.name`, each in all forms; the files give one that is the same in all once."""
    return {
        f"{group}.{name}": dict.fromkeys(FORMS, given) if isinstance(given, str) else given
        for file in sorted(Path(__file__).parent.glob("*texts.toml"))
        for group, table in tomllib.loads(file.read_text("utf-8")).items()
        for name, given in table.items()
    }


class DeliveryArea(Struct, frozen=True):
    """Area the shop delivers to. What is None is not known.

    Args:
        names: others by which customers call it.
        fee: of a delivery.
        minimum: subtotal of an order below which nothing is delivered.
        free_from: subtotal from which on the delivery costs nothing.
        hours: of deliveries there; None where those of the shop hold.
    """

    name: str
    names: tuple[str, ...] = ()
    fee: Decimal | None = None
    minimum: Decimal | None = None
    free_from: Decimal | None = None
    hours: Hours | None = None

    def fee_of(self, subtotal: Decimal) -> Decimal | None:
        """Returns what the delivery of an order costs, 0 from `free_from` on; None where it is not known."""
        return Decimal(0) if self.free_from is not None and subtotal >= self.free_from else self.fee

    def missed_minimum(self, subtotal: Decimal) -> Decimal | None:
        """Returns the minimum where an order does not reach it, else None."""
        return self.minimum if self.minimum is not None and subtotal < self.minimum else None


def folded(text: str) -> str:
    """Returns the words of a text without case, accents and signs, with a space around each; "Ñuñoa" is "nunoa"."""
    return f" {' '.join(_WORD.findall(without_accents(text).replace('ñ', 'n')))} "


class Branch(Struct, frozen=True):
    """Branch where customers are served. hours: its own with the shop's exceptions, or else the shop's."""

    name: str | None = None
    address: str | None = None
    phone: str | None = None
    hours: Hours | None = None

    @property
    def title(self) -> str:
        """Its name, or else its address, which tells it from the others."""
        return self.name or self.address or ""


class Shop(Struct, frozen=True, dict=True):
    """Facts of a shop. What is None or empty is not known.

    Args:
        currency: ISO 4217.
        locale: how numbers and dates are written, as `es_AR`.
        payments: methods, in the shop's own words.
        delivers: whether there is any delivery.
        hours: of the whole shop; those of its branches stand there.
        timezone: IANA name.
        contact: ways to reach a person, by kind.
        questions: with the shop's answers.
    """

    name: str
    currency: str = "ARS"
    locale: str = "es_AR"
    form: Form = "vos"
    payments: tuple[str, ...] = ()
    pickup: bool | None = None
    areas: tuple[DeliveryArea, ...] = ()
    branches: tuple[Branch, ...] = ()
    timezone: str | None = None
    hours: Hours | None = None
    delivers: bool | None = None
    delivery_hours: Hours | None = None
    returns: str | None = None
    complaints: str | None = None
    contact: tuple[tuple[str, str], ...] = ()
    questions: tuple[tuple[str, str], ...] = ()

    def text(self, name: str, /, **values: object) -> str:
        """Returns a fixed text (`cart.empty`) in this shop's form of address, its places filled in. Raises KeyError
        where there is no such text, or a value of it is missing.
        """
        return texts()[name][self.form].format(**values)

    def has_text(self, name: str) -> bool:
        """Returns whether there is a fixed text of this name, for those that are named after something from outside."""
        return name in texts()

    def amount(self, value: Decimal, currency: str | None = None) -> str:
        """Returns an amount as this shop writes it.

        Args:
            currency: ISO 4217, None for the shop's own.
        """
        return amount(value, currency or self.currency, self.locale)

    def quantity(self, value: Decimal, unit: str) -> str:
        """Returns a quantity as this shop's customers say it."""
        return quantity(value, unit, self.locale)

    def area_of(self, text: str) -> DeliveryArea | None:
        """Returns the one delivery area that a text names by whole words; none where it names several, for only the
        customer knows which is the street ("San Martín 500, Flores"). "Palermo Soho" names no "Palermo".
        """
        words = folded(text)
        names = [(name, area) for area in self.areas for name in map(folded, (area.name, *area.names)) if name.strip()]
        found = [(name, area) for name, area in names if name in words]
        named = {one.name: one for name, one in found if not any(name != other and name in other for other, _ in found)}
        return next(iter(named.values())) if len(named) == 1 else None

    def facts(self) -> dict[str, Any]:
        """Returns the facts that stand in every request, in a fixed order; what is not known is left out."""
        return _known(
            {
                "name": self.name,
                "address_customers_as": "tú" if self.form == "tu" else self.form,
                "write_money_as": self.amount(SAMPLE),
                "currency": self.currency,
                "branches": [self._branch_facts(branch) for branch in self.branches],
                "hours": self.hours and hours_in_words(self.hours),
                "delivery": self._delivery_facts(),
                "pickup": self.pickup,
                "payments": list(self.payments),
                "returns": self.returns,
                "complaints": self.complaints,
                "contact": dict(self.contact),
                "questions": dict(self.questions),
            }
        )

    @cached_property
    def told(self) -> str:
        """The facts as JSON, which every request begins with: made once."""
        return orjson.dumps({"shop": self.facts()}).decode()

    @cached_property
    def links(self) -> frozenset[str]:
        """The links and e-mail addresses that stand in the facts: the only ones a reply may hold."""
        return links_in(self.told)

    def _branch_facts(self, branch: Branch) -> dict[str, Any]:
        hours = branch.hours if branch.hours != self.hours else None
        facts = {"name": branch.name, "address": branch.address, "phone": branch.phone}
        return _known(facts | {"hours": hours and hours_in_words(hours)})

    def _delivery_facts(self) -> dict[str, Any] | bool | None:
        hours = self.delivery_hours and hours_in_words(self.delivery_hours)
        found = _known({"hours": hours, "areas": [self._area_facts(area) for area in self.areas]})
        return found or self.delivers

    def _area_facts(self, area: DeliveryArea) -> dict[str, Any]:
        amounts = {"fee": area.fee, "minimum": area.minimum, "free_from": area.free_from}
        return _known(
            {"area": area.name, "also": list(area.names)}
            | {name: None if value is None else self.amount(value) for name, value in amounts.items()}
            | {"hours": area.hours and hours_in_words(area.hours)}
        )

    def now_facts(self, at: datetime) -> dict[str, Any]:
        """Returns what depends on the hour: today in words, which branch is open until when or opens when, whether
        anything is delivered today. It changes when one of them does, and so a cached answer lives until then; empty
        where the shop has told no hours.

        Args:
            at: an aware moment, of any time zone.
        """
        if self.timezone is None:
            return {}
        zone = ZoneInfo(self.timezone)
        told = _known({**self._openings(at, zone), **self._deliveries(at, zone)})
        return {"today": day_in_words(at.astimezone(zone).date(), self.locale), **told} if told else {}

    def _openings(self, at: datetime, zone: ZoneInfo) -> dict[str, Any]:
        hours = {branch.title: branch.hours for branch in self.branches}
        if len(set(hours.values())) > 1:
            return {"branches": _known({title: self._opening(own, at, zone) for title, own in hours.items()})}
        return self._opening(next(iter(hours.values()), self.hours), at, zone)

    def _opening(self, hours: Hours | None, at: datetime, zone: ZoneInfo) -> dict[str, Any]:
        opened = opening(hours, at, zone) if hours else None
        return opening_in_words(opened, at, zone, self.locale) if opened else {}

    def _deliveries(self, at: datetime, zone: ZoneInfo) -> dict[str, Any]:
        if any(area.hours for area in self.areas):
            hours = {area.name: area.hours or self.delivery_hours for area in self.areas}
            return {"delivery_today": _known({name: self._delivers(own, at, zone) for name, own in hours.items()})}
        return {"delivery_today": self._delivers(self.delivery_hours, at, zone)}

    def _delivers(self, hours: Hours | None, at: datetime, zone: ZoneInfo) -> bool | None:
        return serves_today(hours, at, zone) if hours else None


def _known(facts: dict[str, Any]) -> dict[str, Any]:
    """Returns the facts that are; False and 0 are facts too."""
    return {name: value for name, value in facts.items() if value is not None and value not in ("", [], {})}
