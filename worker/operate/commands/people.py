"""`chasqui people`: customers who wait for a person of the shop."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC

import click
from rich.table import Table
from rich.text import Text

from db import customers as waits
from db.customers import Waiting
from worker.operate.commands.terminal import commit, database, harmless, json_option, out, print_json
from worker.operate.display import duration, why_person

HEADINGS = ("customer", "name", "since (UTC)", "waits", "why", "state")


@click.command()
@json_option
def people(as_json: bool) -> None:
    """List the customers who wait for a person: since when and why, the longest wait first.

    Who waits gets no answer of the AI until `chasqui resume`, or for HUMAN_WAIT_S. A wait that ended by itself stays in
    the list for a day, because nobody may have come; `chasqui resume` takes that off, too.
    """
    with database() as connection:
        found = commit(connection, waits.waiting)
    if as_json:
        print_json([in_utc(one) for one in found])
    else:
        out.print(as_table(found) if found else "Nobody waits for a person.")


def in_utc(one: Waiting) -> dict[str, object]:
    """Returns a wait for programs."""
    return asdict(one) | {"since": one.since.astimezone(UTC), "until": one.until.astimezone(UTC)}


def as_table(found: Iterable[Waiting]) -> Table:
    """Returns the list for a terminal."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in HEADINGS:
        table.add_column(heading, overflow="fold")
    for one in found:
        since, state = f"{one.since.astimezone(UTC):%m-%d %H:%M}", "ended" if one.ended else "waiting"
        cells = (one.customer_phone, one.name or "-", since, duration(one.waited_s), why_person(one.reason), state)
        table.add_row(*(Text(harmless(cell)) for cell in cells))
    return table
