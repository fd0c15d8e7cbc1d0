"""Every command and every health check of the Compose file, run by hand with the environment it would have there."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
import redis
import requests
import yaml
from composed import FILE, Composed, composed
from redis.backoff import NoBackoff
from redis.retry import Retry

from worker.local.postgres import Postgres
from worker.local.processes import launch, own_directory, wait_until
from worker.local.redis import Redis
from worker.local.servers import embedded_servers
from worker.local.service import Access, free_port
from worker.local.simulator import Simulator
from worker.settings import Settings

LOGIN = ("ana", "a-long-password")
BIN = Path(sys.executable).parent
READY_S = 90.0
#: Ports that the services listen on, in their own containers.
PORTS = {"5555": "", "9464": "METRICS_PORT", "8090": "DASHBOARD_PORT"}


@dataclass
class Shop:
    """The services as they would run, their processes, and what they printed."""

    services: dict[str, Composed]
    processes: dict[str, subprocess.Popen[bytes]]
    directory: Path
    ports: Mapping[str, str]

    def environment(self, name: str) -> dict[str, str]:
        """What the image and the file set, and where the commands are."""
        own = {PORTS[port]: mine for port, mine in self.ports.items() if PORTS[port]}
        path = {"PATH": f"{BIN}:{os.defpath}", "PYTHONUNBUFFERED": "1", "HOME": str(self.directory)}
        return {**path, **own, **self.services[name].environment}

    def run(self, name: str, command: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        """A command in the place of the service's own, as `docker compose run` does."""
        return subprocess.run(
            command,
            cwd=self.directory,
            env=self.environment(name),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start(self, name: str) -> None:
        """The service's own command."""
        with self.log(name).open("wb") as output:
            self.processes[name] = subprocess.Popen(
                self.services[name].command,
                cwd=self.directory,
                env=self.environment(name),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def log(self, name: str) -> Path:
        """What the service printed."""
        return self.directory / f"{name}.log"

    def is_healthy(self, name: str) -> bool:
        """What Docker would say."""
        return self.run(name, self.services[name].health).returncode == 0


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """All services of ours, on a PostgreSQL and a Redis of their own that hold nothing yet."""
    directory = tmp_path_factory.mktemp("compose")
    ports = {port: str(free_port()) for port in PORTS}
    with Simulator() as simulator, embedded_servers(directory / "servers") as servers:
        postgres, memory = urlsplit(servers.database_url), urlsplit(servers.redis_url)
        instead = {
            "@postgres:5432/": f"@127.0.0.1:{postgres.port}/",
            "@redis:6379/": f"@127.0.0.1:{memory.port}/",
            "@redis-cache:6379/": f"@127.0.0.1:{memory.port}/",
            "0.0.0.0": "127.0.0.1",
            "/tmp/": f"{directory}/",
            **ports,
        }
        passwords = {"POSTGRES_PASSWORD": postgres.password, "REDIS_PASSWORD": memory.password}
        passwords |= dict.fromkeys(required() - passwords.keys(), "another-long-password")
        keys = dict.fromkeys(("OPENAI_API_KEY", "GEMINI_API_KEY", "DEEPSEEK_API_KEY"), "sk-test")
        variables = {**passwords, **keys, **simulator.base_urls, "FLOWER_BASIC_AUTH": ":".join(LOGIN)}
        services = {service.name: service for service in composed(variables, instead) if service.is_ours}
        shop = Shop(services, {}, directory, ports)
        with ExitStack() as stack:
            stack.callback(kill, shop)
            yield shop


def required() -> set[str]:
    """Variables that have no default."""
    return set(re.findall(r"\$\{(\w+):\?", FILE.read_text("utf-8")))


def kill(shop: Shop) -> None:
    """Leaves nothing behind, whatever happened."""
    for process in shop.processes.values():
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_the_services_work_as_written(shop: Shop) -> None:
    """Migrated first; every process becomes healthy; a message is answered; and each ends by itself when told to."""
    migrated = shop.run("migrate", shop.services["migrate"].command)
    assert migrated.returncode == 0, migrated.stderr
    for name in shop.services.keys() - {"migrate"}:
        shop.start(name)
    watched = [name for name in shop.processes if shop.services[name].health]
    for name in watched:
        assert wait_until(lambda name=name: shop.is_healthy(name), READY_S), f"{name}: {shop.log(name).read_text()[-3000:]}"
    sent = shop.run("migrate", ("chasqui", "send", "--from", "5491122334455", "--json", "hola"))
    assert json.loads(sent.stdout)["source"] == "ai", sent.stderr
    address = f"http://127.0.0.1:{shop.ports['5555']}/api/workers"
    assert requests.get(address, timeout=10).status_code == 401
    assert requests.get(address, auth=LOGIN, timeout=10).status_code == 200
    assert [name for name, process in shop.processes.items() if process.poll() is not None] == []
    for name, process in shop.processes.items():
        process.terminate()
    for name, process in shop.processes.items():
        assert process.wait(shop.services[name].grace_s) == 0, f"{name}: {shop.log(name).read_text()[-3000:]}"


def test_a_service_that_does_not_work_is_not_healthy(shop: Shop) -> None:
    """The checks say no once the processes are gone, so that what they said before means something."""
    assert all(process.poll() is not None for process in shop.processes.values())
    assert [name for name in shop.processes if shop.services[name].health and shop.is_healthy(name)] == []


def test_their_logs_are_json(shop: Shop) -> None:
    """From the first line to the last, of every process of ours."""
    for name in shop.processes:
        lines = shop.log(name).read_text().splitlines()
        assert lines, name
        assert all(json.loads(line)["event"] for line in lines), name


def test_postgres_starts_as_written(tmp_path: Path) -> None:
    """Its command is accepted, and what customers wrote stays out of its log."""
    (service,) = (one for one in composed(dict.fromkeys(required(), "x"), {}) if one.name == "postgres")
    postgres, access = Postgres(tmp_path), Access(port=free_port(), password="x")
    own_directory(postgres.directory)
    postgres.prepare(access)
    program, *options = postgres.command(access)
    kept = options[: options.index("timezone=UTC") - 1]
    launch([program, *kept, *service.command[1:]], directory=postgres.directory, log=postgres.log)
    try:
        assert wait_until(lambda: postgres.answers(postgres.url(access)), 30), postgres.log.read_text()
        url = postgres.url(access).replace("+psycopg2", "")
        connection = psycopg2.connect(url)
        with connection.cursor() as cursor:
            cursor.execute("select name, setting from pg_settings where name like 'log_%'")
            settings = dict(cursor.fetchall())
        connection.close()
        assert settings["log_min_messages"] == "log"
        assert (settings["log_min_error_statement"], settings["log_error_verbosity"]) == ("panic", "terse")
        if isready := shutil.which("pg_isready"):
            health = [isready, *service.health[1:], "-p", str(access.port)]
            assert subprocess.run(health, capture_output=True, check=False).returncode == 0
    finally:
        server = postgres.running()
        assert server is not None
        server.stop()


@pytest.mark.skipif(not shutil.which("redis-cli"), reason="needs redis-cli, which comes with Redis")
@pytest.mark.parametrize("name", ["redis", "redis-cache"])
def test_redis_is_healthy_as_written(tmp_path: Path, name: str) -> None:
    """The check needs the password, which it takes from the environment, and says no when the server is gone."""
    port = free_port()
    program = Redis(tmp_path).command(Access(port=port, password="x"))[0]
    instead = {"redis-server -": f"{program} -", "dir /data": f"dir {tmp_path}", "maxmemory 1gb": f"port {port}\nmaxmemory 1gb"}
    instead["redis-cli ping"] = f"redis-cli -p {port} ping"
    (service,) = (one for one in composed(dict.fromkeys(required(), "x y#"), instead) if one.name == name)
    environment = {"PATH": os.environ["PATH"], **service.environment}

    def check(**changes: str) -> bool:
        return subprocess.run(service.health, env=environment | changes, stderr=subprocess.DEVNULL, check=False).returncode == 0
