"""Handover to a person of the shop: for a while the AI keeps silent for one customer. Pure: no I/O."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from worker.session.session import Context
from worker.session.turn import Turn

#: How long a customer waits for a person before the AI answers again, unless `chasqui resume` ends it earlier.
WAIT = timedelta(minutes=30)
#: Id of the quick reply that asks for a person (`worker.replies.fallback`).
BUTTON = "human"


def pressed_for_person(turn: Turn) -> bool:
    """Returns whether the customer asks for a person by button."""
    return any(message.selection_id == BUTTON for message in turn.messages)


def waits_for_person(context: Context, now: datetime) -> bool:
    """Returns whether the AI keeps silent for this session."""
    return context.human_until is not None and context.human_until > now


def handed_over(context: Context, now: datetime, *, told: bool) -> Context:
    """The context with a wait for a person; one that has begun before is not prolonged.

    Args:
        told: whether the reply of this turn says so.
    """
    until = context.human_until if waits_for_person(context, now) else (now + WAIT).replace(microsecond=0)
    return replace(context, human_until=until, human_told=told or context.human_told)


def without_wait(context: Context) -> Context:
    """The context without a wait that is over."""
    return replace(context, human_until=None, human_told=False)
