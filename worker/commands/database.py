"""The database's schema, and the products in it."""

from __future__ import annotations

from pathlib import Path

import click

from db import migrations
from worker.commands.terminal import database_errors, out


@click.group()
def db() -> None:
    """The database."""


@db.command()
def upgrade() -> None:
    """Bring the database to the newest schema; safe while the service runs."""
    from worker.local.surroundings import surroundings

    with surroundings(redis=False) as configured, database_errors():
        migrations.upgrade(configured.required("database_url"))
    out.print(f"The database is at revision {migrations.head()}.")


@click.group()
def catalog() -> None:
    """The products of the shop."""


@catalog.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_catalog(file: Path) -> None:
    """Insert or update products from a CSV FILE.

    Columns: sku (or id), name, category and price; optional brand, format, currency (ARS), stock (100). A file with a
    mistake changes nothing.
    """
    from rich.progress import Progress

    from worker.catalog.products import import_products, read_products
    from worker.local.surroundings import surroundings

    rows = read_products(file)
    with (
        surroundings() as configured,
        database_errors(),
        Progress(console=out, disable=not out.is_terminal) as progress,
    ):
        migrations.upgrade(configured.required("database_url"))
        task = progress.add_task("Importing", total=len(rows))
        import_products(configured.required("database_url"), rows, lambda count: progress.advance(task, count))
    out.print(f"{len(rows):,} products imported.")
