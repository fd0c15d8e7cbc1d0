"""The shop (stub until merged)."""

from __future__ import annotations

from decimal import Decimal
from zoneinfo import ZoneInfo

from msgspec import Struct

from worker.shop.wording import text_of


class DeliveryArea(Struct, frozen=True):
    name: str
    names: tuple[str, ...] = ()
    fee: Decimal | None = None
    minimum: Decimal | None = None
    free_from: Decimal | None = None


class Shop(Struct, frozen=True):
    name: str = "el supermercado"
    currency: str = "ARS"
    locale: str = "es_AR"
    form: str = "vos"
    payments: tuple[str, ...] = ()
    pickup: bool | None = None
    areas: tuple[DeliveryArea, ...] = ()

    def text(self, name: str, **values: object) -> str:
        return text_of(name, self.form).format(**values)

    def amount(self, value: Decimal, currency: str | None = None) -> str:
        return f"$ {value:,.2f}"

    def quantity(self, value: Decimal, unit: str) -> str:
        return f"{value:f}" if unit == "u" else f"{value:f} {unit}"

    def area_of(self, text: str) -> DeliveryArea | None:
        return next((a for a in self.areas if a.name.lower() in text.lower()), None)

    def fee(self, area: DeliveryArea | None, subtotal: Decimal) -> Decimal | None:
        if area is None:
            return None
        return Decimal(0) if area.free_from is not None and subtotal >= area.free_from else area.fee

    def below_minimum(self, area: DeliveryArea | None, subtotal: Decimal) -> Decimal | None:
        return area.minimum if area and area.minimum and subtotal < area.minimum else None
