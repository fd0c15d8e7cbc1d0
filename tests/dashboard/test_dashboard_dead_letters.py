"""Dead letters on the page: an administrator replays and discards them, everybody else only sees them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from helpers.dashboard_browser import ACT, LOOK, Visit, wait_for
from helpers.factories import BRUNO, CARLA, accept_one, commit, commit_row, rows
from selenium.webdriver.common.by import By
from sqlalchemy import Connection

from db import dead_letters, queries

WORDS = "mi tarjeta es 4509 9535 6623 3704"


def die(connection: Connection, message_id: str, phone: str) -> int:
    """A message given up after five attempts; its id."""
    turn = accept_one(connection, message_id, phone)
    row = commit_row(turn, state="dead", error="given up after 5 attempts", session=None)
    assert len(commit(connection, row)["committed"]) == 1
    queries.record_metrics(connection, [])
    return int(turn["messages"][0]["id"])


@pytest.fixture
def letters(connection: Connection, redis_client: redis.Redis) -> list[int]:
    """Two dead letters of two customers."""
    return [die(connection, "wamid.one", BRUNO), die(connection, "wamid.two", CARLA)]


def state(connection: Connection, message_id: str) -> dict[str, object]:
    """State and attempts of a message."""
    (found,) = rows(connection, "select state, attempts from messages where message_id = :m", m=message_id)
    return found


def enter(visit: Visit, password: str) -> None:
    """Logs in and waits for the table."""
    visit.open()
    visit.log_in(password)
    visit.wait_for_card("Dead letters", f"…{BRUNO[-4:]}", f"…{CARLA[-4:]}")


def press(visit: Visit, label: str, letter: int) -> None:
    """A button of a dead letter."""
    visit.press(label, f".letter-{letter}")


def press_for(visit: Visit, words: str, label: str, letter: int) -> None:
    """A button of a dead letter, until these words are seen."""
    visit.press_for(words, label, f".letter-{letter}")


@pytest.fixture
def admin(locked: Visit, letters: list[int]) -> Iterator[Visit]:
    """The page of an administrator, with two dead letters on it."""
    enter(locked, ACT)
    return locked


def test_who_may_only_look_is_offered_nothing_to_do(visit: Visit, locked: Visit, letters: list[int]) -> None:
    """The letters are there, masked; no button is. Without any password nobody may act."""
    enter(locked, LOOK)
    assert "Given up (UTC)" in locked.card("Dead letters").text
    assert locked.card("Dead letters").find_elements(By.TAG_NAME, "button") == []
    assert "Replay" not in locked.source()
    assert BRUNO not in locked.source()
    visit.open()
    visit.wait_for_text("given up after 5 attempts")
    assert "Replay" not in visit.source()


def test_an_administrator_replays_and_discards_after_a_second_thought(
    admin: Visit, connection: Connection, letters: list[int]
) -> None:
    """The message waits for its answer again, with no attempt counted, and leaves the table; the other stays. It is
    asked back before one is discarded; "Keep it" changes nothing.
    """
    admin.screenshot("administrator")
    press_for(admin, "is answered again.", "Replay", letters[0])
    assert state(connection, "wamid.one") == {"state": "accepted", "attempts": 0}
    assert state(connection, "wamid.two")["state"] == "dead"
    wait_for(lambda: f"…{BRUNO[-4:]}" not in admin.card("Dead letters").text)
    admin.wait_for_card("Dead letters", f"…{CARLA[-4:]}")
    admin.wait_for_text("1 dead letter waits for a decision.")
    press_for(admin, "Discard dead letter", "Discard", letters[1])
    admin.screenshot("discard")
    admin.press("Keep it", ".dialog")
    wait_for(lambda: not admin.all(".dialog"))
    assert state(connection, "wamid.two")["state"] == "dead"
    press_for(admin, "Discard dead letter", "Discard", letters[1])
    admin.press_for("is discarded.", "Discard", ".dialog")
    assert state(connection, "wamid.two")["state"] == "closed"
    wait_for(lambda: f"…{CARLA[-4:]}" not in admin.card("Dead letters").text)


def test_two_administrators_do_not_undo_each_other(admin: Visit, connection: Connection, letters: list[int]) -> None:
    """Whoever comes second is told that it is done."""
    with connection.engine.execution_options(isolation_level="READ COMMITTED").begin() as other:
        dead_letters.discard(other, letters[0])
        press(admin, "Replay", letters[0])
    admin.wait_for_text("is no longer a dead letter.")
    assert state(connection, "wamid.one")["state"] == "closed"


def test_a_page_that_has_outlived_its_login_cannot_act(admin: Visit, connection: Connection) -> None:
    """Logged out elsewhere, the button of a page that is still open does nothing, and the page goes to the form."""
    press_after_logout = """
        const done = arguments[0], button = document.querySelector('[data-act=replay]');
        fetch('/logout', {method: 'POST'}).then(() => { button.click(); done(); });
    """
    admin.driver.execute_async_script(press_after_logout)
    wait_for(lambda: admin.driver.current_url.endswith("/login"))
    assert {state(connection, name)["state"] for name in ("wamid.one", "wamid.two")} == {"dead"}
