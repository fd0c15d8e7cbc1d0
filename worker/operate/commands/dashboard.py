"""`chasqui dashboard`: the operators' page."""

from __future__ import annotations

from importlib.util import find_spec

import click

from worker.errors import CommandError
from worker.operate.commands.terminal import say, stop_signals
from worker.operate.dashboard.access import Access
from worker.runtime.supervisor import Program, dashboard_program
from worker.settings import Settings


@click.command()
def dashboard() -> None:
    """Serve the operators' page on DASHBOARD_HOST and DASHBOARD_PORT until Ctrl-C.

    Whoever knows DASHBOARD_PASSWORD may look, whoever knows DASHBOARD_ADMIN_PASSWORD may also act: orders, people
    who wait, dead letters. Without either, the page is for this machine alone, and read only.
    """
    from worker.runtime.environment import surroundings

    with stop_signals() as stop, surroundings() as configured:
        check_dashboard(configured)
        from worker.app import check_broker
        from worker.operate.dashboard.server import serve
        from worker.runtime.startup import announce_servers

        announce_servers(configured, check_broker)
        told = "The dashboard is at {}. Stop it with Ctrl-C."
        serve(configured, lambda address: say(told.format(address), err=True), stop)


def dashboard_programs(configured: Settings, *, wanted: bool) -> list[Program]:
    """The page as a child of `chasqui up`, if it is wanted. Raises as `check_dashboard` does."""
    if not wanted:
        return []
    check_dashboard(configured)
    return [dashboard_program()]


def check_dashboard(configured: Settings) -> None:
    """Raises a ChasquiError where the page's library is absent, or the page would be open to others."""
    if find_spec("nicegui") is None:
        raise CommandError("the dashboard is not installed: run pip install '.[dashboard]' in the checkout")
    Access(configured)
