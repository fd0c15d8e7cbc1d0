"""Changes that an administrator makes on the page: one in PostgreSQL at a time, and what is said about it."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Literal, NamedTuple

from nicegui import ui
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from db import retry
from worker.log import logger
from worker.operate.dashboard.access import Access, Role

log = logger(__name__)


class Said(NamedTuple):
    """Sentence for whoever has pressed a button. mood: warning where nothing was changed."""

    text: str
    mood: Literal["positive", "warning"] = "positive"


class Actor:
    """Visitor of one page, who may change something while the login is an administrator's.

    Args:
        changed: called after each change, to show it.
    """

    def __init__(self, access: Access, login: str | None, engine: Engine, changed: Callable[[], Awaitable[None]]):
        self._access, self._login, self._changed = access, login, changed
        self._engine = engine.execution_options(isolation_level="READ COMMITTED")

    @property
    def may_act(self) -> bool:
        """Returns whether the visitor is an administrator now: a page can outlive its login."""
        return self._access.role(self._login) is Role.ADMIN

    async def act(self, act: str, change: Callable[[Connection], Said], **facts: object) -> None:
        """Makes a change in a transaction of its own, and tells of it.

        Args:
            act: its name in the log.
            facts: what else the log says; nothing personal.
        """
        if not self.may_act:
            ui.notify("You are no longer logged in as an administrator.", type="negative")
            return
        try:
            said = await asyncio.to_thread(retry.again_on_conflict, partial(self._commit, change))
        except SQLAlchemyError as exc:
            log.warning("dashboard_action_failed", act=act, error=type(exc).__name__, **facts)
            ui.notify("PostgreSQL does not answer; nothing was changed.", type="negative")
            return
        log.info("dashboard_action", act=act, happened=said.mood == "positive", **facts)
        ui.notify(said.text, type=said.mood)
        await self._changed()

    def _commit(self, change: Callable[[Connection], Said]) -> Said:
        """Not repeated where the server goes away: it may have been done, and the second attempt would deny it."""
        with self._engine.begin() as connection:
            return change(connection)
