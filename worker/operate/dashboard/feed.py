"""Keeps the figures fresh for all who look at the page together, and says what is in the way when they cannot be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Generic, TypeVar

import redis
from redis.exceptions import RedisError
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, ProgrammingError, SQLAlchemyError

from worker.log import logger
from worker.operate.dashboard.figures import Figures, Spent, Waiting, read_figures, read_spent, read_waiting
from worker.operate.dashboard.live import Durable, Layer, read_durable, read_layers
from worker.operate.dashboard.ranges import RANGES, TimeRange
from worker.providers.circuit_states import Named

#: A read waits this many times as long as the last one took, so that the page is never a burden.
REST = 10.0
#: After a failure: soon, because the first good look is what everybody waits for.
RETRY_S = 2.0
#: How long a page waits for a slow server before it shows what the others say.
PATIENCE_S = 3.0
#: Longer than a statement may take: a server that has said nothing by then is away, although its connections stand.
HOPELESS_S = 10.0
NOW_S = 4.0
SPENT_S = 20.0
POSTGRES, REDIS, CACHE_REDIS = "PostgreSQL", "Redis (REDIS_URL)", "The cache Redis (CACHE_REDIS_URL)"
#: PostgreSQL's codes: a statement that ran into its time limit, a right that the role lacks.
TOO_SLOW, FORBIDDEN = "57014", "42501"
CONSEQUENCES = {
    POSTGRES: "Figures are from before. What customers write waits in the inbound stream; nothing is lost.",
    REDIS: "Circuits and the inbound stream cannot be seen, and no message can come in or go out.",
    CACHE_REDIS: "Replies go on, slower and dearer.",
}
Value = TypeVar("Value")
log = logger(__name__)


class Kept(Generic[Value]):
    """The last good value of something that is read in a thread, at most every `every_s` seconds."""

    def __init__(
        self,
        read: Callable[[], Value],
        every_s: float,
        server: str,
        pool: Executor,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.value: Value | None = None
        self.read_at: datetime | None = None
        self.trouble: str | None = None
        self._read = read
        self._every_s = every_s
        self._server = server
        self._pool = pool
        self._clock = clock
        self._due = self._begun = 0.0
        self._reading: asyncio.Task[None] | None = None

    async def refresh(self) -> None:
        """Reads again if it is time to, and waits for that a little. Whoever comes meanwhile waits for the same."""
        if self._reading is None and self._clock() >= self._due:
            self._begun = self._clock()
            self._reading = asyncio.create_task(self._read_once())
        if self._reading:
            await asyncio.wait({self._reading}, timeout=PATIENCE_S)
        if self._reading and self._clock() - self._begun > HOPELESS_S:
            self.trouble = no_answer(self._server)

    async def _read_once(self) -> None:
        try:
            self.value = await asyncio.get_running_loop().run_in_executor(self._pool, self._read)
            self.read_at, self.trouble = datetime.now(UTC), None
            self._due = self._clock() + max(self._every_s, REST * (self._clock() - self._begun))
        except Exception as exc:  # whatever it is, the page stays up and says so
            log.warning("dashboard_figures_missing", server=self._server, exc_info=exc)
            self.trouble = explanation(exc, self._server)
            self._due = self._clock() + RETRY_S
        finally:
            self._reading = None

    def hurry(self) -> None:
        """Lets the next refresh read, whenever the last one was."""
        self._due = 0.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What there is to show. None where something was never read; `troubles` say what is missing or old, and why."""

    range: TimeRange
    figures: Figures | None
    spent: tuple[Spent, Spent] | None
    waiting: Waiting | None
    durable: Durable | None
    layers: tuple[Layer, ...] | None
    troubles: tuple[str, ...]
    read_at: datetime | None


class Feed:
    """One per process."""

    def __init__(self, engine: Engine, durable: redis.Redis, cache: redis.Redis, providers: Named) -> None:
        self.engine = engine
        # As many as there are things to read: a server that does not answer holds up nobody but itself.
        pool = ThreadPoolExecutor(len(RANGES) + 4, thread_name_prefix="figures")
        self._figures = {
            span.name: Kept(partial(read_figures, engine, span), span.every_s, POSTGRES, pool) for span in RANGES
        }
        self._spent = Kept(partial(read_spent, engine), SPENT_S, POSTGRES, pool)
        self._waiting = Kept(partial(read_waiting, engine), NOW_S, POSTGRES, pool)
        self._durable = Kept(partial(read_durable, durable, providers), NOW_S, REDIS, pool)
        self._layers = Kept(partial(read_layers, cache), NOW_S, REDIS if cache is durable else CACHE_REDIS, pool)

    async def refresh(self, span: TimeRange) -> Snapshot:
        """Everything that is due is read, side by side; then the snapshot. What takes too long is in a later one."""
        await asyncio.gather(*(kept.refresh() for kept in self._parts(span)))
        return self.snapshot(span)

    def snapshot(self, span: TimeRange) -> Snapshot:
        """What is known, without looking again."""
        figures = self._figures[span.name]
        troubles = dict.fromkeys(kept.trouble for kept in self._parts(span) if kept.trouble)
        return Snapshot(
            span,
            figures.value,
            self._spent.value,
            self._waiting.value,
            self._durable.value,
            self._layers.value,
            tuple(troubles),
            figures.read_at,
        )

    def hurry(self) -> None:
        """Something was just changed: dead letters and the backlog are read anew at the next refresh."""
        self._waiting.hurry()

    def _parts(self, span: TimeRange) -> tuple[Kept[Any], ...]:
        return self._figures[span.name], self._spent, self._waiting, self._durable, self._layers


def explanation(error: Exception, server: str) -> str:
    """For the person at the page: what is wrong and what helps."""
    if not isinstance(error, SQLAlchemyError | RedisError):
        return f"The dashboard cannot read {server}: {type(error).__name__}. Its log says where."
    code = getattr(error.orig, "pgcode", None) if isinstance(error, DBAPIError) else None
    if code == FORBIDDEN:
        return "PostgreSQL does not let the role in DATABASE_URL read this. Give it the rights of chasqui_worker."
    if isinstance(error, ProgrammingError):
        return "The database does not have the tables of this version. Run: chasqui db upgrade"
    if code == TOO_SLOW:
        return "PostgreSQL took too long to answer. Choose a shorter time, or see what keeps it busy."
    return no_answer(server)


def no_answer(server: str) -> str:
    """A server that cannot be reached, and what that means for customers."""
    return f"{server} does not answer. {CONSEQUENCES[server]}"
