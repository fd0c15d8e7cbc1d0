"""What a run costs: CPU time of every process that takes part, and what PostgreSQL is asked to do."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
from sqlalchemy import Connection, text

from worker.runtime.embedded.postgres import Postgres
from worker.runtime.embedded.redis import Redis
from worker.runtime.supervisor import Supervisor

DRIVER: Final = "driver"
MIB: Final = 2**20
#: Of a further worker of the same kind.
NUMBER: Final = re.compile(r"-\d+$")
#: One statement is one commit for all who are measured. Transactions that wrote something are counted apart, exactly.
LOAD = text("""
    select xact_commit, pg_snapshot_xmax(pg_current_snapshot())::text::bigint, pg_current_wal_insert_lsn() - '0/0'
    from pg_stat_database where datname = current_database()
""")


@dataclass(frozen=True, slots=True)
class Load:
    """What PostgreSQL has done: commits, those of them that wrote, and bytes of write-ahead log."""

    commits: float
    writes: float
    wal_bytes: float

    def per(self, before: Load, messages: int) -> Load:
        """What came since `before`, per message."""
        return Load(
            (self.commits - before.commits) / messages,
            (self.writes - before.writes) / messages,
            (self.wal_bytes - before.wal_bytes) / messages,
        )


def load(connection: Connection) -> Load:
    """The counters now. PostgreSQL's processes report commits once a second, so they lag by up to that."""
    with connection.begin():
        commits, writes, wal = connection.execute(LOAD).one()
    return Load(float(commits), float(writes), float(wal))


class Cast:
    """The processes that take part, by the part they play."""

    def __init__(self, directory: Path) -> None:
        home = directory.resolve()
        servers = {"postgres": Postgres(home).running(), "redis": Redis(home).running()}
        self._servers = {name: psutil.Process(server.pid) for name, server in servers.items() if server}

    def parts(self, *supervisors: Supervisor) -> dict[str, list[psutil.Process]]:
        """Processes by part. A program that forks a pool is two parts: itself, and its pool; several workers one."""
        parts: dict[str, list[psutil.Process]] = {}
        for child in (child for supervisor in supervisors for child in supervisor.children):
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(child.process.pid)
                name = NUMBER.sub("", child.program.name)
                parts.setdefault(name, []).append(process)
                if pool := process.children(recursive=True):
                    parts.setdefault(f"{name} pool", []).extend(pool)
        return parts | {name: [process, *process.children(recursive=True)] for name, process in self._servers.items()}

    def cpu_s(self, *supervisors: Supervisor) -> dict[str, float]:
        """CPU seconds used so far by part, those of children that have ended included; the driver is this process."""
        used = {part: sum(map(_cpu_s, processes)) for part, processes in self.parts(*supervisors).items()}
        return used | {DRIVER: time.process_time()}

    def memory_mib(self, *supervisors: Supervisor) -> dict[str, float]:
        """Memory that belongs to each part alone (unique set size), in MiB."""
        return {part: sum(map(_memory_mib, group)) for part, group in self.parts(*supervisors).items()}


def _cpu_s(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return float(times.user + times.system + times.children_user + times.children_system)
    return 0.0


def _memory_mib(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        return float(process.memory_full_info().uss) / MIB
    return 0.0
