"""Commands that run the service: the demo, all of it, the intake alone, the exporter, the operators' page."""

import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec

import click

from db import migrations
from worker.celery_ext import gc_tuning
from worker.errors import CommandError
from worker.log import logger
from worker.operate.commands.report import as_tables
from worker.operate.commands.terminal import database_errors, interrupting, out, say, stop_signals
from worker.operate.dashboard.access import Access
from worker.runtime.environment import HOME, environment, server_keeper, surroundings
from worker.runtime.supervisor import Program, chasqui_program, flower_program, running, service_programs
from worker.settings import Settings, settings

log = logger(__name__)


@click.command()
def demo() -> None:
    """Play a conversation through the whole service.

    Starts PostgreSQL, Redis, simulated providers and all processes of the service on their own, in a directory that
    is removed afterwards; needs no settings and touches nothing else. Exits 0 only if every message ended as it
    should.
    """
    from worker.devkit.demo import play

    with interrupting():
        sys.exit(0 if play(out, as_tables) else 1)


@click.command()
@click.option(
    "--concurrency", type=click.IntRange(1, 64), default=2, show_default=True, help="Workers, of one process each."
)
@click.option("--flower", "with_flower", is_flag=True, help="Flower too, on 127.0.0.1 and behind a login.")
@click.option("--dashboard", "with_dashboard", is_flag=True, help="The operators' page too, on DASHBOARD_PORT.")
def up(concurrency: int, with_flower: bool, with_dashboard: bool) -> None:
    """Run the service until Ctrl-C: intake, workers, beat and the exporter for Prometheus.

    Servers whose URL is not set are started under ./.chasqui and stopped at the end; `. .chasqui/env` gives psql and
    redis-cli their URLs. It waits for servers that do not answer yet. Migrations are run first. A process that dies is
    started again within 2 s. A second `chasqui up` in the same directory is refused; for more workers there is
    --concurrency.
    """
    from worker.providers.providers_file import load_providers
    from worker.runtime.embedded.servers import only_service
    from worker.runtime.readiness import is_ready
    from worker.runtime.startup import check_servers, wait_for_servers
    from worker.shop.shop_file import load_shop

    keep_servers = server_keeper()
    with (
        stop_signals() as stop,
        only_service(HOME),
        surroundings() as configured,
        database_errors(),
        flower(wanted=with_flower) as page,
    ):
        load_shop(configured)
        if not any(provider.api_key for provider in load_providers(configured)):
            say("Warning: no provider has a key (OPENAI_API_KEY, ...): every reply will be the fallback.", err=True)
        if with_dashboard:
            check_dashboard(configured)
        from worker.app import check_broker

        if not wait_for_servers(configured, check_broker, stop):
            return
        migrations.upgrade(configured.required("database_url"))
        beside = [chasqui_program("metrics")] if configured.metrics_port else []
        beside += [*page, chasqui_program("dashboard")] if with_dashboard else page
        with running([*service_programs(HOME, concurrency), *beside]) as supervisor:
            supervisor.watch(
                stop,
                keep_servers,
                lambda: is_ready(configured),
                lambda: say("Chasqui is ready. Stop it with Ctrl-C."),
                lambda: check_servers(configured, check_broker),
            )


@contextmanager
def flower(*, wanted: bool) -> Iterator[list[Program]]:
    """Yields Flower's program, if it is wanted, with a login for it in the environment: that of FLOWER_BASIC_AUTH, or a
    password that is made up here and shown once. Raises CommandError where Flower is not installed.
    """
    if not wanted:
        yield []
        return
    if find_spec("flower") is None:
        raise CommandError("Flower is not installed: run pip install '.[dashboard]' in the checkout")
    port = settings().flower_port
    address = "/".join(filter(None, (f"Flower: http://127.0.0.1:{port}", settings().flower_url_prefix)))
    password = secrets.token_urlsafe(16) if settings().flower_basic_auth is None else None
    login = f"user: chasqui, password: {password}" if password else "login: FLOWER_BASIC_AUTH"
    say(f"{address} ({login})")
    with environment({"FLOWER_BASIC_AUTH": f"chasqui:{password}"} if password else {}):
        yield [flower_program(port)]


@click.command()
def intake() -> None:
    """Run the intake alone: reads whatsapp:inbound, starts the chain, sweeps up what was lost.

    Several may run; one is active, the others stand by.
    """
    from worker.runtime.startup import wait_for_servers

    with stop_signals() as stop, surroundings() as configured:
        from worker.app import check_broker

        if not wait_for_servers(configured, check_broker, stop):
            return
        from worker.chain import CeleryChain
        from worker.intake.intake import Intake
        from worker.steps.services import services
        from worker.tasks import fetch_session

        gc_tuning.tune()
        Intake(services(), CeleryChain(fetch_session, settings().batch_max), stop).run()


@click.command()
def metrics() -> None:
    """Serve /metrics for Prometheus, /healthz and /readyz on METRICS_HOST and METRICS_PORT.

    One process for the whole service; chasqui up starts it too, unless METRICS_PORT is 0.
    """
    if settings().metrics_port == 0:
        raise CommandError("METRICS_PORT is 0: name the port to serve metrics on")
    with stop_signals() as stop, surroundings() as configured:
        from worker.app import app, check_broker
        from worker.celery_ext.queues import queue_lengths
        from worker.operate.exporter.server import exporter, serving
        from worker.runtime.startup import announce_servers

        host, port = configured.metrics_host, configured.metrics_port
        with exporter(configured, partial(queue_lengths, app)) as pages, serving(pages, host, port):
            log.info("metrics_served", host=host, port=port)
            announce_servers(configured, check_broker)
            stop.wait()


@click.command()
def dashboard() -> None:
    """Serve the operators' page on DASHBOARD_HOST and DASHBOARD_PORT until Ctrl-C.

    Whoever knows DASHBOARD_PASSWORD may look, whoever knows DASHBOARD_ADMIN_PASSWORD may also act: orders, people
    who wait, dead letters. Without either, the page is for this machine alone, and read only.
    """
    with stop_signals() as stop, surroundings() as configured:
        check_dashboard(configured)
        from worker.app import check_broker
        from worker.operate.dashboard.server import serve
        from worker.runtime.startup import announce_servers

        announce_servers(configured, check_broker)
        told = "The dashboard is at {}. Stop it with Ctrl-C."
        serve(configured, lambda address: say(told.format(address), err=True), stop)


def check_dashboard(configured: Settings) -> None:
    """Raises a ChasquiError where the page's library is absent, or the page would be open to others."""
    if find_spec("nicegui") is None:
        raise CommandError("the dashboard is not installed: run pip install '.[dashboard]' in the checkout")
    Access(configured)
