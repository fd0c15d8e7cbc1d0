"""`chasqui people`, `resume` and `erase`: customers wait for a person, go back to the AI, or are forgotten."""

import sys
import time
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC

import click
from rich.table import Table
from sqlalchemy import Connection

from db import people as waits
from db import queries
from db.engine import connect
from db.people import Waiting
from worker.errors import BadPayload, CommandError
from worker.operate.commands.terminal import (
    as_table,
    cache_redis,
    commit,
    database,
    database_errors,
    json_option,
    masked,
    out,
    print_json,
    print_result,
    redis_errors,
)
from worker.operate.display import duration, why_person
from worker.operate.phones import id_of, other_spelling
from worker.redisdb.connect import connect_cache, connect_durable
from worker.redisdb.layers import forget_reply_limits
from worker.runtime.environment import surroundings

#: A turn that is under way ends within seconds.
RESUME_TRIES, RESUME_PAUSE_S = 20, 0.5
LEFT_OUT = {
    "busy": "a message is being answered right now, try again",
    "not_waiting": "does not wait for a person",
}


def known_form(phone: str) -> str:
    """Returns WhatsApp's id of a customer in the form in which it is stored. Raises BadParameter for anything else."""
    try:
        return id_of(phone)
    except BadPayload:
        raise click.BadParameter("neither 5 to 20 digits nor a business-scoped user id (such as US.1A2B3C)") from None


@click.command()
@json_option
def people(as_json: bool) -> None:
    """List the customers who wait for a person: since when and why, the longest wait first.

    Who waits gets no answer of the AI until `chasqui resume`, or for HUMAN_WAIT_S. A wait that ended by itself stays in
    the list for a day, because nobody may have come; `chasqui resume` takes that off, too.
    """
    with database() as connection:
        found = commit(connection, waits.waiting)
    in_utc = [asdict(one) | {"since": one.since.astimezone(UTC), "until": one.until.astimezone(UTC)} for one in found]
    print_result(in_utc, people_table(found) if found else "Nobody waits for a person.", as_json=as_json)


def people_table(found: Iterable[Waiting]) -> Table:
    """Returns the list for a terminal."""
    rows = (
        (
            one.customer_phone,
            one.name,
            f"{one.since.astimezone(UTC):%m-%d %H:%M}",
            duration(one.waited_s),
            why_person(one.reason),
            "ended" if one.ended else "waiting",
        )
        for one in found
    )
    return as_table(("customer", "name", "since (UTC)", "waits", "why", "state"), rows)


@click.command()
@click.argument("phones", metavar="PHONE...", nargs=-1, required=True, type=known_form)
def resume(phones: tuple[str, ...]) -> None:
    """Give customers who were waiting for a person back to the AI. PHONE is WhatsApp's id of a customer.

    Exits 1 if one of them was not, with the reason; the others are.
    """
    with database() as connection:
        customers = {phone: commit(connection, queries.linked_ids, phone)[0] for phone in phones}
        answers = {phone: resume_one(connection, customer) for phone, customer in customers.items()}
    given_back = [customers[phone] for phone, answer in answers.items() if answer == "resumed"]
    with surroundings(postgres=False) as configured:
        if given_back and configured.cache_url is not None:
            with connect_cache(configured) as cache:
                forget_reply_limits(cache, given_back)
    resumed = len(given_back)
    if resumed:
        out.print(f"The AI answers {'this customer' if resumed == 1 else f'{resumed:,} customers'} again.")
    if resumed < len(answers):
        left = {phone: LEFT_OUT.get(answer, answer) for phone, answer in answers.items() if answer != "resumed"}
        raise CommandError("\n".join(f"{masked(phone)}: {reason}" for phone, reason in left.items()))


def resume_one(connection: Connection, phone: str) -> str:
    """Returns `resumed`, a key of LEFT_OUT, or a question. Waits up to 10 s for a turn that is under way."""
    if other := commit(connection, other_spelling, phone):
        return f"did you mean {other}?"
    for _ in range(RESUME_TRIES):
        answer = commit(connection, queries.resume_customer, phone)
        if answer != "busy":
            break
        time.sleep(RESUME_PAUSE_S)
    return answer


def refuse_other_spelling(connection: Connection, phone: str) -> None:
    """Raises CommandError where only another spelling of the same line is known, and names it."""
    if other := commit(connection, other_spelling, phone):
        raise CommandError(f"nothing is known of {masked(phone)}: did you mean {other}?")


@click.command()
@click.argument("phone", type=known_form)
@click.option("--yes", is_flag=True, help="Do not ask, not even on a terminal.")
@json_option
def erase(phone: str, yes: bool, as_json: bool) -> None:
    """Remove a customer's personal data from PostgreSQL and Redis. PHONE is WhatsApp's id of the customer.

    Names, numbers, texts, replies, addresses and the conversation go, also what has not been answered yet. Figures
    stay. It may run while the service does, and again at any time. What it cannot reach, backups for one, stands in
    docs/operations.md.
    """
    if not yes and sys.stdin.isatty():
        click.confirm(f"Erase the customer {masked(phone)} for good?", abort=True)
    removed = erase_everywhere(phone)
    if as_json:
        print_json(removed)
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
        redis_errors(),
        database_errors(),
        connect(configured.required("database_url"), statement_timeout_ms=STATEMENT_TIMEOUT_MS) as connection,
        connect_durable(configured) as durable,
        cache_redis(configured) as cache,
        out.status("Erasing"),
    ):
        refuse_other_spelling(connection, phone)
        erasure = Erasure(connection, durable, cache, phone)
        return erasure.run(configured.ai_deadline_s + AI_LEASE_MARGIN_S)
