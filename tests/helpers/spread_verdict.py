"""What is to be seen from outside after a host has failed: how long replies paused, and that nothing is wrong."""

from __future__ import annotations

import time
from collections import Counter
from itertools import pairwise

from helpers.spread_service import APPLICATIONS, CUSTOMERS, Spread
from worker.log import logger

#: Contract P12.
PAUSE_S = 30.0


def assert_all_is_well(spread: Spread, fault: str, since: float) -> None:
    """Waits until everything goes on, and looks at all that was sent and answered. since: where pauses count from."""
    spread.wait_until_whole()
    spread.wait_until_settled()
    figures = {"pause_s": round(pause_s(spread, since), 1), "slowest_s": round(slowest_s(spread, since), 1)}
    logger(__name__).info("host_failed", fault=fault, **figures)
    assert (lost(spread), doubled(spread), out_of_order(spread)) == (set(), [], [])
    assert figures["pause_s"] < PAUSE_S
    assert all(child.poll() is None for name in APPLICATIONS for child in spread.network[name].started)


def pause_s(spread: Spread, since: float) -> float:
    """The longest time without any reply from then on, before the last message was answered."""
    moments = sorted(at for at, _ in list(spread.conversations.replies.values()) if at > since)
    return max(later - earlier for earlier, later in pairwise([since, *moments]))


def slowest_s(spread: Spread, since: float) -> float:
    """The longest wait of a message sent from then on."""
    answered, sent = spread.conversations.answered(), dict(spread.conversations.sent)
    return max(answered[each] - at for each, at in sent.items() if at > since and each in answered)


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
