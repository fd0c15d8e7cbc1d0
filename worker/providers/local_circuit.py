"""The breaker of one process, for the time in which the shared one cannot be asked. Pure thought."""

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

    def allows(self, provider: str) -> bool:
        """Whether a call may be made now; after the open time one call at a time probes."""
        with self._lock:
            if self._failures.get(provider, 0) < self._threshold:
                return True
            if self._clock() < self._closed_again_at[provider]:
                return False
            self._closed_again_at[provider] = self._clock() + self._open_s
            return True

    def record(self, provider: str, *, failed: bool) -> None:
        """The result of a call, also of those that the shared breaker permitted."""
        with self._lock:
            self._failures[provider] = self._failures.get(provider, 0) + 1 if failed else 0
            if failed:
                self._closed_again_at[provider] = self._clock() + self._open_s
