"""Looking at servers that may not answer: each in a thread of its own, so that none delays a scrape for long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from threading import Lock, Thread
from typing import Any, Generic, TypeVar

from worker.log import logger

#: Prometheus gives up a scrape after 10 s; what has not answered by then counts as away.
PATIENCE_S = 4.0
Seen = TypeVar("Seen")
log = logger(__name__)


class Lookout(Generic[Seen]):
    """Looks at one server. A look that hangs is waited for no longer than the patience, and no second one is begun
    beside it. Its thread does not keep the process alive. Thread safe.
    """

    def __init__(self, what: str, look: Callable[[], Seen]) -> None:
        """what: how operators know the server. look: raises where the server does not answer."""
        self.what = what
        self._look = look
        self._lock = Lock()
        self._latest: Future[Seen] | None = None

    def begin(self) -> Future[Seen]:
        """The look under way, or else a new one."""
        with self._lock:
            if self._latest is None or self._latest.done():
                self._latest = Future()
                Thread(target=self._run, args=(self._latest,), name=f"look-{self.what}", daemon=True).start()
            return self._latest

    def _run(self, future: Future[Seen]) -> None:
        try:
            future.set_result(self._look())
        except Exception as exc:  # noqa: BLE001  handed to whoever asked, as an executor does
            future.set_exception(exc)


def problems(lookouts: Iterable[Lookout[Any]], patience_s: float = PATIENCE_S) -> dict[str, Exception]:
    """Looks with all at once; why not, by server, for those that did not answer within `patience_s` together."""
    deadline = time.monotonic() + patience_s
    found: dict[str, Exception] = {}
    for what, future in [(lookout.what, lookout.begin()) for lookout in lookouts]:
        try:
            future.result(max(deadline - time.monotonic(), 0.0))
        except Exception as exc:
            log.warning("server_not_seen", server=what, error=type(exc).__name__)
            found[what] = exc
    return found
