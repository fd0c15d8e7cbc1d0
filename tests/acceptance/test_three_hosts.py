"""The service on two hosts with its servers on a third: one host at a time is cut off, slowed, killed, and comes back.

The hosts are network namespaces, their clocks five seconds apart. A fault hits the host whose intake is active, and
lasts longer than replies may pause: who waits for its end is too late.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from helpers.hosts import Host, needs_hosts
from helpers.spread_service import APPLICATIONS, CUSTOMERS, POSTGRES_PORT, REDIS_PORT, Spread, spread_service
from helpers.wrong_clock import needs_compiler, wrong_clock

from worker.log import logger

pytestmark = [pytest.mark.long, needs_hosts(), needs_compiler]
#: Contract P12.
PAUSE_S = 30.0
LASTS_S = PAUSE_S + 5
#: Between the clocks of the two.
APART_S = 5
Fault = Callable[[Host], None]


def vanish(host: Host) -> None:
    """As a machine without power: nobody is told that its connections have ended."""
    host.cut()
    host.kill()


FAULTS: dict[str, Fault] = {
    "cut off": Host.cut,
    "slowed": Host.slow,
    "killed": Host.kill,
    "without power": vanish,
    "cut off from PostgreSQL": lambda host: host.lose(POSTGRES_PORT),
    "cut off from Redis": lambda host: host.lose(REDIS_PORT),
}


@pytest.fixture(scope="module")
def spread(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spread]:
    """The service, whole, with customers writing; one of its hosts has a clock that is ahead."""
    directory = tmp_path_factory.mktemp("spread")
    with spread_service(directory, {"app1": wrong_clock(directory, APART_S)}) as found:
        yield found


def pause_s(spread: Spread, since: float) -> float:
    """The longest time without any reply from then on, before the last message was answered."""
    moments = sorted(at for at, _ in list(spread.conversations.replies.values()) if at > since)
    return max(later - earlier for earlier, later in pairwise([since, *moments]))


def slowest_s(spread: Spread, since: float) -> float:
    """The longest wait of a message sent from then on."""
    answered, sent = spread.conversations.answered(), dict(spread.conversations.sent)
    return max(answered[each] - at for each, at in sent.items() if at > since and each in answered)


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
    spread.wait_until_whole()
    spread.wait_until_settled()
    figures = {"pause_s": round(pause_s(spread, since), 1), "slowest_s": round(slowest_s(spread, since), 1)}
    logger(__name__).info("host_failed", fault=fault, netem=host.is_far(), **figures)
    assert (lost(spread), doubled(spread), out_of_order(spread)) == (set(), [], [])
    assert figures["pause_s"] < PAUSE_S
    assert all(child.poll() is None for one in APPLICATIONS for child in spread.network[one].started)


def lost(spread: Spread) -> set[str]:
    """Messages that were sent a while ago and have no reply."""
    until = time.monotonic() - PAUSE_S
    return {
        each for each, at in spread.conversations.sent.items() if at < until
    } - spread.conversations.answered().keys()


def doubled(spread: Spread) -> list[str]:
    """Messages that stand in several replies."""
    found = Counter(each for _, reply in list(spread.conversations.replies.values()) for each in reply["in_reply_to"])
    return [each for each, count in found.items() if count > 1]


def out_of_order(spread: Spread) -> list[str]:
    """Messages that were answered before an earlier one of the same customer."""
    order = [each for _, reply in list(spread.conversations.replies.values()) for each in reply["in_reply_to"]]
    newest = dict[int, str]()
    found = []
    for each in order:
        customer = int(each[-6:]) % CUSTOMERS
        if each < newest.get(customer, ""):
            found.append(each)
        newest[customer] = max(each, newest.get(customer, ""))
    return found
