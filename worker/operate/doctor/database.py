"""Doctor's check of PostgreSQL: its servers and which takes writes, version, migrations, clock, locks, what waits."""

from collections.abc import Iterator, Mapping

import psycopg2  # type: ignore[import-untyped]  # it ships none
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from db import migrations, monitoring
from db.engine import connect
from db.monitoring import LockHolder, Unfinished
from db.pooler import keeps_session
from db.servers import Replication, apart, normalised, places, replication, shown
from worker.operate.display import count, duration, oldest, size
from worker.operate.doctor.finding import Finding, failed, graded, guarded, judge_clock, ok, warning
from worker.runtime.error_reasons import reason_of
from worker.settings import Settings

CHECK = "postgresql"
SERVERS = "postgresql servers"
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
#: The version that Chasqui is tested with.
LEAST_VERSION = 160_000
STATEMENT_TIMEOUT_MS = 5_000
#: A reply is published within milliseconds of its commit.
UNPUBLISHED_S = 60.0
#: What lies this many times longer than it should is not only slow.
FAR_TOO_LONG = 10
#: As ChasquiOrderUnattended has it.
UNATTENDED_S = 900.0
NO_SERVER = "start the service with chasqui up, which brings a PostgreSQL of its own, or set DATABASE_URL"
UNREACHABLE = "is the server up, and DATABASE_URL right? Nothing it knows (migrations, intake, messages) was checked"
NOW_S = text("select extract(epoch from clock_timestamp())::double precision")
UPGRADE = "run chasqui db upgrade"


def examine(configured: Settings) -> list[Finding]:
    """Checks all that needs PostgreSQL; returns one finding alone where it does not answer."""
    if configured.database_url is None:
        return [failed(CHECK, "DATABASE_URL is not set, and no embedded server is running", NO_SERVER)]
    url = configured.database_url.get_secret_value()
    servers = guarded(SERVERS, lambda: examine_servers(url))
    return [*servers, *guarded(CHECK, lambda: _examine(url, configured), UNREACHABLE)]


def _examine(url: str, configured: Settings) -> Iterator[Finding]:
    yield judge_sessions(kept := keeps_session(url))
    if not kept:
        return
    with connect(url, statement_timeout_ms=STATEMENT_TIMEOUT_MS) as opened:
        connection = opened.execution_options(isolation_level="AUTOCOMMIT")
        yield judge_version(connection.execute(text("show server_version_num")).scalar_one(), place(url))
        yield from guarded("postgresql clock", lambda: judge_clock("postgresql", lambda: connection.scalar(NOW_S)))
        yield from guarded("migrations", lambda: judge_revision(_revision(connection)), UPGRADE)
        yield from guarded("locks", lambda: judge_locks(monitoring.lock_holders(connection)))
        # A model may take until the deadline; work that is lost on the way is started again after one lease.
        usual_s = configured.ai_deadline_s + 2 * configured.flow_lease_s
        yield from guarded("messages", lambda: judge_unfinished(monitoring.unfinished(connection), usual_s), UPGRADE)


def place(url: str) -> str:
    """Returns host, port and name of a database, without user and password."""
    parsed = normalised(url)
    return f"{','.join(map(shown, places(parsed)))}/{parsed.database or ''}"


def judge_version(version: str, where: str) -> Finding:
    """Judges `server_version_num`, like 160004."""
    found = f"version {int(version) // 10_000} at {where}"
    if int(version) < LEAST_VERSION:
        return warning(CHECK, found, f"Chasqui is tested with {LEAST_VERSION // 10_000}: upgrade the server")
    return ok(CHECK, found)


def judge_sessions(kept: bool) -> Finding:
    """Judges whether a connection stays with one server process."""
    if kept:
        return ok("postgresql sessions", "a connection keeps its session")
    found = "a pooler gives every transaction another connection: locks and settings do not hold"
    mend = "set the pooler to sessions (PgBouncer: pool_mode = session), or name the server itself in DATABASE_URL"
    return failed("postgresql sessions", found, mend)


def _revision(connection: Connection) -> str | None:
    tables = connection.execute(text("select to_regclass('alembic_version') is not null")).scalar_one()
    return monitoring.revision(connection) if tables else None


def judge_revision(revision: str | None) -> Finding:
    """Judges the migration that the database is at, None for an empty database."""
    head = migrations.head()
    if revision == head:
        return ok("migrations", f"at {head}, the newest")
    if revision is None:
        return failed("migrations", "the database is empty", UPGRADE)
    known = {script.revision for script in ScriptDirectory.from_config(migrations.configuration()).walk_revisions()}
    if revision in known:
        return failed("migrations", f"the database is at {revision}, this version needs {head}", UPGRADE)
    found = f"the database is at {revision}, which this version ({head}) does not know"
    return failed("migrations", found, "install the version of Chasqui that made it, or a newer one")


def judge_locks(holders: tuple[LockHolder, ...]) -> Iterator[Finding]:
    """Judges open transactions that hold what is ours: rows stop their customers only; a table stops everybody."""
    if not holders:
        yield ok("locks", "no open transaction holds rows of ours")
    for holder in holders:
        mend = (
            f"end it where it was begun, or with: select pg_terminate_backend({holder.pid})."
            " See docs/operations.md, 'a customer is locked'"
        )
        severity = failed if holder.whole_table else warning
        yield severity(f"locks of pid {holder.pid}", described(holder), mend)


def described(holder: LockHolder) -> str:
    """Describes who holds what since when, without a word of a query, which may hold what customers wrote."""
    who = f"{holder.application or 'a program without a name'}, user {holder.username or 'unknown'}, {holder.state}"
    what = ("the whole of " if holder.whole_table else "rows of ") + ", ".join(holder.tables)
    if holder.since is None or holder.open_s is None:
        return f"{who}: holds {what}"
    return f"{who}: holds {what} for {duration(holder.open_s)}, since {holder.since:%Y-%m-%d %H:%M:%SZ}"


def judge_unfinished(work: Unfinished, usual_s: float) -> Iterator[Finding]:
    """Judges intake and what has not come to its end. usual_s: so long the oldest message may wait in health."""
    if work.intake_active:
        yield ok("intake", "one is active")
    else:
        found = "none is active: nobody reads what customers write"
        yield failed("intake", found, "start chasqui up, or chasqui intake")
    found = oldest(count(work.waiting, "message") + " unanswered", work.waiting, work.oldest_waiting_s)
    mend = "are intake and the workers running, and the queues short? See docs/operations.md, 'the backlog grows'"
    yield graded("messages", found, mend, work.oldest_waiting_s, usual_s, FAR_TOO_LONG * usual_s)
    found = oldest(count(work.unpublished, "answer") + " unpublished", work.unpublished, work.oldest_unpublished_s)
    mend = "the active intake publishes them again: is Redis up, and has it room?"
    yield graded("answers", found, mend, work.oldest_unpublished_s, UNPUBLISHED_S, FAR_TOO_LONG * UNPUBLISHED_S)
    mend = "look at them with chasqui dead list, then replay or discard them"
    yield graded("dead letters", count(work.dead, "dead letter"), mend, work.dead, 0)
    waiting = count(work.orders_unattended, "order") + " received"
    found = oldest(waiting, work.orders_unattended, work.oldest_unattended_s)
    mend = "look at them with chasqui orders list --open, then move them on: chasqui orders set"
    yield graded("orders", found, mend, work.oldest_unattended_s, UNATTENDED_S)


def examine_servers(url: str) -> Iterator[Finding]:
    """Asks each server that DATABASE_URL names. A single one that takes writes needs no line of its own."""
    states = {shown(place): _state(own) for place, own in apart(url)}
    if len(states) > 1:
        yield from judge_servers(states)
    elif any(isinstance(state, Replication) and not state.takes_writes for state in states.values()):
        yield failed(SERVERS, "it takes no writes: it is a standby, or set to read-only", READ_ONLY)


def _state(url: str) -> Replication | Exception:
    try:
        with connect(url, statement_timeout_ms=STATEMENT_TIMEOUT_MS) as connection:
            return replication(connection)
    except (SQLAlchemyError, psycopg2.Error) as exc:
        return exc


def judge_servers(states: Mapping[str, Replication | Exception]) -> Iterator[Finding]:
    """Judges states (or the errors in their place) of several servers, of which exactly one should take writes."""
    seen = {place: state for place, state in states.items() if isinstance(state, Replication)}
    primaries = {place: state for place, state in seen.items() if state.takes_writes}
    if not primaries:
        yield failed(SERVERS, "none takes writes", READ_ONLY)
    elif len(primaries) > 1:
        yield failed(SERVERS, f"{' and '.join(primaries)} both take writes", TWO_PRIMARIES)
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
