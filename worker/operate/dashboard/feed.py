"""Live view of the servers for all open pages together: each part is read at most every few seconds, nothing while no
page is open, and a part that cannot be read keeps its last value and says why.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Generic, TypeVar

import redis
from redis.exceptions import RedisError
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, ProgrammingError, SQLAlchemyError

from db.customers import Waiting, waiting
from db.dashboard import DeadLetter, OpenOrder, open_orders
from db.monitoring import Unfinished
from worker.log import logger
from worker.operate.dashboard import figures
from worker.operate.dashboard.figures import RANGES, Costs, Figures, TimeRange
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
COSTS_S = 20.0
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
class View:
    """All there is to show at `now`. None where something was never read.

    Args:
        read_at: when the figures were read.
        troubles: what is missing or old, and why.
        costs: of this day and this month.
        waiting: unfinished messages, and the newest dead letters.
        people: who waits for a person, with their numbers, which an administrator alone may see; so of orders.
        circuits: by name.
    """

    range: TimeRange
    now: datetime
    read_at: datetime | None = None
    troubles: tuple[str, ...] = ()
    figures: Figures | None = None
    costs: tuple[Costs, Costs] | None = None
    waiting: tuple[Unfinished, tuple[DeadLetter, ...]] | None = None
    people: tuple[Waiting, ...] | None = None
    orders: tuple[OpenOrder, ...] | None = None
    circuits: Mapping[str, Circuit] | None = None
    streams: StreamLengths | None = None
    cache: CacheUse | None = None


class Kept(Generic[Value]):
    """Last good value of something that is read in a thread, at most every `every_s` seconds."""

    def __init__(self, read: Callable[[], Value], every_s: float, server: str, pool: Executor) -> None:
        self.value: Value | None = None
        self.read_at: datetime | None = None
        self.trouble: str | None = None
        self._read, self._every_s, self._server, self._pool = read, every_s, server, pool
        self._due_s = self._begun_s = 0.0
        self._reading: asyncio.Task[None] | None = None

    async def refresh(self) -> None:
        """Reads again if it is time to, and waits for that a little. Whoever comes meanwhile waits for the same."""
        if self._reading is None and time.monotonic() >= self._due_s:
            self._begun_s = time.monotonic()
            self._reading = asyncio.create_task(self._read_once())
        if self._reading:
            await asyncio.wait({self._reading}, timeout=PATIENCE_S)
        if self._reading and time.monotonic() - self._begun_s > HOPELESS_S:
            self.trouble = no_answer(self._server)

    async def _read_once(self) -> None:
        try:
            self.value = await asyncio.get_running_loop().run_in_executor(self._pool, self._read)
            self.read_at, self.trouble = datetime.now(UTC), None
            self._due_s = time.monotonic() + max(self._every_s, REST * (time.monotonic() - self._begun_s))
        except Exception as exc:  # whatever it is, the page stays up and says so
            log.warning("dashboard_figures_missing", server=self._server, exc_info=exc)
            self.trouble = explanation(exc, self._server)
            self._due_s = time.monotonic() + RETRY_S
        finally:
            self._reading = None

    def hurry(self) -> None:
        """Lets the next refresh read, whenever the last one was."""
        self._due_s = 0.0


class Feed:
    """Everything that the pages of this process show, read for all of them together."""

    def __init__(self, engine: Engine, durable: redis.Redis, cache: redis.Redis, providers: Named) -> None:
        cache_server = REDIS if cache is durable else CACHE_REDIS
        # As many threads as there are things to read: a server that does not answer holds up nobody but itself.
        pool = ThreadPoolExecutor(len(RANGES) + 7, thread_name_prefix="figures")
        self._figures = {
            span: Kept(partial(figures.read_figures, engine, span), span.every_s, POSTGRES, pool)
            for span in RANGES.values()
        }
        self._others: dict[str, Kept[Any]] = {
            "costs": Kept(partial(figures.read_costs, engine), COSTS_S, POSTGRES, pool),
            "waiting": Kept(partial(figures.read_waiting, engine), NOW_S, POSTGRES, pool),
            "people": Kept(partial(figures.read_list, engine, waiting), NOW_S, POSTGRES, pool),
            "orders": Kept(partial(figures.read_list, engine, open_orders), NOW_S, POSTGRES, pool),
            "circuits": Kept(partial(_circuits, durable, providers), NOW_S, REDIS, pool),
            "streams": Kept(partial(read_streams, durable), NOW_S, REDIS, pool),
            "cache": Kept(partial(read_cache_use, cache), NOW_S, cache_server, pool),
        }

    async def refresh(self, span: TimeRange) -> View:
        """Reads everything that is due, side by side. What takes too long is in a later view."""
        await asyncio.gather(*(kept.refresh() for kept in (self._figures[span], *self._others.values())))
        return self.view(span)

    def view(self, span: TimeRange) -> View:
        """Returns what is known, without looking again."""
        drawn = self._figures[span]
        troubles = dict.fromkeys(kept.trouble for kept in (drawn, *self._others.values()) if kept.trouble)
        others = {name: kept.value for name, kept in self._others.items()}
        return View(span, datetime.now(UTC), drawn.read_at, tuple(troubles), drawn.value, **others)

    def hurry(self) -> None:
        """Has the lists and the backlog read anew at the next refresh, because something was just changed."""
        for name in ("waiting", "people", "orders"):
            self._others[name].hurry()


def _circuits(durable: redis.Redis, providers: Named) -> dict[str, Circuit]:
    return {circuit.name: circuit for circuit in read_circuits(durable, providers)}


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
    """Returns that a server cannot be reached, and what that means for customers."""
    return f"{server} does not answer. {CONSEQUENCES[server]}"
