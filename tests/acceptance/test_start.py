"""The start and the end of the service under what a machine does to it: servers that come later, closed terminals."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import termios
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
from helpers.basics import GUARD_S, Servers
from helpers.command_line import CHASQUI, PARTS, QUICK_UP, UP, Started, run, started, urls_of
from helpers.service import Conversation, begin_anew, says, service_processes, webhook
from helpers.sockets import redis_on_a_socket
from sqlalchemy import Engine

from db import migrations
from worker.devkit.gateway import Gateway
from worker.devkit.simulator import Simulator
from worker.redisdb.connect import connect_redis
from worker.runtime.embedded.processes import own_directory, wait_until
from worker.runtime.embedded.server import free_port
from worker.runtime.embedded.servers import embedded_servers
from worker.runtime.readiness import is_ready
from worker.runtime.startup import REMIND_EVERY_S
from worker.settings import read_settings

NAMELESS = 123_456
#: The interpreter may lie where only root looks, hence the capability, which the embedded servers get from root too.
AS_NAMELESS = (
    "setpriv",
    *(f"--reuid={NAMELESS}", f"--regid={NAMELESS}", "--clear-groups"),
    *("--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--securebits=+no_setuid_fixup", "--"),
)
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def later(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A directory for embedded servers that do not run now, and the URLs that they will have."""
    with embedded_servers(tmp_path / "later") as servers:
        assert servers.database_url
        assert servers.redis_url
        urls = {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url}
    return tmp_path / "later", urls


def waits(up: Started) -> list[dict[str, Any]]:
    """Lines of its log that say for what it waits."""
    lines = [line for line in up.log.read_text().splitlines() if '"waiting_for_server"' in line]
    return [json.loads(line) for line in lines]


def test_up_waits_for_its_servers(later: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    """It says for what, and again after a while only; when they come it starts, and nothing has died meanwhile."""
    directory, urls = later
    with started(QUICK_UP, tmp_path, urls) as up:
        assert up.says('"waiting_for_server"'), up.log.read_text()
        with embedded_servers(directory):
            assert up.says("Chasqui is ready"), up.log.read_text()
            assert up.end() == 0
        for one, next_one in pairwise(waits(up)):
            assert next_one["server"] != one["server"] or next_one["waited_s"] - one["waited_s"] > REMIND_EVERY_S
        assert "child_died" not in up.log.read_text()


def test_the_parts_wait_for_their_servers(later: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    """Each started by itself, before there is any server; all of them work as soon as there is."""
    directory, urls = later
    moved = {"METRICS_PORT": str(free_port()), "DASHBOARD_PORT": str(free_port()), "FLOWER_PORT": str(free_port())}
    given = urls | moved | {"FLOWER_BASIC_AUTH": "ana:a-long-password"}
    with ExitStack() as stack:
        parts = []
        for name, command in PARTS.items():
            own_directory(tmp_path / name)
            parts.append(stack.enter_context(started(command, tmp_path / name, given)))
        for part in parts:
            assert part.says('"waiting_for_server"'), part.log.read_text()
        with embedded_servers(directory) as servers:
            assert servers.database_url
            migrations.upgrade(servers.database_url)
            assert wait_until(lambda: is_ready(read_settings(urls)), GUARD_S)
            for part in parts:
                assert part.says('"server_answers"'), part.log.read_text()
            assert [part.end() for part in parts] == [0] * len(parts)


def test_the_service_works_over_a_socket(servers: Servers, shared_engine: Engine, tmp_path: Path) -> None:
    """REDIS_URL=unix:// for streams, caches and broker at once: every process, and an answer."""
    with ExitStack() as stack:
        simulator = stack.enter_context(Simulator())
        url = stack.enter_context(redis_on_a_socket())
        given = simulator.base_urls | {"REDIS_URL": url, "DATABASE_URL": servers.database_url}
        _, log = stack.enter_context(service_processes(servers, tmp_path, given))
        client = stack.enter_context(connect_redis(url, 5.0))
        begin_anew(servers, shared_engine, client)
        conversation = Conversation(shared_engine, client, log, Gateway(client))
        conversation.gateway.send(webhook(says("wamid.socket", "5491122334455", "hola")))
        conversation.wait_until(lambda: "wamid.socket" in conversation.answered())
        lines = run(tmp_path, "doctor", "--no-probe", DATABASE_URL=servers.database_url, REDIS_URL=url).stdout
        assert re.search(r"✓ redis +version", lines), lines
        assert re.search(r"✓ workers +2 workers answer", lines), lines


@pytest.mark.parametrize("name", sorted(PARTS))
def test_a_part_that_waits_can_be_ended(tmp_path: Path, name: str) -> None:
    """At once, by whichever signal."""
    absent = {"DATABASE_URL": "postgresql://x:x@127.0.0.1:1/x", "REDIS_URL": "redis://127.0.0.1:1"}
    moved = {"METRICS_PORT": str(free_port()), "DASHBOARD_PORT": str(free_port())}
    with started(PARTS[name], tmp_path, absent | moved | {"FLOWER_BASIC_AUTH": "ana:a-long-password"}) as part:
        assert part.says('"waiting_for_server"'), part.log.read_text()
        assert part.end(signal.SIGHUP) in (0, -signal.SIGTERM)


def test_a_wrong_password_is_not_waited_for(servers: Servers, tmp_path: Path) -> None:
    """One line, exit code 1: nobody would come and change it. The password is not shown."""
    urls = urls_of(servers)
    for setting, before in (("DATABASE_URL", "chasqui:"), ("REDIS_URL", "default:")):
        given = urls | {setting: urls[setting].replace(before, f"{before}wrong")}
        with started(UP, tmp_path, given) as up:
            assert up.process.wait(GUARD_S) == 1
        assert f"is {setting} right?" in up.log.read_text().splitlines()[-1]
        assert "wrong" not in up.log.read_text()


def test_a_closed_terminal_ends_everything(servers: Servers, tmp_path: Path) -> None:
    """As SIGTERM does: the children too, in order, although nothing can be written any more."""
    inside, outside = pty.openpty()
    terminal = {"stdin": outside, "stdout": outside, "stderr": outside}
    with started(
        QUICK_UP, tmp_path, urls_of(servers), before=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0), **terminal
    ) as up:
        os.close(outside)
        seen = b""
        while b"Chasqui is ready" not in seen:
            seen += os.read(inside, 4096)
        children = psutil.Process(up.process.pid).children(recursive=True)
        assert len(children) >= 4
        os.close(inside)
        assert up.process.wait(GUARD_S) == 0
    assert psutil.wait_procs(children, 5)[1] == []


def test_every_part_ends_by_a_hang_up(servers: Servers, tmp_path: Path) -> None:
    """Celery's workers too, which by themselves would begin anew; each with exit code 0."""
    moved = {"DASHBOARD_PORT": str(free_port()), "FLOWER_PORT": str(free_port()), "METRICS_PORT": str(free_port())}
    with started((*UP, "--dashboard", "--flower"), tmp_path, urls_of(servers) | moved) as up:
        assert up.says("Chasqui is ready"), up.log.read_text()
        assert up.says("The dashboard is at"), up.log.read_text()
        children = psutil.Process(up.process.pid).children()
        for child in children:
            child.send_signal(signal.SIGHUP)
        assert psutil.wait_procs(children, 40)[1] == []
        assert up.end(signal.SIGHUP) == 0
    assert up.log.read_text().count('"code":0,"event":"child_died"') == len(children), up.log.read_text()


def test_nohup_is_respected(servers: Servers, tmp_path: Path) -> None:
    """Who had the signal ignored for the service wants it to go on."""
    ignoring = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731  it is run in the child
    with started(QUICK_UP, tmp_path, urls_of(servers), before=ignoring) as up:
        assert up.says("Chasqui is ready"), up.log.read_text()
        children = psutil.Process(up.process.pid).children()
        for process in (psutil.Process(up.process.pid), *children):
            process.send_signal(signal.SIGHUP)
        assert is_ready(read_settings(urls_of(servers)))
        assert all(child.is_running() for child in children)
        assert up.end() == 0
    assert "child_died" not in up.log.read_text()


@pytest.mark.parametrize("stream", ["full", "pipe"])
def test_the_service_goes_on_where_it_cannot_say_that_it_is_ready(
    servers: Servers, tmp_path: Path, stream: str
) -> None:
    """On a full disk, or into a pipe that nobody reads any more; it has given up its output, and nothing else."""
    if stream == "full":
        output = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, output = os.pipe()
        os.close(reader)
    with started(QUICK_UP, tmp_path, urls_of(servers), stdout=output) as up:
        os.close(output)
        given_up = wait_until(lambda: os.readlink(f"/proc/{up.process.pid}/fd/1") == os.devnull, GUARD_S)
        assert given_up, up.log.read_text()
        assert wait_until(lambda: is_ready(read_settings(urls_of(servers))), GUARD_S)
        assert up.end() == 0
    assert "Traceback" not in up.log.read_text()


def test_the_service_goes_on_where_it_can_write_nothing(servers: Servers, tmp_path: Path) -> None:
    """Neither what it says nor its log: a full disk under both."""
    full = os.open("/dev/full", os.O_WRONLY)
    with started(QUICK_UP, tmp_path, urls_of(servers), stdout=full, stderr=full) as up:
        os.close(full)
        assert wait_until(lambda: os.readlink(f"/proc/{up.process.pid}/fd/1") == os.devnull, GUARD_S)
        assert wait_until(lambda: is_ready(read_settings(urls_of(servers))), GUARD_S)
        up.end()


def test_the_service_starts_without_any_stream(servers: Servers, tmp_path: Path) -> None:
    """Standard input, output and error are closed, as some old supervisors leave them."""
    with started(QUICK_UP, tmp_path, urls_of(servers), before=lambda: os.closerange(0, 3)) as up:
        assert wait_until(lambda: is_ready(read_settings(urls_of(servers))), GUARD_S)
        assert {os.readlink(f"/proc/{up.process.pid}/fd/{number}") for number in range(3)} == {os.devnull}
        assert up.end() == 0


@only_root
def test_a_user_without_a_name_is_told_what_to_set(tmp_path: Path) -> None:
    """The embedded PostgreSQL cannot be made for one: a sentence, not what initdb says."""
    home = nameless_home(tmp_path)
    with started((*AS_NAMELESS, *CHASQUI, "up"), home, {}) as up:
        assert up.process.wait(GUARD_S) == 1
    assert "set DATABASE_URL" in up.log.read_text().splitlines()[-1]


@only_root
def test_a_user_without_a_name_runs_the_service(servers: Servers, tmp_path: Path) -> None:
    """With servers of its own to name; every process starts, and ends by itself."""
    home = nameless_home(tmp_path)
    with started((*AS_NAMELESS, *QUICK_UP), home, urls_of(servers)) as up:
        assert up.says("Chasqui is ready"), up.log.read_text()
        users = {process.uids().real for process in psutil.Process(up.process.pid).children()}
        assert users == {NAMELESS}
        assert up.end() == 0


def nameless_home(directory: Path) -> Path:
    """A directory that belongs to a user without a name."""
    home = directory / "nameless"
    home.mkdir()
    os.chown(home, NAMELESS, NAMELESS)
    return home
