"""`chasqui up --dashboard`: the page beside the service, looked after like the rest of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest
from helpers.basics import GUARD_S
from helpers.dashboard_browser import answers, wait_for
from sqlalchemy import Engine

from worker.runtime.embedded.server import free_port

UP = (sys.executable, "-m", "worker", "up", "--concurrency", "1", "--dashboard")


def environment(urls: Mapping[str, str], **more: str) -> dict[str, str]:
    """The servers of this test run, and nothing of whoever runs it."""
    given = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_URL"))}
    return given | dict(urls) | {"METRICS_PORT": "0"} | more


def test_it_is_started_watched_and_ended(urls: Mapping[str, str], engine: Engine, tmp_path: Path) -> None:
    """A killed page is back within seconds; Ctrl-C ends it with the service."""
    port = free_port()
    with (tmp_path / "log").open("wb") as log:
        given = environment(urls, DASHBOARD_PORT=str(port))
        up = subprocess.Popen(UP, cwd=tmp_path, env=given, stdout=log, stderr=log)
        try:
            wait_for(lambda: answers(port), GUARD_S, (tmp_path / "log").read_text)
            page = next(child for child in psutil.Process(up.pid).children() if "dashboard" in child.cmdline())
            page.kill()
            page.wait(GUARD_S)
            wait_for(lambda: answers(port), GUARD_S, (tmp_path / "log").read_text)
        finally:
            up.send_signal(signal.SIGINT)
            up.wait(GUARD_S)
    assert up.returncode == 0
    assert not answers(port)
    assert f"The dashboard is at http://127.0.0.1:{port}." in (tmp_path / "log").read_text()


@pytest.mark.parametrize("command", [UP, (*UP[:3], "dashboard")], ids=["up", "dashboard"])
def test_it_says_why_it_does_not_start(urls: Mapping[str, str], tmp_path: Path, command: tuple[str, ...]) -> None:
    """Open to others without a password: one line, exit code 1, and nothing was started."""
    given = environment(urls, DASHBOARD_HOST="0.0.0.0")
    done = subprocess.run(
        command, cwd=tmp_path, env=given, capture_output=True, text=True, timeout=GUARD_S, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Error: DASHBOARD_HOST is 0.0.0.0, which others can reach.")


def test_a_port_that_is_taken_is_named(urls: Mapping[str, str], tmp_path: Path) -> None:
    """With the settings that help."""
    taken = urls["REDIS_URL"].rpartition(":")[2].partition("/")[0]
    given = environment(urls, DASHBOARD_PORT=taken)
    command = (*UP[:3], "dashboard")
    done = subprocess.run(
        command, cwd=tmp_path, env=given, capture_output=True, text=True, timeout=GUARD_S, check=False
    )
    assert done.returncode == 1
    assert f"the dashboard cannot listen on 127.0.0.1:{taken}: Address already in use. Set DASHBOARD_" in done.stderr
