"""A database as a town needs it: the schema, and a catalogue whose shelves are always full."""

from __future__ import annotations

from sqlalchemy import text

from db import migrations
from db.engine import connect
from worker.catalog.price_list import import_products, read_products
from worker.devkit.demo import CATALOG


def furnish(database_url: str) -> None:
    """Migrates and imports. The shop counts no stock of what it has: what orders take would be seen by turns that were
    planned before.
    """
    migrations.upgrade(database_url)
    import_products(database_url, read_products(CATALOG), lambda _rows: None)
    with connect(database_url) as connection, connection.begin():
        connection.execute(text("update products set stock = null where stock > 0"))
