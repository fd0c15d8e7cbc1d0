"""Handover to a person of the shop: for a while the AI keeps silent for one customer. Pure: no I/O.

A wait ends by `chasqui resume` or after HUMAN_WAIT_S. One that ended by itself stays noted in the session, so that the
shop sees whom nobody has answered (`db.customers`).
"""

from datetime import datetime, timedelta

from msgspec.structs import replace

from worker.session.session import Context
from worker.session.turn import Turn

#: Id of the quick reply that asks for a person (`worker.replies.fallback`).
BUTTON = "human"
#: Why a customer waits: the customer asked; the model gave up; had all replies of an hour; no model answered;
#: a machine seems to write.
ASKED, MODEL, LIMIT, FAILED, MACHINE = "asked", "model", "limit", "failed", "machine"
#: A person of the shop has written, and so is there already (`note_echo_v1.sql`).
WROTE = "person_wrote"


def pressed_for_person(turn: Turn) -> bool:
    """Returns whether the customer asks for a person by button."""
    return any(message.selection_id == BUTTON for message in turn.messages)


def waits_for_person(context: Context, now: datetime) -> bool:
    """Returns whether the AI keeps silent for this session."""
    return context.human_until is not None and context.human_until > now


def handed_over(context: Context, now: datetime, *, wait_s: float, reason: str, told: bool) -> Context:
    """The context with a wait for a person; one that has begun before is neither prolonged nor given another reason.

    Args:
        reason: one of those above, or the shop's own.
        told: whether the reply of this turn says so.
    """
    if waits_for_person(context, now):
        return replace(context, human_told=told or context.human_told)
    since = now.replace(microsecond=0)
    until = since + timedelta(seconds=wait_s)
    return replace(context, human_since=since, human_until=until, human_reason=reason, human_told=told)


def answered_by_ai(context: Context) -> Context:
    """The context of a customer whom the AI answers again, because a wait has ended by itself."""
    return replace(context, human_told=False) if context.human_told else context
