"""`chasqui shop`: the shop's facts as the assistant knows them, and the mistakes of a shop's file."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from worker.errors import ShopFileInvalid
from worker.operate.commands.terminal import Group, harmless, json_option, out, print_json
from worker.providers.pricing import estimate_tokens
from worker.settings import settings
from worker.shop.shop import Shop
from worker.shop.shop_file import load_shop, read_shop


@click.group(cls=Group, invoke_without_command=True)
@click.pass_context
def shop(context: click.Context) -> None:
    """The facts of the shop: hours, addresses, delivery, payments and what else SHOP_FILE says.

    \b
    A file needs a name, and all else may be left out:
      name = "Supermercado La Esquina"
      payments = ["efectivo", "tarjeta"]
      [hours]
      monday = ["09:00-13:00", "17:00-21:00"]
      sunday = "closed"

    \b
    Look whether it is right:     chasqui shop check shop.toml
    See what the assistant knows: SHOP_FILE=shop.toml chasqui shop show

    docs/shop.md has every key. What is not in the file is not known: the assistant says so and offers a person.
    """
    if context.invoked_subcommand is None:
        context.invoke(show, as_json=False)


@shop.command()
@json_option
def show(as_json: bool) -> None:
    """Show the shop as the assistant knows it: what stands in every request, and what depends on the hour.

    \b
    For example: SHOP_FILE=shop.toml chasqui shop show
    """
    known = load_shop(settings())
    now = known.now_facts(datetime.now(UTC))
    if as_json:
        print_json({"shop": known.facts(), "now": now})
    else:
        out.print(as_table(known, now))


@shop.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def check(file: Path, as_json: bool) -> None:
    """Check a shop's FILE: every mistake is named with its place. Exits 1 where there is any.

    \b
    For example: chasqui shop check shop.toml
      shop.toml: hours.monday[0]: "25:00" is no time of day
      shop.toml: delivery.areas[1].free_form: no such key; is free_from meant?
    """
    mistakes: tuple[str, ...] = ()
    try:
        read_shop(file)
    except ShopFileInvalid as exc:
        mistakes = exc.mistakes
    if as_json:
        print_json({"fit": not mistakes, "mistakes": mistakes})
    elif mistakes:
        click.echo("\n".join(harmless(f"{file}: {mistake}") for mistake in mistakes), err=True)
    else:
        out.print(f"{file} is right.", markup=False, soft_wrap=True)
    sys.exit(1 if mistakes else 0)


def as_table(known: Shop, now: dict[str, Any]) -> Table:
    """Returns the facts, a row each, then what holds at this hour and how customers are addressed."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("fact", style="bold", no_wrap=True)
    table.add_column("value", overflow="fold")
    for name, value in known.facts().items():
        table.add_row(name.replace("_", " "), harmless("\n".join(_lines(value))))
    if now:
        table.add_row("now", "\n".join(_lines(now)))
    table.add_row("costs", f"about {estimate_tokens(known.told):,} tokens of every call")
    table.add_row("sounds like", known.text("unreadable.image"))
    return table


def _lines(value: Any) -> list[str]:
    """Returns a fact in lines, a part of it each."""
    if isinstance(value, dict):
        return [line for name, part in value.items() for line in _part(name, part)]
    return [_in_line(part) for part in value] if isinstance(value, list) else [_in_line(value)]


def _part(name: str, value: Any) -> list[str]:
    lines = _lines(value)
    return [f"{name}: {lines[0]}"] if len(lines) == 1 else [f"{name}:", *(f"  {line}" for line in lines)]


def _in_line(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name} {_in_line(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(_in_line, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
