"""Where the contenders meet: servers with a catalogue, the provider simulator, and room to run programs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from bench.shop import shop_environment, simulator_obeys, simulator_program
from bench.usage import Cast
from db import migrations
from db.engine import connect
from worker.catalog.price_list import import_products
from worker.errors import CommandError
from worker.runtime.embedded.processes import last_lines, wait_until
from worker.runtime.embedded.server import free_port
from worker.runtime.environment import HOME, environment, surroundings
from worker.runtime.supervisor import Program, Supervisor, running
from worker.settings import Settings

START_TIMEOUT_S = 60.0
#: Celery's name for the broker; it would win over ours.
BROKER = "CELERY_BROKER_URL"


@dataclass(frozen=True, slots=True)
class Stage:
    """Servers, catalogue and simulator; no contender runs yet. products: rows of `read_products`."""

    configured: Settings
    directory: Path
    products: Sequence[dict[str, Any]]
    port: int
    simulator: Supervisor
    cast: Cast
    connection: Connection

    def simulate(self, **behaviour: Any) -> None:
        """Makes all providers behave so: fields of `worker.devkit.behaviour.Behaviour`."""
        if not simulator_obeys(self.port, **behaviour):
            raise CommandError("the provider simulator does not answer")

    def redis_url(self, database: int) -> str:
        """The server's URL with another of its databases; ours is 0."""
        return f"{self.configured.required('redis_url').rpartition('/')[0]}/{database}"

    @property
    def log(self) -> Path:
        """What all programs log."""
        return self.directory / "programs.log"

    def end_of_log(self) -> str:
        """The last lines the programs have logged."""
        return last_lines(self.log.read_text(errors="replace").splitlines(), 3)

    @contextmanager
    def playing(self, programs: Sequence[Program]) -> Iterator[Supervisor]:
        """Programs for the length of the block."""
        with self.log.open("ab") as output, running(programs, output) as supervisor:
            yield supervisor


@contextmanager
def open_stage(products: Sequence[dict[str, Any]], seed: int, calls: int | None = None) -> Iterator[Stage]:
    """A stage of its own, removed at the end. Whatever servers or keys the environment names are left alone. seed: of
    the simulated latencies. calls: of providers at a time, None for what the service does by itself. Raises
    CommandError where something does not start.
    """
    parallel = {"AI_PARALLEL_CALLS": str(calls)} if calls else {}
    HOME.mkdir(mode=0o700, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="bench-", dir=HOME))
    port = free_port()
    try:
        with environment(shop_environment(port) | parallel | {BROKER: None}), surroundings(directory) as configured:
            database_url = configured.required("database_url")
            migrations.upgrade(database_url)
            import_products(database_url, products, lambda _rows: None)
            with (
                (directory / "simulator.log").open("wb") as output,
                running([simulator_program(port, seed)], output) as simulator,
                connect(database_url, statement_timeout_ms=600_000) as connection,
            ):
                if not wait_until(lambda: simulator_obeys(port), START_TIMEOUT_S):
                    raise CommandError("the provider simulator does not start")
                cast = Cast(directory)
                yield Stage(configured, directory, products, port, simulator, cast, connection)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
