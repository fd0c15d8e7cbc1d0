"""Plays labelled cart turns through the whole service and tells how many end with the right cart.

The model proposes exactly what is labelled, so what is missing is the service's: a product that was not in the request,
a change that was refused. Exits 0 if at least the share of order lines that --least names is right.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
from helpers.basics import Servers
from helpers.cart_player import play_all, shop_of
from helpers.cart_turns import TURNS, Played, read_turns, table
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from db import migrations
from worker.operate.commands.terminal import interrupting
from worker.runtime.embedded.servers import embedded_servers

OUTCOMES: Final = ("right", "not offered", "refused", "wrong")
console = Console()


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True), default=TURNS)
@click.option(
    "--least", type=click.FloatRange(0, 100), default=97.0, show_default=True, help="Per cent of order lines."
)
@click.option("--only", multiple=True, help="Kinds or ids of lines.")
def main(file: Path, least: float, only: Sequence[str]) -> None:
    """Play the lines of a file and print what became of them."""
    turns = read_turns(file)
    chosen = [turn for turn in turns if not only or turn.kind in only or turn.id in only]
    with interrupting(), tempfile.TemporaryDirectory(prefix="cart-turns-") as name, embedded_servers(Path(name)) as own:
        servers = Servers(str(own.database_url), str(own.redis_url), Path(name))
        migrations.upgrade(servers.database_url)
        with shop_of(servers, Path(name), turns) as player:
            played = play_all(player, chosen, _tell)
            careless = [player.play_careless(turn) for turn in chosen if not turn.expected]
    console.print(_as_table(played))
    for each in careless:
        if each.outcome in ("unsaid", "stuck"):
            console.print(f"{each.turn.id} {each.outcome}: {escape(each.turn.message)}", soft_wrap=True)
    told = Counter(each.outcome for each in careless)
    console.print("A model that adds something where nothing may change:", dict(told))
    orders = [each for each in played if each.turn.expected]
    sys.exit(0 if sum(each.is_right for each in orders) >= least / 100 * len(orders) else 1)


def _tell(each: Played) -> None:
    """Prints why a line is not right, and what an earlier reply showed that its request did not hold."""
    if each.outcome == "right" and not each.unknown:
        return
    why = [*each.missing, *(refusal.partition(". ")[0] for refusal in each.refusals)]
    why += [f"shown before, but not found: {name}" for name in each.unknown]
    words = " / ".join(each.turn.message.splitlines())
    console.print(
        f"{each.turn.id} {each.outcome}: {escape(words)} [dim]({escape('; '.join(why))})[/dim]", soft_wrap=True
    )


def _as_table(played: Sequence[Played]) -> Table:
    drawn = Table("", "lines", *OUTCOMES)
    for name, outcomes in table(played):
        drawn.add_row(name, str(outcomes.total()), *(str(outcomes[each] or "") for each in OUTCOMES))
    return drawn


if __name__ == "__main__":
    main()
