"""`chasqui resume`: customers who waited for a person are the AI's again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from helpers.basics import Servers
from helpers.command_line import run, urls_of
from helpers.factories import ANA, BRUNO, accept, accept_one, answer, commit, commit_row, inbound, row, session_row
from helpers.people import hand_over, wait
from msgspec import convert
from sqlalchemy import Connection

from worker.operate.commands import customers
from worker.session.handover import waits_for_person
from worker.session.session import Context

CARLA = "5491100000003"
Typed = Callable[..., CompletedProcess[str]]


@pytest.fixture
def resume(servers: Servers, tmp_path: Path) -> Typed:
    """The command as a process of its own."""

    def typed(*phones: str) -> CompletedProcess[str]:
        return run(tmp_path, "resume", *phones, **urls_of(servers))

    return typed


def session(connection: Connection, phone: str) -> tuple[bool, int]:
    """Whether this customer waits, and the session's version."""
    found = row(connection, "select context_data, version from customer_sessions where customer_phone = :p", p=phone)
    return waits_for_person(convert(found["context_data"], Context), datetime.now(UTC)), found["version"]


def test_customers_are_given_back(connection: Connection, resume: Typed) -> None:
    """One or several, none but those, and under a new version, which the session cache has not."""
    hand_over(connection, ANA, BRUNO, CARLA)
    before = session(connection, ANA)
    one = resume(ANA)
    assert (one.returncode, one.stdout, one.stderr) == (0, "The AI answers this customer again.\n", "")
    waits, version = session(connection, ANA)
    assert (before[0], waits) == (True, False)
    assert version > before[1]
    assert session(connection, BRUNO)[0]
    several = resume(BRUNO, CARLA, BRUNO)
    assert (several.returncode, several.stdout) == (0, "The AI answers 2 customers again.\n")
    assert not session(connection, BRUNO)[0]
    assert not session(connection, CARLA)[0]


def test_a_question_of_before_is_open_no_more(connection: Connection, resume: Typed) -> None:
    """The person may have asked something else: a yes to that orders nothing."""
    asked = wait() | {"asking": "confirm", "numbered": True, "version": "v1"}
    answer(connection, "m1", session=session_row(context_data=asked))
    assert resume(ANA).returncode == 0
    context = convert(row(connection, "select context_data from customer_sessions")["context_data"], Context)
    assert (context.asking, context.numbered, context.version) == ("", False, "v1")


def test_who_does_not_wait_is_told_and_the_others_are_given_back(connection: Connection, resume: Typed) -> None:
    """Without showing a whole number."""
    hand_over(connection, BRUNO)
    outcome = resume(ANA, BRUNO)
    assert (outcome.returncode, outcome.stdout) == (1, "The AI answers this customer again.\n")
    assert outcome.stderr == "Error: …0001: does not wait for a person\n"
    assert not session(connection, BRUNO)[0]


@pytest.mark.parametrize("phones", [(), ("+54",), (ANA, "Ana")])
def test_what_is_no_customer_is_wrong_usage(connection: Connection, resume: Typed, phones: tuple[str, ...]) -> None:
    """And nobody is given back."""
    hand_over(connection, ANA)
    assert resume(*phones).returncode == 2
    assert session(connection, ANA)[0]


def test_a_turn_under_way_is_waited_for(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its commit would bring the wait back. One that does not end is told."""
    hand_over(connection, ANA)
    turn = accept_one(connection, "m2")
    pauses: list[float] = []
    monkeypatch.setattr(customers.time, "sleep", pauses.append)
    connection.commit()
    assert customers.resume_one(connection, ANA) == "busy"
    assert pauses == [customers.RESUME_PAUSE_S] * customers.RESUME_TRIES

    def end(_pause_s: float) -> None:
        commit(connection, commit_row(turn, session=session_row(context_data=wait())))
        connection.commit()

    monkeypatch.setattr(customers.time, "sleep", end)
    assert customers.resume_one(connection, ANA) == "resumed"
    assert not session(connection, ANA)[0]


def test_another_id_or_another_form_of_the_number(connection: Connection, resume: Typed) -> None:
    """As people write them."""
    links = [{"alias": "AR.1A2B", "customer_phone": ANA}]
    accept(connection, inbound("m1", ANA, reply_due=False, links=links))
    hand_over(connection, ANA, BRUNO)
    assert resume("AR.1A2B", f"+{BRUNO[:2]} {BRUNO[2:5]} {BRUNO[5:9]}-{BRUNO[9:]}").returncode == 0
    assert not session(connection, ANA)[0]
    assert not session(connection, BRUNO)[0]


def test_only_another_spelling_is_known(connection: Connection, resume: Typed) -> None:
    """It is named, and nothing is done; the others are given back."""
    hand_over(connection, ANA, BRUNO)
    accept(connection, inbound("m1", ANA, reply_due=False))
    other = resume(ANA.replace("549", "54", 1), BRUNO)
    assert (other.returncode, f"did you mean {ANA}?" in other.stderr) == (1, True)
    assert (session(connection, ANA)[0], session(connection, BRUNO)[0]) == (True, False)
