"""Looking at servers that may not answer: each in a thread of its own, so that none delays a scrape for long."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Lock, Thread
from typing import Any, Generic, TypeVar

from worker.log import logger

#: Prometheus gives up a scrape after 10 s; what has not answered by then counts as away.
PATIENCE_S = 4.0
Seen = TypeVar("Seen")
log = logger(__name__)


class Lookout(Generic[Seen]):
    """Looks at one server, at most once at a time: beside a look that hangs no second one is begun. Its thread does
    not keep the process alive. Thread safe.
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


def settle(*looks: Future[Any]) -> None:
    """Returns when all looks have ended, at the latest after `PATIENCE_S`."""
    wait(looks, PATIENCE_S)


def value_of(what: str, future: Future[Seen]) -> Seen | None:
    """What was seen; None, and a line in the log, where the server did not answer (in time)."""
    error = error_of(future)
    if error is not None:
        log.warning("server_not_seen", server=what, error=type(error).__name__)
        return None
    return future.result()


def error_of(future: Future[Any]) -> BaseException | None:
    """Why nothing was seen; None where something was."""
    return future.exception() if future.done() else TimeoutError()
