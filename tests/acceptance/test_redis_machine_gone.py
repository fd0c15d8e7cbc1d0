"""Redis and Sentinels on three machines, of which one loses its power: the master's, whose Sentinel is asked first."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from helpers.hosts import needs_hosts
from helpers.spread_service import spread_service
from helpers.spread_verdict import PAUSE_S, assert_all_is_well

from worker.runtime.embedded.processes import wait_until

MEMBERS = ("redis1", "redis2", "redis3")
#: Answers after which every process has all its connections.
WARM = 100


@pytest.mark.hosts
@needs_hosts()
def test_replies_go_on_without_the_masters_machine(tmp_path: Path) -> None:
    """No connection to it is refused: whoever asks it waits in vain, and asks the next in time, streams and broker."""
    with spread_service(tmp_path, {}, MEMBERS) as spread:
        assert wait_until(lambda: len(spread.conversations.answered()) > WARM, PAUSE_S)
        since = time.monotonic()
        spread.network["redis1"].lose_power()
        time.sleep(PAUSE_S + 5)
        assert_all_is_well(spread, "Redis' machine without power", since)
