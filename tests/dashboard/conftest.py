"""One browser for all tests of the dashboard, and two dashboards on the servers of the test run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from helpers.basics import Servers
from helpers.dashboard_browser import ACT, LOOK, Visit, chromium, dashboard_process, skip_without_browser
from selenium.webdriver import Chrome

BUDGETS = {"AI_DAILY_BUDGET_USD": "5", "AI_MONTHLY_BUDGET_USD": "50"}
PASSWORDS = {"DASHBOARD_PASSWORD": LOOK, "DASHBOARD_ADMIN_PASSWORD": ACT}


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """Chromium."""
    program, driver = skip_without_browser()
    with chromium(program, driver, tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture(scope="session")
def urls(servers: Servers) -> Mapping[str, str]:
    """The servers of the test run, as the dashboard's environment."""
    return {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url}


@pytest.fixture(scope="session")
def open_address(urls: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A dashboard without a password."""
    skip_without_browser()
    with dashboard_process({**urls, **BUDGETS}, tmp_path_factory.mktemp("dashboard") / "log") as address:
        yield address


@pytest.fixture(scope="session")
def locked_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the dashboard with passwords writes."""
    return tmp_path_factory.mktemp("dashboard") / "log"


@pytest.fixture(scope="session")
def locked_address(urls: Mapping[str, str], locked_log: Path) -> Iterator[str]:
    """A dashboard with both passwords."""
    skip_without_browser()
    with dashboard_process({**urls, **PASSWORDS}, locked_log) as address:
        yield address


@pytest.fixture
def fresh(driver: Chrome) -> Iterator[Chrome]:
    """The browser without cookies, and with nothing in its logs; it leaves the page afterwards."""
    forget(driver)
    yield driver
    driver.get("about:blank")


@pytest.fixture
def visit(fresh: Chrome, open_address: str) -> Visit:
    """The dashboard without a password, not opened yet."""
    return Visit(fresh, open_address)


@pytest.fixture
def locked(fresh: Chrome, locked_address: str) -> Visit:
    """The dashboard with passwords, not opened yet."""
    return Visit(fresh, locked_address)


def forget(driver: Chrome) -> None:
    """Empties cookies and logs."""
    driver.get("about:blank")
    driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
    driver.get_log("performance")
    driver.get_log("browser")
