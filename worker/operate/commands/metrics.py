"""`chasqui metrics`: what Prometheus scrapes."""

from __future__ import annotations

from functools import partial

import click

from worker.errors import CommandError
from worker.log import logger
from worker.operate.commands.terminal import stop_signals
from worker.settings import settings

log = logger(__name__)


@click.command()
def metrics() -> None:
    """Serve /metrics for Prometheus, /healthz and /readyz on METRICS_HOST and METRICS_PORT.

    One process for the whole service; chasqui up starts it too, unless METRICS_PORT is 0.
    """
    from worker.runtime.environment import surroundings

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
