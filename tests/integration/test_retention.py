"""`apply_retention`: what is too old loses its text, name and number; figures, duplicates and the living stay."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from helpers.factories import (
    ANA,
    BRUNO,
    CARLA,
    accept,
    accept_one,
    answer,
    commit,
    commit_row,
    expire_sessions,
    inbound,
    metrics_row,
    order_of,
    row,
    rows,
    snapshot,
    tell_the_shop,
)
from sqlalchemy import Connection, Engine, text

from db import dead_letters, queries
from worker.app import app
from worker.errors import ConfigurationError
from worker.periodic import apply_retention
from worker.settings import Settings, read_settings
from worker.telemetry.report import make_report

DAYS = 30
AGE = tuple(
    f"update {table} set {', '.join(f'{time} = {time} - make_interval(days => :days)' for time in times)}"
    for table, *times in (
        ("messages", "sent_at", "accepted_at", "answered_at", "published_at"),
        ("customers", "created_at", "last_seen_at"),
        ("orders", "created_at"),
        ("ai_metrics", "at"),
        ("events", "at"),
    )
)


def done(connection: Connection, message_id: str, phone: str = ANA) -> None:
    """A customer with a name, and a message that was answered and published long before its session expired."""
    accept(connection, inbound(f"{message_id}.", phone, name="Ana", text="Calle Falsa", reply_due=False))
    reply = answer(connection, message_id, phone, orders=[order_of(address="Calle Falsa")])
    queries.record_metrics(connection, [metrics_row(reply["token"])])
    tell_the_shop(connection)
    expire_sessions(connection, phone)


def age(connection: Connection, *phones: str, days: int = DAYS + 1) -> None:
    """Lets all that these customers did have happened `days` earlier."""
    for statement in AGE:
        theirs = "" if "ai_metrics" in statement or "events" in statement else " where customer_phone = any (:phones)"
        connection.execute(text(statement + theirs), {"phones": list(phones), "days": days})


def retain(connection: Connection, max_rows: int = 1_000) -> list[int]:
    """Calls until nothing is left; what each call returned."""
    counts = [queries.apply_retention(connection, DAYS, max_rows)]
    while counts[-1]:
        counts.append(queries.apply_retention(connection, DAYS, max_rows))
    return counts


def named(connection: Connection, *words: str) -> list[str]:
    """Rows of any table that hold one of the words."""
    return [line for lines in snapshot(connection).values() for line in lines if any(word in line for word in words)]


def test_what_is_old_loses_what_is_personal(connection: Connection) -> None:
    """The customer too, if nothing younger is known of them; what is young keeps everything."""
    for phone in (ANA, BRUNO):
        done(connection, f"wamid.{phone}", phone)
    queries.cleanup_expired_sessions(connection)
    age(connection, ANA)
    before = named(connection, BRUNO)
    retain(connection)
    assert named(connection, ANA) == []
    assert named(connection, BRUNO) == before
    erased = row(connection, "select * from messages where state = 'answered' and customer_phone = 'erased'")
    assert (erased["content"], erased["reply"], erased["outcome"]) == ({"type": "text"}, None, None)
    assert row(connection, "select address from orders where customer_phone = 'erased'") == {"address": None}


def test_a_customer_who_came_back_loses_only_what_is_old(connection: Connection) -> None:
    """Name and younger messages stay, and so does the session."""
    done(connection, "m1")
    age(connection, ANA)
    accept(connection, inbound("m2", name="Anita"))
    connection.execute(text("update messages set state = 'closed' where message_id = 'm2'"))
    connection.execute(text("update turns set token = null, lease_until = null"))
    retain(connection)
    kept = rows(connection, "select message_id from messages where customer_phone = :ana", ana=ANA)
    assert kept == [{"message_id": "m2"}]
    assert row(connection, "select name from customers") == {"name": "Anita"}
    assert len(named(connection, "erased")) == 4


def test_the_report_says_the_same(connection: Connection) -> None:
    """Over a window that reaches back to what was erased; of the circuits it tells how they were left, too."""
    done(connection, "m1")
    for provider, states in {"deepseek": "open half_open closed open", "gemini-flash": "open closed"}.items():
        for state in states.split():
            queries.add_event(connection, "circuit", {"provider": provider, "state": state})
    queries.cleanup_expired_sessions(connection)
    age(connection, ANA)
    before = make_report(connection, 10**7)
    retain(connection)
    assert make_report(connection, 10**7) == before
    assert (before["messages"], before["ai"]["circuit_breaker_trips"]) == (1, 3)
    assert before["sessions"]["expired_sessions_cleaned"] == 1
    states = rows(connection, "select data ->> 'state' as state from events where kind = 'circuit' order by id")
    assert [each["state"] for each in states] == ["open", "open", "open", "closed"]


def test_a_duplicate_of_what_is_erased_is_recognised(connection: Connection) -> None:
    """However old; it does not bring the customer back either."""
    done(connection, "m1")
    age(connection, ANA)
    retain(connection)
    assert accept(connection, inbound("m1", name="Ana")) == []
    assert named(connection, ANA, "Ana") == []


def test_who_is_idle(connection: Connection) -> None:
    """Whoever has neither a turn nor a message that waits; somebody unknown too, whose row is then made and locked."""
    accept_one(connection, "m1", ANA)
    accept_one(connection, "m2", BRUNO)
    connection.execute(text("update turns set token = null where customer_phone = :phone"), {"phone": ANA})
    connection.execute(text("update messages set state = 'closed' where customer_phone = :phone"), {"phone": BRUNO})
    answer(connection, "m3", CARLA)
    asked = [ANA, "unknown", BRUNO, CARLA, CARLA]
    idle = row(connection, "select idle_customers(:phones) as phones", phones=asked)["phones"]
    assert sorted(idle) == [CARLA, "unknown"]


@pytest.mark.parametrize("busy", ["turn", "unanswered"])
def test_who_is_being_answered_is_left_alone(connection: Connection, busy: str) -> None:
    """A turn under way, or a message that waits for one: everything of that customer stays, until it has ended."""
    done(connection, "m1")
    turn = accept_one(connection, "m2")
    if busy == "unanswered":
        connection.execute(text("update turns set token = null, lease_until = null"))
    age(connection, ANA)
    before = snapshot(connection)
    assert retain(connection) == [0]
    assert snapshot(connection) == before
    connection.execute(text("update turns set token = cast(:token as uuid)"), {"token": turn["token"]})
    commit(connection, commit_row(turn))
    retain(connection)
    assert len(named(connection, "Calle Falsa")) == 0


def test_the_busy_do_not_stand_in_the_way_of_others(connection: Connection) -> None:
    """Even if they are the oldest and fill whole batches."""
    for number in range(5):
        accept_one(connection, f"busy{number}", f"55{number}00000")
        age(connection, f"55{number}00000", days=DAYS + 9)
    done(connection, "m1")
    age(connection, ANA)
    retain(connection, max_rows=2)
    assert named(connection, ANA) == []
    assert row(connection, "select count(*) from messages where customer_phone like '55%'") == {"count": 5}


def test_a_reply_that_is_not_published_stays(connection: Connection) -> None:
    """However long Redis was away: the customer is still owed it."""
    answer(connection, "m1")
    expire_sessions(connection, ANA)
    age(connection, ANA)
    retain(connection)
    assert len(queries.unpublished_replies(connection, older_than_s=0)) == 1


def test_a_dead_letter_that_is_too_old_is_closed(connection: Connection) -> None:
    """Without its text there is nothing to replay."""
    dead = commit_row(accept_one(connection, "m1"), state="dead", error="given up", session=None)
    commit(connection, dead)
    queries.record_metrics(connection, [metrics_row(dead["token"], source="canned")])
    age(connection, ANA)
    retain(connection)
    assert dead_letters.find_all(connection) == []
    assert row(connection, "select state, reason from messages") == {"state": "closed", "reason": "given up; erased"}


def test_it_works_in_bounded_steps(connection: Connection) -> None:
    """At most so many rows a call, every one of them once, and the next call goes on where the last one ended."""
    for number in range(5):
        done(connection, f"m{number}")
    queries.cleanup_expired_sessions(connection)
    age(connection, ANA)
    assert retain(connection, max_rows=4) == [4, 4, 2, 4, 1, 1, 0]
    assert named(connection, ANA) == []


def test_a_busy_row_is_passed_over(engine: Engine, connection: Connection) -> None:
    """Nobody waits for the retention, and it waits for nobody."""
    for phone in (ANA, BRUNO):
        done(connection, phone, phone)
    queries.cleanup_expired_sessions(connection)
    age(connection, ANA, BRUNO)
    with engine.connect().execution_options(isolation_level="READ COMMITTED") as other, other.begin():
        other.execute(text("select from turns where customer_phone = :phone for update"), {"phone": ANA})
        connection.execute(text("set statement_timeout = '2s'"))
        retain(connection)
    connection.execute(text("set statement_timeout = '10s'"))
    assert named(connection, BRUNO) == []
    assert row(connection, "select count(*) from messages where customer_phone = :ana", ana=ANA) == {"count": 2}


@pytest.fixture
def _services_here(settings_here: Settings) -> Iterator[None]:
    """The services of this process on the servers of this run, and none afterwards."""
    from worker.steps import services

    services._of_process.cache_clear()
    yield
    services.services().engine.dispose()
    services.services().redis.close()
    services._of_process.cache_clear()


@pytest.mark.usefixtures("_services_here")
def test_the_task_goes_on_until_nothing_is_left(connection: Connection) -> None:
    """With the days of the settings; expired sessions go first."""
    done(connection, "m1", ANA)
    done(connection, "m2", BRUNO)
    done(connection, "m3", CARLA)
    age(connection, ANA, days=91)
    age(connection, BRUNO, days=89)
    assert apply_retention() > 3
    assert named(connection, ANA) == []
    assert len(named(connection, "Calle Falsa")) == 2 * 3
    assert row(connection, "select count(*) from customer_sessions") == {"count": 0}


def test_beat_runs_every_periodic_task() -> None:
    """Each is one that exists; the retention once a day, by the clock."""
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= set(app.tasks)
    daily = app.conf.beat_schedule["apply-retention"]
    assert daily["task"] == apply_retention.name
    assert (len(daily["schedule"].hour), len(daily["schedule"].minute)) == (1, 1)
    assert (len(daily["schedule"].day_of_week), len(daily["schedule"].day_of_month)) == (7, 31)


def test_days_are_at_least_one() -> None:
    """Nothing is erased at once by a slip."""
    assert read_settings({}).retention_days == 90
    with pytest.raises(ConfigurationError, match="RETENTION_DAYS"):
        read_settings({"RETENTION_DAYS": "0"})
