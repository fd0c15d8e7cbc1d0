"""`chasqui db` and `chasqui catalog`: the database's schema, and the products in it."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from db import migrations
from worker.errors import CommandError
from worker.operate.commands.terminal import counting, database_errors, harmless, out
from worker.runtime.environment import surroundings


@click.group()
def db() -> None:
    """The database."""


@db.command()
def upgrade() -> None:
    """Bring the database to the newest schema; safe while the service runs."""
    with surroundings(redis=False) as configured, database_errors():
        migrations.upgrade(configured.required("database_url"))
    out.print(f"The database is at revision {migrations.head()}.")


@click.group()
def catalog() -> None:
    """The products of the shop."""


def known_encoding(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Returns the name of an encoding. Raises BadParameter where there is none of this name."""
    try:
        "a".encode(value or "utf-8")
    except LookupError as exc:
        raise click.BadParameter("no encoding has this name") from exc
    return value


@catalog.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--decimal", type=click.Choice(["comma", "point"]), help="What decimals come after, where it is unclear.")
@click.option("--separator", type=click.Choice(["comma", "semicolon", "tab", "pipe"]), help="What is between columns.")
@click.option("--encoding", callback=known_encoding, help="Of a file that is not UTF-8, such as windows-1252.")
@click.option("--yes", is_flag=True, help="Take prices that change by more than a factor of five without asking.")
def import_catalog(file: Path, decimal: str | None, separator: str | None, encoding: str | None, yes: bool) -> None:
    """Insert or update products from a CSV FILE.

    Columns: sku (or id), name, category and price; optional brand, format, currency (ARS), unit (u: the piece, kg or
    l), step (1; of kg and l 0.05) and stock. Without a stock a product is always there, and sales are not counted. A
    file with a mistake, or with a number that can be read in two ways ("1.850"), changes nothing.
    """
    from worker.catalog.price_list import Writing, import_products, read_products

    rows = read_products(file, Writing(decimal, encoding, separator))
    with surroundings() as configured, database_errors():
        url = configured.required("database_url")
        migrations.upgrade(url)
        confirm_prices(url, rows, yes=yes)
        with counting(len(rows), "Importing") as on_imported:
            import_products(url, rows, on_imported)
    out.print(f"{len(rows):,} products imported.")


def confirm_prices(url: str, rows: Sequence[dict[str, Any]], *, yes: bool) -> None:
    """Shows prices that change steeply and asks for a yes. Raises CommandError where nobody can be asked."""
    from worker.catalog.price_list import FACTOR, steep_changes

    changes = [] if yes else steep_changes(url, rows)
    if not changes:
        return
    click.echo("\n".join(harmless(change.replace("\n", " ")) for change in changes), err=True)
    told = f"prices that change by more than a factor of {FACTOR} or to another currency: {len(changes):,}"
    if not sys.stdin.isatty():
        raise CommandError(f"{told}; nothing is imported, --yes takes them")
    click.confirm(f"{told}. Take them?", abort=True, err=True)
