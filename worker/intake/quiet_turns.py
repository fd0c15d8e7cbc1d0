"""Turns that wait for their customers to be quiet, as the active intake looks after them: no query while none can be
there, and one for all of them together when the first may be due.
"""

import math
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from db import queries, retry
from worker.log import logger
from worker.steps.quiet_time import limits
from worker.steps.services import Services

#: Looks are this far apart, so that all who fall due within it are found by one.
GRAIN_S = 0.1
#: A look that is not due is for what another intake has left: turns that should have gone on so long ago.
LATE_S = 0.5
#: Turns claimed by one look; the next one follows at once.
LIMIT = 400
Turns = list[dict[str, Any]]
log = logger(__name__)


class QuietTurns:
    """Times at which the active intake looks for turns that may be due, in grains of its clock.

    A turn waits only while its last message is younger than REPLY_QUIET_S, and only intake accepts messages: so whoever
    may be due later has had a message before, and this knows when. What a process that died knew is in PostgreSQL.
    """

    def __init__(self, services: Services, clock: Callable[[], float] = time.monotonic) -> None:
        self._services = services
        self._clock = clock
        self._quiet_s = services.settings.reply_quiet_s
        self._looks: set[int] = set()

    def expect(self) -> None:
        """Notes that messages have just been accepted: in REPLY_QUIET_S their customers may have been quiet."""
        if self._quiet_s:
            self._look_in(self._quiet_s)

    def due_in_s(self) -> float | None:
        """Returns the seconds until the next look, None where there is none to come."""
        return max(min(self._looks) * GRAIN_S - self._clock(), 0.0) if self._looks else None

    @property
    def is_due(self) -> bool:
        """Returns whether somebody may have been quiet for long enough by now."""
        return self.due_in_s() == 0.0

    def claim(self, connection: Connection) -> Turns:
        """Claims the turns whose customers have been quiet. Whoever calls it has read what had come from them when that
        was due.
        """
        now = math.floor(self._clock() / GRAIN_S)
        self._looks = {look for look in self._looks if look > now}
        return self._claim(connection, late_s=0.0)

    def claim_late(self, connection: Connection) -> Turns:
        """Claims the turns that should have gone on before, which another intake has left."""
        return self._claim(connection, late_s=LATE_S) if self._quiet_s else []

    def _claim(self, connection: Connection, late_s: float) -> Turns:
        options = limits(self._services.settings) | {"limit": LIMIT, "late_s": late_s}
        found = retry.again_on_conflict(lambda: queries.claim_quiet(connection, options))
        if found["next_s"] is not None:
            self._look_in(max(found["next_s"], 0.0))
        if found["turns"]:
            log.info("quiet_turns_claimed", turns=len(found["turns"]))
        return list(found["turns"])

    def _look_in(self, seconds: float) -> None:
        """Looks at the next grain behind this time, at the earliest at the next."""
        self._looks.add(math.floor((self._clock() + seconds) / GRAIN_S) + 1)
