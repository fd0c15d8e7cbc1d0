"""Counting what is asked: forms of requests for everybody, never one customer's words. Pure: no I/O."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from worker.session.turn import Turn

#: Customers fall into so many groups, a bit each in a signed bigint: two groups are two customers, and a group nobody.
ASKER_GROUPS = 63


def form_key(form: str) -> str:
    """Digest of a form: its name where its words are not needed, or not known yet."""
    return blake2b(form.encode(), digest_size=16).hexdigest()


def asked_row(turn: Turn) -> dict[str, Any] | None:
    """Builds what a turn asked as `count_requests` takes it; None where its request was its customer's own."""
    plan, outcome = turn.plan, turn.outcome
    if plan is None or not plan.form or outcome is None:
        return None
    return {
        "form_key": form_key(plan.form),
        "form": plan.form,
        "asker": int.from_bytes(blake2b(turn.customer_phone.encode(), digest_size=8).digest()) % ASKER_GROUPS,
        "after_key": form_key(plan.after) if plan.after else None,
        "ahead_key": plan.key if outcome.ahead else None,
    }
