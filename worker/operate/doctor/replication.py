"""Doctor's check of the servers that DATABASE_URL names: which takes writes, how far others are, what may be lost."""

from collections.abc import Iterator, Mapping

import psycopg2  # type: ignore[import-untyped]  # it ships none
from sqlalchemy.exc import SQLAlchemyError

from db.engine import connect
from db.servers import Replication, apart, replication, shown
from worker.operate.display import count, duration, size
from worker.operate.doctor.finding import Finding, failed, ok, warning
from worker.runtime.error_reasons import reason_of

CHECK = "postgresql servers"
STATEMENT_TIMEOUT_MS = 5_000
#: Both at once: a standby is never quite in step, and its latest transaction is as old as the shop has been quiet.
BEHIND_B, BEHIND_S = 1024**2, 10.0
#: Values of `synchronous_commit` with which a commit does not wait for a standby, whatever names are set.
WAITS_NOT = frozenset({"off", "local"})
READ_ONLY = "does DATABASE_URL name the primary, and all servers that may become it? Else promote a standby"
TWO_PRIMARIES = (
    "stop the one that was replaced at once, and make it a standby of the other, which never gets what it takes now. "
    "See docs/deploy.md, 'a standby that takes over'"
)
AWAY = "start it as a standby of the primary: until then nobody can take the primary's place"
State = Replication | Exception


def examine(url: str) -> Iterator[Finding]:
    """Asks each server. A single one that takes writes needs no line of its own."""
    states = {shown(place): _state(own) for place, own in apart(url)}
    if len(states) > 1:
        yield from judge_servers(states)
    elif any(isinstance(state, Replication) and not state.takes_writes for state in states.values()):
        yield failed(CHECK, "it takes no writes: it is a standby, or set to read-only", READ_ONLY)


def _state(url: str) -> State:
    try:
        with connect(url, statement_timeout_ms=STATEMENT_TIMEOUT_MS) as connection:
            return replication(connection)
    except (SQLAlchemyError, psycopg2.Error) as exc:
        return exc


def judge_servers(states: Mapping[str, State]) -> Iterator[Finding]:
    """Judges several servers together, of which exactly one should take writes.

    Args:
        states: state, or the error in its place, by host and port.
    """
    seen = {place: state for place, state in states.items() if isinstance(state, Replication)}
    primaries = {place: state for place, state in seen.items() if state.takes_writes}
    if not primaries:
        yield failed(CHECK, "none takes writes", READ_ONLY)
    elif len(primaries) > 1:
        yield failed(CHECK, f"{' and '.join(primaries)} both take writes", TWO_PRIMARIES)
    newest_b = max((state.position_b for state in primaries.values()), default=None)
    for place, state in states.items():
        check = f"postgresql {place}"
        if isinstance(state, Exception):
            yield warning(check, reason_of(state), AWAY)
        elif state.takes_writes:
            yield judge_primary(check, state)
        else:
            yield judge_standby(check, state, newest_b)


def judge_primary(check: str, state: Replication) -> Finding:
    """Judges what a commit waits for."""
    found = f"primary, {count(state.standbys, 'standby')} connected"
    if not state.waits_for:
        return ok(check, f"{found}, asynchronous: the last moments may be lost with it")
    if state.synchronous_commit in WAITS_NOT:
        mend = "set synchronous_commit = on, or commits are lost with the server although a standby is named"
        return warning(check, f"{found}, synchronous_commit is {state.synchronous_commit}", mend)
    if not state.standbys:
        mend = "start a standby, or unset synchronous_standby_names: until then nothing can be written"
        return failed(check, f"{found}, and commits wait for one ({state.waits_for})", mend)
    return ok(check, f"{found}, commits wait for {state.waits_for}")


def judge_standby(check: str, state: Replication, newest_b: int | None) -> Finding:
    """Judges how far a server is behind the primary, None where there is none."""
    if not state.is_standby:
        return warning(check, "set to read-only: it takes no writes", "set default_transaction_read_only = off")
    if newest_b is None:
        return ok(check, "standby")
    behind_b, replayed_s = max(newest_b - state.position_b, 0), state.replayed_s or 0.0
    found = f"standby, {size(behind_b)} behind"
    if behind_b > BEHIND_B and replayed_s > BEHIND_S:
        found = f"{found}, its latest change is {duration(replayed_s)} old"
        return warning(check, found, "does it get the primary's log, and is its disk fast enough? Look at its log")
    return ok(check, found)
