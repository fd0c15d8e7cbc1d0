"""Every command and every health check of the Compose file, run by hand with the environment it would have there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
import requests
from helpers.basics import GUARD_S
from helpers.composed import REQUIRED, Shop, composed, opened

from worker.devkit.simulator import Simulator
from worker.runtime.embedded.postgres import Postgres
from worker.runtime.embedded.processes import launch, own_directory, wait_until
from worker.runtime.embedded.redis import Redis
from worker.runtime.embedded.server import Access, free_port
from worker.runtime.embedded.servers import embedded_servers

LOGIN = ("ana", "a-long-password")
#: What every variable that must be set is set to, where nothing better is known.
PASSWORD = "anotherlongpassword"
READY_S = 90.0
#: Ports of containers, which have each their own network, and the settings that move them.
FLOWER, PORTS = "5555", {"9464": "METRICS_PORT", "8090": "DASHBOARD_PORT"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """All services of ours, not started, on a PostgreSQL and a Redis of their own that hold nothing yet."""
    directory = tmp_path_factory.mktemp("compose")
    moved = {port: str(free_port()) for port in (FLOWER, *PORTS)}
    with Simulator() as simulator, embedded_servers(directory / "servers") as servers:
        postgres, memory = urlsplit(servers.database_url or ""), urlsplit(servers.redis_url or "")
        instead = {
            "@postgres:5432/": f"@127.0.0.1:{postgres.port}/",
            "@redis:6379/": f"@127.0.0.1:{memory.port}/",
            "@redis-cache:6379/": f"@127.0.0.1:{memory.port}/",
            "0.0.0.0": "127.0.0.1",
            "/tmp/": f"{directory}/",
            **moved,
        }
        keys = dict.fromkeys(("OPENAI_API_KEY", "GEMINI_API_KEY", "DEEPSEEK_API_KEY"), "sk-test")
        variables = dict.fromkeys(REQUIRED, PASSWORD) | keys | simulator.base_urls
        variables |= {"POSTGRES_PASSWORD": postgres.password or "", "REDIS_PASSWORD": memory.password or ""}
        services = composed(variables | {"FLOWER_BASIC_AUTH": ":".join(LOGIN)}, instead)
        ours = {name: service for name, service in services.items() if service.is_ours}
        workplace = directory / "workplace"
        workplace.mkdir()
        with opened(Shop(ours, directory, {PORTS[port]: moved[port] for port in PORTS}, workplace)) as shop:
            yield shop


def test_the_services_work_as_written(shop: Shop) -> None:
    """Migrated first; every process becomes healthy; a message is answered; and each ends by itself when told to."""
    migrated = shop.run("migrate", shop.services["migrate"].command)
    assert migrated.returncode == 0, migrated.stderr
    for name in shop.services.keys() - {"migrate"}:
        shop.start(name)
    for name in shop.processes:
        assert shop.becomes_healthy(name, READY_S), f"{name}: {shop.log(name).read_text()[-3000:]}"
    sent = shop.run("migrate", ("chasqui", "send", "--from", "5491122334455", "--json", "hola"))
    assert json.loads(sent.stdout)["source"] == "ai", sent.stderr
    port = next(word for word in shop.services["flower"].command if "--port=" in word).partition("=")[2]
    address = f"http://127.0.0.1:{port}/api/workers"
    assert requests.get(address, timeout=GUARD_S).status_code == 401
    assert requests.get(address, auth=LOGIN, timeout=GUARD_S).status_code == 200
    assert [name for name, process in shop.processes.items() if process.poll() is not None] == []
    for process in shop.processes.values():
        process.terminate()
    for name, process in shop.processes.items():
        assert process.wait(shop.services[name].grace_s) == 0, f"{name}: {shop.log(name).read_text()[-3000:]}"


def test_a_service_that_does_not_work_is_not_healthy(shop: Shop) -> None:
    """The checks say no once the processes are gone, so that what they said before means something."""
    assert shop.processes
    assert all(process.poll() is not None for process in shop.processes.values())
    assert [name for name in shop.processes if shop.services[name].health and shop.is_healthy(name)] == []


def test_they_write_nothing_where_they_work(shop: Shop) -> None:
    """Their containers' file systems are read-only, but for /tmp."""
    assert list(shop.workplace.iterdir()) == []


def test_their_logs_are_json(shop: Shop) -> None:
    """From the first line to the last, of every process of ours but the dashboard, which tells people its address."""
    for name in shop.processes.keys() - {"dashboard"}:
        lines = shop.log(name).read_text().splitlines()
        assert lines, name
        assert all(json.loads(line)["event"] for line in lines), name


def test_postgres_starts_as_written(tmp_path: Path) -> None:
    """Its command is accepted, its check too, and what customers wrote stays out of its log."""
    service = composed(dict.fromkeys(REQUIRED, PASSWORD), {})["postgres"]
    postgres, access = Postgres(tmp_path), Access(port=free_port(), password=PASSWORD)
    own_directory(postgres.directory)
    postgres.prepare(access)
    program, *options = postgres.command(access)
    # Without our own settings of its log, which would hide what the file says.
    settings = [setting for setting in options[3::2] if not setting.startswith("log_")]
    own = [*options[:2], *(part for setting in settings for part in ("-c", setting))]
    launch([program, *own, *service.command[1:]], directory=postgres.directory, log=postgres.log)
    try:
        assert wait_until(lambda: postgres.answers(postgres.url(access)), GUARD_S), postgres.log.read_text()
        connection = psycopg2.connect(postgres.url(access).replace("+psycopg2", ""))
        with connection.cursor() as cursor:
            cursor.execute("select name, setting from pg_settings where name like 'log_%'")
            settings = dict(cursor.fetchall())
        connection.close()
        assert settings["log_min_messages"] == "log"
        assert (settings["log_min_error_statement"], settings["log_error_verbosity"]) == ("panic", "terse")
        if is_ready := shutil.which("pg_isready"):
            health = [is_ready, *service.health[1:], "-p", str(access.port)]
            assert subprocess.run(health, capture_output=True, check=False).returncode == 0
    finally:
        server = postgres.running()
        assert server is not None
        server.stop()


@pytest.mark.skipif(not shutil.which("redis-cli"), reason="needs redis-cli, which comes with Redis")
@pytest.mark.parametrize("name", ["redis", "redis-cache"])
def test_redis_is_healthy_as_written(tmp_path: Path, name: str) -> None:
    """The check takes the password from the environment; it says no without it, and when the server is gone."""
    port = free_port()
    program = Redis(tmp_path).command(Access(port=port, password=PASSWORD))[0]
    instead = {"redis-server -": f"{program} -", "maxmemory 1gb": f"port {port}", "dir /data": f"dir {tmp_path}"}
    service = composed(dict.fromkeys(REQUIRED, PASSWORD), {**instead, "redis-cli ping": f"redis-cli -p {port} ping"})[
        name
    ]
    given = {"PATH": os.environ["PATH"], **service.environment}

    def is_healthy(**changes: str) -> bool:
        done = subprocess.run(service.health, env=given | changes, stderr=subprocess.DEVNULL, check=False)
        return done.returncode == 0

    with subprocess.Popen(service.command, env=given, cwd=tmp_path, stdout=subprocess.DEVNULL) as server:
        try:
            assert wait_until(is_healthy, GUARD_S)
            assert not is_healthy(REDISCLI_AUTH="wrong")
        finally:
            server.terminate()
    assert not is_healthy()
