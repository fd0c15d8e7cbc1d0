"""What several threads finish at about the same time goes on together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

Rows = list[dict[str, Any]]


class Gathering:
    """Hands rows on in larger batches than they come in.

    hand_on: takes a batch. wait_s: how long the first rows of a batch wait for others; not at all where nothing else is
    under way. most: rows of a batch. Whoever brings the first rows waits, and then hands on what all have brought: if
    that fails, the error is his.
    """

    def __init__(
        self, hand_on: Callable[[Rows], None], wait_s: float, most: int, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._hand_on = hand_on
        self._wait_s = wait_s
        self._most = most
        self._sleep = sleep
        self._lock = Lock()
        self._rows: Rows = []
        self._under_way = 0
        self._is_led = False

    @contextmanager
    def working(self, count: int) -> Iterator[None]:
        """For the length of the block, `count` rows more are under way."""
        with self._lock:
            self._under_way += count
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= count

    def add(self, rows: Rows) -> None:
        """Rows that are finished. They have been handed on when this returns, or somebody else is about to."""
        with self._lock:
            self._rows += rows
            leads, self._is_led = not self._is_led, True
            others = self._under_way > len(rows)
        if not leads:
            return
        if others:
            self._sleep(self._wait_s)
        with self._lock:
            gathered, self._rows, self._is_led = self._rows, [], False
        for first in range(0, len(gathered), self._most):
            self._hand_on(gathered[first : first + self._most])
