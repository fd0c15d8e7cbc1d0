"""`chasqui send` and `chasqui enqueue`: messages into the inbound stream, and the reply to one."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

import click
import orjson
from sqlalchemy.exc import SQLAlchemyError

from db.engine import connect
from worker.devkit.gateway import Gateway, payloads_of
from worker.errors import BadPayload, CommandError
from worker.operate.commands.customers import id_of, refuse_other_spelling
from worker.operate.commands.terminal import in_chunks, out, print_json, redis_errors
from worker.redisdb.connect import connect_durable
from worker.runtime.environment import surroundings


@contextmanager
def connected_gateway() -> Iterator[Gateway]:
    """Yields the gateway's side of the streams, on the durable Redis of the surroundings."""
    with surroundings(postgres=False) as configured, redis_errors(), connect_durable(configured) as client:
        yield Gateway(client)


def known_sender(written: str) -> str:
    """Returns the customer's id; what is none goes as it is, to be rejected. Refuses another spelling of a line."""
    try:
        phone = id_of(written)
    except BadPayload:
        return written
    # The message needs no PostgreSQL to be sent, so it goes without being looked up too.
    with (
        suppress(SQLAlchemyError),
        surroundings(redis=False) as configured,
        connect(configured.required("database_url")) as connection,
    ):
        refuse_other_spelling(connection, phone)
    return phone


@click.command()
@click.option("--from", "sender", required=True, metavar="PHONE", help="WhatsApp's id of the customer, or the number.")
@click.option("--name", default=None, help="The customer's name.")
@click.option(
    "--timeout", type=click.IntRange(1, 86_400), default=60, show_default=True, help="Seconds to wait for the reply."
)
@click.option("--json", "as_json", is_flag=True, help="Print the reply as it stands in the outbound stream.")
@click.argument("text")
def send(sender: str, name: str | None, timeout: int, as_json: bool, text: str) -> None:
    """Enqueue one message, wait for its reply, print it. The service must be running (chasqui up)."""
    sender = known_sender(sender)
    message_id = f"cli.{uuid4().hex}"
    message = {"message_id": message_id, "from": sender, "timestamp": int(time.time()), "type": "text", "text": text}
    with connected_gateway() as gateway:
        gateway.send(orjson.dumps(message | ({"name": name} if name else {})).decode())
        outcome = gateway.outcome_of(message_id, timeout)
    if outcome is None:
        raise CommandError(
            f"no reply within {timeout} s. Either the service is not running (chasqui up; the message waits) "
            "or none is due, because the customer waits for a person."
        )
    if "reason" in outcome:
        raise CommandError(f"rejected: {outcome['reason']}")
    if as_json:
        print_json(outcome)
    else:
        click.echo(outcome["text"])


@click.command()
@click.argument("file", type=click.File("rb"))
def enqueue(file: Any) -> None:
    """Enqueue a webhook body or JSON lines from FILE (-: stdin).

    A file that is one JSON text is one payload; otherwise every line that is not blank is one. What cannot be read
    ends in whatsapp:rejected with its reason.
    """
    payloads = payloads_of(file.read())
    if not payloads:
        raise CommandError("nothing to enqueue: the input is empty")
    with connected_gateway() as gateway:
        for chunk in in_chunks(payloads, "Enqueuing"):
            gateway.send(*chunk)
    out.print(f"{len(payloads)} payload{'' if len(payloads) == 1 else 's'} enqueued.")
