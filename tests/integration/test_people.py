"""`chasqui people`: who waits for a person, since when and why, and for whom nobody came."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace as with_changes
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from helpers.basics import Servers
from helpers.command_line import run, urls_of
from helpers.factories import ANA, BRUNO, CARLA, accept, answer, commit, commit_row, expire_sessions, inbound, row
from helpers.people import hand_over, wait
from sqlalchemy import Connection, text
from test_reply_limit import close, write

from db import customers, queries
from db.customers import Waiting, erase_customer, resume_customer
from db.monitoring import unfinished
from worker.session.handover import ASKED, FAILED, MODEL
from worker.steps.services import Services

Typed = Callable[..., CompletedProcess[str]]
MINUTE = timedelta(minutes=1)
DAY_S = 86_400


@pytest.fixture
def typed(servers: Servers, tmp_path: Path) -> Typed:
    """A command as a process of its own."""

    def typed(*arguments: str) -> CompletedProcess[str]:
        return run(tmp_path, *arguments, **urls_of(servers))

    return typed


def listed(connection: Connection) -> list[tuple[str, str, bool]]:
    """Customer, reason and whether the wait is over, in the order of the list."""
    return [(one.customer_phone, one.reason, one.ended) for one in customers.waiting(connection)]


def counted(connection: Connection) -> tuple[int, int, int]:
    """Who waits, who waited in vain, and for how many minutes the first has waited."""
    now = unfinished(connection)
    return now.people_waiting, now.people_unattended, int(now.oldest_person_s // 60)


def test_the_longest_wait_comes_first_and_those_that_are_over_last(connection: Connection) -> None:
    """Each with its reason; whom the AI answers is not there."""
    hand_over(connection, ANA, ago=3 * MINUTE, reason=MODEL)
    hand_over(connection, BRUNO, ago=9 * MINUTE, reason=ASKED)
    hand_over(connection, CARLA, ago=45 * MINUTE, reason=FAILED)
    answer(connection, "m4", "5491100000004")
    assert listed(connection) == [(BRUNO, ASKED, False), (ANA, MODEL, False), (CARLA, FAILED, True)]
    first, _, over = customers.waiting(connection)
    assert 540 <= first.waited_s < 600
    assert over.waited_s == 1_800
    assert counted(connection) == (2, 1, 9)
    assert [one.customer_phone for one in customers.waiting(connection, max_rows=1)] == [BRUNO]


def test_nobody_waits(connection: Connection) -> None:
    """An empty list, and no age."""
    answer(connection, "m1")
    assert (listed(connection), counted(connection)) == ([], (0, 0, 0))


def test_a_wait_that_is_over_is_shown_for_a_day(connection: Connection) -> None:
    """Although its conversation is over too; then the conversation goes, and others went at once."""
    hand_over(connection, ANA, ago=timedelta(hours=23))
    hand_over(connection, BRUNO, ago=timedelta(hours=26))
    answer(connection, "m3", CARLA)
    expire_sessions(connection, ANA, ago_s=21 * 3_600)
    expire_sessions(connection, BRUNO, ago_s=DAY_S + 1)
    expire_sessions(connection, CARLA)
    assert listed(connection) == [(ANA, ASKED, True)]
    assert queries.cleanup_expired_sessions(connection) == 2
    assert queries.cleanup_expired_sessions(connection) == 0
    assert row(connection, "select customer_phone from customer_sessions") == {"customer_phone": ANA}
    assert queries.load_sessions(connection, [ANA]) == []


def test_a_wait_ends_with_its_conversation(connection: Connection) -> None:
    """However long the shop lets customers wait: the AI answers then, and the list says so."""
    hand_over(connection, ANA, ago=3 * 60 * MINUTE, wait_s=DAY_S)
    assert listed(connection) == [(ANA, ASKED, False)]
    expire_sessions(connection, ANA, ago_s=3_600)
    assert listed(connection) == [(ANA, ASKED, True)]
    assert customers.waiting(connection)[0].waited_s == pytest.approx(2 * 3_600, abs=60)


def test_whoever_is_resumed_leaves_the_list(connection: Connection) -> None:
    """Also where the wait was over: somebody has seen to it. Nothing of the wait stays in the session."""
    hand_over(connection, ANA)
    hand_over(connection, BRUNO, ago=45 * MINUTE)
    assert [resume_customer(connection, phone) for phone in (ANA, BRUNO)] == ["resumed"] * 2
    assert (listed(connection), counted(connection)) == ([], (0, 0, 0))
    found = row(connection, "select context_data from customer_sessions where customer_phone = :p", p=BRUNO)
    assert found["context_data"] == {}


def test_a_wait_that_the_version_before_has_begun(connection: Connection) -> None:
    """It had neither a beginning nor a reason."""
    hand_over(connection, ANA)
    connection.execute(
        text("update customer_sessions set context_data = context_data - array['human_since', 'human_reason']")
    )
    (found,) = customers.waiting(connection)
    assert (found.reason, found.ended) == ("", False)
    assert found.waited_s < 60


def test_erased_customers_are_forgotten(connection: Connection) -> None:
    """The wait goes with the conversation."""
    hand_over(connection, ANA, ago=45 * MINUTE)
    erase_customer(connection, ANA)
    assert listed(connection) == []


def test_the_command_tells_since_when_and_why(connection: Connection, typed: Typed) -> None:
    """With the number, which `chasqui resume` takes."""
    turn = accept(connection, inbound("m1", ANA, name="Ana \x1b[31mRed"))[0]
    session = commit_row(turn)["session"] | {"context_data": wait(ago=12 * MINUTE, reason=MODEL)}
    commit(connection, commit_row(turn, session=session))
    hand_over(connection, BRUNO, ago=50 * MINUTE)
    connection.commit()
    shown = typed("people")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "\x1b" not in shown.stdout
    heading, first, second = shown.stdout.splitlines()
    assert heading.split() == ["customer", "name", "since", "(UTC)", "waits", "why", "state"]
    assert {ANA, "12", "min", "the", "model", "gave", "up", "waiting"} <= set(first.split())
    assert {BRUNO, "30", "min", "asked", "ended"} <= set(second.split())
    assert typed("resume", ANA, BRUNO).returncode == 0
    assert typed("people").stdout == "Nobody waits for a person.\n"


def test_the_command_for_programs(connection: Connection, typed: Typed) -> None:
    """Times in UTC; an empty list where nobody waits."""
    assert json.loads(typed("people", "--json").stdout) == []
    hand_over(connection, ANA, reason="florist")
    connection.commit()
    (found,) = json.loads(typed("people", "--json").stdout)
    assert found.keys() == set(Waiting.__slots__)
    told: dict[str, Any] = {name: found[name] for name in ("customer_phone", "name", "reason", "ended")}
    assert told == {"customer_phone": ANA, "name": None, "reason": "florist", "ended": False}
    times = {name: datetime.fromisoformat(found[name]) for name in ("since", "until")}
    assert times["until"] - times["since"] == timedelta(minutes=30)
    assert times["since"].tzinfo == UTC


def test_the_shop_says_how_long_a_wait_is(shop_services: Services, connection: Connection) -> None:
    """Through the whole chain; the list has it as soon as the turn is committed."""
    changed = shop_services.settings.model_copy(update={"human_wait_s": 90.0})
    services = with_changes(shop_services, settings=changed)
    close(services, write(services, ANA, said="quiero hablar con una persona"))
    (found,) = customers.waiting(connection)
    assert (found.reason, found.until - found.since) == (ASKED, timedelta(seconds=90))
