"""What all commands share: the terminal, signals, and foreign errors as one clear line."""

from __future__ import annotations

import os
import signal
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any, Concatenate, ParamSpec, TypeVar

import click
import orjson
from redis.exceptions import RedisError
from rich.console import Console
from sqlalchemy import Connection
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from db import retry
from db.engine import connect
from worker.errors import ChasquiError, CommandError
from worker.runtime.signals import hang_up_ends

out = Console()
#: PostgreSQL's code for a privilege that is missing.
FORBIDDEN = "42501"
Given = ParamSpec("Given")
Result = TypeVar("Result")


class Group(click.Group):
    """Shows our own errors as one line and exits 1; everything else is a defect and keeps its traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except ChasquiError as exc:
            raise click.ClickException(str(exc)) from exc


def print_json(value: object) -> None:
    """A value for programs: indented JSON on standard output, neither coloured nor wrapped."""
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def say(text: str, *, err: bool = False) -> None:
    """A line for whoever watches a service. Where it cannot be written (a full disk, a closed terminal or pipe) it is
    dropped, with all that would follow it: the service goes on.
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
    """As much of WhatsApp's id of a customer as tells one from another."""
    return f"…{phone[-4:]}"


def harmless(text: str) -> str:
    """A text of somebody else's as it may be shown: what a terminal would obey becomes U+FFFD."""
    return "".join(sign if sign in "\n\t" or unicodedata.category(sign) != "Cc" else "\ufffd" for sign in text)


@contextmanager
def stop_signals() -> Iterator[Event]:
    """An event that SIGINT, SIGTERM and SIGHUP set, for commands that run until they are told to stop."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    hang_up_ends()
    yield stop


@contextmanager
def interrupting() -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP end the block at once; a second one does not disturb the tidying up."""

    def interrupt(*_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise CommandError("interrupted")

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    hang_up_ends()
    yield


@contextmanager
def database_errors() -> Iterator[None]:
    """A database that cannot be used becomes one clear line, without its URL."""
    try:
        yield
    except ProgrammingError as exc:
        if getattr(exc.orig, "pgcode", None) == FORBIDDEN:
            raise CommandError("PostgreSQL: the role in DATABASE_URL may not do this") from exc
        raise CommandError("PostgreSQL: the schema is not what this version expects: run chasqui db upgrade") from exc
    except SQLAlchemyError as exc:
        raise CommandError(f"PostgreSQL: {type(exc).__name__}: is DATABASE_URL right, and the server up?") from exc


@contextmanager
def redis_errors() -> Iterator[None]:
    """A Redis that cannot be used becomes one clear line, without its URL."""
    try:
        yield
    except RedisError as exc:
        raise CommandError(f"Redis: {type(exc).__name__}: is REDIS_URL right, and the server up?") from exc


@contextmanager
def database() -> Iterator[Connection]:
    """A connection to the database of the surroundings, with transactions; what fails becomes one clear line."""
    from worker.runtime.environment import surroundings

    with (
        surroundings(redis=False) as configured,
        database_errors(),
        connect(configured.required("database_url")) as connection,
    ):
        yield connection


def commit(
    connection: Connection,
    call: Callable[Concatenate[Connection, Given], Result],
    *given: Given.args,
    **named: Given.kwargs,
) -> Result:
    """The result of `call(connection, ...)` in a transaction of its own, run again where another stood in its way."""

    def attempt() -> Result:
        with connection.begin():
            return call(connection, *given, **named)

    return retry.again_on_conflict(attempt)
