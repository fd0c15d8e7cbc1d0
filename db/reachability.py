"""Reachability of PostgreSQL from one process: who does not reach it, while others do, must leave the work to them."""

import time
from collections.abc import Callable
from threading import Lock, Thread

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

LOOK_EVERY_S = 0.5


class Reachability:
    """Reachability of the server behind an engine: lost when somebody says so, found by a look of its own. found:
    called when it is reached again.
    """

    def __init__(self, engine: Engine, found: Callable[[], None]) -> None:
        self._engine = engine
        self._found = found
        self._lock = Lock()
        #: Whether the server was lost and has not been reached since.
        self.is_lost = False

    def lose(self) -> None:
        """Notes that it is not reached; from now on a thread looks until it is."""
        with self._lock:
            if not self.is_lost:
                self.is_lost = True
                Thread(target=self._look, name="reachability", daemon=True).start()

    def _look(self) -> None:
        while not self._answers():
            time.sleep(LOOK_EVERY_S)
        self.is_lost = False
        self._found()

    def _answers(self) -> bool:
        try:
            with self._engine.connect() as connection:
                connection.exec_driver_sql("select 1")
        except (SQLAlchemyError, OSError):
            return False
        return True
