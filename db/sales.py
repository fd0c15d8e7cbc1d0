"""What was ordered in a window of time, by currency: amounts of two currencies are never added."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import Connection, text

from db.report import Window

ORDERS = text("""
    select currency, count(*) as placed, sum(total) as total from orders
    where created_at >= :since and created_at < :until group by 1 order by 1
""")


def ordered(connection: Connection, window: Window) -> dict[str, tuple[int, Decimal]]:
    """How many orders were placed, and their total, by currency."""
    rows = connection.execute(ORDERS, window.values)
    return {currency: (placed, total) for currency, placed, total in rows}
