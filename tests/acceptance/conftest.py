"""The whole service as real processes: intake, workers and beat on the servers of the test run, with the simulator."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from helpers.basics import Servers
from helpers.http_provider import serving
from helpers.provider_case import Shop
from helpers.recorded import PROVIDERS_TOML
from helpers.service import Conversation, Service, begin_anew, service_processes
from sqlalchemy import Engine

from worker.devkit.gateway import Gateway
from worker.devkit.simulator import Simulator
from worker.redisdb.connect import connect_redis
from worker.runtime.supervisor import Supervisor


@pytest.fixture(scope="module")
def processes(
    servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Supervisor, Simulator, Path]]:
    """The processes of the service, ready to work."""
    directory = tmp_path_factory.mktemp("service")
    with Simulator() as simulator, service_processes(servers, directory, simulator.base_urls) as (supervisor, log):
        yield supervisor, simulator, log


@pytest.fixture
def service(
    processes: tuple[Supervisor, Simulator, Path], servers: Servers, shared_engine: Engine
) -> Iterator[Service]:
    """The service with an empty database, a fresh catalogue, and well-behaved providers."""
    supervisor, simulator, log = processes
    client = connect_redis(servers.redis_url, timeout_s=5.0)
    begin_anew(servers, shared_engine, client)
    simulator.set("all", mode="ok", status=None, error_rate=None, latency_ms=(5, 20))
    yield Service(shared_engine, client, log, Gateway(client), supervisor=supervisor, simulator=simulator)
    client.close()


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
