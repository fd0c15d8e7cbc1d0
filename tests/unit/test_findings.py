"""What the doctor makes of what it sees: marks, words and ways out. No servers."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from redis.exceptions import AuthenticationError
from redis.exceptions import ConnectionError as RedisAway
from rich.console import Console
from sqlalchemy.exc import OperationalError

from db import migrations
from db.monitoring import Unfinished
from db.servers import Replication
from worker.errors import ConfigurationError
from worker.operate.commands.doctor import show
from worker.operate.display import count, duration, size
from worker.operate.doctor import database, examination, redis_servers
from worker.operate.doctor.examination import is_fit, judge_free
from worker.operate.doctor.finding import Finding, State, failed, guarded, judge_clock, ok, reason_of, warning
from worker.operate.snapshot import LiveCounters, StreamLengths
from worker.providers.circuit_states import Circuit

OK, WARNING, FAILED = State.OK, State.WARNING, State.FAILED
QUIET = Unfinished(
    waiting=0,
    oldest_waiting_s=0,
    unpublished=0,
    oldest_unpublished_s=0,
    dead=0,
    turns_under_way=0,
    turns_overdue=0,
    active_sessions=0,
    intake_active=True,
)
INFO: dict[str, Any] = {
    "redis_version": "7.4.1",
    "aof_enabled": 1,
    "aof_last_write_status": "ok",
    "maxmemory": 1_000,
    "used_memory": 100,
    "maxmemory_policy": "noeviction",
}
SECRET = "geheim"
PRIMARY = Replication(
    is_standby=False,
    is_read_only=False,
    position_b=10**9,
    replayed_s=None,
    waits_for="*",
    synchronous_commit="on",
    standbys=1,
)
STANDBY = replace(PRIMARY, is_standby=True, replayed_s=3_600.0, standbys=0)


def check(finding: Finding, state: State, *words: str) -> None:
    """The mark and some words of a finding; one that is not well says what to do."""
    assert finding.state is state, finding
    assert (finding.mend is None) == (state is OK)
    for word in words:
        assert word in f"{finding.found} {finding.mend}", finding


@pytest.mark.parametrize(
    ("skew_s", "state"), [(0.0, OK), (-0.9, OK), (1.1, WARNING), (-4.9, WARNING), (5.1, FAILED), (-3_600, FAILED)]
)
def test_clocks(skew_s: float, state: State) -> None:
    """A second may be, five may not, in either direction."""
    check(judge_clock("redis", lambda: 1_000.0 + skew_s, lambda: 1_000.0), state)


def test_skew_is_measured_from_the_middle_of_the_question() -> None:
    """A slow answer is no wrong clock."""
    times = iter([100.0, 104.0])
    check(judge_clock("redis", lambda: 109.0, lambda: next(times)), FAILED, "7.0 s ahead of this machine")


def test_versions_of_postgresql() -> None:
    """What Chasqui is tested with, and what not."""
    check(database.judge_version("160004", "db:5432/chasqui"), OK, "version 16 at db:5432/chasqui")
    check(database.judge_version("150010", "db:5432/chasqui"), WARNING, "version 15", "16")


def test_migrations() -> None:
    """The newest, none, or one that another version has made."""
    check(database.judge_revision(migrations.head()), OK)
    check(database.judge_revision(None), FAILED, "empty", "chasqui db upgrade")
    check(database.judge_revision("9999"), FAILED, "does not know", "install")


@pytest.mark.parametrize(
    "url", [f"postgresql://u:{SECRET}@db.example:5433/shop", f"postgres://{SECRET}@db.example/shop"]
)
def test_places_tell_no_secret(url: str) -> None:
    """Of a URL the host, the port and the name are shown."""
    assert SECRET not in database.place(url)
    assert "db.example:543" in database.place(url)
    assert redis_servers.place(f"rediss://u:{SECRET}@cache.example/0") == "cache.example:6379"
    assert redis_servers.place(f"unix://u:{SECRET}@/run/redis.sock?db=1") == "/run/redis.sock"


def unfinished(check_name: str, **changes: Any) -> Finding:
    """One finding on a quiet database in which this is otherwise."""
    found = {finding.check: finding for finding in database.judge_unfinished(replace(QUIET, **changes), 60.0)}
    return found[check_name]


def test_intake() -> None:
    """Somebody must read what customers write."""
    check(unfinished("intake"), OK)
    check(unfinished("intake", intake_active=False), FAILED, "chasqui intake")


@pytest.mark.parametrize(
    ("waiting", "oldest_s", "state"), [(0, 0, OK), (500, 59, OK), (1, 61, WARNING), (1, 599, WARNING), (1, 601, FAILED)]
)
def test_unanswered_messages(waiting: int, oldest_s: float, state: State) -> None:
    """Many are no trouble, an old one is."""
    check(unfinished("messages", waiting=waiting, oldest_waiting_s=oldest_s), state)


@pytest.mark.parametrize(
    ("unpublished", "oldest_s", "state"), [(0, 0, OK), (9, 59, OK), (1, 61, WARNING), (1, 601, FAILED)]
)
def test_unpublished_answers(unpublished: int, oldest_s: float, state: State) -> None:
    """Those of this moment are no trouble, an old one is."""
    check(unfinished("answers", unpublished=unpublished, oldest_unpublished_s=oldest_s), state)


def test_dead_letters() -> None:
    """Somebody should look, but the service does its work."""
    check(unfinished("dead letters"), OK, "no dead letters")
    check(unfinished("dead letters", dead=1), WARNING, "1 dead letter", "chasqui dead list")


def test_orders_that_nobody_has_looked_at() -> None:
    """One that has just come is no trouble; a customer who waits for his is."""
    check(unfinished("orders"), OK, "no orders received")
    late = unfinished("orders", orders_unattended=2, oldest_unattended_s=901.0)
    check(late, WARNING, "2 orders received, the oldest for 15 min", "chasqui orders list --open")
    check(unfinished("orders", orders_unattended=2, oldest_unattended_s=899.0), OK)


@pytest.mark.parametrize(
    ("version", "state"), [("6.2.14", OK), ("7.4.1", OK), ("10.0.0", OK), ("6.0.20", FAILED), ("5.0", FAILED)]
)
def test_versions_of_redis(version: str, state: State) -> None:
    """6.2 is the first with all that is needed."""
    check(redis_servers.judge_version(INFO | {"redis_version": version}, "r:6379"), state, version)


@pytest.mark.parametrize(
    ("changes", "state", "word"),
    [
        ({}, OK, "on"),
        ({"aof_enabled": 0}, FAILED, "appendonly yes"),
        ({"aof_last_write_status": "err"}, FAILED, "disk"),
    ],
)
def test_persistence(changes: dict[str, Any], state: State, word: str) -> None:
    """The durable Redis must write down what it is given, and succeed."""
    check(redis_servers.judge_persistence(INFO | changes), state, word)


@pytest.mark.parametrize(
    ("changes", "state", "word"),
    [
        ({}, OK, "of 1,000 B"),
        ({"maxmemory": 0}, OK, "no limit"),
        ({"maxmemory_policy": "allkeys-lru"}, FAILED, "noeviction"),
        ({"used_memory": 800}, WARNING, "Redis is full"),
        ({"used_memory": 950}, FAILED, "Redis is full"),
    ],
)
def test_memory_of_the_durable_redis(changes: dict[str, Any], state: State, word: str) -> None:
    """Nothing may be evicted, and it should not get full."""
    check(redis_servers.judge_durable_memory(INFO | changes), state, word)


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"maxmemory_policy": "allkeys-lfu"}, OK),
        ({"maxmemory_policy": "noeviction"}, WARNING),
        ({"maxmemory_policy": "allkeys-lfu", "maxmemory": 0}, WARNING),
    ],
)
def test_the_cache(changes: dict[str, Any], state: State) -> None:
    """A cache that is set up wrongly is slower, never unfit."""
    check(redis_servers.judge_cache(INFO | changes, "c:6379"), state)


@pytest.mark.parametrize(
    ("entries", "oldest_s", "state"), [(0, 0, OK), (9, 59, OK), (1, 61, WARNING), (1, 601, FAILED)]
)
def test_the_inbound_stream(entries: int, oldest_s: float, state: State) -> None:
    """What lies there for long is read by nobody."""
    check(redis_servers.judge_inbound(StreamLengths(entries, 0, 0, oldest_s)), state)


def test_beat() -> None:
    """Its last run may be two rounds ago."""
    ran = LiveCounters(1_000.0, {}, {}, 700.0, 0)
    check(redis_servers.judge_beat(ran), OK, "5 min ago")
    check(redis_servers.judge_beat(replace(ran, at_s=1_400.0)), WARNING, "is beat running")
    check(redis_servers.judge_beat(replace(ran, last_cleanup_at_s=None)), WARNING, "no periodic task")


def test_queues() -> None:
    """Every queue is named; a long one wants more workers."""
    short = {"flow": 19, "ai": 0, "inbound": 0, "periodic": 0}
    check(examination.judge_queues(short), OK, "flow 19, ai 0, inbound 0, periodic 0")
    check(examination.judge_queues(short | {"flow": 20}), WARNING, "more workers for flow")


def test_workers() -> None:
    """Each queue needs one who takes from it, whatever they are called."""
    both = {"flow@a": {"flow", "inbound", "periodic"}, "x": {"ai"}}
    check(examination.judge_workers(both), OK, "2 workers")
    check(
        examination.judge_workers({"x": {"ai"}}),
        FAILED,
        "1 worker answers",
        "nobody takes from flow, inbound, periodic",
    )
    check(examination.judge_workers({}), FAILED, "no workers")


def test_room_on_the_disk() -> None:
    """Gigabytes are well, some are few, almost none is an outage to come."""
    gigabyte = 1024**3
    check(judge_free(50 * gigabyte), OK, "50 GB")
    check(judge_free(gigabyte), WARNING)
    check(judge_free(gigabyte // 8), FAILED)


@pytest.mark.parametrize(
    ("circuit", "state", "words"),
    [
        (Circuit("p", "closed"), OK, ("closed",)),
        (Circuit("p", "closed", calls=9, failures=2), OK, ("2 of 9 calls failed",)),
        (Circuit("p", "open", reason="timeout", open_s=4.0), WARNING, ("timeout", "4 s more", "circuits close p")),
        (Circuit("p", "half_open", reason="failure rate"), WARNING, ("the next call tries it",)),
        (Circuit("p", "forced_open", reason="operator"), WARNING, ("by hand", "circuits close p")),
        (Circuit("p", "open", reason="denied", open_s=200.0), FAILED, ("key", "balance", "circuits close p")),
    ],
)
def test_circuits(circuit: Circuit, state: State, words: tuple[str, ...]) -> None:
    """What mends itself is a warning, what waits for somebody's hand is none of that."""
    check(redis_servers.judge_circuit(circuit), state, *words)


def test_a_broken_check_is_a_finding() -> None:
    """Its own words stay out: they may hold a password or a text."""

    def breaks() -> Finding:
        raise KeyError(SECRET)

    (finding,) = guarded("redis memory", breaks, "look")
    assert finding == failed("redis memory", "the check failed: KeyError", "look")


def caused(error: Exception, cause: Exception) -> Exception:
    """An error that another hides."""
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OperationalError("", {}, Exception(f'password authentication failed for user "{SECRET}"')), "the user or the"),
        (OperationalError("", {}, Exception(f"connection to {SECRET} refused")), "nobody listens"),
        (OperationalError("", {}, Exception(SECRET)), "no connection: Exception"),
        (AuthenticationError(SECRET), "refuses the password"),
        (RedisAway(f"Error 111 connecting to {SECRET}. Connection refused."), "nobody listens"),
        (TimeoutError(SECRET), "no answer in time"),
        (ConfigurationError(SECRET), "cannot be read"),
        (caused(RuntimeError(SECRET), RedisAway("refused")), "nobody listens"),
    ],
)
def test_reasons_quote_nothing(error: Exception, words: str) -> None:
    """An error becomes words of ours."""
    assert words in reason_of(error)
    assert SECRET not in reason_of(error)


FINDINGS = [ok("postgresql", "version 16"), warning("beat", "late", "start it"), failed("redis", "away", "x" * 200)]


def shown(encoding: str) -> list[str]:
    """The lines that the doctor prints."""
    with io.TextIOWrapper(io.BytesIO(), encoding=encoding) as file:
        show(Console(file=file, width=80), FINDINGS)
        file.seek(0)
        return file.read().splitlines()


def test_a_line_each() -> None:
    """With its mark, aligned, the way out at its end, and never broken."""
    assert shown("utf-8") == [
        "✓ postgresql  version 16",
        "! beat        late - start it",
        f"✗ redis       away - {'x' * 200}",
    ]
    assert [line[:3].strip() for line in shown("ascii")] == ["ok", "! b", "X r"]


def test_fit_is_what_has_no_failure() -> None:
    """Warnings do not make it unfit."""
    assert is_fit(FINDINGS[:2])
    assert not is_fit(FINDINGS)


def test_numbers_in_words() -> None:
    """Counts, lengths of time, sizes."""
    assert [count(n, "key") for n in (0, 1, 2_000)] == ["no keys", "1 key", "2,000 keys"]
    assert [duration(s) for s in (4, 90, 597.5, 9_000, 864_000)] == ["4 s", "1.5 min", "10 min", "2.5 h", "10 d"]
    assert [size(b) for b in (512, 1_536, 5 * 1024**2, 3 * 1024**4)] == ["512 B", "1.5 kB", "5 MB", "3,072 GB"]


def servers(*states: Replication | Exception) -> dict[str, Finding]:
    """Findings on servers of one URL, by their check."""
    named = {f"{place}:5432": state for place, state in zip(("one", "two"), states, strict=False)}
    return {finding.check.split()[-1]: finding for finding in database.judge_servers(named)}


def test_a_primary_and_its_standby() -> None:
    """Which is which, what a commit waits for, and how far the other is."""
    found = servers(PRIMARY, STANDBY)
    check(found["one:5432"], OK, "primary, 1 standby connected, commits wait for *")
    check(found["two:5432"], OK, "standby, 0 B behind")
    assert len(found) == 2


@pytest.mark.parametrize(
    ("state", "mark", "words"),
    [
        (replace(PRIMARY, waits_for=""), OK, "asynchronous: the last moments may be lost"),
        (replace(PRIMARY, synchronous_commit="local"), WARNING, "synchronous_commit is local"),
        (replace(PRIMARY, standbys=0), FAILED, "no standbys connected, and commits wait for one"),
    ],
)
def test_what_a_primary_may_lose(state: Replication, mark: State, words: str) -> None:
    """And what stops it."""
    check(servers(state, STANDBY)["one:5432"], mark, words)


def test_a_standby_that_is_behind() -> None:
    """Bytes alone, or age alone, are no trouble: each is there while all is well."""
    far, late = {"position_b": 10**9 - 10 * 1024**2}, {"replayed_s": 120.0}
    check(servers(PRIMARY, replace(STANDBY, **far, **late))["two:5432"], WARNING, "10 MB behind", "2 min old")
    check(servers(PRIMARY, replace(STANDBY, **far, replayed_s=1.0))["two:5432"], OK)
    check(servers(PRIMARY, replace(STANDBY, **late))["two:5432"], OK)


def test_servers_of_which_not_one_takes_writes() -> None:
    """None, both, one that is set to read-only, and one that is away."""
    check(servers(STANDBY, STANDBY)["servers"], FAILED, "none takes writes")
    check(servers(PRIMARY, PRIMARY)["servers"], FAILED, "one:5432 and two:5432 both take writes")
    found = servers(PRIMARY, replace(PRIMARY, is_read_only=True))
    check(found["two:5432"], WARNING, "set to read-only")
    away = OperationalError("", None, Exception(f"connection refused, password={SECRET}"))
    found = servers(PRIMARY, away)
    check(found["two:5432"], WARNING, "nobody listens there", "standby of the primary")
    assert SECRET not in str(found)
