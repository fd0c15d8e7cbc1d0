"""Beat, of which several may run: one is active, the others stand by, and one that hangs is replaced."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
from helpers.away import refusing_port
from helpers.basics import GUARD_S, Servers
from structlog.testing import capture_logs

from worker.app import app
from worker.celery_ext import active_beat
from worker.celery_ext.active_beat import ActiveScheduler, Lease
from worker.redisdb.keys import LEASE
from worker.runtime import supervisor
from worker.runtime.embedded.processes import wait_until
from worker.runtime.environment import environment
from worker.runtime.supervisor import Program, Supervisor, celery_program, running, service_programs
from worker.settings import Settings

KEY = LEASE.key("beat")


def test_a_lease_is_one_process_own(redis_client: redis.Redis) -> None:
    """As long as it renews it; who has lost it does not get it back, nor may drop it, while another has it."""
    first, second = (Lease(redis_client, "beat", 60.0) for _ in range(2))
    assert [first.take(), second.take(), first.take()] == [True, False, True]
    assert 0 < redis_client.pttl(KEY) <= 60_000
    second.drop()
    assert not second.take()
    redis_client.delete(KEY)  # it has expired
    assert [second.take(), first.take()] == [True, False]
    second.drop()
    assert first.take()


class Recording(ActiveScheduler):  # type: ignore[misc]  # celery ships no types
    """One that has no broker, and takes note of what it would send."""

    producer = None
    sent: list[str]

    def apply_entry(self, entry: Any, producer: object = None) -> None:
        """Takes note of it."""
        self.sent.append(entry.name)

    def all_due(self) -> list[str]:
        """What it sends now, until nothing is due any more."""
        self.sent = []
        while not self.tick():
            pass
        return self.sent


@pytest.fixture
def schedulers(settings_here: Settings, redis_client: redis.Redis, tmp_path: Path) -> Iterator[list[Recording]]:
    """Two, with a task that is due."""
    made = [Recording(app=app, schedule_filename=str(tmp_path / name)) for name in ("one", "two")]
    for scheduler in made:
        entry = scheduler.schedule["reconcile-budget"]
        entry.last_run_at = entry.last_run_at.replace(year=2020)
    yield made
    for scheduler in made:
        scheduler.close()


def test_only_the_active_one_sends(schedulers: list[Recording], redis_client: redis.Redis) -> None:
    """One that hangs is replaced, sends nothing when it goes on, and each says which it is."""
    one, two = schedulers
    with capture_logs() as lines:
        assert one.all_due() == ["reconcile-budget"]
        assert two.all_due() == []
        assert two.tick() == active_beat.STANDBY_S
        assert 0 < one.tick() <= active_beat.RENEW_S
        redis_client.delete(KEY)  # nobody has renewed it in time
        assert two.all_due() == ["reconcile-budget"]
        assert one.all_due() == []
    assert [line["event"] for line in lines] == ["beat_active", "beat_stands_by", "beat_active", "beat_stands_by"]


def test_a_beat_that_ends_leaves_its_place_at_once(schedulers: list[Recording]) -> None:
    """Nobody waits for the lease to end, or takes it for alive."""
    one, two = schedulers
    assert one.all_due() == ["reconcile-budget"]
    alive = Path(f"{one.schedule_filename}{active_beat.ALIVE}")
    assert alive.exists()
    one.close()
    assert not alive.exists()
    assert two.all_due() == ["reconcile-budget"]


def test_without_redis_nobody_is_active(settings_here: Settings, tmp_path: Path) -> None:
    """It says so and waits; it also ends."""
    with refusing_port() as port, environment({"REDIS_URL": f"redis://127.0.0.1:{port}"}), capture_logs() as lines:
        scheduler = ActiveScheduler(app=app, schedule_filename=str(tmp_path / "one"))
        assert scheduler.tick() == active_beat.STANDBY_S
        scheduler.close()
    assert [line["event"] for line in lines] == ["beat_waits_for_redis", "beat_stands_by"]


def test_the_supervisor_watches_beats_own_file(tmp_path: Path) -> None:
    """The one that each look at the schedule touches."""
    (beat,) = (program for program in service_programs(tmp_path, 1) if program.name == "beat")
    assert beat.alive == Path(f"{beat.argv[beat.argv.index('-s') + 1]}{active_beat.ALIVE}")


def test_a_program_that_hangs_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it has worked; one that has not yet may wait for its servers as long as it likes."""
    monkeypatch.setattr(supervisor, "HANGS_AFTER_S", 0.3)
    (tmp_path / "old").touch()
    os.utime(tmp_path / "old", (0, 0))
    working = f"import os, pathlib, time\npathlib.Path({str(tmp_path / 'new')!r}).touch()\ntime.sleep(100)"
    waiting = "import time\ntime.sleep(100)"
    programs = [
        Program("working", (sys.executable, "-c", working), tmp_path / "new"),
        Program("waiting", (sys.executable, "-c", waiting), tmp_path / "old"),
        Program("other", (sys.executable, "-c", waiting), tmp_path / "none"),
    ]
    with running(programs) as watching, capture_logs() as lines:
        before = [child.process.pid for child in watching.children]
        assert wait_until(lambda: restarted(watching, before[0]), GUARD_S)
        assert [child.process.pid for child in watching.children][1:] == before[1:]
    # A service that other tests share has a supervisor in this process, too.
    own = {program.name for program in programs}
    assert own & {line["child"] for line in lines if line["event"] == "child_hangs"} == {"working"}


def restarted(watching: Supervisor, before: int) -> bool:
    """Whether the first child is another process by now."""
    watching.restart_dead()
    return watching.children[0].process.pid != before


@pytest.mark.long
def test_of_two_beats_one_takes_the_place_of_the_other(
    servers: Servers, redis_client: redis.Redis, tmp_path: Path
) -> None:
    """Real ones: the first is stopped where it is, and stands by when it goes on."""
    unset = dict.fromkeys(("CACHE_REDIS_URL", "BROKER_URL"))
    given = unset | {"REDIS_URL": servers.redis_url, "DATABASE_URL": servers.database_url, "LOG_FORMAT": "json"}
    with environment(given), beat(tmp_path / "first") as first:
        assert wait_until(lambda: said(tmp_path / "first") == ["active"], GUARD_S)
        with beat(tmp_path / "second"):
            assert wait_until(lambda: said(tmp_path / "second") == ["stands_by"], GUARD_S)
            first.send_signal(signal.SIGSTOP)
            assert wait_until(lambda: said(tmp_path / "second") == ["stands_by", "active"], GUARD_S)
            first.send_signal(signal.SIGCONT)
            assert wait_until(lambda: said(tmp_path / "first") == ["active", "stands_by"], GUARD_S)
        # The second has ended, and left its place.
        assert wait_until(lambda: said(tmp_path / "first")[-1] == "active", GUARD_S)


@contextmanager
def beat(directory: Path) -> Iterator[psutil.Process]:
    """Beat as a process, with its log and its schedule there."""
    directory.mkdir()
    program = celery_program("beat", "beat", "-s", str(directory / "schedule"), "--pidfile", "")
    with (directory / "log").open("wb") as log, running([program], log) as watching:
        yield psutil.Process(watching.children[0].process.pid)


def said(directory: Path) -> list[str]:
    """What a beat has said of itself, in order."""
    return re.findall(r'"event": ?"beat_(active|stands_by)"', (directory / "log").read_text())
