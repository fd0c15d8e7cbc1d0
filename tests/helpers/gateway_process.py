"""The gateway of `examples/` as a process, between a Redis and a simulated Graph API."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from helpers.basics import GUARD_S, REPOSITORY
from helpers.graph_api import APP_SECRET, PHONE_ID, TOKEN, VERIFY_TOKEN, GraphApi

PROGRAM = REPOSITORY / "examples" / "gateway.py"
LISTENS = re.compile(r"the webhook is (http://\S+)")


@dataclass(frozen=True, slots=True)
class GatewayProcess:
    """The running program."""

    process: subprocess.Popen[bytes]
    log: Path
    webhook: str


def environment_of(redis_url: str) -> dict[str, str]:
    """What the program needs to know."""
    secrets = {"WHATSAPP_TOKEN": TOKEN, "WHATSAPP_APP_SECRET": APP_SECRET, "WHATSAPP_VERIFY_TOKEN": VERIFY_TOKEN}
    return os.environ | secrets | {"REDIS_URL": redis_url, "WHATSAPP_PHONE_ID": PHONE_ID, "NO_PROXY": "*"}


def wait_until(condition: Callable[[], object], log: Path, timeout_s: float = GUARD_S) -> None:
    """Returns when the condition holds; fails after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.02)


@contextmanager
def gateway_process(redis_url: str, api: GraphApi, log: Path, *options: str, **more: str) -> Iterator[GatewayProcess]:
    """The program from its first answer to SIGTERM, after which it must end well. more: in its environment."""
    command = [sys.executable, str(PROGRAM), "--port", "0", "--graph-url", api.url, *options]
    with log.open("ab") as output:
        began = output.tell()
        process = subprocess.Popen(command, env=environment_of(redis_url) | more, stderr=output)

    def listens() -> re.Match[str] | None:
        assert process.poll() is None, log.read_text()
        return LISTENS.search(log.read_bytes()[began:].decode())

    try:
        wait_until(listens, log)
        found = listens()
        assert found
        yield GatewayProcess(process, log, found[1])
        if process.poll() is None:
            process.terminate()
            assert process.wait(GUARD_S) == 0, log.read_text()[-3000:]
    finally:
        process.kill()
        process.wait(GUARD_S)
