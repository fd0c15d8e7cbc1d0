"""`chasqui dead`: dead letters, messages that were started five times and never ended."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from rich.table import Table
from sqlalchemy import Connection

from db import dead_letters, retry
from db.locks import INTAKE_LOCK, is_locked
from worker.errors import CommandError
from worker.messages.reply import REPLY_WINDOW_S
from worker.operate.commands import terminal

Json = dict[str, Any]


@click.group(invoke_without_command=True)
@click.pass_context
def dead(context: click.Context) -> None:
    """Messages that were tried five times and given up: look at them, try them again, or close them.

    ID is the number in the list, or WhatsApp's id of the message. Without a command: the list.

    \b
    A payload that could not be read is no dead letter. It is in the Redis
    stream whatsapp:rejected, with its reason:
    redis-cli -u "$REDIS_URL" XREVRANGE whatsapp:rejected + - COUNT 5
    """
    if context.invoked_subcommand is None:
        context.invoke(list_letters)


@dead.command("list")
@terminal.json_option
def list_letters(as_json: bool = False) -> None:
    """List all dead letters, oldest first, without what the customers wrote."""
    with terminal.database() as connection:
        found = retry.commit(connection, dead_letters.find_all)
    # Lists get copied about.
    letters = [letter | {"customer_phone": terminal.masked(letter["customer_phone"])} for letter in found]
    terminal.print_result(letters, letters_table(letters) if letters else "No dead letters.", as_json=as_json)


def letters_table(letters: Sequence[Json]) -> Table:
    """Returns the list for a terminal, times in UTC."""
    headings = ("ID", "died (UTC)", "customer", "attempts", "reason", "last error", "message id")
    names = ("customer_phone", "attempts", "reason", "last_error", "message_id")
    died = (letter["died_at"].astimezone(UTC).strftime("%Y-%m-%d %H:%M") for letter in letters)
    rows = ((letter["id"], at, *(letter[name] for name in names)) for letter, at in zip(letters, died, strict=True))
    return terminal.as_table(headings, rows, right=("ID", "attempts"))


@dead.command()
@click.argument("letter_id", metavar="ID")
@terminal.json_option
def show(letter_id: str, as_json: bool) -> None:
    """Show one dead letter with all that is kept of it: phone number, name and text too."""
    with terminal.database() as connection:
        letter = retry.commit(connection, letter_of, letter_id)
    payload = letter.pop("content")
    if as_json:
        terminal.print_json(letter | {"payload": payload})
    else:
        for name, value in (letter | payload).items():
            click.echo(f"{name:<15} {shown(value)}")


def shown(value: object) -> str:
    """Returns a value for a terminal: times in UTC, further lines of a text below its first."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(" ", "seconds")
    return "-" if value is None else terminal.harmless(str(value)).replace("\n", f"\n{'':<16}")


def letter_of(connection: Connection, letter_id: str) -> Json:
    """Returns the dead letter with this number or message id. Raises CommandError where there is none."""
    found = dead_letters.find_message(connection, letter_id)
    if found is None:
        raise CommandError(f"there is no message {letter_id}")
    if (state := found.pop("state")) != "dead":
        raise CommandError(f"message {letter_id} is no dead letter: it is {state}")
    return found


@dead.command()
@click.argument("letter_id", metavar="[ID]", required=False)
@click.option("--all", "everything", is_flag=True, help="Replay all dead letters.")
def replay(letter_id: str | None, everything: bool) -> None:
    """Let a dead letter be answered after all.

    It counts as just accepted: the running service answers it within seconds, after everything that the customer has
    written so far, and tries it five times at most.
    """
    if everything is (letter_id is not None):
        raise click.UsageError("Give either an ID or --all.")
    with terminal.database() as connection:
        if letter_id is None:
            letters = retry.commit(connection, dead_letters.find_all)
        else:
            letters = [retry.commit(connection, letter_of, letter_id)]
        chunks = terminal.in_chunks([letter["id"] for letter in letters], "Replaying")
        replayed = sum(retry.commit(connection, dead_letters.replay, chunk) for chunk in chunks)
        if letter_id is not None and not replayed:
            raise CommandError(f"message {letter_id} has just been replayed or discarded by somebody else")
        click.echo(f"{replayed} message{'' if replayed == 1 else 's'} to be answered again.")
        warn(connection, letters)


def warn(connection: Connection, letters: Sequence[Json]) -> None:
    """Prints on stderr what may keep the replies from the customers."""
    opened = datetime.now(UTC) - timedelta(seconds=REPLY_WINDOW_S)
    late = sum(letter["sent_at"] < opened for letter in letters)
    if late:
        click.echo(f"{late} of them older than 24 h: WhatsApp refuses such a reply, it will have expired.", err=True)
    if letters and not retry.commit(connection, is_locked, INTAKE_LOCK):
        click.echo("No service is running: they wait for chasqui up.", err=True)


@dead.command()
@click.argument("letter_id", metavar="ID")
def discard(letter_id: str) -> None:
    """Close a dead letter for good. It is no longer listed; nothing of it is deleted."""
    with terminal.database() as connection:
        letter = retry.commit(connection, letter_of, letter_id)
        if not retry.commit(connection, dead_letters.discard, letter["id"]):
            raise CommandError(f"message {letter_id} has just been replayed or discarded by somebody else")
    click.echo(f"Message {letter['id']} is closed.")
