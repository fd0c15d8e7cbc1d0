"""Asking a second candidate where the first takes longer than it usually does: the first good answer is taken."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import BoundedSemaphore, Lock

from worker.log import logger
from worker.providers.attempt import Candidate, Made

#: Good answers of one provider that are remembered, and how many it takes to know what is usual.
WINDOW = 100
LEAST_SAMPLES = 20
USUAL = 0.95
#: Calls under way at most; beyond, nobody is hedged.
THREADS = 64
Attempt = Callable[[Candidate], Made]
log = logger(__name__)


class Latencies:
    """How long each provider has lately taken for a good answer. Of one process; thread safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._recent_ms: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=WINDOW))

    def add(self, provider: str, latency_ms: float) -> None:
        """One more good answer."""
        with self._lock:
            self._recent_ms[provider].append(latency_ms)

    def p95_s(self, provider: str) -> float | None:
        """Seconds within which 95 of 100 answers came; None while too few are known."""
        with self._lock:
            recent_ms = sorted(self._recent_ms[provider])
        if len(recent_ms) < LEAST_SAMPLES:
            return None
        return recent_ms[math.ceil(USUAL * len(recent_ms)) - 1] / 1000


class Hedge:
    """At most two candidates of one turn side by side. One per process; thread safe."""

    def __init__(self, late: Callable[[Made], None], threads: int = THREADS) -> None:
        """late: is told what came of calls after their turn had been answered by another."""
        self._late = late
        self._latencies = Latencies()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="hedge")
        self._free = BoundedSemaphore(threads)

    def ask(self, first: Candidate, others: Iterator[Candidate], attempt: Attempt) -> list[Made]:
        """What came of the first candidate, and of the next of `others` if the first was slow, up to the first good
        answer. A candidate is taken from `others` only if it will be asked.
        """
        patience_s = self._latencies.p95_s(first.provider.name)
        if patience_s is None or not self._free.acquire(blocking=False):
            return [self._learnt(attempt(first))]
        running = {self._start(first, attempt)}
        if wait(running, patience_s).not_done and self._free.acquire(blocking=False):
            second = next(others, None)
            if second is None:
                self._free.release()
            else:
                log.info("call_hedged", slow=first.provider.name, second=second.provider.name)
                running.add(self._start(second, attempt))
        return self._ended(running)

    def close(self) -> None:
        """Waits for the calls under way."""
        self._pool.shutdown()

    def _start(self, candidate: Candidate, attempt: Attempt) -> Future[Made]:
        """An attempt in a thread of its own, for which a place has been acquired."""

        def run() -> Made:
            try:
                return self._learnt(attempt(candidate))
            finally:
                self._free.release()

        return self._pool.submit(run)

    def _learnt(self, made: Made) -> Made:
        if made.answer is not None:
            self._latencies.add(made.provider.name, made.answer.completion.latency_ms)
        return made

    def _ended(self, running: set[Future[Made]]) -> list[Made]:
        ended: list[Made] = []
        try:
            while running and not any(made.answer for made in ended):
                done, running = wait(running, return_when=FIRST_COMPLETED)
                ended += [future.result() for future in done]
        finally:
            for future in running:
                future.add_done_callback(self._note_late)
        return ended

    def _note_late(self, future: Future[Made]) -> None:
        error = future.exception()
        if error is not None:
            log.error("late_call_failed", error=type(error).__name__)
        elif future.result().spent.calls:
            self._late(future.result())
