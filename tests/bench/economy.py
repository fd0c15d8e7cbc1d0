"""`make economy`: replays the standard workload through the real road and checks what was claimed for it.

Exits 0 if every claim holds, 1 with a line for each that does not. Writes build/economy.json.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
import orjson
from redis.exceptions import RedisError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bench.figures import Day, as_tables, beside, costs, fates, measure, missed, recorded, sessions
from bench.news import ShopDay, shop_days
from bench.nights import make_ahead, open_with_own_replies, pass_night
from bench.other_hand import product_phrases
from bench.replay import NotAnswered, Replay
from bench.shop import open_shop
from bench.verdict import price_list
from bench.workload import DAY_MESSAGES, Message, make_days
from db.engine import connect
from worker.catalog.price_list import read_products
from worker.devkit.demo import CATALOG
from worker.devkit.gateway import Gateway
from worker.errors import ChasquiError, CommandError
from worker.language.product_words import ProductWords, product_words_of
from worker.operate.commands.terminal import interrupting
from worker.redisdb.connect import DURABLE_TIMEOUT_S, connect_redis
from worker.runtime.embedded.processes import wait_until
from worker.runtime.supervisor import Supervisor

#: A real supermarket's product list lies beside the checkout where the project is developed; it is not ours to ship.
REAL_CATALOG: Final = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "catalog" / "supermarket_es.csv"
RESULT: Final = Path("build") / "economy.json"
#: Of the messages without a reply so many are shown with what became of them.
SHOWN: Final = 5
RECORDED_WITHIN_S: Final = 30.0
#: A cache is empty once in the life of a shop, on the first day. The second shows what all others are like, and before
#: the third a new price list comes.
DAYS: Final = 3
console = Console()


@click.command()
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed is another shop.")
@click.option("--messages", type=click.IntRange(1, 1_000_000), default=DAY_MESSAGES, show_default=True, help="A day.")
@click.option("--catalog", type=click.Path(path_type=Path), help="CSV as `chasqui catalog import` takes it.")
@click.option("--ahead-only", is_flag=True, help="Leave out the same days with nothing made ahead; half the time.")
def main(seed: int, messages: int, catalog: Path | None, ahead_only: bool) -> None:
    """Replay three days of the standard workload and compare what the second cost with what was claimed. Every night a
    fifth of the prices change and some products are promoted; before the third day a new price list comes.
    """
    try:
        with interrupting():
            failures = economy(seed, messages, catalog or default_catalog(), ahead_only=ahead_only)
    except ChasquiError as exc:
        raise click.ClickException(str(exc)) from exc
    except (RedisError, SQLAlchemyError, OSError) as exc:
        raise click.ClickException(f"a server of the replay does not answer: {type(exc).__name__}") from exc
    for failure in failures:
        click.echo(f"missed: {failure}", err=True)
    sys.exit(1 if failures else 0)


def default_catalog() -> Path:
    """The real product list, or the shipped small one where it is absent."""
    return REAL_CATALOG if REAL_CATALOG.exists() else CATALOG


def economy(seed: int, count: int, catalog: Path, *, ahead_only: bool = False) -> list[str]:
    """Generates, replays, prints, writes; the claims that were missed. It is played with replies made ahead, which give
    the figures, and before that, unless ahead_only, with nothing made ahead.
    """
    products = read_products(catalog)
    sold, phrases = shop_days(products, seed, DAYS), product_phrases()
    days = make_days(products, count, seed, DAYS, [day.promoted for day in sold], phrases)
    customers = len({message.customer for day in days for message in day})
    console.print(
        f"{DAYS} days of {count:,} messages of {customers:,} customers, {len(products):,} products of {catalog.name}, "
        f"{len(phrases)} ways to ask by another hand."
    )
    plain = {} if ahead_only else replayed(sold, days, seed, ahead=False)
    figures = {
        "seed": seed,
        "messages": count,
        "customers": customers,
        "catalog": catalog.name,
        "phrases_by_another_hand": len(phrases),
        **replayed(sold, days, seed, ahead=True),
        **({"without_precache": plain} if plain else {}),
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_bytes(orjson.dumps(figures, option=orjson.OPT_INDENT_2))
    console.print(as_tables(figures))
    if plain:
        console.print(beside(plain, figures))
    console.print(f"Written to {RESULT}.")
    return missed(figures)


def replayed(sold: Sequence[ShopDay], days: Sequence[Sequence[Message]], seed: int, *, ahead: bool) -> dict[str, Any]:
    """The figures of some days, one after the other, on a service of its own. ahead: with replies made ahead."""
    console.print(f"Starting the service, which makes {'replies' if ahead else 'nothing'} ahead ...")
    with open_shop(sold[0].products, seed) as shop:
        played: list[Day] = []
        expected = 0
        with (
            connect_redis(shop.configured.required("redis_url"), DURABLE_TIMEOUT_S) as client,
            connect(shop.configured.required("database_url")) as connection,
        ):
            if ahead:
                open_with_own_replies(shop.configured)
            for number, messages in enumerate(days):
                silent = played[-1].replay.with_person if played else ()
                replay = Replay(Gateway(client), messages, silent)
                before = costs(connection)
                if number:
                    pass_night(shop.configured, sold[number - 1].products, sold[number].products)
                if number and ahead:
                    make_ahead(shop.configured, played[-1].costs.total_usd)
                play_day(replay, shop.supervisor, connection, f"day {number + 1}")
                expected += len(replay.replies)
                _wait_for_records(connection, expected)
                products = sold[number].products
                spent, known = costs(connection).since(before), sessions(connection)
                played.append(Day(messages, replay, spent, price_list(products), words_of(products), known))
            return measure(connection, played)


def words_of(products: Sequence[dict[str, Any]]) -> ProductWords:
    """The words for what a shop sells."""
    return product_words_of((row["name"] for row in products), {row["category"] for row in products})


def _wait_for_records(connection: Connection, expected: int) -> None:
    wait_until(lambda: recorded(connection) >= expected, RECORDED_WITHIN_S)


def play_day(replay: Replay, supervisor: Supervisor, connection: Connection, name: str) -> None:
    """Plays one day; where it is given up, says what became of some of the messages without a reply."""
    try:
        play(replay, supervisor, name)
    except NotAnswered as exc:
        raise CommandError(f"{exc}: {fates(connection, exc.message_ids[:SHOWN])}") from exc


def play(replay: Replay, supervisor: Supervisor, name: str) -> None:
    """Plays with a progress bar where there is a terminal, and looks after the processes meanwhile."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(name, total=replay.count)

        def look(replies: int) -> None:
            supervisor.restart_dead()
            progress.update(task, completed=replies)

        replay.play(look)


if __name__ == "__main__":
    main()
