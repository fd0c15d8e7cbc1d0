"""Options that contradict each other or are no sensible number: wrong usage, told before anything is asked."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from worker.operate.commands.messages import send
from worker.operate.commands.report import report


@pytest.mark.parametrize("other", [("--since", "1h"), ("--from", "2026-11-01")])
def test_a_window_is_said_once(other: tuple[str, str]) -> None:
    """Nobody has to guess which one holds."""
    done = CliRunner().invoke(report, ["--window", "5", *other])
    assert done.exit_code == 2
    assert "--window, --since and --from" in done.output


@pytest.mark.parametrize("timeout", ["nan", "0", "-1", "inf"])
def test_a_reply_is_waited_for(timeout: str) -> None:
    """Some seconds at least, and not for ever."""
    done = CliRunner().invoke(send, ["--from", "5491122334455", "--timeout", timeout, "hola"])
    assert done.exit_code == 2
    assert "--timeout" in done.output
