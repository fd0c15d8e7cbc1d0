"""The benchmark itself on a small scale: it measures every contender, writes what it should, leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from helpers.basics import REPOSITORY

TIMEOUT_S = 180.0
SPREAD = {"min", "median", "max"}


def measure(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m bench...` from a shell of its own and to its end, in a directory of its own."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "tests"), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def left_behind(directory: Path) -> list[str]:
    """Processes that still work in the directory, and what lies in the folder of embedded servers."""
    working = [
        " ".join(process.info["cmdline"] or [])
        for process in psutil.process_iter(["cwd", "cmdline"])
        if (process.info["cwd"] or "").startswith(str(directory))
    ]
    return working + [path.name for path in (directory / ".chasqui").iterdir()]


@pytest.mark.long
def test_a_small_contest_measures_all_contenders(tmp_path: Path) -> None:
    """The file holds what the goals are compared with, in one form; the other one what a message costs."""
    done = measure(tmp_path, "bench.bench", "--short", "--rounds", "1", "--seconds", "0.3", "--only", "cached")
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads((tmp_path / "build" / "bench.json").read_bytes())
    assert figures.keys() == {"throughput", "ratios", "latency_ms"}
    assert figures["throughput"].keys() == {"cached"}
    assert figures["throughput"]["cached"].keys() == {"empty_chain", "plain", "ours"}
    assert figures["ratios"].keys() == {"cached_vs_empty_chain", "cached_vs_plain"}
    spreads = [*figures["throughput"]["cached"].values(), *figures["ratios"].values(), *figures["latency_ms"].values()]
    assert all(spread.keys() == SPREAD and spread["min"] > 0 for spread in spreads)
    costs = json.loads((tmp_path / "build" / "bench-details.json").read_bytes())["costs"]
    assert costs["cached/ours"]["sources"] == {"cache": 1.0}
    assert {"intake", "worker", "postgres", "redis"} <= costs["cached/ours"]["cpu_ms"].keys()
    assert costs["cached/plain"]["postgres"]["writes"] > 10 * costs["cached/ours"]["postgres"]["writes"] > 0
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("program", ["bench.bench", "bench.growth"])
def test_wrong_usage_is_told_before_anything_starts(tmp_path: Path, program: str) -> None:
    """Exit code 2."""
    done = measure(tmp_path, program, "--sed", "1")
    assert done.returncode == 2
    assert "No such option" in done.stderr
    assert not (tmp_path / ".chasqui").exists()
