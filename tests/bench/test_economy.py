"""The replay from end to end, small: real processes, the simulator of its own, figures and exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.basics import REPOSITORY

from worker.devkit.demo import CATALOG

MESSAGES = 60
TIMEOUT_S = 400


def economy(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command to its end, in a directory of its own."""
    return subprocess.run(
        [sys.executable, "-m", "bench.economy", *arguments],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": f"{REPOSITORY}{os.pathsep}{REPOSITORY / 'tests'}"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


@pytest.mark.long
def test_a_small_replay_measures_and_judges(tmp_path: Path) -> None:
    """Every message is answered and judged; what so short a day cannot reach is said in a line each, and by the exit
    code; the file has the figures; nothing else is left behind.
    """
    done = economy(tmp_path, "--messages", str(MESSAGES), "--seed", "4", "--catalog", str(CATALOG))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "missed: AI cache hit rate" in done.stderr
    figures = json.loads((tmp_path / "build" / "economy.json").read_bytes())
    assert 0 < figures["ai_cache_hit_rate"] < 78
    assert (figures["wrong_answers"], figures["fallback_rate"], figures["left_to_a_person"]) == (0, 0, 0)
    assert 0 < figures["cost_share_of_baseline"] < 100
    assert figures["seed_method"].keys() == {"hit_rate", "wrong_hits"}
    plain = figures["without_precache"]
    assert plain["unpaid_rate"] < figures["unpaid_rate"]
    assert (plain["made_ahead"]["answered"], plain["wrong_answers"]) == (0, 0)
    assert sum(kind["messages"] for kind in figures["by_kind"].values()) == MESSAGES
    assert list((tmp_path / ".chasqui").iterdir()) == []


def test_a_catalogue_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    """Before any server is started."""
    done = economy(tmp_path, "--catalog", str(tmp_path / "none.csv"))
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert "none.csv" in done.stderr
    assert not (tmp_path / ".chasqui").exists()
