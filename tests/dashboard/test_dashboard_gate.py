"""Who gets in: passwords, roles, guessing, requests that another site makes in a visitor's name, paths of a proxy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from helpers.dashboard_browser import ACT, LOOK
from helpers.dashboard_door import Door, door
from itsdangerous import TimestampSigner
from starlette.types import Scope

from worker.errors import ConfigurationError
from worker.operate.dashboard.access import GUESS_WINDOW_S, LOGIN_S, MAX_GUESSES, Access, Role, is_local
from worker.operate.dashboard.gate import COOKIE, PREFIX, under_prefix
from worker.settings import Settings

UNDER = {"X-Forwarded-Prefix": "/chasqui"}


class Clock:
    """A time that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def settings(**given: Any) -> Settings:
    """Settings with these values."""
    return Settings.model_validate({"dashboard_password": LOOK, "dashboard_admin_password": ACT} | given)


@pytest.fixture
def clock() -> Clock:
    """The clock of the logins."""
    return Clock()


@pytest.fixture
def client(clock: Clock) -> Iterator[Door]:
    """A browser in front of a gate with both passwords."""
    with door(Access(settings(), clock)) as client:
        yield client


@pytest.mark.parametrize(("password", "role"), [(LOOK, "read"), (ACT, "admin")])
def test_a_password_is_a_role(client: Door, password: str, role: str) -> None:
    """The one lets look, the other act; the cookie is out of reach of scripts, of other sites, and where there is TLS
    of connections without it.
    """
    answer = client.log_in(password)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert {"httponly", "samesite=strict", f"max-age={LOGIN_S}"} <= set(cookie.split("; "))
    assert "secure" not in cookie
    assert client.get("/").text == role
    assert "secure" in client.log_in(password, {"X-Forwarded-Proto": "https"}).headers["set-cookie"].lower()


def test_a_wrong_password_is_refused(clock: Clock) -> None:
    """No cookie, no page; a broken form is a wrong password, never an error of ours."""
    wrong = ["", "a", LOOK + " ", ACT[:-1], "ñ" * 2_000, "a" * 100_000]
    broken = [b"\xff\xfe", b"other=1", b"password", b"&" * 4_000, b"--x", b"password=%ff"]
    kinds = (
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "text/plain",
    )
    for form in [*({"password": password} for password in wrong), *broken]:
        with door(Access(settings(), clock)) as client:
            for kind in kinds if isinstance(form, bytes) else [""]:
                answer = client.post("/login", form, {"Content-Type": kind} if kind else {})
                assert answer.status_code == 401, (form, kind)
                assert "That password is not right." in answer.text
                assert "set-cookie" not in answer.headers
            assert client.get("/", Accept="text/html").status_code == 303


def test_nothing_but_the_form_without_a_login(client: Door) -> None:
    """Pages lead to the form, everything else is refused, web sockets too."""
    page = client.get("/?range=1h", Accept="text/html")
    assert (page.status_code, page.headers["location"]) == (303, "/login")
    for path in ("/_nicegui/x.js", "/_nicegui_ws/socket.io/", "/anything"):
        assert client.get(path).status_code == 401
        assert client.get(path, Cookie=f"{COOKIE}=bnVsbA==.forged.forged").status_code == 401
    assert client.web_socket() == 403
    assert client.log_in(LOOK).status_code == 303
    assert client.web_socket() == 101


def test_other_sites_cannot_act_for_a_visitor(client: Door) -> None:
    """Forms and web sockets of another page are refused although the browser sends the cookie along."""
    client.log_in(ACT)
    for origin in ("http://evil.example", "null", f"{client.address}.evil.example", "", "file://"):
        foreign = {"Origin": origin}
        assert client.post("/logout", headers=foreign).status_code == 403
        assert client.log_in(LOOK, foreign).status_code == 403
        assert client.web_socket(foreign) == 403
        assert client.get("/").text == "admin"


def test_guessing_is_slow(client: Door, clock: Clock) -> None:
    """After five wrong passwords even the right one has to wait; after the wait it is good again."""
    guesses = [client.log_in(f"guess {number}").status_code for number in range(MAX_GUESSES + 1)]
    assert guesses == [401] * MAX_GUESSES + [429]
    answer = client.log_in(ACT)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) == pytest.approx(GUESS_WINDOW_S, abs=2)
    clock.now_s += GUESS_WINDOW_S + 1
    assert client.log_in(ACT).status_code == 303


def test_guesses_of_one_do_not_lock_out_another(clock: Clock) -> None:
    """They are counted by address; the addresses of one IPv6 network are one."""
    access = Access(settings(), clock)
    for number in range(MAX_GUESSES):
        assert access.log_in("guess", f"2001:db8::{number}") is None
    assert access.must_wait_s("2001:db8::ffff") > 0
    assert access.must_wait_s("2001:db8:1::1") == 0
    assert access.must_wait_s("192.0.2.1") == 0
    # A forgotten password that was remembered clears the slate.
    for _ in range(MAX_GUESSES - 1):
        access.log_in("guess", "192.0.2.1")
    assert access.log_in(LOOK, "192.0.2.1") is not None
    access.log_in("guess", "192.0.2.1")
    assert access.must_wait_s("192.0.2.1") == 0


def test_a_login_ends(client: Door, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a working day, whether the browser or a page that stayed open comes with it; and when it is logged out, not
    only in the cookie: whoever has a copy of it is out too.
    """
    client.log_in(ACT)
    copy = f"{COOKIE}={client.cookie()}"
    assert client.get("/", Cookie=copy).text == "admin"
    assert client.post("/logout").headers["location"] == "/login"
    assert client.get("/", Cookie=copy).status_code == 401
    client.log_in(LOOK)
    assert client.get("/").text == "read"
    clock.now_s += LOGIN_S + 1
    assert client.get("/").status_code == 401
    client.log_in(LOOK)
    assert client.get("/").text == "read"
    later = TimestampSigner("").get_timestamp() + LOGIN_S + 1
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: later)
    assert client.get("/").status_code == 401


def test_pages_cannot_be_framed_or_load_from_elsewhere(client: Door) -> None:
    """What the browser is told, on every answer."""
    for path in ("/login", "/"):
        headers = client.get(path).headers
        assert headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "http" not in headers["content-security-policy"]


def test_without_passwords_the_page_is_for_this_machine(clock: Clock) -> None:
    """Read only, and not under a foreign name that was made to mean 127.0.0.1."""
    access = Access(settings(dashboard_password=None, dashboard_admin_password=None), clock)
    with door(access) as client:
        assert client.get("/").text == "read"
        assert client.get("/login").headers["location"] == "/"
        assert client.get("/", Host="localhost:8090").text == "read"
        assert client.get("/", Host="[::1]:8090").text == "read"
        assert client.get("/", Host="evil.example:8090").status_code == 403


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "dashboard.example", ""])
def test_it_is_never_open_to_others(host: str) -> None:
    """Without a password it does not start on an address that others reach; with one it does."""
    assert not is_local(host)
    with pytest.raises(ConfigurationError, match="DASHBOARD_PASSWORD"):
        Access(settings(dashboard_host=host, dashboard_password=None, dashboard_admin_password=None))
    assert Access(settings(dashboard_host=host, dashboard_admin_password=None)).asks
    assert Access(settings(dashboard_host=host, dashboard_password=None)).asks


def test_passwords_that_would_open_too_much(clock: Clock) -> None:
    """One password cannot mean both roles; the empty text is not the password of a role that has none."""
    with pytest.raises(ConfigurationError, match="must differ"):
        Access(settings(dashboard_admin_password=LOOK))
    access = Access(settings(dashboard_admin_password=None), clock)
    assert access.log_in("", "192.0.2.1") is None
    assert access.role(access.log_in(LOOK, "192.0.2.1")) is Role.READ
    assert access.role(None) is None


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
    [
        *re.split(r"[|\n]", NO_PREFIX.strip()),
        '/"><script>',
        "/%2f%2fevil.example",
        "/a\r\nX: y",
        "/a\n",
        "/" + "a" * 300,
    ],
)
def test_anything_else_is_no_prefix(given: str) -> None:
    """Another host, another folder, more than one path: as if it had not been sent, for NiceGUI too."""
    for scope in (under_prefix(scope_of(given)), under_prefix(scope_of("/a", "/a"))):
        assert scope[PREFIX] == ""
        assert b"x-forwarded-prefix" not in dict(scope["headers"])
        assert scope["path"] == "/login"


def test_a_lie_leads_nowhere_else(client: Door) -> None:
    """On the way of a real request."""
    lie = {"X-Forwarded-Prefix": "//evil.example"}
    assert client.get("/", Accept="text/html", **lie).headers["location"] == "/login"
    answer = client.log_in(ACT, lie)
    assert answer.headers["location"] == "/"
    assert "; path=/;" in answer.headers["set-cookie"].lower()
