"""Flower beside the service: `chasqui up --flower`."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from worker.errors import CommandError
from worker.operate.commands.terminal import say
from worker.runtime.environment import environment
from worker.runtime.supervisor import Program, flower_program
from worker.settings import settings


@contextmanager
def flower(*, wanted: bool) -> Iterator[list[Program]]:
    """Flower's program, if it is wanted, and an environment with a login for it: that of FLOWER_BASIC_AUTH, or else a
    password that is made up here and told once. Raises CommandError where Flower is not installed.
    """
    if not wanted:
        yield []
        return
    if find_spec("flower") is None:
        raise CommandError("Flower is not installed: run pip install '.[dashboard]' in the checkout")
    port = settings().flower_port
    address = "/".join(filter(None, (f"Flower: http://127.0.0.1:{port}", settings().flower_url_prefix)))
    if settings().flower_basic_auth is not None:
        say(f"{address} (login: FLOWER_BASIC_AUTH)")
        yield [flower_program(port)]
        return
    password = secrets.token_urlsafe(16)
    say(f"{address} (user: chasqui, password: {password})")
    with environment({"FLOWER_BASIC_AUTH": f"chasqui:{password}"}):
        yield [flower_program(port)]
