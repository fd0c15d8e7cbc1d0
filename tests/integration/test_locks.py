"""Advisory locks: each database of a server has its own."""

from __future__ import annotations

from helpers.basics import Servers, new_database
from sqlalchemy import Connection

from db.engine import connect
from db.locks import INTAKE_LOCK, is_locked, try_lock
from db.monitoring import unfinished


def test_a_lock_of_another_database_is_none_of_ours(servers: Servers, connection: Connection) -> None:
    """Two services on one server: that the other has an active intake says nothing of ours."""
    with new_database(servers) as url, connect(url) as other:
        assert try_lock(other, INTAKE_LOCK)
        assert is_locked(other, INTAKE_LOCK)
        assert not is_locked(connection, INTAKE_LOCK)
        assert not unfinished(connection, INTAKE_LOCK).intake_active
