"""URLs of several PostgreSQL servers."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import ArgumentError

from db.servers import normalised, places, shown
from worker.operate.doctor.database import place
from worker.settings import read_settings

TWO = "postgresql://user:p%40ss@one:5432,two:5433/chasqui?target_session_attrs=read-write"


def arguments(url: str) -> dict[str, object]:
    """What libpq is given."""
    where = normalised(url)
    _, given = where.get_dialect()().create_connect_args(where)
    return dict(given)


def test_several_servers_are_libpqs_lists() -> None:
    """As the contract writes them; the password is decoded, options are kept."""
    given = arguments(f"{TWO}&sslmode=require")
    assert given == {
        "host": "one,two",
        "port": "5432,5433",
        "user": "user",
        "password": "p@ss",
        "dbname": "chasqui",
        "target_session_attrs": "read-write",
        "sslmode": "require",
    }


@pytest.mark.parametrize(
    ("authority", "found"),
    [
        ("one,two", [("one", 5432), ("two", 5432)]),
        ("u@one:1,two,three:3", [("one", 1), ("two", 5432), ("three", 3)]),
        ("u:a,b/c?d@one,two:2", [("one", 5432), ("two", 2)]),
        ("u:p@[::1]:1,[fe80::2]", [("::1", 1), ("fe80::2", 5432)]),
        ("u:p@one:7", [("one", 7)]),
        ("u:p@one", [("one", 5432)]),
        ("", [("localhost", 5432)]),
    ],
)
def test_each_server_has_a_place(authority: str, found: list[tuple[str, int]]) -> None:
    """One or several, with and without ports; signs of a password name no server."""
    assert places(normalised(f"postgresql://{authority}/chasqui")) == found


def test_sqlalchemys_own_form_is_taken_too() -> None:
    """Servers in the query."""
    url = "postgresql+psycopg2://user@/chasqui?host=one:5432&host=two:5433"
    assert places(normalised(url)) == [("one", 5432), ("two", 5433)]


def test_a_url_survives_another_reading() -> None:
    """As SQLAlchemy renders it."""
    once = normalised(TWO)
    assert normalised(once.render_as_string(hide_password=False)) == once
    assert "p%40ss" not in repr(once)


def test_one_of_several_must_take_writes() -> None:
    """Unless the URL says otherwise; a single one may be a replica that reports are read from."""
    assert arguments("postgresql://one,two/chasqui")["target_session_attrs"] == "read-write"
    assert arguments("postgresql://one,two/chasqui?target_session_attrs=any")["target_session_attrs"] == "any"
    assert "target_session_attrs" not in arguments("postgresql://one/chasqui")


@pytest.mark.parametrize("servers", ["one:0,two", "one,two:99999", "one,", "a:b,c"])
def test_what_is_no_server_is_refused(servers: str) -> None:
    """Without a word of the URL."""
    with pytest.raises((ValueError, ArgumentError)) as refused:
        normalised(f"postgresql://u:hunter2@{servers}/chasqui")
    assert "hunter2" not in str(refused.value)


def test_settings_take_several_servers() -> None:
    """The form of the contract."""
    assert read_settings({"DATABASE_URL": TWO}).required("database_url") == TWO


def test_operators_see_places_only() -> None:
    """Neither user nor password."""
    assert place(TWO) == "one:5432,two:5433/chasqui"
    assert shown(("::1", 5432)) == "[::1]:5432"
