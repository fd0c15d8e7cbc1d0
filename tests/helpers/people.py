"""Customers who wait for a person, made up in the database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import to_builtins
from sqlalchemy import Connection

from helpers.factories import answer, session_row
from helpers.turns import HUMAN_WAIT_S
from worker.session.handover import ASKED, handed_over
from worker.session.session import Context


def wait(*, ago: timedelta = timedelta(0), reason: str = ASKED, wait_s: float = HUMAN_WAIT_S) -> dict[str, Any]:
    """Memory of a conversation whose customer was told `ago` that a person will answer."""
    since = datetime.now(UTC) - ago
    return dict(to_builtins(handed_over(Context(), since, wait_s=wait_s, reason=reason, told=True)))


def hand_over(connection: Connection, *phones: str, **given: Any) -> None:
    """These customers wait for a person, as `wait` has it."""
    for phone in phones:
        answer(connection, f"m-{phone}", phone, session=session_row(phone, context_data=wait(**given)))
