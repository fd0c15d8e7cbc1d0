"""People who wait, on the page: an administrator sees who they are and gives them back, everybody else how long."""

from __future__ import annotations

from datetime import timedelta

import pytest
import redis
from helpers.dashboard_browser import ACT, LOOK, Visit, wait_for
from helpers.factories import ANA, BRUNO, CARLA, accept_one, row
from helpers.people import hand_over
from selenium.webdriver.common.by import By
from sqlalchemy import Connection, text

from db import customers
from worker.redisdb.keys import REPLY_LIMIT
from worker.session.handover import FAILED, LIMIT, MODEL

CARD = "People waiting"


@pytest.fixture
def waiting(connection: Connection, redis_client: redis.Redis) -> None:
    """Two who wait, and one for whom nobody came. Ana has a name."""
    hand_over(connection, ANA, ago=timedelta(minutes=12), reason=MODEL)
    hand_over(connection, BRUNO, ago=timedelta(seconds=10), reason=LIMIT)
    hand_over(connection, CARLA, ago=timedelta(hours=2), reason=FAILED)
    connection.execute(text("update customers set name = 'Ana <b>R</b>' where customer_phone = :p"), {"p": ANA})
    redis_client.set(REPLY_LIMIT.key(ANA), 120)


def enter(visit: Visit, password: str) -> None:
    """Logs in and waits for the table."""
    visit.open()
    visit.log_in(password)
    visit.wait_for_card(CARD, ANA[-4:], BRUNO[-4:], CARLA[-4:])


def open_waits(connection: Connection) -> list[str]:
    """Whose waits are noted."""
    return sorted(one.customer_phone for one in customers.waiting(connection))


def button_of(visit: Visit, phone: str) -> str:
    """A selector of the row with this customer's button."""
    return f".person:has([data-customer='{phone}'])"


def test_a_viewer_sees_how_long_and_why_and_nobody_s_number(visit: Visit, locked: Visit, waiting: None) -> None:
    """No name and no button either; without any password nobody is an administrator."""
    enter(locked, LOOK)
    shown = locked.card(CARD).text
    lines = ("12 min", "the model gave up", "under a minute", "too many messages", "30 min", "no model answered")
    assert all(words in shown for words in lines)
    assert (shown.count("waiting\n") >= 1, "ended, nobody came" in shown) == (True, True)
    assert locked.card(CARD).find_elements(By.TAG_NAME, "button") == []
    assert not {words for words in (ANA, BRUNO, CARLA, "Ana", "Resume") if words in locked.source()}
    visit.open()
    visit.wait_for_card(CARD, f"…{ANA[-4:]}")
    assert not {words for words in (ANA, "Resume") if words in visit.source()}


def test_an_administrator_gives_them_back(
    locked: Visit, waiting: None, connection: Connection, redis_client: redis.Redis
) -> None:
    """With numbers to write to. Whose wait is over is taken off; the count of an hour's replies begins anew."""
    enter(locked, ACT)
    assert all(words in locked.card(CARD).text for words in (ANA, BRUNO, CARLA, "Ana <b>R</b>"))
    locked.screenshot("people")
    locked.resize(390, 900)
    assert locked.driver.execute_script("return document.documentElement.scrollWidth") == 390
    locked.screenshot("people-phone")
    locked.resize(1280, 900)
    locked.press_for("The AI answers this customer again.", "Resume", button_of(locked, ANA))
    assert open_waits(connection) == [BRUNO, CARLA]
    assert redis_client.get(REPLY_LIMIT.key(ANA)) is None
    wait_for(lambda: ANA not in locked.card(CARD).text)
    locked.press_until(lambda: CARLA not in locked.card(CARD).text, "Take off", button_of(locked, CARLA))
    assert open_waits(connection) == [BRUNO]
    locked.press_for("Nobody waits for a person.", "Resume", button_of(locked, BRUNO))


def test_one_who_is_just_being_answered_goes_on_to_wait(locked: Visit, waiting: None, connection: Connection) -> None:
    """The turn's commit would bring the wait back."""
    enter(locked, ACT)
    accept_one(connection, "m2", ANA)
    locked.press_for("is being answered right now; try again.", "Resume", button_of(locked, ANA))
    assert ANA in open_waits(connection)


def test_a_page_that_has_outlived_its_login_cannot_act(locked: Visit, waiting: None, connection: Connection) -> None:
    """Nor does a viewer's page that is made to send what a button would have sent."""
    enter(locked, ACT)
    press_after_logout = """
        const done = arguments[0], button = document.querySelector('[data-customer]');
        fetch('/logout', {method: 'POST'}).then(() => { button.click(); done(); });
    """
    locked.driver.execute_async_script(press_after_logout)
    wait_for(lambda: locked.driver.current_url.endswith("/login"))
    assert open_waits(connection) == [ANA, BRUNO, CARLA]
    assert row(connection, "select count(*) as all from customer_sessions") == {"all": 3}
