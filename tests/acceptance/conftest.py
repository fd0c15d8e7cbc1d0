"""The whole service as real processes: intake, workers and beat on the servers of the test run, with the simulator."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from service import Service
from sqlalchemy import Engine
from support import EMPTY, Servers

from db import retry
from worker.catalog.products import import_products, read_products
from worker.local.demo import CATALOG, KEYS
from worker.local.gateway import Gateway
from worker.local.ready import is_ready
from worker.local.simulator import Simulator
from worker.local.supervisor import Supervisor, running, service_programs
from worker.local.surroundings import environment
from worker.services import connect_redis
from worker.settings import settings

#: Short times, so that what is lost comes back within a test.
TIMES = {"FLOW_LEASE_S": "3", "AI_DEADLINE_S": "5", "SWEEP_EVERY_S": "0.5"}


@pytest.fixture(scope="module")
def processes(
    servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Supervisor, Simulator, Path]]:
    """The processes of the service, ready to work."""
    directory = tmp_path_factory.mktemp("service")
    log = directory / "service.log"
    with Simulator() as simulator:
        unset = dict.fromkeys(("CACHE_REDIS_URL", "BROKER_URL", "PROVIDERS_FILE"))
        urls = {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url, "LOG_FORMAT": "json"}
        keys = dict.fromkeys(KEYS, "sk-test-0123456789abcdef")
        with (
            environment(unset | urls | keys | simulator.base_urls | TIMES),
            log.open("wb") as output,
            running(service_programs(directory, flow_processes=2), output) as supervisor,
        ):
            deadline = time.monotonic() + 30
            while not is_ready(settings()):
                assert time.monotonic() < deadline, log.read_text()[-3000:]
            yield supervisor, simulator, log


@pytest.fixture
def service(
    processes: tuple[Supervisor, Simulator, Path], servers: Servers, shared_engine: Engine
) -> Iterator[Service]:
    """The service with an empty database, a fresh catalogue, and well-behaved providers."""
    supervisor, simulator, log = processes
    # The service goes on working, so emptying may cross one of its transactions.
    retry.run(shared_engine, lambda connection: connection.execute(EMPTY))
    import_products(servers.database_url, read_products(CATALOG), lambda _rows: None)
    simulator.set("all", mode="ok", status=None, error_rate=None, latency_ms=(5, 20))
    client = connect_redis(servers.redis_url, timeout_s=5.0)
    for pattern in ("ai_response:*", "ai_circuit:*", "flight:*", "session:*", "product_search:*", "categories:*"):
        for key in client.scan_iter(pattern):
            client.delete(key)
    yield Service(supervisor, simulator, shared_engine, client, log, Gateway(client))
    client.close()
