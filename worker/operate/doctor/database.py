"""Doctor's check of PostgreSQL: version, migrations, clock, locks, intake, what waits, what was given up."""

from collections.abc import Iterator

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from db import migrations, monitoring
from db.engine import connect
from db.monitoring import LockHolder, Unfinished
from db.pooler import keeps_session
from db.servers import normalised, places, shown
from worker.operate.display import count, duration, oldest
from worker.operate.doctor import replication
from worker.operate.doctor.finding import Finding, failed, graded, guarded, judge_clock, ok, warning
from worker.settings import Settings

CHECK = "postgresql"
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
    servers = guarded(replication.CHECK, lambda: list(replication.examine(url)))
    return [*servers, *guarded(CHECK, lambda: list(_examine(url, configured)), UNREACHABLE)]


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
    """Judges whether anybody reads the inbound stream, and what has not come to its end.

    Args:
        usual_s: for so long the oldest message may wait in a healthy service.
    """
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
