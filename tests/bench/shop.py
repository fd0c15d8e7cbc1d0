"""The whole service for a replay: servers of its own, the provider simulator in a process of its own, all workers."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import requests

from db import migrations
from worker.catalog.price_list import import_products
from worker.devkit.demo import KEYS
from worker.devkit.sold_models import APIS
from worker.errors import CommandError
from worker.runtime.embedded.processes import last_lines, wait_until
from worker.runtime.embedded.server import HOST, free_port
from worker.runtime.environment import HOME, environment, surroundings
from worker.runtime.readiness import is_ready
from worker.runtime.supervisor import Program, Supervisor, running, service_programs
from worker.settings import Settings

#: Far quicker than real providers, so that a day fits into minutes; long enough that calls overlap.
LATENCY_MS: Final = (20, 60)
FLOW_PROCESSES: Final = 2
START_TIMEOUT_S: Final = 60.0
CALL_TIMEOUT_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Shop:
    """A shop that is open: its settings, the supervisor of its processes, and what they log."""

    configured: Settings
    supervisor: Supervisor
    log: Path

    def end_of_log(self) -> str:
        """The last lines the processes have logged."""
        return last_lines(self.log.read_text(errors="replace").splitlines(), 3)


@contextmanager
def open_shop(products: Sequence[dict[str, Any]], seed: int) -> Iterator[Shop]:
    """The service, ready, with these products and nothing else in its database. Whatever servers or keys the
    environment names are left alone. products: rows of `read_products`; seed: of the simulated latencies. Raises
    CommandError where it is not ready within 60 s.
    """
    HOME.mkdir(mode=0o700, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="economy-", dir=HOME))
    port = free_port()
    try:
        with environment(shop_environment(port)), surroundings(directory) as configured:
            migrations.upgrade(configured.required("database_url"))
            import_products(configured.required("database_url"), products, lambda _rows: None)
            programs = [simulator_program(port, seed), *service_programs(directory, FLOW_PROCESSES)]
            log = directory / "service.log"
            with log.open("wb") as output, running(programs, output) as supervisor:
                shop = Shop(configured, supervisor, log)
                _wait_until_ready(shop, port)
                yield shop
    finally:
        shutil.rmtree(directory, ignore_errors=True)


#: A workload's hottest customer writes in minutes what another would in weeks; and throughput is measured, not how long
#: somebody is waited for.
NO_LIMITS = {"REPLIES_PER_CUSTOMER_HOUR": "1000000", "REPLY_QUIET_S": "0", "PRECACHE_DAILY_USD": "0"}


def shop_environment(port: int) -> dict[str, str | None]:
    """The environment in which all providers are the simulator on this port, and no server is named."""
    unset: dict[str, str | None] = dict.fromkeys(name.upper() for name in Settings.model_fields)
    addresses = {f"{name.upper()}_BASE_URL": f"http://{HOST}:{port}{api.base_path}" for name, api in APIS.items()}
    return unset | dict.fromkeys(KEYS, "economy") | addresses | {"LOG_FORMAT": "json"} | NO_LIMITS


def simulator_program(port: int, seed: int) -> Program:
    """The provider simulator, in a process of its own."""
    command = ("-m", "worker.devkit.simulator", "--port", str(port), "--seed", str(seed))
    return Program("simulator", (sys.executable, *command))


def _wait_until_ready(shop: Shop, port: int) -> None:
    began = time.monotonic()
    ready = wait_until(lambda: simulator_obeys(port, latency_ms=LATENCY_MS), START_TIMEOUT_S) and wait_until(
        lambda: is_ready(shop.configured), START_TIMEOUT_S - (time.monotonic() - began)
    )
    if not ready:
        raise CommandError(f"the service is not ready after {START_TIMEOUT_S:.0f} s: {shop.end_of_log()}")


def simulator_obeys(port: int, **behaviour: Any) -> bool:
    """Orders the simulator to behave so (fields of `Behaviour`); False while it does not listen yet."""
    try:
        answer = requests.post(f"http://{HOST}:{port}/control", json=behaviour, timeout=CALL_TIMEOUT_S)
    except requests.ConnectionError:
        return False
    answer.raise_for_status()
    return True
