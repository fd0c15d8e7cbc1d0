"""The dashboard behind a real nginx under /chasqui/, as docs/deploy.md sets it up, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from helpers.basics import GUARD_S
from helpers.dashboard_browser import ACT, Visit, wait_for
from helpers.dashboard_rows import fill
from helpers.nginx import nginx
from selenium.webdriver import Chrome
from sqlalchemy import Engine

from worker.operate.dashboard.gate import COOKIE


@pytest.fixture(scope="module")
def proxied(locked_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page behind the proxy."""
    port = int(locked_address.rpartition(":")[2])
    with nginx(tmp_path_factory.mktemp("nginx"), dashboard_port=port) as address:
        yield f"{address}/chasqui"


@pytest.fixture
def behind(fresh: Chrome, proxied: str) -> Visit:
    """The dashboard behind the proxy, not opened yet."""
    return Visit(fresh, proxied)


def test_it_is_all_under_the_path(behind: Visit, engine: Engine, tmp_path: Path) -> None:
    """Login, cookie, live figures over the web socket, the time range in the address, and the way out."""
    behind.open()
    assert behind.driver.current_url == f"{behind.url}/login"
    behind.log_in("not this one")
    behind.wait_for_text("That password is not right.")
    behind.log_in(ACT)
    assert behind.driver.current_url == f"{behind.url}/"
    behind.wait_for_figures()
    cookie = behind.driver.get_cookie(COOKIE)
    assert (cookie["path"], cookie["httpOnly"], cookie["sameSite"]) == ("/chasqui/", True, "Strict")

    wait_for(lambda: behind.tile("Messages answered")[1] == "0", explain=behind.text)
    with engine.connect() as connection:
        fill(connection, 40, 600)
    wait_for(lambda: behind.tile("Messages answered")[1] != "0", GUARD_S, behind.text)

    behind.press("1 h")
    wait_for(lambda: behind.driver.current_url == f"{behind.url}/?range=1h", explain=lambda: behind.driver.current_url)
    asked = [urlsplit(url) for url in behind.requests()]
    assert [url for url in asked if not url.path.startswith("/chasqui/")] == []
    assert "ws" in {url.scheme for url in asked}
    behind.press("Log out", ".head-tools")
    wait_for(lambda: behind.driver.current_url == f"{behind.url}/login")
    assert [line for line in behind.complaints() if "401" not in line] == []


def test_an_open_page_goes_to_the_form_under_the_path(behind: Visit, proxied: str) -> None:
    """When its login has ended elsewhere; the path without its slash leads there as well."""
    behind.open()
    behind.log_in(ACT)
    behind.wait_for_figures()
    script = "return fetch('logout', {method: 'POST'}).then(answer => answer.status)"
    assert behind.driver.execute_script(script) == 200
    wait_for(lambda: behind.driver.current_url == f"{behind.url}/login")
    answer = requests.get(proxied, headers={"Accept": "text/html"}, timeout=GUARD_S)
    assert answer.url == f"{proxied}/login"
