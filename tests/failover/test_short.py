"""The short version of `make failover`: a few kinds of each set, once each."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults.suite import suffer

from failover.server_set import ServerSet
from failover.suite import all_sets, open_play

SEED = 20_261
#: Few customers, so that everybody has a conversation.
CUSTOMERS, MESSAGES = 40, 30


@pytest.mark.long
@pytest.mark.parametrize("servers", all_sets(), ids=lambda servers: servers.name)
def test_nothing_is_lost_doubled_or_reordered(servers: ServerSet, tmp_path: Path) -> None:
    """Everything that was sent ends once and in order, and as a serial replay would leave it."""
    if servers.missing:
        pytest.skip(servers.missing)
    faults = servers.named_faults(short=True)
    with open_play(servers, tmp_path, SEED, MESSAGES, CUSTOMERS) as play:
        results = list(suffer(play, faults, lambda: None))
    assert [finding for result in results for finding in result.findings] == []
    assert [result.injected for result in results] == [1] * len(servers.short)
    assert all(result.messages >= MESSAGES for result in results)
