"""Running a database call again where that may help: deadlocks, serialisation failures, a server that went away."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_after_delay, wait_random_exponential

Result = TypeVar("Result")
#: PostgreSQL's codes for "run it again": deadlock detected, serialisation failure.
CONFLICTS = frozenset({"40P01", "40001"})
#: Stays below the lease of a turn (15 s): what cannot be done by then belongs to the sweep.
GIVE_UP_AFTER_S = 8.0


def is_conflict(error: BaseException) -> bool:
    """Whether two transactions only stood in each other's way."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "pgcode", None) in CONFLICTS


def is_away(error: BaseException) -> bool:
    """Whether the server could not be reached, is restarting, is out of room, or dropped the connection."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, OperationalError | InterfaceError | PoolTimeout)


def may_pass(error: BaseException) -> bool:
    """Whether running the same call again may succeed."""
    return is_conflict(error) or is_away(error)


def again_on_conflict(call: Callable[[], Result]) -> Result:
    """The result of `call`, run again up to 5 times where another transaction stood in its way."""
    retrying = Retrying(
        retry=retry_if_exception(is_conflict),
        stop=stop_after_attempt(5),
        wait=wait_random_exponential(multiplier=0.02, max=0.5),
        reraise=True,
    )
    return retrying(call)


def run(
    engine: Engine,
    call: Callable[[Connection], Result],
    *,
    give_up_after_s: float = GIVE_UP_AFTER_S,
) -> Result:
    """The result of `call` on a pooled connection, run again with growing random pauses (0.05 to 1 s) until
    `give_up_after_s`; then the last error as it came. `call` must bear being run twice.
    """
    retrying = Retrying(
        retry=retry_if_exception(may_pass),
        stop=stop_after_delay(give_up_after_s),
        wait=wait_random_exponential(multiplier=0.05, max=1.0),
        reraise=True,
    )

    def attempt() -> Result:
        with engine.connect() as connection:
            return call(connection)

    return retrying(attempt)
