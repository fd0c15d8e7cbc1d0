"""Time and chance of a process, passed in so that tests need not wait."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Clock:
    """Clock, pause and dice of a process.

    Args:
        monotonic: seconds; deadlines are on it.
        now: UTC; prices hold by it.
        sleep: waits so many seconds.
        random: a number in [0, 1), for jitter.
    """

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random


SYSTEM_CLOCK = Clock()
