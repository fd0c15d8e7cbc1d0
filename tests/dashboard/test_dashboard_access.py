"""Who gets in: passwords, roles, guessing, and requests that another site makes in a visitor's name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from helpers.dashboard_browser import ACT, LOOK
from helpers.dashboard_door import Door, door

from worker.errors import ConfigurationError
from worker.operate.dashboard.access import GUESS_WINDOW_S, LOGIN_S, MAX_GUESSES, Access, Role, is_local
from worker.operate.dashboard.gate import COOKIE
from worker.settings import Settings


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
    """The one lets look, the other act; the cookie is out of reach of scripts and of other sites."""
    answer = client.log_in(password)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie
    assert client.get("/").text == role


def test_the_cookie_is_for_tls_alone_where_there_is_tls(client: Door) -> None:
    """Behind a proxy that says so."""
    answer = client.log_in(LOOK, {"X-Forwarded-Proto": "https"})
    assert "secure" in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize("password", ["", "a", LOOK + " ", ACT[:-1], "ñ" * 2_000, "a" * 100_000])
def test_a_wrong_password_is_refused(client: Door, password: str) -> None:
    """No cookie, no page."""
    answer = client.log_in(password)
    assert answer.status_code == 401
    assert "That password is not right." in answer.text
    assert "set-cookie" not in answer.headers
    assert client.get("/", Accept="text/html").status_code == 303


@pytest.mark.parametrize("body", [b"\xff\xfe", b"other=1", b"password", b"&" * 4_000])
def test_a_broken_form_is_a_wrong_password(client: Door, body: bytes) -> None:
    """Never an error of ours."""
    assert client.post("/login", body, {"Content-Type": "application/x-www-form-urlencoded"}).status_code == 401


def test_nothing_but_the_form_without_a_login(client: Door) -> None:
    """Pages lead to the form, everything else is refused, web sockets too."""
    page = client.get("/?range=1h", Accept="text/html")
    assert (page.status_code, page.headers["location"]) == (303, "/login")
    for path in ("/_nicegui/x.js", "/_nicegui_ws/socket.io/", "/anything"):
        assert client.get(path).status_code == 401
    assert client.web_socket() == 403
    assert client.log_in(LOOK).status_code == 303
    assert client.web_socket() == 101


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "{}.evil.example", "", "file://"])
def test_other_sites_cannot_act_for_a_visitor(client: Door, origin: str) -> None:
    """Forms and web sockets of another page are refused although the browser sends the cookie along."""
    client.log_in(ACT)
    foreign = {"Origin": origin.format(client.address)}
    assert client.get("/").text == "admin"
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


def test_a_login_ends_by_itself(client: Door, clock: Clock) -> None:
    """After a working day."""
    client.log_in(LOOK)
    assert client.get("/").text == "read"
    clock.now_s += LOGIN_S + 1
    assert client.get("/").status_code == 401


def test_logging_out_ends_the_login_itself(client: Door) -> None:
    """Not only the cookie: whoever has a copy of it is out too."""
    client.log_in(ACT)
    copy = f"{COOKIE}={client.cookie()}"
    assert client.get("/", Cookie=copy).text == "admin"
    assert client.post("/logout").headers["location"] == "/login"
    assert client.get("/", Cookie=copy).status_code == 401


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


def test_one_password_cannot_mean_both_roles() -> None:
    """It would be unclear whether it may act."""
    with pytest.raises(ConfigurationError, match="must differ"):
        Access(settings(dashboard_admin_password=LOOK))


def test_an_unset_password_lets_nobody_in(clock: Clock) -> None:
    """The empty text is not the password of a role that has none."""
    access = Access(settings(dashboard_admin_password=None), clock)
    assert access.log_in("", "192.0.2.1") is None
    visitor = access.log_in(LOOK, "192.0.2.1")
    assert visitor is not None
    assert visitor.role is Role.READ
