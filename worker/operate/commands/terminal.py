"""Terminal of all commands: output, signals, and foreign errors as one clear line."""

import os
import signal
import sys
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Event
from typing import Any, TypeVar

import click
import orjson
import redis
from redis.exceptions import RedisError
from rich.console import Console, RenderableType
from rich.progress import Progress, track
from rich.table import Table
from rich.text import Text
from sqlalchemy import Connection
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from db import retry
from db.engine import connect
from worker.errors import ChasquiError, CommandError
from worker.redisdb.connect import DURABLE_TIMEOUT_S, connect_cache
from worker.runtime.environment import surroundings
from worker.runtime.signals import hang_up_ends
from worker.settings import Settings

out = Console()
#: PostgreSQL's code for a privilege that is missing.
FORBIDDEN = "42501"
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
Item = TypeVar("Item")
#: Items of long work that go in one round trip or commit.
CHUNK = 500


class Group(click.Group):
    """Command group that shows our own errors as one line and exits 1; other errors are defects, with a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except ChasquiError as exc:
            raise click.ClickException(str(exc)) from exc


def print_json(value: object) -> None:
    """Prints a value for programs: indented JSON on standard output, neither coloured nor wrapped."""
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def print_result(value: object, shown: RenderableType, *, as_json: bool) -> None:
    """Prints a result: the value for programs, or what people are shown of it."""
    if as_json:
        print_json(value)
    else:
        out.print(shown)


def as_table(headings: Sequence[str], rows: Iterable[Sequence[object]], right: Collection[str] = ()) -> Table:
    """Returns a list for a terminal, harmless whoever wrote what is in it. right: headings of columns of numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text("-" if cell in (None, "") else harmless(str(cell))) for cell in row))
    return table


def in_chunks(items: Sequence[Item], doing: str) -> Iterable[Sequence[Item]]:
    """Returns the items by CHUNK; where there are more, a terminal shows how far they are."""
    chunks = [items[first : first + CHUNK] for first in range(0, len(items), CHUNK)]
    return track(chunks, doing, console=out, disable=not out.is_terminal or len(chunks) < 2)


@contextmanager
def counting(total: int, doing: str, *, transient: bool = False) -> Iterator[Callable[[int], None]]:
    """Yields what long work calls with how many more items are done; a terminal shows how far it is."""
    with Progress(console=out, disable=not out.is_terminal, transient=transient) as progress:
        yield partial(progress.advance, progress.add_task(doing, total=total))


def say(text: str, *, err: bool = False) -> None:
    """Prints a line of a service. Where it cannot be written (a full disk, a closed terminal or pipe) it is dropped,
    with all that would follow it: the service goes on.
    """
    try:
        click.echo(text, err=err)
    except OSError:
        # What is left in Python's buffer would be tried again, and fail again, at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2 if err else 1)


def fill_standard_streams() -> None:
    """Opens what is closed of standard input, output and error: else the next file or socket would take its number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)


def masked(phone: str) -> str:
    """Returns as much of WhatsApp's id of a customer as tells one from another."""
    return f"…{phone[-4:]}"


def harmless(text: str) -> str:
    """Returns a foreign text as it may be shown: what a terminal would obey becomes U+FFFD."""
    return "".join(sign if sign in "\n\t" or unicodedata.category(sign) != "Cc" else "\ufffd" for sign in text)


@contextmanager
def stop_signals() -> Iterator[Event]:
    """Yields an event that SIGINT, SIGTERM and SIGHUP set, for commands that run until they are stopped."""
    stop = Event()
    _on_stop(lambda *_: stop.set())
    yield stop


@contextmanager
def interrupting() -> Iterator[None]:
    """Lets SIGINT, SIGTERM and SIGHUP end the block at once; a second one does not disturb the tidying up."""

    def interrupt(*_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise CommandError("interrupted")

    _on_stop(interrupt)
    yield


def _on_stop(handler: Callable[..., None]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)
    hang_up_ends()


@contextmanager
def database_errors() -> Iterator[None]:
    """Translates the error of a database that cannot be used into one clear line, without its URL."""
    try:
        yield
    except ProgrammingError as exc:
        if getattr(exc.orig, "pgcode", None) == FORBIDDEN:
            raise CommandError("PostgreSQL: the role in DATABASE_URL may not do this") from exc
        raise CommandError("PostgreSQL: the schema is not what this version expects: run chasqui db upgrade") from exc
    except SQLAlchemyError as exc:
        if retry.code_of(exc) == retry.READ_ONLY:
            raise CommandError("PostgreSQL: the server takes no writes: does DATABASE_URL name a standby?") from exc
        raise CommandError(f"PostgreSQL: {type(exc).__name__}: is DATABASE_URL right, and the server up?") from exc


@contextmanager
def redis_errors(variable: str = "REDIS_URL") -> Iterator[None]:
    """Translates the error of a Redis that cannot be used into one clear line, without its URL."""
    try:
        yield
    except RedisError as exc:
        raise CommandError(f"Redis: {type(exc).__name__}: is {variable} right, and the server up?") from exc


@contextmanager
def database() -> Iterator[Connection]:
    """Yields a connection to the database of the surroundings; its errors become one clear line."""
    with (
        surroundings(redis=False) as configured,
        database_errors(),
        connect(configured.required("database_url")) as connection,
    ):
        yield connection


def cache_redis(configured: Settings) -> redis.Redis:
    """Returns a client of the cache Redis that waits as long as one of the durable one."""
    return connect_cache(configured, DURABLE_TIMEOUT_S)
