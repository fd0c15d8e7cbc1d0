"""`chasqui` as a process of its own, with an environment that names nothing but what a test gives it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from helpers.basics import Servers
from worker.settings import FILE, Settings

NAMES = [name.upper() for name in Settings.model_fields]


def run(directory: Path, *arguments: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """A command to its end, in this directory."""
    unset = {*NAMES, *(f"{name}{FILE}" for name in NAMES)}
    inherited = {name: value for name, value in os.environ.items() if name not in unset}
    return subprocess.run(
        [sys.executable, "-m", "worker", *arguments],
        cwd=directory,
        env=inherited | {"PYTHONIOENCODING": "utf-8"} | environ,
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def urls_of(servers: Servers) -> dict[str, str]:
    """The environment variables that name the servers of the test run."""
    return {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url}
