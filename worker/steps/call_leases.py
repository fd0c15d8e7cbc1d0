"""Leases of turns that ask a model: short, so that the death of a machine keeps nobody waiting, and renewed while their
process lives.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock, Thread

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from db import queries
from worker.log import logger, warned
from worker.providers.single_flight import SingleFlight
from worker.session.turn import Turn
from worker.steps.locked_customers import commit_around_locked

#: With a pass of the sweep and another call, less than the 30 s that the death of a machine may cost a customer.
CALL_LEASE_S = 20.0
#: From the deadline of a call to the end of a longer lease: for its way back.
AI_LEASE_MARGIN_S = 15.0
#: Renewals within a lease: one may fail, and the next be late.
RENEWALS = 4
log = logger(__name__)


def lease_of_call_s(deadline_s: float) -> float:
    """Returns the length of a lease for a call, in seconds. deadline_s: of calls."""
    return min(CALL_LEASE_S, deadline_s + AI_LEASE_MARGIN_S)


def extended(engine: Engine, turns: Sequence[Turn], lease_s: float) -> set[str]:
    """Lets leases end `lease_s` seconds from now, around locked customers; returns the tokens that are still held."""

    def extend(connection: Connection, some: Sequence[Turn]) -> set[str]:
        return queries.extend_leases(connection, [turn.holder for turn in some], lease_s)

    held, _ = commit_around_locked(engine, turns, extend)
    return set().union(*held)


class CallLeases:
    """Leases of the turns for which this process asks, and their leads of single flights; renewed by a thread.

    Args:
        lease_s: length of a lease; it is renewed four times as often.
    """

    def __init__(self, engine: Engine, single_flight: SingleFlight, lease_s: float) -> None:
        self._engine = engine
        self._single_flight = single_flight
        self._lease_s = lease_s
        self._lock = Lock()
        self._kept: dict[str, Turn] = {}
        self._is_running = False

    @contextmanager
    def keeping(self, turns: Sequence[Turn]) -> Iterator[Callable[[Sequence[Turn]], None]]:
        """Renews the leases of turns for the length of the block; yields what lets some of them go before."""
        with self._lock:
            self._kept.update((turn.token, turn) for turn in turns)
            starts, self._is_running = not self._is_running, True
        if starts:
            Thread(target=self._run, name="call-leases", daemon=True).start()
        try:
            yield self._let_go
        finally:
            self._let_go(turns)

    def _let_go(self, turns: Sequence[Turn]) -> None:
        with self._lock:
            for turn in turns:
                self._kept.pop(turn.token, None)

    def _run(self) -> None:
        while True:
            time.sleep(self._lease_s / RENEWALS)
            with self._lock:
                kept = list(self._kept.values())
                if not kept:
                    self._is_running = False
                    return
            self.renew(kept)

    def renew(self, turns: Sequence[Turn]) -> None:
        """Renews the leases of turns that still hold their token; their leads first, so that the sweep finds those free
        of a turn that it starts again.
        """
        if not turns:
            return
        self._single_flight.hold([(turn.planned().key, turn.token) for turn in turns], self._lease_s)
        with warned(log, "leases_not_renewed", SQLAlchemyError, turns=len(turns)):
            extended(self._engine, turns, self._lease_s)
