"""Live view of the servers for all open pages together: each read at most every few seconds, nothing while no page is
open, and in words what is in the way where a server does not answer.
"""

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
from worker.operate.dashboard.figures import (
    RANGES,
    Figures,
    Spent,
    TimeRange,
    Waiting,
    read_figures,
    read_spent,
    read_waiting,
)
from worker.operate.snapshot import CacheUse, StreamLengths, read_cache_use, read_streams
from worker.providers.circuit_states import Circuit, Named, read_circuits

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


@dataclass(frozen=True, slots=True)
class Durable:
    """Circuits, by name, and streams as the durable Redis had them at a moment."""

    at: datetime
    circuits: dict[str, Circuit]
    streams: StreamLengths


@dataclass(frozen=True, slots=True)
class View:
    """All there is to show. None where something was never read; `troubles` say what is missing or old, and why.

    Args:
        read_at: when the figures were read.
    """

    range: TimeRange
    figures: Figures | None
    spent: tuple[Spent, Spent] | None
    waiting: Waiting | None
    durable: Durable | None
    cache: CacheUse | None
    troubles: tuple[str, ...]
    read_at: datetime | None

    @property
    def streams(self) -> StreamLengths | None:
        """The streams, where Redis has ever answered."""
        return self.durable.streams if self.durable else None


class Kept(Generic[Value]):
    """Last good value of something that is read in a thread, at most every `every_s` seconds."""

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
        self._read, self._every_s, self._server, self._pool, self._clock = read, every_s, server, pool, clock
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


class Feed:
    """Everything that the pages of this process show, read for all of them together."""

    def __init__(self, engine: Engine, durable: redis.Redis, cache: redis.Redis, providers: Named) -> None:
        # As many as there are things to read: a server that does not answer holds up nobody but itself.
        pool = ThreadPoolExecutor(len(RANGES) + 4, thread_name_prefix="figures")
        self._figures = {
            span.name: Kept(partial(read_figures, engine, span), span.every_s, POSTGRES, pool)
            for span in RANGES.values()
        }
        self._spent = Kept(partial(read_spent, engine), SPENT_S, POSTGRES, pool)
        self._waiting = Kept(partial(read_waiting, engine), NOW_S, POSTGRES, pool)
        self._durable = Kept(partial(read_durable, durable, providers), NOW_S, REDIS, pool)
        self._cache = Kept(partial(read_cache_use, cache), NOW_S, REDIS if cache is durable else CACHE_REDIS, pool)

    async def refresh(self, span: TimeRange) -> View:
        """Reads everything that is due, side by side. What takes too long is in a later view."""
        await asyncio.gather(*(kept.refresh() for kept in self._parts(span)))
        return self.view(span)

    def view(self, span: TimeRange) -> View:
        """Returns what is known, without looking again."""
        figures = self._figures[span.name]
        return View(
            span,
            figures.value,
            self._spent.value,
            self._waiting.value,
            self._durable.value,
            self._cache.value,
            tuple(dict.fromkeys(kept.trouble for kept in self._parts(span) if kept.trouble)),
            figures.read_at,
        )

    def hurry(self) -> None:
        """Has dead letters and the backlog read anew at the next refresh, because something was just changed."""
        self._waiting.hurry()

    def _parts(self, span: TimeRange) -> tuple[Kept[Any], ...]:
        return self._figures[span.name], self._spent, self._waiting, self._durable, self._cache


def read_durable(client: redis.Redis, providers: Named) -> Durable:
    """Reads the circuits of these providers and the streams, in two round trips."""
    circuits = {circuit.name: circuit for circuit in read_circuits(client, providers)}
    return Durable(datetime.now(UTC), circuits, read_streams(client))


def explanation(error: Exception, server: str) -> str:
    """Returns for the person at the page what is wrong and what helps."""
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
