"""The gate under a path of a proxy: where it leads, whom its cookie goes to, and which headers it believes."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from helpers.dashboard_browser import ACT
from helpers.dashboard_door import Door, door
from starlette.types import Scope
from worker.operate.dashboard.prefix import PREFIX, under_prefix

from worker.operate.dashboard.access import Access
from worker.settings import Settings

UNDER = {"X-Forwarded-Prefix": "/chasqui"}


@pytest.fixture
def client() -> Iterator[Door]:
    """A browser in front of a gate with a password."""
    with door(Access(Settings.model_validate({"dashboard_admin_password": ACT}))) as client:
        yield client


def scope_of(*prefixes: str, path: str = "/login") -> Scope:
    """A request whose proxy names these prefixes."""
    headers = [(b"host", b"shop.example"), *((b"x-forwarded-prefix", prefix.encode("latin-1")) for prefix in prefixes)]
    return {"type": "http", "path": path, "raw_path": path.encode(), "headers": headers}


def test_everything_stays_under_the_path(client: Door) -> None:
    """Redirects before and after the login, the form's own address, the cookie, and the way out."""
    assert client.get("/", Accept="text/html", **UNDER).headers["location"] == "/chasqui/login"
    assert 'action="login"' in client.get("/login", **UNDER).text
    answer = client.log_in(ACT, UNDER)
    assert (answer.status_code, answer.headers["location"]) == (303, "/chasqui/")
    assert "; path=/chasqui/;" in answer.headers["set-cookie"].lower()
    key = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}
    assert client.get("/login", **UNDER, **key).headers["location"] == "/chasqui/"
    out = client.post("/logout", headers={**UNDER, **key})
    assert out.headers["location"] == "/chasqui/login"
    assert "; path=/chasqui/;" in out.headers["set-cookie"].lower()


def test_a_path_that_the_proxy_has_left_on(client: Door) -> None:
    """It is taken off here; a web socket's as well."""
    answer = client.post("/chasqui/login", {"password": ACT}, UNDER)
    assert answer.headers["location"] == "/chasqui/"
    assert client.get("/chasqui", Accept="text/html", **UNDER).headers["location"] == "/chasqui/login"
    scope = under_prefix(scope_of("/chasqui", path="/chasqui/_nicegui_ws/socket.io/"))
    assert (scope["path"], scope["raw_path"]) == ("/_nicegui_ws/socket.io/", b"/_nicegui_ws/socket.io/")


@pytest.mark.parametrize(("given", "prefix"), [("/chasqui", "/chasqui"), ("/a/b-1_2~x.y/", "/a/b-1_2~x.y")])
def test_a_plain_path_is_believed(given: str, prefix: str) -> None:
    """Whoever comes after the gate sees it in one form, and the path without it."""
    scope = under_prefix(scope_of(given))
    assert (scope[PREFIX], scope["path"]) == (prefix, "/login")
    assert dict(scope["headers"])[b"x-forwarded-prefix"] == prefix.encode()


NO_PREFIX = """
//evil.example|https://evil.example|/\\evil.example|chasqui|/a//b
/..|/a/../b|/.||/|///|/a//|/a?b|/a#b|/a b|/a;b|/a, /b|/ñ
"""


@pytest.mark.parametrize(
    "given",
    [*re.split(r"[|\n]", NO_PREFIX.strip()), '/"><script>', "/%2f%2fevil.example", "/a\r\nX: y", "/" + "a" * 300],
)
def test_anything_else_is_no_prefix(given: str) -> None:
    """Another host, another folder, more than one path: as if it had not been sent, for NiceGUI too."""
    scope = under_prefix(scope_of(given))
    assert scope[PREFIX] == ""
    assert b"x-forwarded-prefix" not in dict(scope["headers"])
    assert scope["path"] == "/login"


def test_two_prefixes_are_none() -> None:
    """It would be unclear which of them the browser sees."""
    assert under_prefix(scope_of("/a", "/a"))[PREFIX] == ""


def test_a_lie_leads_nowhere_else(client: Door) -> None:
    """On the way of a real request."""
    lie = {"X-Forwarded-Prefix": "//evil.example"}
    assert client.get("/", Accept="text/html", **lie).headers["location"] == "/login"
    answer = client.log_in(ACT, lie)
    assert answer.headers["location"] == "/"
    assert "; path=/;" in answer.headers["set-cookie"].lower()
