"""Reads of servers that may not answer: each in a thread of its own, with one time limit for all of them together."""

from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Lock, Thread
from typing import Any, Generic, TypeVar

from worker.log import logger

#: Prometheus gives up a scrape after 10 s; a server that has not answered by then counts as away.
PATIENCE_S = 4.0
Value = TypeVar("Value")
log = logger(__name__)


class BackgroundRead(Generic[Value]):
    """Repeatable read of one server, at most once at a time: beside a read that hangs no second one is begun.

    Its thread does not keep the process alive. Thread safe.

    Args:
        server: the name by which operators know the server.
        read: raises where the server does not answer.
    """

    def __init__(self, server: str, read: Callable[[], Value]) -> None:
        self.server = server
        self._read = read
        self._lock = Lock()
        self._latest: Future[Value] | None = None

    def begin(self) -> Future[Value]:
        """Returns the read under way, or else begins a new one."""
        with self._lock:
            if self._latest is None or self._latest.done():
                self._latest = Future()
                Thread(target=self._run, args=(self._latest,), name=f"read-{self.server}", daemon=True).start()
            return self._latest

    def _run(self, future: Future[Value]) -> None:
        try:
            future.set_result(self._read())
        except Exception as exc:  # noqa: BLE001  handed to whoever asked, as an executor does
            future.set_exception(exc)


def settle(*reads: Future[Any], patience_s: float | None = None) -> None:
    """Waits until all reads have ended, at the latest for `patience_s` (None: `PATIENCE_S`)."""
    wait(reads, PATIENCE_S if patience_s is None else patience_s)


def error_of(read: Future[Any]) -> BaseException | None:
    """Returns why a read has no value: its error, or a TimeoutError while it is under way; None where it has one."""
    return read.exception() if read.done() else TimeoutError()


def value_of(server: str, read: Future[Value]) -> Value | None:
    """Returns the value of a read; None, and a line in the log, where the server did not answer (in time)."""
    error = error_of(read)
    if error is not None:
        log.warning("server_not_seen", server=server, error=type(error).__name__)
        return None
    return read.result()
