"""`chasqui people`, `resume` and `erase`: customers wait for a person, go back to the AI, or are forgotten."""

import re
import sys
import time
import tomllib
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC
from pathlib import Path

import click
import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat
from rich.table import Table
from sqlalchemy import Connection

from db import retry
from db.customers import Waiting, known_ids, linked_ids, resume_customer, waiting
from db.engine import connect
from worker.errors import BadPayload, CommandError
from worker.messages.fields import customer_id
from worker.operate.commands import terminal
from worker.operate.display import duration, why_person
from worker.redisdb.cache import forget_reply_limits
from worker.redisdb.connect import connect_cache, connect_durable
from worker.runtime.environment import surroundings

#: A turn that is under way ends within seconds.
RESUME_TRIES, RESUME_PAUSE_S = 20, 0.5
LEFT_OUT = {
    "busy": "a message is being answered right now, try again",
    "not_waiting": "does not wait for a person",
}
#: What stands between digits: blanks, hyphens of all kinds, dots, brackets, strokes.
BETWEEN = re.compile(r"[\s\-\u00ad\u2010-\u2015\u2212.()/]+")
#: Spellings of one line: a pattern, and what else it may be called.
SPELLINGS = [
    (re.compile(pattern), other)
    for pattern, other in tomllib.loads(Path(__file__).with_name("spellings.toml").read_text("utf-8"))["spellings"]
]


def known_form(phone: str) -> str:
    """Returns WhatsApp's id of a customer in the form in which it is stored. Raises BadParameter for anything else."""
    try:
        return id_of(phone)
    except BadPayload:
        raise click.BadParameter("neither 5 to 20 digits nor a business-scoped user id (such as US.1A2B3C)") from None


@click.command()
@terminal.json_option
def people(as_json: bool) -> None:
    """List the customers who wait for a person: since when and why, the longest wait first.

    Who waits gets no answer of the AI until `chasqui resume`, or for HUMAN_WAIT_S. A wait that ended by itself stays in
    the list for a day, because nobody may have come; `chasqui resume` takes that off, too.
    """
    with terminal.database() as connection:
        found = retry.commit(connection, waiting)
    in_utc = [asdict(one) | {"since": one.since.astimezone(UTC), "until": one.until.astimezone(UTC)} for one in found]
    terminal.print_result(in_utc, people_table(found) if found else "Nobody waits for a person.", as_json=as_json)


def people_table(found: Iterable[Waiting]) -> Table:
    """Returns the list for a terminal."""
    rows = []
    for one in found:
        since, state = f"{one.since.astimezone(UTC):%m-%d %H:%M}", "ended" if one.ended else "waiting"
        rows.append((one.customer_phone, one.name, since, duration(one.waited_s), why_person(one.reason), state))
    return terminal.as_table(("customer", "name", "since (UTC)", "waits", "why", "state"), rows)


@click.command()
@click.argument("phones", metavar="PHONE...", nargs=-1, required=True, type=known_form)
def resume(phones: tuple[str, ...]) -> None:
    """Give customers who were waiting for a person back to the AI. PHONE is WhatsApp's id of a customer.

    Exits 1 if one of them was not, with the reason; the others are.
    """
    with terminal.database() as connection:
        customers = {phone: retry.commit(connection, linked_ids, phone)[0] for phone in phones}
        answers = {phone: resume_one(connection, customer) for phone, customer in customers.items()}
    given_back = [customers[phone] for phone, answer in answers.items() if answer == "resumed"]
    with surroundings(postgres=False) as configured:
        if given_back and configured.cache_url is not None:
            with connect_cache(configured) as cache:
                forget_reply_limits(cache, given_back)
    resumed = len(given_back)
    if resumed:
        terminal.out.print(f"The AI answers {'this customer' if resumed == 1 else f'{resumed:,} customers'} again.")
    if resumed < len(answers):
        left = {phone: LEFT_OUT.get(answer, answer) for phone, answer in answers.items() if answer != "resumed"}
        raise CommandError("\n".join(f"{terminal.masked(phone)}: {reason}" for phone, reason in left.items()))


def resume_one(connection: Connection, phone: str) -> str:
    """Returns `resumed`, a key of LEFT_OUT, or a question. Waits up to 10 s for a turn that is under way."""
    if other := retry.commit(connection, other_spelling, phone):
        return f"did you mean {other}?"
    for _ in range(RESUME_TRIES):
        answer = retry.commit(connection, resume_customer, phone)
        if answer != "busy":
            break
        time.sleep(RESUME_PAUSE_S)
    return answer


def refuse_other_spelling(connection: Connection, phone: str) -> None:
    """Raises CommandError where only another spelling of the same line is known, and names it."""
    if other := retry.commit(connection, other_spelling, phone):
        raise CommandError(f"nothing is known of {terminal.masked(phone)}: did you mean {other}?")


@click.command()
@click.argument("phone", type=known_form)
@click.option("--yes", is_flag=True, help="Do not ask, not even on a terminal.")
@terminal.json_option
def erase(phone: str, yes: bool, as_json: bool) -> None:
    """Remove a customer's personal data from PostgreSQL and Redis. PHONE is WhatsApp's id of the customer.

    Names, numbers, texts, replies, addresses and the conversation go, also what has not been answered yet. Figures
    stay. It may run while the service does, and again at any time. What it cannot reach, backups for one, stands in
    docs/operations.md.
    """
    if not yes and sys.stdin.isatty():
        click.confirm(f"Erase the customer {terminal.masked(phone)} for good?", abort=True)
    removed = erase_everywhere(phone)
    if as_json:
        terminal.print_json(removed)
    elif any(removed.values()):
        for name, number in removed.items():
            click.echo(f"{name.replace('_', ' '):<14} {number:>7,}")
    else:
        click.echo("Nothing is known of this customer.")


def erase_everywhere(phone: str) -> dict[str, int]:
    """Erases on the servers of the surroundings; returns how much of each kind. Shows a sign of life on a terminal."""
    from worker.operate.erasure import STATEMENT_TIMEOUT_MS, Erasure
    from worker.steps.call_leases import AI_LEASE_MARGIN_S

    with (
        surroundings() as configured,
        terminal.redis_errors(),
        terminal.database_errors(),
        connect(configured.required("database_url"), statement_timeout_ms=STATEMENT_TIMEOUT_MS) as connection,
        connect_durable(configured) as durable,
        terminal.cache_redis(configured) as cache,
        terminal.out.status("Erasing"),
    ):
        refuse_other_spelling(connection, phone)
        erasure = Erasure(connection, durable, cache, phone)
        return erasure.run(configured.ai_deadline_s + AI_LEASE_MARGIN_S)


def id_of(written: str) -> str:
    """WhatsApp's id of a customer from what an operator has written: digits, also with `+`, blanks and hyphens between
    them, or a business-scoped user id.

    Raises:
        BadPayload: it is neither.
    """
    plain = BETWEEN.sub("", written)
    if not plain.startswith("+"):
        return customer_id(plain if plain.isdigit() else written.strip())
    return customer_id(_national_prefixes_removed(plain) or plain[1:])


def other_spelling(connection: Connection, phone: str) -> str | None:
    """The id under which this line is known, if it is not known under this one; None where it is, or is not at all."""
    others = spellings(phone)
    known = known_ids(connection, [phone, *others]) if others else {phone}
    return None if phone in known else next((other for other in others if other in known), None)


def spellings(phone: str) -> tuple[str, ...]:
    """Other ids that the line may have."""
    mended = _national_prefixes_removed(f"+{phone}") if phone.isdigit() else None
    found = [mended, *(pattern.sub(other, phone) for pattern, other in SPELLINGS if pattern.fullmatch(phone))]
    return tuple(dict.fromkeys(other for other in found if other and other != phone))


def _national_prefixes_removed(international: str) -> str | None:
    """Digits of a number dialled from abroad: `+54 11 15 2233-4455` is 5491122334455. None for an invalid one."""
    try:
        number = phonenumbers.parse(international)
    except NumberParseException:
        return None
    valid = phonenumbers.is_valid_number(number)
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)[1:] if valid else None
