"""Retries of database calls where that may help: deadlocks, serialisation failures, a server that went away."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_after_delay, wait_random_exponential

Given = ParamSpec("Given")
Row = TypeVar("Row")
Result = TypeVar("Result")
#: PostgreSQL's codes for "run it again": deadlock detected, serialisation failure.
CONFLICTS = frozenset({"40P01", "40001"})
#: Its code for a lock that was waited for in vain, for as long as `lock_timeout` allows.
LOCK_NOT_AVAILABLE = "55P03"
#: A standby, or a server that was set to read-only; psycopg2 does not count it among operational errors.
READ_ONLY = "25006"
#: Beyond what the server can hold (class 54), among operational errors too: the same value will never fit.
TOO_LARGE = "54"
#: How the server was set up (a missing function or right) and damaged files: no value brings these about.
SET_UP = ("42", "3F", "XX001", "XX002")
#: Stays below the lease of a turn (15 s): what cannot be done by then belongs to the sweep.
GIVE_UP_AFTER_S = 8.0


def code_of(error: BaseException) -> str:
    """Returns PostgreSQL's five characters for an error; none where it did not come to that."""
    return getattr(error.orig, "pgcode", None) or "" if isinstance(error, DBAPIError) else ""


def is_conflict(error: BaseException) -> bool:
    """Returns whether two transactions only stood in each other's way."""
    return code_of(error) in CONFLICTS


def is_locked(error: BaseException) -> bool:
    """Returns whether somebody else held a row or a table for too long."""
    return code_of(error) == LOCK_NOT_AVAILABLE


def is_away(error: BaseException) -> bool:
    """Returns whether the server cannot be reached, is restarting, is out of room, takes no writes, took too long, or
    dropped the connection.
    """
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    code = code_of(error)
    if code.startswith(TOO_LARGE):
        return False
    return code == READ_ONLY or isinstance(error, OperationalError | InterfaceError | PoolTimeout)


def is_unreachable(error: BaseException) -> bool:
    """Returns whether the server said nothing at all: another process may reach it."""
    return is_away(error) and not code_of(error)


def may_pass(error: BaseException) -> bool:
    """Returns whether running the same call again may succeed."""
    return is_conflict(error) or is_away(error)


def blames_a_value(error: BaseException) -> bool:
    """Returns whether a value of the call is at fault, so that the others can do without it."""
    return not may_pass(error) and not code_of(error).startswith(SET_UP)


def around_refused(
    rows: Sequence[Row], commit: Callable[[Sequence[Row]], Result], refused: Callable[[Row, SQLAlchemyError], Result]
) -> list[Result]:
    """Commits rows in their order. A batch that PostgreSQL refuses for a value is halved, to find the one at fault.

    Args:
        commit: one call for several rows.
        refused: what is done instead with a row that is at fault; within the handling of its error.

    Returns:
        Results of the commits and of what was done instead.
    """
    try:
        return [commit(rows)]
    except SQLAlchemyError as exc:
        if not rows or not blames_a_value(exc):
            raise
        if len(rows) == 1:
            return [refused(rows[0], exc)]
    middle = len(rows) // 2
    return [part for half in (rows[:middle], rows[middle:]) for part in around_refused(half, commit, refused)]


def again_on_conflict(call: Callable[[], Result]) -> Result:
    """Runs `call`, up to 5 times where another transaction stands in its way; returns its result."""
    retrying = Retrying(
        retry=retry_if_exception(is_conflict),
        stop=stop_after_attempt(5),
        wait=wait_random_exponential(multiplier=0.02, max=0.5),
        reraise=True,
    )
    return retrying(call)


def commit(
    connection: Connection,
    call: Callable[Concatenate[Connection, Given], Result],
    *given: Given.args,
    **named: Given.kwargs,
) -> Result:
    """Returns the result of `call(connection, ...)`, in a transaction of its own that is repeated after a conflict."""

    def attempt() -> Result:
        with connection.begin():
            return call(connection, *given, **named)

    return again_on_conflict(attempt)


def run(
    engine: Engine,
    call: Callable[[Connection], Result],
    *,
    give_up_after_s: float = GIVE_UP_AFTER_S,
    waits_again: bool = True,
) -> Result:
    """Runs an idempotent `call` on a pooled connection; where it may help, again with growing random pauses.

    Args:
        give_up_after_s: from then on the last error is raised as it came.
        waits_again: whether a wait for a lock in vain is repeated too.
    """

    def attempt() -> Result:
        with engine.connect() as connection:
            return call(connection)

    return _retrying(give_up_after_s, waits_again)(attempt)


@cache
def _retrying(give_up_after_s: float, waits_again: bool) -> Retrying:
    return Retrying(
        retry=retry_if_exception(lambda error: may_pass(error) and (waits_again or not is_locked(error))),
        stop=stop_after_delay(give_up_after_s),
        wait=wait_random_exponential(multiplier=0.05, max=1.0),
        reraise=True,
    )
