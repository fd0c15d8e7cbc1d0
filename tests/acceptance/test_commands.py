"""The command line as a person uses it: processes of its own, in a directory of its own, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from helpers.basics import GUARD_S
from helpers.command_line import run_in

from worker.devkit.demo import ISOLATED, KEYS
from worker.devkit.simulator import Simulator
from worker.runtime.embedded.servers import embedded_servers

CHASQUI = (sys.executable, "-m", "worker")


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without anything that names a server, a provider or a key."""
    ours = {*ISOLATED, *KEYS, "OPENAI_BASE_URL", "GEMINI_BASE_URL", "DEEPSEEK_BASE_URL"}
    # The port of the exporter is the same for everybody on this machine.
    return {name: value for name, value in os.environ.items() if name not in ours} | {"METRICS_PORT": "0"} | more


def run(directory: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """A command to its end."""
    return run_in(clean_environment(), directory, *arguments, stdin=stdin)


def processes_of(directory: Path) -> list[str]:
    """Command lines of processes that work in this directory."""
    return [
        " ".join(process.info["cmdline"] or [])
        for process in psutil.process_iter(["cwd", "cmdline", "pid"])
        if (process.info["cwd"] or "").startswith(str(directory)) and process.info["pid"] != os.getpid()
    ]


def wait_for_end(directory: Path) -> None:
    """Waits until no process works in the directory."""
    deadline = time.monotonic() + GUARD_S
    while left := processes_of(directory):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)  # the processes of another session cannot be waited for otherwise


@pytest.fixture
def up(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """`chasqui up` in a directory of its own with embedded servers and the simulator, ready."""
    with Simulator() as simulator, (tmp_path / "up.log").open("wb") as log:
        environment = clean_environment(**simulator.base_urls, **dict.fromkeys(KEYS, "test"))
        process = subprocess.Popen(
            [*CHASQUI, "up", "--concurrency", "1"],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        assert process.stdout is not None
        try:
            with process, process.stdout:
                for line in process.stdout:
                    if "is ready" in line:
                        break
                yield process
                if process.poll() is None:
                    process.send_signal(signal.SIGINT)
        finally:
            # A killed `up` leaves its servers to the next user, and an interrupted test has none.
            with embedded_servers(tmp_path / ".chasqui"):
                pass


def test_up_send_enqueue_report_and_an_end_without_traces(up: subprocess.Popen[str], tmp_path: Path) -> None:
    """A shop's first minutes, from an empty directory to Ctrl-C."""
    imported = run(tmp_path, "catalog", "import", str(Path(__file__).parents[2] / "worker/devkit/catalog.csv"))
    assert "91 products imported." in imported.stdout, imported.stderr
    reply = json.loads(run(tmp_path, "send", "--from", "5491122334455", "--json", "tenes leche?").stdout)
    assert reply["source"] == "ai"
    assert "Leche" in reply["text"]
    again = run(tmp_path, "send", "--from", "5491122334456", "TENES LECHE")
    assert again.stdout.strip() == reply["text"]
    lines = '{"message_id":"a","from":"5491122334457","text":"hola"}\n\n{"message_id":\n'
    assert "2 payloads enqueued." in run(tmp_path, "enqueue", "-", stdin=lines).stdout
    refused = run(tmp_path, "send", "--from", "not-a-phone", "hola")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "rejected" in refused.stderr
    report = json.loads(run(tmp_path, "report", "--json").stdout)
    assert report["messages"] >= 2
    assert report["ai"]["ai_cache_hit_rate"] > 0
    second = run(tmp_path, "up")
    assert (second.returncode, second.stdout) == (1, "")
    assert f"Error: chasqui up runs in {tmp_path} already: stop it first" in second.stderr
    up.send_signal(signal.SIGINT)
    assert up.wait(GUARD_S) == 0
    wait_for_end(tmp_path)


def test_a_killed_up_takes_its_processes_with_it(up: subprocess.Popen[str], tmp_path: Path) -> None:
    """kill -9 of the supervisor ends the processes of the service; the servers are stopped by the next command."""
    up.kill()
    up.wait(GUARD_S)
    deadline = time.monotonic() + GUARD_S
    while any("celery" in line or "intake" in line for line in processes_of(tmp_path)):
        assert time.monotonic() < deadline
        time.sleep(0.1)  # the orphans are nobody's children here
    assert run(tmp_path, "report", "--json").returncode == 0
    wait_for_end(tmp_path)


def test_demo_ends_well_and_leaves_nothing(tmp_path: Path) -> None:
    """The demo exits 0, prints sources and the report, and leaves neither process nor data."""
    done = run(tmp_path, "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    for expected in ("cache", "rejected", "canned", "AI cache hit rate", "every message ended as it should"):
        assert expected in done.stdout
    assert "Traceback" not in done.stderr
    wait_for_end(tmp_path)
    assert list((tmp_path / ".chasqui").iterdir()) == []


def test_wrong_usage_and_wrong_settings_say_so_in_one_line(tmp_path: Path) -> None:
    """Exit codes 2 and 1, without a traceback and without a value."""
    assert run(tmp_path, "send", "hola").returncode == 2
    wrong = subprocess.run(
        [*CHASQUI, "report"],
        cwd=tmp_path,
        env=clean_environment(FLOW_LEASE_S="soon"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("Error: environment: FLOW_LEASE_S")
    assert "soon" not in wrong.stderr
