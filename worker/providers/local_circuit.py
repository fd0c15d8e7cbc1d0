"""Circuit breaker of one process, for the time in which the shared one cannot be asked. Pure thought."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock


class LocalBreaker:
    """Opens after some failures in a row, lets one call through when the open time is over. Thread safe."""

    def __init__(self, threshold: int, open_s: float, clock: Callable[[], float]) -> None:
        self._threshold = threshold
        self._open_s = open_s
        self._clock = clock
        self._failures: dict[str, int] = {}
        self._closed_again_at: dict[str, float] = {}
        self._lock = Lock()

    def allows(self, name: str) -> bool:
        """Whether a call may be made now; after the open time one call at a time probes."""
        with self._lock:
            if self._failures.get(name, 0) < self._threshold:
                return True
            if self._clock() < self._closed_again_at[name]:
                return False
            self._closed_again_at[name] = self._clock() + self._open_s
            return True

    def record(self, name: str, *, failed: bool, at_once: bool = False) -> None:
        """Counts a result, also of calls that the shared breaker permitted. at_once: one failure opens it."""
        with self._lock:
            more = self._threshold if at_once else 1
            self._failures[name] = self._failures.get(name, 0) + more if failed else 0
            if failed:
                self._closed_again_at[name] = self._clock() + self._open_s
