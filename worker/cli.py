"""The command line. Exit codes: 0 done, 1 failed (one clear line on stderr), 2 wrong usage."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

import click
import orjson
from redis.exceptions import RedisError
from rich.console import Console
from rich.progress import track
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from db import migrations
from worker import __version__, log
from worker.commands.metrics import metrics
from worker.errors import ChasquiError, CommandError
from worker.settings import settings

out = Console()
#: Payloads enqueued in one round trip.
ENQUEUE_CHUNK = 500
#: A turn that is under way ends within seconds.
RESUME_TRIES, RESUME_PAUSE_S = 20, 0.5


class Group(click.Group):
    """Shows our own errors as one line and exits 1; everything else is a defect and keeps its traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except ChasquiError as exc:
            raise click.ClickException(str(exc)) from exc


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="chasqui")
def main() -> None:
    """Chasqui answers a supermarket's WhatsApp customers.

    A gateway puts what customers write into the Redis stream whatsapp:inbound and takes replies from
    whatsapp:outbound. Servers and keys come from the environment (DATABASE_URL, REDIS_URL, OPENAI_API_KEY, ...);
    PostgreSQL and Redis are started under ./.chasqui where no URL is set.

    \b
    Try it:      chasqui demo
    Run it:      chasqui up          (in another terminal: chasqui send --from 5491122334455 "hola")
    """
    configured = settings()
    log.configure(configured.log_format, configured.log_level)


@contextmanager
def stop_signals() -> Iterator[Event]:
    """An event that SIGINT and SIGTERM set, for commands that run until they are told to stop."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    yield stop


@contextmanager
def interrupting() -> Iterator[None]:
    """SIGINT and SIGTERM end the block at once; a second one does not disturb the tidying up."""

    def interrupt(*_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise CommandError("interrupted")

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    yield


@contextmanager
def database_errors() -> Iterator[None]:
    """A database that cannot be used becomes one clear line, without its URL."""
    try:
        yield
    except ProgrammingError as exc:
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


@main.command()
def demo() -> None:
    """Play a conversation through the whole service.

    Starts PostgreSQL, Redis, simulated providers and all processes of the service on their own, in a directory that
    is removed afterwards; needs no settings and touches nothing else. Exits 0 only if every message ended as it
    should.
    """
    from worker.local.demo import play

    with interrupting():
        sys.exit(0 if play(out) else 1)


@main.command()
@click.option(
    "--concurrency", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes for the chain."
)
def up(concurrency: int) -> None:
    """Run the service until Ctrl-C: intake, workers, beat and the exporter for Prometheus.

    Servers whose URL is not set are started under ./.chasqui and stopped at the end; `. .chasqui/env` gives psql and
    redis-cli their URLs. Migrations are run first. A process that dies is started again within 2 s.
    """
    from worker.ai.providers import load_providers
    from worker.local.ready import is_ready
    from worker.local.supervisor import metrics_program, running, service_programs
    from worker.local.surroundings import HOME, server_keeper, surroundings

    keep_servers = server_keeper()
    with stop_signals() as stop, surroundings() as configured, database_errors():
        if not any(provider.api_key for provider in load_providers(configured)):
            click.echo(
                "Warning: no provider has a key (OPENAI_API_KEY, ...): every reply will be the fallback.", err=True
            )
        migrations.upgrade(configured.required("database_url"))
        HOME.mkdir(mode=0o700, exist_ok=True)
        exporter = [metrics_program()] if configured.metrics_port else []
        with running([*service_programs(HOME, concurrency), *exporter]) as supervisor:
            supervisor.watch(
                stop,
                keep_servers,
                lambda: is_ready(configured),
                lambda: out.print("Chasqui is ready. Stop it with Ctrl-C."),
            )


@main.command()
def intake() -> None:
    """Run the intake alone: reads whatsapp:inbound, starts the chain, sweeps up what was lost.

    Several may run; one is active, the others stand by.
    """
    from worker.local.surroundings import surroundings

    with stop_signals() as stop, surroundings():
        from worker.intake import Intake
        from worker.services import services
        from worker.tasks import CeleryChain

        Intake(services(), CeleryChain(settings().batch_max), stop).run()


@main.command()
@click.option("--from", "sender", required=True, metavar="PHONE", help="WhatsApp's id of the customer (digits).")
@click.option("--name", default=None, help="The customer's name.")
@click.option("--timeout", default=60.0, show_default=True, help="Seconds to wait for the reply.")
@click.option("--json", "as_json", is_flag=True, help="Print the reply as it stands in the outbound stream.")
@click.argument("text")
def send(sender: str, name: str | None, timeout: float, as_json: bool, text: str) -> None:
    """Enqueue one message, wait for its reply, print it. The service must be running (chasqui up)."""
    from worker.local.gateway import Gateway
    from worker.local.surroundings import surroundings
    from worker.services import DURABLE_TIMEOUT_S, connect_redis

    message_id = f"cli.{uuid4().hex}"
    message = {"message_id": message_id, "from": sender, "timestamp": int(time.time()), "type": "text", "text": text}
    with surroundings(postgres=False) as configured, redis_errors():
        gateway = Gateway(connect_redis(configured.required("redis_url"), DURABLE_TIMEOUT_S))
        gateway.send(orjson.dumps(message | ({"name": name} if name else {})).decode())
        outcome = gateway.outcome_of(message_id, timeout)
    if outcome is None:
        raise CommandError(
            f"no reply within {timeout:.0f} s. Either the service is not running (chasqui up; the message waits) "
            "or none is due, because the customer waits for a person."
        )
    if "reason" in outcome:
        raise CommandError(f"rejected: {outcome['reason']}")
    click.echo(orjson.dumps(outcome, option=orjson.OPT_INDENT_2).decode() if as_json else outcome["text"])


@main.command()
@click.argument("file", type=click.File("rb"))
def enqueue(file: Any) -> None:
    """Enqueue a webhook body or JSON lines from FILE (-: stdin).

    A file that is one JSON text is one payload; otherwise every line that is not blank is one. What cannot be read
    ends in whatsapp:rejected with its reason.
    """
    from worker.local.gateway import Gateway, payloads_of
    from worker.local.surroundings import surroundings
    from worker.services import DURABLE_TIMEOUT_S, connect_redis

    payloads = payloads_of(file.read())
    if not payloads:
        raise CommandError("nothing to enqueue: the input is empty")
    with surroundings(postgres=False) as configured, redis_errors():
        gateway = Gateway(connect_redis(configured.required("redis_url"), DURABLE_TIMEOUT_S))
        chunks = [payloads[first : first + ENQUEUE_CHUNK] for first in range(0, len(payloads), ENQUEUE_CHUNK)]
        for chunk in track(chunks, "Enqueuing", console=out, disable=not out.is_terminal or len(chunks) < 2):
            gateway.send_many(chunk)
    out.print(f"{len(payloads)} payload{'' if len(payloads) == 1 else 's'} enqueued.")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--window", "window_s", type=click.IntRange(1), default=86_400, show_default=True, help="Seconds back.")
def report(as_json: bool, window_s: int) -> None:
    """Show what was answered, from where, how fast, and what it cost."""
    from db.engine import connect
    from worker.local.surroundings import surroundings
    from worker.metrics.report import as_tables, make_report

    with (
        surroundings(redis=False) as configured,
        database_errors(),
        connect(configured.required("database_url")) as connection,
    ):
        figures = make_report(connection, window_s)
    if as_json:
        click.echo(orjson.dumps(figures, option=orjson.OPT_INDENT_2).decode())
    else:
        out.print(as_tables(figures))


@main.command()
@click.argument("phone")
def resume(phone: str) -> None:
    """Give a customer who was waiting for a person back to the AI. PHONE is WhatsApp's id of the customer."""
    from db import queries
    from db.engine import connect
    from worker.local.surroundings import surroundings

    with (
        surroundings(redis=False) as configured,
        database_errors(),
        connect(configured.required("database_url")) as connection,
    ):
        for _ in range(RESUME_TRIES):
            with connection.begin():
                answer = queries.resume_customer(connection, phone)
            if answer != "busy":
                break
            time.sleep(RESUME_PAUSE_S)
    if answer == "resumed":
        return out.print("The AI answers this customer again.")
    reason = (
        "a message of this customer is being answered right now, try again"
        if answer == "busy"
        else ("this customer does not wait for a person")
    )
    raise CommandError(reason)


@main.group()
def db() -> None:
    """The database."""


@db.command()
def upgrade() -> None:
    """Bring the database to the newest schema; safe while the service runs."""
    from worker.local.surroundings import surroundings

    with surroundings(redis=False) as configured, database_errors():
        migrations.upgrade(configured.required("database_url"))
    out.print(f"The database is at revision {migrations.head()}.")


@main.group()
def catalog() -> None:
    """The products of the shop."""


@catalog.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_catalog(file: Path) -> None:
    """Insert or update products from a CSV FILE.

    Columns: sku (or id), name, category and price; optional brand, format, currency (ARS), stock (100). A file with a
    mistake changes nothing.
    """
    from rich.progress import Progress

    from worker.catalog.products import import_products, read_products
    from worker.local.surroundings import surroundings

    rows = read_products(file)
    with (
        surroundings() as configured,
        database_errors(),
        Progress(console=out, disable=not out.is_terminal) as progress,
    ):
        migrations.upgrade(configured.required("database_url"))
        task = progress.add_task("Importing", total=len(rows))
        import_products(configured.required("database_url"), rows, lambda count: progress.advance(task, count))
    out.print(f"{len(rows):,} products imported.")


main.add_command(metrics)
