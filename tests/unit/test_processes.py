"""Reading the processes of the system while they come and go."""

import os
import signal
import subprocess

import psutil
import pytest
from helpers.basics import GUARD_S

from worker.runtime.embedded import processes


def pids_titled(title: str) -> list[int]:
    """The pids of what `titled_processes` finds."""
    return [process.pid for process in processes.titled_processes(title)]


def test_a_process_is_found_by_the_beginning_of_its_command_line() -> None:
    with subprocess.Popen(["chasqui-test-title: one", "60"], executable="/bin/sleep") as sleeper:
        try:
            # A new program's command line can be read a moment after it has begun.
            assert processes.wait_until(lambda: pids_titled("chasqui-test-title: ") == [sleeper.pid], GUARD_S)
            assert pids_titled("test-title: ") == []
        finally:
            sleeper.kill()


def test_a_process_may_end_while_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(["/bin/true"]) as ended:
        ended.wait()
    monkeypatch.setattr(psutil, "pids", lambda: [ended.pid, os.getpid()])
    assert pids_titled(psutil.Process().cmdline()[0]) == [os.getpid()]


def test_a_pid_that_somebody_else_has_now_is_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    server = processes.RunningServer(psutil.Process(), "", signal.SIGTERM)
    assert server.alive()
    monkeypatch.setattr(psutil.Process, "is_running", lambda _: False)
    assert not server.alive()
