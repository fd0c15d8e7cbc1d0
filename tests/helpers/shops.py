"""Shop files for tests: another country than the sample's, with two branches, holidays and delivery areas."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from worker.shop.shop import Shop
from worker.shop.shop_file import read_shop

#: Mexico: tú, pesos with a point, two branches of which one is open past midnight, and two areas of one name's root.
MEXICAN = """
    name = "Abarrotes Lupita"
    currency = "MXN"
    timezone = "America/Mexico_City"
    payments = ["efectivo", "tarjeta"]
    pickup = true
    returns = "Se cambia con el ticket en 3 días."

    [hours]
    monday = ["09:00-14:00", "16:00-21:00"]
    tuesday = ["09:00-14:00", "16:00-21:00"]
    wednesday = ["09:00-14:00", "16:00-21:00"]
    thursday = ["09:00-14:00", "16:00-21:00"]
    friday = ["09:00-14:00", "16:00-21:00"]
    saturday = ["10:00-15:00"]
    sunday = "closed"
    [hours.exceptions]
    2026-12-12 = "closed"
    2026-12-25 = "closed"

    [[branches]]
    name = "Centro"
    address = "Madero 5"

    [[branches]]
    name = "Roma"
    address = "Orizaba 6"
    hours.friday = ["20:00-02:00"]
    hours.saturday = ["20:00-02:00"]

    [delivery.hours]
    monday = ["10:00-20:00"]
    sunday = "closed"

    [[delivery.areas]]
    name = "Roma"
    fee = 35.5
    minimum = 200
    free_from = 500

    [[delivery.areas]]
    name = "Roma Norte"
    names = ["Plaza Río de Janeiro"]
    fee = 45
"""


def written(directory: Path, content: str) -> Path:
    """A file `shop.toml` with this content, without its indentation."""
    file = directory / "shop.toml"
    file.write_text(dedent(content), "utf-8")
    return file


def shop_of(directory: Path, content: str) -> Shop:
    """The shop of a file with this content."""
    return read_shop(written(directory, content))
