"""The service on two hosts with its servers on a third: one host at a time is cut off, slowed, killed, and comes back.

The hosts are network namespaces, their clocks five seconds apart. A fault hits the host whose intake is active, and
lasts longer than replies may pause: who waits for its end is too late.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise

import orjson
import pytest
from helpers.hosts import Host, needs_hosts
from helpers.spread_servers import POSTGRES_PORT, REDIS_PORT
from helpers.spread_service import APPLICATIONS, Spread, spread_service
from helpers.spread_verdict import PAUSE_S, assert_all_is_well
from helpers.wrong_clock import needs_compiler, wrong_clock

pytestmark = [pytest.mark.hosts, needs_hosts(), needs_compiler]
LASTS_S = PAUSE_S + 5
#: Seconds by which clocks are ahead.
CLOCKS = {"app1": 5}
#: Longer than any time limit of a connection.
SERVERS_AWAY_S = 20.0
Fault = Callable[[Host], None]


FAULTS: dict[str, Fault] = {
    "cut off": Host.cut,
    "slowed": Host.slow,
    "killed": Host.kill,
    "without power": Host.lose_power,
    "cut off from PostgreSQL": lambda host: host.lose(POSTGRES_PORT),
    "cut off from Redis": lambda host: host.lose(REDIS_PORT),
}


@pytest.fixture(scope="module")
def spread(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spread]:
    """The service, whole, with customers writing; one of its hosts has a clock that is ahead."""
    directory = tmp_path_factory.mktemp("spread")
    clocks = {name: wrong_clock(directory, seconds) for name, seconds in CLOCKS.items()}
    with spread_service(directory, clocks) as found:
        yield found


@pytest.mark.parametrize("fault", FAULTS)
def test_the_active_host_fails(spread: Spread, fault: str) -> None:
    """Replies pause no longer than they may, nothing is lost, doubled or out of order, and the host comes back."""
    name = spread.active()
    host = spread.network[name]
    since = time.monotonic()
    FAULTS[fault](host)
    time.sleep(LASTS_S)
    host.heal()
    if not host.started:
        spread.start(name)
    assert_all_is_well(spread, fault, since)


def test_the_servers_are_cut_off(spread: Spread) -> None:
    """Nobody can be answered meanwhile; once they are back, both hosts go on by themselves."""
    host = spread.network["servers"]
    host.cut()
    time.sleep(SERVERS_AWAY_S)
    since = time.monotonic()
    host.heal()
    assert_all_is_well(spread, "servers cut off", since)


@pytest.mark.parametrize(("began", "works"), [("intake_active", "batch_accepted"), ("beat_active", "Sending due task")])
def test_one_at_a_time_has_worked(spread: Spread, began: str, works: str) -> None:
    """Of the intakes, and of the beats: while one worked, all through the faults before, the other did not."""
    spans = sorted(span for name in APPLICATIONS for span in worked(spread, name, began, works))
    assert len(spans) > 1
    crossing = [(one, other) for one, other in pairwise(spans) if other[0] < one[1]]
    assert crossing == []


def worked(spread: Spread, name: str, began: str, works: str) -> list[tuple[float, float, str]]:
    """Spans on the true clock, from when a process of this host became the active one to the last of what it did."""
    spans: list[tuple[float, float, str]] = []
    for line in spread.log(name).read_bytes().splitlines():
        if not line.startswith(b"{"):
            continue
        told = orjson.loads(line)
        at_s = datetime.fromisoformat(told["timestamp"]).timestamp() - CLOCKS.get(name, 0)
        if told["event"] == began:
            spans.append((at_s, at_s, name))
        elif works in told["event"] and spans:
            spans[-1] = (spans[-1][0], at_s, name)
    return spans
