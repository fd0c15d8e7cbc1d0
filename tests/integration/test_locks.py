"""Advisory locks: each database of a server has its own."""

from __future__ import annotations

from helpers.basics import Servers, new_database
from sqlalchemy import Connection, text

from db.engine import connect
from db.locks import INTAKE_LOCK, is_locked, try_lock
from db.monitoring import unfinished


def test_a_lock_of_another_database_is_none_of_ours(servers: Servers, connection: Connection) -> None:
    """Two services on one server: that the other has an active intake says nothing of ours."""
    with new_database(servers) as url, connect(url) as other:
        assert try_lock(other, INTAKE_LOCK)
        assert is_locked(other, INTAKE_LOCK)
        assert not is_locked(connection, INTAKE_LOCK)
        assert not unfinished(connection).intake_active


def test_the_server_gives_up_a_silent_client_soon(connection: Connection) -> None:
    """Its own end of the connection has time limits too: else the lock of a machine that is gone stays for hours."""
    named = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout")
    assert [connection.execute(text(f"show {name}")).scalar_one() for name in named] == ["5", "3", "3", "6000"]
