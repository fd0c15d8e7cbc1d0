"""Open orders on the page: an administrator sees whose they are and how far they have come, and says so."""

from __future__ import annotations

import pytest
import redis
from helpers.dashboard_browser import ACT, LOOK, Visit, wait_for
from helpers.factories import ANA, BRUNO, CARLA, answer, order_of, rows
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select
from sqlalchemy import Connection, text

from db.states import ORDER_STATUSES

CARD = "Orders"
ITEM = {"id": None, "name": "Leche", "price": 1850.0, "quantity": 2, "currency": "ARS"}


def place(connection: Connection, phone: str, status: str, minutes_ago: int, total: str = "4200.00") -> int:
    """An order of two lines; its number."""
    answer(connection, f"m-{phone}", phone, orders=[order_of(ITEM, ITEM, total=total)])
    change = text("""
        update orders set status = :status, created_at = now() - make_interval(mins => :minutes)
        where customer_phone = :phone returning id
    """)
    return int(connection.execute(change, {"status": status, "minutes": minutes_ago, "phone": phone}).scalar_one())


@pytest.fixture
def orders(connection: Connection, redis_client: redis.Redis) -> dict[str, int]:
    """Two new orders and one that is being prepared; their numbers by customer."""
    placed = {
        CARLA: place(connection, CARLA, "preparing", 90, "99.50"),
        ANA: place(connection, ANA, "received", 5),
        BRUNO: place(connection, BRUNO, "received", 25, "1234567.00"),
    }
    connection.execute(text("update customers set name = 'Ana <b>R</b>' where customer_phone = :p"), {"p": ANA})
    place(connection, "5491100000009", "delivered", 300)
    return placed


def enter(visit: Visit, password: str) -> None:
    """Logs in and waits for the table."""
    visit.open()
    visit.log_in(password)
    visit.wait_for_card(CARD, ANA[-4:], BRUNO[-4:], CARLA[-4:])


def numbers(visit: Visit) -> list[int]:
    """The orders of the table, from above."""
    return [int(cell.text) for cell in visit.all(".orders .order-words > :first-child")]


def states(connection: Connection) -> dict[int, str]:
    """Status of each order."""
    return {row["id"]: row["status"] for row in rows(connection, "select id, status from orders")}


def choose(visit: Visit, order: int, status: str) -> None:
    """A status of an order, chosen with the mouse or keys."""

    def choose_now() -> bool:
        Select(visit.driver.find_element(By.CSS_SELECTOR, f"select[data-order='{order}']")).select_by_value(status)
        return True

    wait_for(choose_now, explain=visit.text)


def shown_status(visit: Visit, order: int) -> str | None:
    """What the choice of an order says."""
    chosen = Select(visit.driver.find_element(By.CSS_SELECTOR, f"select[data-order='{order}']"))
    return chosen.first_selected_option.get_attribute("value")


def test_a_viewer_sees_what_is_open_and_nobody_s_number(visit: Visit, locked: Visit, orders: dict[str, int]) -> None:
    """New ones first, the oldest of them on top; what was delivered is not there. Nothing can be chosen."""
    enter(locked, LOOK)
    assert numbers(locked) == [orders[BRUNO], orders[ANA], orders[CARLA]]
    shown = locked.card(CARD).text
    assert all(words in shown for words in ("5 min", "25 min", "1.5 h", "1,234,567.00 ARS", "99.50 ARS", "preparing"))
    assert locked.all("select") == []
    assert not {words for words in (ANA, BRUNO, CARLA, "Ana") if words in locked.source()}
    visit.open()
    visit.wait_for_card(CARD, f"…{ANA[-4:]}")
    assert visit.all("select") == []


def test_an_administrator_says_how_far_an_order_is(
    locked: Visit, orders: dict[str, int], connection: Connection
) -> None:
    """Each step is seen at once; what is delivered leaves the table."""
    enter(locked, ACT)
    assert all(words in locked.card(CARD).text for words in (ANA, BRUNO, CARLA, "Ana <b>R</b>"))
    locked.screenshot("orders")
    locked.resize(390, 900)
    assert locked.driver.execute_script("return document.documentElement.scrollWidth") == 390
    locked.screenshot("orders-phone")
    locked.resize(1280, 900)
    choose(locked, orders[BRUNO], "accepted")
    locked.wait_for_text(f"Order {orders[BRUNO]} is accepted.")
    assert states(connection)[orders[BRUNO]] == "accepted"
    wait_for(lambda: numbers(locked) == [orders[ANA], orders[CARLA], orders[BRUNO]])
    wait_for(lambda: shown_status(locked, orders[BRUNO]) == "accepted")
    for phone in (BRUNO, CARLA):
        choose(locked, orders[phone], "delivered")
        locked.wait_for_text(f"Order {orders[phone]} is delivered.")
    wait_for(lambda: numbers(locked) == [orders[ANA]])
    choose(locked, orders[ANA], "delivered")
    locked.wait_for_card(CARD, "No order is open.")
    assert locked.complaints() == []


def test_an_order_is_cancelled_after_a_second_thought(
    locked: Visit, orders: dict[str, int], connection: Connection
) -> None:
    """ "Keep it" changes nothing, and the choice says what is true."""
    enter(locked, ACT)
    choose(locked, orders[ANA], "cancelled")
    locked.press("Keep it", ".dialog")
    wait_for(lambda: not locked.all(".dialog"))
    assert shown_status(locked, orders[ANA]) == states(connection)[orders[ANA]] == "received"
    choose(locked, orders[ANA], "cancelled")
    locked.press("Cancel it", ".dialog")
    wait_for(lambda: orders[ANA] not in numbers(locked))
    assert states(connection)[orders[ANA]] == "cancelled"


def test_two_administrators_do_not_undo_each_other(
    locked: Visit, orders: dict[str, int], connection: Connection
) -> None:
    """Whoever comes second is told that the order is closed."""
    enter(locked, ACT)
    # In one transaction, so that the page does not see what the other has done before the choice is made.
    with connection.engine.execution_options(isolation_level="READ COMMITTED").begin() as other:
        other.execute(text("update orders set status = 'cancelled' where id = :id"), {"id": orders[ANA]})
        choose(locked, orders[ANA], "ready")
    locked.wait_for_text(f"Order {orders[ANA]} is no longer open.")
    assert states(connection)[orders[ANA]] == "cancelled"


def test_a_page_that_has_outlived_its_login_cannot_act(
    locked: Visit, orders: dict[str, int], connection: Connection
) -> None:
    """Logged out elsewhere, a choice on a page that is still open does nothing."""
    before = states(connection)
    enter(locked, ACT)
    choose_after_logout = """
        const done = arguments[0], choice = document.querySelector('[data-order]');
        fetch('/logout', {method: 'POST'}).then(() => {
            choice.value = 'ready'; choice.dispatchEvent(new Event('change', {bubbles: true})); done();
        });
    """
    locked.driver.execute_async_script(choose_after_logout)
    wait_for(lambda: locked.driver.current_url.endswith("/login"))
    assert states(connection) == before


def test_the_statuses_are_those_of_the_contract() -> None:
    """In their order."""
    assert " ".join(ORDER_STATUSES) == "received accepted preparing ready dispatched delivered cancelled"
