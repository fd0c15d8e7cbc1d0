"""A person of the shop takes over: for a while the AI keeps silent for one customer. Pure thought."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from worker.language.handover_request import asks_for_person
from worker.session.turn import Turn

#: How long a customer waits for a person before the AI answers again, unless `chasqui resume` ends it earlier.
WAIT = timedelta(minutes=30)
#: The id of the quick reply that asks for a person (`worker.replies.fallback`).
BUTTON = "human"
UNTIL, TOLD = "human_until", "human_told"


def wants_person(turn: Turn) -> bool:
    """Whether the customer asks for a person, by words or by button."""
    pressed = any(message.selection_id == BUTTON for message in turn.messages)
    return pressed or asks_for_person(turn.text)


def waits_for_person(context: Mapping[str, Any], now: datetime) -> bool:
    """Whether the AI keeps silent for this session."""
    until = context.get(UNTIL)
    return isinstance(until, str) and datetime.fromisoformat(until) > now


def was_told(context: Mapping[str, Any]) -> bool:
    """Whether the customer has had the one line that says so."""
    return bool(context.get(TOLD))


def handed_over(context: Mapping[str, Any], now: datetime, *, told: bool) -> dict[str, Any]:
    """The context with the wait begun, or going on, where it had begun before."""
    until = context[UNTIL] if waits_for_person(context, now) else (now + WAIT).isoformat(timespec="seconds")
    return dict(context) | {UNTIL: until, TOLD: told or was_told(context)}


def without_wait(context: Mapping[str, Any]) -> dict[str, Any]:
    """The context with a wait that is over forgotten."""
    return {name: value for name, value in context.items() if name not in (UNTIL, TOLD)}
