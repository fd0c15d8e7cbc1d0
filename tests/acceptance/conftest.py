"""The whole service as real processes: intake, workers and beat on the servers of the test run, with the simulator."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers.basics import MIGRATED, Servers, new_database
from helpers.http_provider import serving
from helpers.provider_case import Shop
from helpers.recorded import PROVIDERS_TOML
from helpers.service import (
    FLOW_PROCESSES,
    Conversation,
    Service,
    begin_anew,
    running,
    service_environment,
    service_processes,
    supervised,
    wait_until_ready,
)
from sqlalchemy import Engine

from db.engine import make_engine
from worker.devkit.gateway import Gateway
from worker.devkit.simulator import Simulator
from worker.redisdb.connect import connect_redis
from worker.runtime.embedded.servers import embedded_servers
from worker.runtime.environment import environment
from worker.runtime.supervisor import Supervisor, service_programs


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes of the one service that most files here share, and where they work."""

    servers: Servers
    supervisor: Supervisor
    simulator: Simulator
    log: Path
    environment: dict[str, str | None]

    def pids(self) -> list[int]:
        """Of those that run now; 0 for one that has died."""
        return [child.process.pid if child.process.poll() is None else 0 for child in self.supervisor.children]


@pytest.fixture(scope="session")
def processes(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """The processes of the service, ready to work, on a database and a Redis that no other test uses."""
    directory = tmp_path_factory.mktemp("service")
    log = directory / "service.log"
    with (
        Simulator() as simulator,
        new_database(servers, MIGRATED) as url,
        embedded_servers(directory, postgres=False) as memory,
        log.open("wb") as output,
    ):
        own = Servers(url, str(memory.redis_url), directory)
        given = service_environment(own, simulator.base_urls)
        with ExitStack() as stack:
            with environment(given):
                programs = service_programs(directory, FLOW_PROCESSES)
                supervisor = stack.enter_context(running(programs, output))
                wait_until_ready(log)
            stack.enter_context(supervised(supervisor))
            yield Processes(own, supervisor, simulator, log, given)


@pytest.fixture(scope="session")
def service_engine(processes: Processes) -> Iterator[Engine]:
    """An engine on the database of the shared service."""
    engine = make_engine(processes.servers.database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def service(processes: Processes, service_engine: Engine) -> Iterator[Service]:
    """The service with an empty database, a fresh catalogue, and well-behaved providers, and its environment."""
    with environment(processes.environment), connect_redis(processes.servers.redis_url, timeout_s=5.0) as client:
        begin_anew(processes.servers, service_engine, client)
        simulator, supervisor = processes.simulator, processes.supervisor
        simulator.set("all", mode="ok", status=None, error_rate=None, latency_ms=(5, 20))
        before = processes.pids()
        log, gateway = processes.log, Gateway(client)
        yield Service(service_engine, client, log, gateway, supervisor=supervisor, simulator=simulator)
        if processes.pids() != before:
            wait_until_ready(log)


#: A provider may take this long here, so that one that drips does not hold up the tests.
PROVIDER_TIMEOUT_S = 2.0


@pytest.fixture(scope="module")
def open_shop(servers: Servers, shared_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The service with an empty database and, in the place of the simulator, three servers that know nothing of it."""
    directory = tmp_path_factory.mktemp("service")
    file = directory / "providers.toml"
    file.write_text(re.sub(r"(?m)^timeout_s = .*$", f"timeout_s = {PROVIDER_TIMEOUT_S}", PROVIDERS_TOML))
    with ExitStack() as stack:
        providers = {name: stack.enter_context(serving()) for name in ("openai", "deepseek", "gemini")}
        urls = {
            "OPENAI_BASE_URL": f"{providers['openai'].url}/v1",
            "DEEPSEEK_BASE_URL": providers["deepseek"].url,
            "GEMINI_BASE_URL": f"{providers['gemini'].url}/v1beta",
        }
        given = urls | {"PROVIDERS_FILE": str(file)}
        _, log = stack.enter_context(service_processes(servers, directory, given))
        client = stack.enter_context(connect_redis(servers.redis_url, timeout_s=5.0))
        begin_anew(servers, shared_engine, client)
        shop = Shop(Conversation(shared_engine, client, log, Gateway(client)), providers)
        yield shop
        shop.check_end()


@pytest.fixture
def shop(open_shop: Shop) -> Shop:
    """The same at the beginning of a case: providers are well, circuits closed, nothing cached."""
    open_shop.begin_case()
    return open_shop
