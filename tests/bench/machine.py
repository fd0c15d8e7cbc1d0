"""What the benchmark ran on."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psutil
import redis
from sqlalchemy import Connection, text

PACKAGES: Final = ("celery", "kombu", "redis", "hiredis", "sqlalchemy", "psycopg2-binary", "orjson")


def machine(connection: Connection, client: redis.Redis) -> dict[str, str]:
    """Cores, processor, memory, and the versions of everything that takes part."""
    with connection.begin():
        postgres = str(connection.execute(text("show server_version")).scalar_one())
    server = client.info("server")
    return {
        "cores": str(psutil.cpu_count()),
        "processor": _processor(),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "postgresql": postgres,
        "redis server": str(server["redis_version"]),
        **{package: version(package) for package in PACKAGES},
    }


def as_line(described: Mapping[str, str]) -> str:
    """The same in a line or two."""
    return ", ".join(f"{name} {value}" for name, value in described.items())


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()
