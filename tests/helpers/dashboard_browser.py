"""A real browser, and the dashboard as a process of its own in front of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, TypeVar

import pytest
from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
    WebDriverException,
)
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from helpers.basics import GUARD_S, REPOSITORY
from helpers.forked import PATH
from worker.runtime.embedded.processes import wait_until
from worker.runtime.embedded.server import free_port

LOOK, ACT = "a password to look", "a password to act"
SCREENSHOTS = REPOSITORY / "build" / "screenshots"
CHROMIUM = ("headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "hide-scrollbars")
QUIET = ("disable-background-networking", "disable-component-update", "disable-sync", "disable-extensions")
#: What a page says that is being drawn.
#: For what a press does to be seen on a busy machine.
ANSWER_S = 10.0
NOT_YET = (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
    StopIteration,
)
#: How the browser tells of what it asks for.
REQUESTS = frozenset({"Network.requestWillBeSent", "Network.webSocketCreated"})
Found = TypeVar("Found")


@contextmanager
def chromium(program: str, driver: str, directory: Path) -> Iterator[webdriver.Chrome]:
    """A headless browser with a profile of its own."""
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in (*CHROMIUM, *QUIET, f"user-data-dir={directory}"):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    service = Service(driver)
    browser = webdriver.Chrome(options=options, service=service)
    try:
        yield browser
    finally:
        browser.quit()
        service.stop()


@contextmanager
def dashboard_process(environment: Mapping[str, str], log: Path) -> Iterator[str]:
    """A quick `chasqui dashboard` on a free port; its address, once it answers."""
    port = free_port()
    given = {name: value for name, value in os.environ.items() if not name.startswith(("DASHBOARD_", "AI_"))}
    given |= {"DASHBOARD_PORT": str(port), "LOG_FORMAT": "json", "PYTHONPATH": PATH} | dict(environment)
    command = [sys.executable, "-m", "helpers.quick_dashboard"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=REPOSITORY, env=given, stdout=output, stderr=output)
        try:
            wait_for(lambda: process.poll() is not None or answers(port), GUARD_S, log.read_text)
            assert process.poll() is None, log.read_text()
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(GUARD_S)
    assert process.returncode == 0, log.read_text()


def answers(port: int) -> bool:
    """Whether the dashboard's door can be knocked at."""
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/login")
        return connection.getresponse().status < 400
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def wait_for(look: Callable[[], Found], timeout_s: float = GUARD_S, explain: Callable[[], object] = str) -> Found:
    """The first result of `look` that is true; fails after the time with what `explain` says."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            if found := look():
                return found
        except NOT_YET:
            pass
        assert time.monotonic() < deadline, explain()
        time.sleep(0.05)


@dataclass(frozen=True, slots=True)
class Visit:
    """The page in the browser, looked at as a person would: by titles, words and pictures."""

    driver: webdriver.Chrome
    url: str

    def open(self, path: str = "/", *, width: int = 1280, dark: bool = False) -> None:
        """Loads a page in a window of this width, for a person whose system is light or dark."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.resize(width, 900)
        self.driver.get(self.url + path)

    def resize(self, width: int, height: int) -> None:
        """The size of what is seen, in pixels."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def log_in(self, password: str) -> None:
        """Types a password into the form and sends it; the next page is there when it returns."""
        self.driver.execute_script("document.body.dataset.left = 'yes'")
        self.find("#password").send_keys(password + "\n")
        wait_for(self._is_new, explain=self.text)

    def _is_new(self) -> bool:
        """Whether the page is another than that which was marked as left. The driver fails while pages change."""
        script = "return document.readyState === 'complete' && !document.body.dataset.left"
        with suppress(WebDriverException):
            return bool(self.driver.execute_script(script))
        return False

    def find(self, selector: str) -> WebElement:
        """The first element, waited for."""
        return wait_for(lambda: self.driver.find_element(By.CSS_SELECTOR, selector), explain=self.text)

    def press(self, label: str, within: str = "body") -> None:
        """The first button of this name in the first element that fits, as soon as it can be pressed."""
        wait_for(lambda: self._pressed(label, within), explain=self.text)

    def press_for(self, words: str, label: str, within: str = "body") -> None:
        """Presses a button until these words are seen."""
        self.press_until(lambda: words in self.text(), label, within)

    def press_until(self, done: Callable[[], bool], label: str, within: str = "body") -> None:
        """Presses a button until something has come of it: a press is lost on a part that is just being drawn anew."""

        def seen() -> bool:
            with suppress(*NOT_YET):
                _ = done() or self._pressed(label, within)
            return wait_until(done, ANSWER_S)

        wait_for(seen, explain=self.text)

    def _pressed(self, label: str, within: str) -> bool:
        area = self.driver.find_element(By.CSS_SELECTOR, within)
        next(button for button in area.find_elements(By.TAG_NAME, "button") if button.text == label).click()
        return True

    def all(self, selector: str) -> list[WebElement]:
        """All elements there are now."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def card(self, title: str) -> WebElement:
        """The area with this title."""
        return self.find(f'section[aria-label="{title}"]')

    def wait_for_card(self, title: str, *words: str) -> None:
        """Until the area with this title says all of this. What the tests before have left may be shown first."""
        wait_for(lambda: all(word in self.card(title).text for word in words), GUARD_S, lambda: self.card(title).text)

    def tile(self, title: str) -> list[str]:
        """The lines of a headline figure, from its title on."""
        tiles = (tile.text.splitlines() for tile in self.all(".tile"))
        return next(lines for lines in tiles if lines[0] == title)

    def text(self) -> str:
        """Everything there is to read."""
        body: str = self.driver.find_element(By.TAG_NAME, "body").text
        return body

    def source(self) -> str:
        """Everything the page is made of, read or not."""
        html: str = self.driver.execute_script("return document.documentElement.outerHTML")
        return html

    def wait_for_text(self, words: str, timeout_s: float = GUARD_S) -> None:
        """Until the page says so."""
        wait_for(lambda: words in self.text(), timeout_s, self.text)

    def wait_for_figures(self) -> None:
        """Until the figures are there."""
        self.wait_for_text("; all times are UTC")

    def drawn(self, chart: str) -> list[str]:
        """The colours (CSS variables) in which a chart draws something besides its grid and, at its top, its legend."""
        script = """
            const belowLegend = arguments[0].getBoundingClientRect().top + 20;
            return [...arguments[0].querySelectorAll('svg path')]
                .filter(shape => shape.getAttribute('d').length > 20)
                .filter(shape => shape.getBoundingClientRect().bottom > belowLegend)
                .flatMap(shape => [shape.getAttribute('stroke'), shape.getAttribute('fill')])
                .filter(colour => colour && colour.startsWith('var('));
        """
        area = self.find(f'[role=img][aria-label="{chart}"]')
        return sorted({colour[4:-1] for colour in self.driver.execute_script(script, area)} - {"--line"})

    def requests(self) -> set[str]:
        """Addresses that the browser has asked for since this was last asked, web sockets included."""
        messages = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        asked = (message["params"] for message in messages if message["method"] in REQUESTS)
        addresses = (entry.get("request", entry)["url"] for entry in asked)
        return {url for url in addresses if not url.startswith(("chrome", "data:", "about:"))}

    def complaints(self) -> list[str]:
        """What the browser has logged as an error."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def screenshot(self, name: str) -> None:
        """Keeps a picture of the whole page under build/screenshots."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        sizes: Any = self.driver.execute_script("return [innerWidth, document.documentElement.scrollHeight]")
        self.resize(sizes[0], max(sizes[1], 600))
        assert self.driver.save_screenshot(str(SCREENSHOTS / f"{name}.png"))


def skip_without_browser() -> tuple[str, str]:
    """The programs; the test is skipped where they are absent."""
    from shutil import which

    program, driver = which("chromium"), which("chromedriver")
    if program is None or driver is None:
        pytest.skip("chromium and chromedriver are not installed (Debian packages chromium, chromium-driver)")
    return program, driver
