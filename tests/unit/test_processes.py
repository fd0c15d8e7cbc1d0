"""Reading the processes of the system while they come and go."""

import subprocess

import pytest

from worker.runtime.embedded import processes


def test_a_process_is_found_by_the_beginning_of_its_command_line() -> None:
    with subprocess.Popen(["chasqui-test-title: one", "60"], executable="/bin/sleep") as sleeper:
        try:
            # A new program's command line can be read a moment after it has begun.
            assert processes.wait_until(lambda: processes.titled_processes("chasqui-test-title: ") == [sleeper.pid], 5)
            assert processes.titled_processes("test-title: ") == []
        finally:
            sleeper.kill()


def test_a_process_may_end_while_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([["postgres: shop: writer"]])
    monkeypatch.setattr(processes, "_pids", lambda: [7, 8])
    monkeypatch.setattr(processes, "_arguments", lambda pid: next(answers, []))
    assert processes.titled_processes("postgres: shop: ") == [7]
