"""`chasqui orders`: what customers have ordered, and how far the shop is with it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

import click
from msgspec import to_builtins
from rich.table import Table

from db import retry
from db.engine import connect
from db.orders import list_orders as newest_orders
from db.orders import open_orders
from db.states import ORDER_STATUSES, OrderStatus
from worker.operate.commands import terminal
from worker.operate.display import duration, money
from worker.redisdb.connect import connect_durable
from worker.runtime.environment import surroundings

Json = dict[str, Any]
MOST = 100_000


@click.group(invoke_without_command=True)
@click.pass_context
def orders(context: click.Context) -> None:
    """Orders: list them, look at one, move it on, tell its customer.

    An order begins as received. The shop moves it on: accepted, preparing, ready, dispatched, delivered; or cancelled,
    which puts its goods back into the stock. Delivered and cancelled are final, any other status may be set at any
    time. Whatever happens to an order also goes to the Redis stream whatsapp:orders, for the shop's own systems
    (docs/gateway.md). Without a command: the list.

    \b
    chasqui orders list --open                   what is to be done
    chasqui orders show 17                       what to pack, and where it goes
    chasqui orders set 17 preparing
    chasqui orders set 17 dispatched --tell      the customer gets the usual words
    chasqui orders set 17 ready --tell "Ya está, pasá cuando quieras."
    """
    if context.invoked_subcommand is None:
        context.invoke(list_orders)


@orders.command("list")
@click.option("--open", "only_open", is_flag=True, help="What is to be done: the longest in its status first.")
@click.option("--status", type=click.Choice(ORDER_STATUSES), help="Only those in this status.")
@click.option("--limit", type=click.IntRange(1, MOST), default=50, show_default=True, help="So many, the newest.")
@terminal.json_option
def list_orders(only_open: bool = False, status: str | None = None, limit: int = 50, as_json: bool = False) -> None:
    """List orders, newest first; with --open those that are neither delivered nor cancelled.

    The customer's number is shown whole, since the shop needs it to deliver; mind whom you send the list to.
    """
    if only_open and status:
        raise click.UsageError("Give either --open or --status.")
    with terminal.database() as connection:
        if only_open:
            found = retry.commit(connection, open_orders, limit)
        else:
            found = retry.commit(connection, newest_orders, limit, [status] if status else ORDER_STATUSES)
    terminal.print_result(found, orders_table(found) if found else "No orders.", as_json=as_json)


def orders_table(found: Sequence[Json]) -> Table:
    """Returns the list for a terminal."""
    rows = []
    for order in found:
        goods = (len(order["items"]), money(Decimal(order["total"]), order["currency"]))
        who, where = (order["customer"], order["name"]), (order["delivery"], order["address"])
        rows.append((order["id"], age(order["created_at"]), order["status"], *who, *goods, *where))
    headings = ("ID", "age", "status", "customer", "name", "items", "total", "delivery", "address")
    return terminal.as_table(headings, rows, right=("ID", "age", "items", "total"))


def age(moment: datetime) -> str:
    """Returns how long ago a moment was."""
    return duration((datetime.now(UTC) - moment).total_seconds())


@orders.command()
@click.argument("order_id", metavar="ID", type=int)
@terminal.json_option
def show(order_id: int, as_json: bool) -> None:
    """Show one order: what to pack, for whom, where it goes, and what has happened to it."""
    from worker.orders.order import find_order

    with terminal.database() as connection:
        stored = retry.commit(connection, find_order, order_id)
    if as_json:
        terminal.print_json(to_builtins(stored.order) | {"placed_at": stored.created_at, "events": stored.events})
        return
    order, until = stored.order, stored.may_be_told_until()
    facts = {
        "order": order.id,
        "status": order.status + (f", for {age(stored.status_at)}" if stored.status_at else ""),
        "placed": f"{stored.created_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC, {age(stored.created_at)} ago",
        "customer": order.customer,
        "name": order.name,
        "delivery": order.delivery,
        "address": order.address,
        "payment": order.payment,
        "note": order.note,
        "can be told": f"until {until.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if until else "no longer",
    }
    for name, value in facts.items():
        click.echo(f"{name:<12} {'-' if value is None else terminal.harmless(str(value))}")
    terminal.out.print(items_table(to_builtins(order)))
    for event in stored.events:
        told = f', told: "{event["told"]}"' if event["told"] else ""
        click.echo(f"{event['at'][:16].replace('T', ' ')}  {terminal.harmless(event['status'] + told)}")


def items_table(order: Json) -> Table:
    """Returns what to pack, and what it costs, for a terminal."""
    rows = []
    for item in order["items"]:
        unit = "" if item["unit"] == "u" else f" {item['unit']}"
        prices = (f"{Decimal(item[name]):,}" for name in ("price", "total"))
        rows.append((item["quantity"] + unit, item["sku"], item["name"], *prices))
    right = ("quantity", "price", "total")
    table = terminal.as_table(("quantity", "sku", "product", "price", "total"), rows, right)
    for name in ("subtotal", "delivery_fee", "total"):
        table.add_row("", "", name.replace("_", " "), "", money(Decimal(order[name]), order["currency"]))
    return table


@orders.command("set")
@click.argument("order_id", metavar="ID", type=int)
@click.argument("status", metavar="STATUS", type=click.Choice(ORDER_STATUSES))
@click.option(
    *("--tell", "words"),
    metavar="[TEXT]",
    is_flag=False,
    flag_value="",
    help="Tell the customer, in these words or, without a text, in the usual ones of the status.",
)
@terminal.json_option
def set_status(order_id: int, status: str, words: str | None, as_json: bool) -> None:
    """Give an order a status: received, accepted, preparing, ready, dispatched, delivered or cancelled.

    Cancelling puts the goods back into the stock. A customer can be told for 24 h after his last message; after that
    WhatsApp refuses free text, the status is set all the same, and a line says so.
    """
    from worker.orders.order import move_order
    from worker.redisdb.streams import Streams

    with (
        surroundings() as configured,
        terminal.database_errors(),
        connect(configured.required("database_url")) as connection,
        connect_durable(configured) as durable,
    ):
        moved = move_order(connection, Streams(durable), order_id, cast(OrderStatus, status), words)
    if as_json:
        terminal.print_json(to_builtins(moved))
    else:
        told = ", and the customer is told" if moved.told else ""
        click.echo(f"Order {moved.id} was {moved.before} and is {moved.status}{told}.")
    if moved.untold:
        click.echo(f"The customer is not told: {moved.untold}.", err=True)
    if not moved.published:
        click.echo("Redis does not answer: the running service passes it on once it does.", err=True)
