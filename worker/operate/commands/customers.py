"""`chasqui resume` and `chasqui erase`: a customer goes back from a person to the AI, or is forgotten."""

import sys
import time
from collections.abc import Sequence

import click
from sqlalchemy import Connection

from db.customers import linked_ids, resume_customer
from db.engine import connect
from worker.errors import BadPayload, CommandError
from worker.operate.commands.terminal import (
    cache_redis,
    commit,
    database,
    database_errors,
    durable_redis,
    json_option,
    masked,
    out,
    print_json,
    redis_errors,
)
from worker.operate.phones import id_of, other_spelling
from worker.operate.resuming import forget_replies
from worker.redisdb.connect import connect_cache
from worker.runtime.environment import surroundings

#: A turn that is under way ends within seconds.
RESUME_TRIES, RESUME_PAUSE_S = 20, 0.5
LEFT_OUT = {
    "busy": "a message is being answered right now, try again",
    "not_waiting": "does not wait for a person",
}


def known_form(_context: click.Context, _parameter: click.Parameter, phone: str) -> str:
    """Returns WhatsApp's id of a customer in the form in which it is stored. Raises BadParameter for anything else."""
    try:
        return id_of(phone)
    except BadPayload:
        raise click.BadParameter("neither 5 to 20 digits nor a business-scoped user id (such as US.1A2B3C)") from None


def known_forms(context: click.Context, parameter: click.Parameter, phones: Sequence[str]) -> tuple[str, ...]:
    """Returns the same for several, each once."""
    return tuple(dict.fromkeys(known_form(context, parameter, phone) for phone in phones))


@click.command()
@click.argument("phones", metavar="PHONE...", nargs=-1, required=True, callback=known_forms)
def resume(phones: tuple[str, ...]) -> None:
    """Give customers who were waiting for a person back to the AI. PHONE is WhatsApp's id of a customer.

    Exits 1 if one of them was not, with the reason; the others are.
    """
    with database() as connection:
        customers = {phone: commit(connection, linked_ids, phone)[0] for phone in phones}
        answers = {phone: resume_one(connection, customers[phone]) for phone in phones}
    given_back = [customers[phone] for phone, answer in answers.items() if answer == "resumed"]
    count_anew(given_back)
    resumed = len(given_back)
    if resumed:
        out.print(f"The AI answers {'this customer' if resumed == 1 else f'{resumed:,} customers'} again.")
    if resumed < len(answers):
        left = {phone: LEFT_OUT.get(answer, answer) for phone, answer in answers.items() if answer != "resumed"}
        raise CommandError("\n".join(f"{masked(phone)}: {reason}" for phone, reason in left.items()))


def count_anew(phones: Sequence[str]) -> None:
    """Begins the count of an hour's replies anew in the cache Redis of the surroundings."""
    with surroundings(postgres=False) as configured:
        if phones and configured.cache_url is not None:
            with connect_cache(configured) as cache:
                forget_replies(cache, phones)


def resume_one(connection: Connection, phone: str) -> str:
    """Returns `resumed`, a key of LEFT_OUT, or a question. Waits up to 10 s for a turn that is under way."""
    if other := commit(connection, other_spelling, phone):
        return f"did you mean {other}?"
    for _ in range(RESUME_TRIES):
        answer = commit(connection, resume_customer, phone)
        if answer != "busy":
            break
        time.sleep(RESUME_PAUSE_S)
    return answer


def refuse_other_spelling(connection: Connection, phone: str) -> None:
    """Raises CommandError where only another spelling of the same line is known, and names it."""
    if other := commit(connection, other_spelling, phone):
        raise CommandError(f"nothing is known of {masked(phone)}: did you mean {other}?")


@click.command()
@click.argument("phone", callback=known_form)
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
        durable_redis(configured) as durable,
        cache_redis(configured) as cache,
        out.status("Erasing"),
    ):
        refuse_other_spelling(connection, phone)
        erasure = Erasure(connection, durable, cache, phone)
        return erasure.run(configured.ai_deadline_s + AI_LEASE_MARGIN_S)
