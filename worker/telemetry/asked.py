"""Counting what is asked: forms of requests for everybody, never one customer's words."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from hashlib import blake2b
from threading import Lock
from typing import Any

from worker.session.turn import Turn

#: Customers fall into so many groups, a bit each in a signed bigint: two groups are two customers, and a group nobody.
ASKER_GROUPS = 63
#: Counts of a process are written together, with its next batch after so many seconds.
WRITE_EVERY_S = 10.0
HOUR_S = 3_600


def form_key(form: str) -> str:
    """Digest of a form: its name where its words are not needed, or not known yet."""
    return blake2b(form.encode(), digest_size=16).hexdigest()


def asker_bit(phone: str) -> int:
    """Bit of the group that a customer is in."""
    return 1 << int.from_bytes(blake2b(phone.encode(), digest_size=8).digest()) % ASKER_GROUPS


class AskedCounts:
    """Counts of what was asked in this process and is not written yet: some seconds of it, which are lost with the
    process, and which a forecast can do without. Thread safe.
    """

    def __init__(self, write_every_s: float = WRITE_EVERY_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._write_every_s = write_every_s
        self._clock = clock
        self._written_at = float("-inf")
        self._lock = Lock()
        self._begin()

    def _begin(self) -> None:
        self._asked: Counter[tuple[str, int]] = Counter()
        self._askers: dict[tuple[str, int], int] = {}
        self._followers: Counter[tuple[str, str]] = Counter()
        self._ahead: set[str] = set()

    def add(self, turns: Iterable[Turn], now_s: float) -> None:
        """Counts committed turns that asked what everybody may. now_s: since 1970."""
        hour = int(now_s) // HOUR_S * HOUR_S
        with self._lock:
            for turn in turns:
                if turn.committed and turn.plan and (form := turn.plan.form):
                    self._asked[form, hour] += 1
                    self._askers[form, hour] = self._askers.get((form, hour), 0) | asker_bit(turn.customer_phone)
                    self._followers.update([(turn.plan.after, form)] if turn.plan.after else [])
                    self._ahead.update([turn.plan.key] if turn.outcome and turn.outcome.ahead else [])

    def due(self) -> dict[str, Any] | None:
        """Takes what is to be written now, as `count_requests` takes it, and forgotten here; None while it can wait."""
        with self._lock:
            now = self._clock()
            if not self._asked or now - self._written_at < self._write_every_s:
                return None
            self._written_at = now
            counts = self._counts()
            self._begin()
            return counts

    def _counts(self) -> dict[str, Any]:
        return {
            "forms": [
                {"form_key": form_key(form), "form": form, "hour": hour, "askers": self._askers[form, hour], "asked": n}
                for (form, hour), n in self._asked.items()
            ],
            "followers": [
                {"after_key": form_key(after), "form_key": form_key(form), "asked": n}
                for (after, form), n in self._followers.items()
            ],
            "ahead": sorted(self._ahead),
        }
