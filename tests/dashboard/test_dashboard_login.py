"""Logging in and out with a real browser."""

from __future__ import annotations

import json
from pathlib import Path

from helpers.dashboard_browser import ACT, LOOK, Visit, wait_for

from worker.operate.dashboard.gate import COOKIE


def test_logging_in_with_the_browser(locked: Visit) -> None:
    """The form, a wrong password, the right one, and out again."""
    locked.open()
    assert locked.driver.current_url.endswith("/login")
    locked.screenshot("login")
    locked.log_in("not this one")
    locked.wait_for_text("That password is not right.")
    locked.log_in(LOOK)
    locked.wait_for_text("read only")
    locked.wait_for_figures()
    (cookie,) = (entry for entry in locked.driver.get_cookies() if entry["name"] == COOKIE)
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    next(button for button in locked.all("button.action") if button.text == "Log out").click()
    wait_for(lambda: locked.driver.current_url.endswith("/login"))
    locked.driver.get(locked.url)
    assert locked.driver.current_url.endswith("/login")


def test_an_open_page_notices_that_its_login_has_ended(locked: Visit) -> None:
    """Logged out elsewhere, it goes to the form by itself."""
    locked.open()
    locked.log_in(ACT)
    locked.wait_for_figures()
    script = "return fetch('/logout', {method: 'POST'}).then(answer => answer.status)"
    assert locked.driver.execute_script(script) == 200
    wait_for(lambda: locked.driver.current_url.endswith("/login"))


def test_no_password_is_shown_or_logged(locked: Visit, locked_log: Path) -> None:
    """Neither right nor wrong ones, nor the login's key, in the log of the process."""
    locked.open()
    locked.log_in("a wrong one")
    locked.log_in(ACT)
    locked.wait_for_figures()
    key = locked.driver.get_cookie(COOKIE)["value"]
    log = locked_log.read_text()
    assert {json.loads(line)["event"] for line in log.splitlines() if "dashboard_login" in line} == {
        "dashboard_login",
        "dashboard_login_refused",
    }
    for secret in (LOOK, ACT, "a wrong one", key):
        assert secret not in log
    assert ACT not in locked.source()
