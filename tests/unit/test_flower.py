"""What stands between Flower and the service's secrets."""

from __future__ import annotations

from typing import Any

import pytest

from worker.errors import ConfigurationError
from worker.flower import login, masked
from worker.settings import read_settings


@pytest.mark.parametrize("shown", ["8 turns", "1 turn", "masked", "()"])
def test_what_our_workers_show_stays(shown: str) -> None:
    """It is masked already."""
    event = {"type": "task-received", "args": shown, "kwargs": "{}", "uuid": "u"}
    assert masked(event) == event


@pytest.mark.parametrize(
    "shown", ["('quiero leche',)", "8 turns of leche", "leche masked", ["leche"], {"text": "leche"}]
)
def test_what_a_foreign_producer_announces_is_masked(shown: Any) -> None:
    """Whatever it is; the event keeps the rest."""
    event = masked({"type": "task-sent", "args": shown, "kwargs": shown, "name": "worker.receive"})
    assert event == {"type": "task-sent", "args": "masked", "kwargs": "masked", "name": "worker.receive"}


def test_an_event_without_arguments_gets_none() -> None:
    """A heartbeat, or a task that ended."""
    assert masked({"type": "worker-heartbeat"}) == {"type": "worker-heartbeat"}
    assert masked({"type": "task-succeeded", "args": None}) == {"type": "task-succeeded", "args": None}


@pytest.mark.parametrize("given", ["", "hunter2", ":hunter2", "hunter2:"])
def test_there_is_no_flower_without_a_login(given: str) -> None:
    """A user and a password, both; what was given is not shown."""
    with pytest.raises(ConfigurationError, match="FLOWER_BASIC_AUTH: must be set to USER:PASSWORD") as caught:
        login(read_settings({"FLOWER_BASIC_AUTH": given}))
    assert "hunter2" not in str(caught.value)
    assert login(read_settings({"FLOWER_BASIC_AUTH": "ana:a:b"})) == "ana:a:b"


@pytest.mark.parametrize(
    ("given", "prefix"), [("flower", "flower"), ("/flower/", "flower"), ("/shop/flower", "shop/flower"), ("", None)]
)
def test_the_path_under_a_proxy(given: str, prefix: str | None) -> None:
    """In the form that Flower takes."""
    assert read_settings({"FLOWER_URL_PREFIX": given}).flower_url_prefix == prefix


@pytest.mark.parametrize("given", ["//evil.example", "https://evil.example", "..", "/a/../b", '"><script>', "/"])
def test_what_is_no_path_is_refused(given: str) -> None:
    """It ends up in Flower's pages."""
    with pytest.raises(ConfigurationError, match="FLOWER_URL_PREFIX"):
        read_settings({"FLOWER_URL_PREFIX": given})
