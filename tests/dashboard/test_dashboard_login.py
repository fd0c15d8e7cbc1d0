"""Logging in and out with a real browser."""

from __future__ import annotations

import json
from pathlib import Path

from helpers.dashboard_browser import ACT, LOOK, Visit, wait_for

from worker.operate.dashboard.gate import COOKIE


def test_logging_in_and_out_with_the_browser(locked: Visit, locked_log: Path) -> None:
    """The form, a wrong password, the right one, and out again. No password, right or wrong, is shown or in the log of
    the process, nor is the login's cookie.
    """
    locked.open()
    assert locked.driver.current_url.endswith("/login")
    locked.screenshot("login")
    locked.log_in("a wrong one")
    locked.wait_for_text("That password is not right.")
    locked.screenshot("login-refused")
    locked.log_in(LOOK)
    locked.wait_for_text("read only")
    locked.wait_for_figures()
    cookie = locked.driver.get_cookie(COOKIE)
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    locked.press("Log out", ".head-tools")
    wait_for(lambda: locked.driver.current_url.endswith("/login"))
    locked.driver.get(locked.url)
    assert locked.driver.current_url.endswith("/login")
    log = locked_log.read_text()
    told = {json.loads(line)["event"] for line in log.splitlines() if "dashboard_login" in line}
    assert told == {"dashboard_login", "dashboard_login_refused"}
    for secret in (LOOK, ACT, "a wrong one", cookie["value"]):
        assert secret not in log


def test_an_open_page_notices_that_its_login_has_ended(locked: Visit) -> None:
    """Logged out elsewhere, it goes to the form by itself."""
    locked.open()
    locked.log_in(ACT)
    locked.wait_for_figures()
    assert ACT not in locked.source()
    script = "return fetch('/logout', {method: 'POST'}).then(answer => answer.status)"
    assert locked.driver.execute_script(script) == 200
    wait_for(lambda: locked.driver.current_url.endswith("/login"))
