"""Faults of the network between the processes of a town and their servers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Final

from faults.injections import Inject, crash_postgres, meet, owner, wait
from faults.play import Play
from faults.points import COMMITS, Crash
from faults.proxy import Proxy

#: How long a connection is cut, at least and at most.
CUT_S: Final = (2.0, 5.0)
DELAY_S: Final = 0.4
#: After the first byte was swallowed: the answer may be the second thing that passes.
GRACE_S: Final = 0.2
#: Calls that change something and whose answer may be lost on the way; nobody can know then whether it was done.
ANSWERS: Final = (
    "read",
    "finish",
    "publish",
    "accept_messages",
    "extend_leases",
    "update_session_cache",
    "record_metrics",
    "sweep_turns",
    "flight.join",
    "flight.end",
    "budget.reserve",
    "budget.settle",
)
COMMITTED: Final = tuple(place for place in ANSWERS if place in COMMITS)


def cut(how: Callable[[Proxy], None]) -> Inject:
    """One connection between a process and a server is refused, reset, swallowed or delayed for some seconds; another
    one each time.
    """

    def inject(play: Play) -> float:
        link = play.town.links[play.town.next_pair(play.rng)]
        at = time.time()
        how(link)
        try:
            time.sleep(play.rng.uniform(*CUT_S))
        finally:
            link.heal()
        return at

    return inject


def delay(link: Proxy) -> None:
    """Every piece of data takes its time."""
    link.delay(DELAY_S)


def reset_all(play: Play) -> float:
    """Every connection is cut at the same moment, as when a load balancer fails over."""
    at = time.time()
    for link in play.town.links.values():
        link.reset()
    return at


def lose_answer(places: Sequence[str] = ANSWERS, *, restart: bool = False) -> Inject:
    """One of these calls after the other is made and done, but its answer never arrives: the connection breaks before,
    or PostgreSQL itself (restart).
    """
    turn = cycle(places)

    def inject(play: Play) -> float:
        place = next(turn)
        stopped = _stopped_before(play, place)
        server = "postgres" if place in COMMITS else "redis"
        link = play.town.links[owner(play.town, stopped.pid), server]
        at = time.time()
        link.swallow(answers_only=True)
        try:
            os.kill(stopped.pid, signal.SIGCONT)
            wait(lambda: link.swallowed_bytes > 0, f"{place} had no answer")
            time.sleep(GRACE_S)
            if restart:
                crash_postgres(play.town)
        finally:
            link.heal()
        return at

    return inject


def _stopped_before(play: Play, place: str) -> Crash:
    """The process that is about to make the call, stopped. Before `finish` it holds a payload that cannot be read."""
    if place == "finish":
        reading = meet(play.town, "read.before", signal.SIGSTOP)
        play.sender.send(play.workload.poisoned("bad_json", int(time.time())))
        wait(lambda: play.sender.is_idle, "not everything was sent")
        os.kill(reading.pid, signal.SIGCONT)
    return meet(play.town, f"{place}.before", signal.SIGSTOP)
