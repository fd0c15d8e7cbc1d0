"""What an administrator may do with a dead letter: the same database functions as `chasqui dead`."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, Engine

from db import queries, retry


def replay(engine: Engine, letter_id: int) -> bool:
    """The message is answered as if it had just come in. False where it is no dead letter any more."""
    return _commit(engine, lambda connection: queries.replay_dead_letters(connection, [letter_id]) == 1)


def discard(engine: Engine, letter_id: int) -> bool:
    """The message is closed for good. False where it is no dead letter any more."""
    return _commit(engine, lambda connection: queries.discard_dead_letter(connection, letter_id))


def _commit(engine: Engine, call: Callable[[Connection], bool]) -> bool:
    """Not repeated where the server goes away: the first attempt may have been done, and the second would deny it."""

    def attempt() -> bool:
        with engine.connect() as connection:
            return call(connection)

    return retry.again_on_conflict(attempt)
