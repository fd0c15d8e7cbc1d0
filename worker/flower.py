"""Flower, as `python -m worker.flower [options of flower]`: behind a login, read-only, in our kind of log, and with
nothing personal in its memory. Written for Flower 2.2, whose `EventsState.event` takes in every event.
"""

import re
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from worker import log
from worker.app import app, check_broker
from worker.errors import ChasquiError, ConfigurationError
from worker.runtime.environment import environment
from worker.runtime.signals import hang_up_ends
from worker.runtime.startup import wait_for_broker
from worker.settings import Settings, settings

#: Summaries of `worker.celery_ext.redaction`.
MASKED = re.compile(r"\d+ turns?|masked|\(\)|\{\}")


def masked(event: dict[str, Any]) -> dict[str, Any]:
    """Returns an event whose arguments show nothing. Our workers' own never do; a foreign producer may announce what it
    sends before any worker has seen it.
    """
    shown = {name: event[name] for name in ("args", "kwargs") if event.get(name)}
    return event | {name: "masked" for name, value in shown.items() if not MASKED.fullmatch(str(value))}


def mask_events() -> None:
    """Makes Flower's memory take in masked events only."""
    events = import_module("flower.events")
    take_in = events.EventsState.event
    events.EventsState.event = lambda state, event: take_in(state, masked(event))


def login(configured: Settings) -> str:
    """Returns USER:PASSWORD; raises ConfigurationError where there is none, because then the page would be open."""
    given = configured.flower_basic_auth.get_secret_value() if configured.flower_basic_auth else ""
    user, _, password = given.partition(":")
    if not user or not password:
        raise ConfigurationError("FLOWER_BASIC_AUTH: must be set to USER:PASSWORD")
    return given


def serve(arguments: Sequence[str]) -> None:
    """Serves until it is stopped. What the environment says of Flower (FLOWER_PORT, ...) holds, but for the login."""
    if find_spec("flower") is None:
        raise ConfigurationError("Flower is not installed: pip install 'chasqui[dashboard]'")
    log.configure(settings().log_format, settings().log_level)
    mask_events()
    hang_up_ends()
    wait_for_broker(check_broker)
    with environment(
        {
            "FLOWER_BASIC_AUTH": login(settings()),
            "FLOWER_UNAUTHENTICATED_API": None,
            "FLOWER_URL_PREFIX": settings().flower_url_prefix,
        }
    ):
        app.start(["flower", "--read_only", *arguments])


def main() -> None:
    """Serves with the options of this process; a configuration error ends it with its reason."""
    try:
        serve(sys.argv[1:])
    except ChasquiError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
