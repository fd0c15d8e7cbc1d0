"""A turn: what one customer has written and nobody has answered yet, on its way through the chain. Pure thought.

A batch is a list of turns; between tasks each travels as a JSON object with the names of the fields here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import asdict, replace

from worker.session.session import Session, session_from_row, session_row
from worker.usage import ModelCalls

#: The source of a turn that is closed without a reply, because a person answers.
SILENT = "closed"


class TurnMessage(Struct, frozen=True):
    """One message of a turn. `text` is what can be read as text, None where nothing can."""

    id: int
    message_id: str
    sent_at_s: int
    attempts: int
    type: str
    text: str | None
    selection_id: str | None


class Plan(Struct, frozen=True):
    """What routing found out: how hard the message is, the rendered request, its key, and the products it names.

    shared: the request holds no session data. terms: the product searches made. products: rows of the catalogue.
    """

    complexity: str
    shared: bool
    terms: tuple[str, ...]
    products: tuple[dict[str, Any], ...]
    key: str
    system: str
    user: str

    def answered(self) -> Plan:
        """Without the request, which nobody needs any more."""
        return replace(self, system="", user="")


class Outcome(Struct, frozen=True):
    """What the customer is told and what it cost. Money in micro-dollars, times in milliseconds.

    source: ai, cache, fallback, canned, or closed (no reply). decision: a validated one (`worker.replies.decision`).
    calls_made: all calls of models for this turn, summed by model and outcome; the figures above are their sums.
    cost_by_provider: what each provider was paid, None where nobody but `provider` was.
    """

    source: str
    decision: dict[str, Any]
    provider: str | None = None
    model: str | None = None
    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    cost_microusd: int = 0
    baseline_microusd: int = 0
    provider_latency_ms: int | None = None
    cost_by_provider: dict[str, int] | None = None
    calls_made: tuple[ModelCalls, ...] = ()


class Turn(Struct, frozen=True):
    """token: proves that the turn is still ours. session_version: of the session when claimed, None where there was
    none. session_cache: hit, miss or new, once fetched. accepted_at_s: when intake began to accept it, since 1970; None
    where it was claimed later. begun_at_s: when its present step began. steps_ms: how long each step took it.
    """

    token: str
    customer_phone: str
    customer_name: str | None
    swept: bool
    session_version: int | None
    catalog_version: int
    messages: tuple[TurnMessage, ...]
    session: Session | None = None
    session_cache: str | None = None
    plan: Plan | None = None
    outcome: Outcome | None = None
    committed: bool = False
    accepted_at_s: float | None = None
    begun_at_s: float = 0.0
    steps_ms: Mapping[str, float] = {}

    @property
    def text(self) -> str:
        """All that can be read, in order, a line per message; empty where nothing can."""
        return "\n".join(message.text for message in self.messages if message.text)

    @property
    def transcript(self) -> str:
        """The same with a mark like `[audio]` in the place of each message that cannot be read."""
        return "\n".join(message.text or f"[{message.type}]" for message in self.messages)

    @property
    def readable(self) -> bool:
        """Whether every message can be read as text."""
        return all(message.text for message in self.messages)

    @property
    def holder(self) -> tuple[str, str]:
        """Customer and token, which together prove the claim."""
        return (self.customer_phone, self.token)

    def fetched(self) -> Session:
        """The session, in the steps after `fetch_session`."""
        assert self.session is not None, "fetch_session comes first"  # noqa: S101  an invariant of the chain
        return self.session

    def planned(self) -> Plan:
        """The plan, in the steps after `route_ai`."""
        assert self.plan is not None, "route_ai comes first"  # noqa: S101  an invariant of the chain
        return self.plan

    def decided(self) -> Outcome:
        """The outcome, in the steps after it was made."""
        assert self.outcome is not None, "an outcome comes first"  # noqa: S101  an invariant of the chain
        return self.outcome

    def after(self, step: str, now_s: float) -> Turn:
        """The turn when a step has ended, which is when the next one begins. now_s: since 1970."""
        took_ms = round(max(now_s - self.begun_at_s, 0.0) * 1000, 1)
        return replace(self, begun_at_s=now_s, steps_ms={**self.steps_ms, step: took_ms})

    def recorded(self) -> Turn:
        """The turn as `record_metrics` needs it: nothing of what was said, which would make most of its message."""
        session, decision = self.fetched(), self.decided().decision
        return replace(
            self,
            customer_name=None,
            messages=tuple(replace(message, text=None) for message in self.messages),
            session=Session(id=session.id, customer_phone=session.customer_phone),
            plan=self.plan and replace(self.plan, terms=(), products=(), system="", user=""),
            outcome=replace(self.decided(), decision={"intent": decision.get("intent")}),
        )


def turn_from_dict(data: Mapping[str, Any], begun_at_s: float | None = None) -> Turn:
    """A turn from its JSON form; names it does not know are ignored, so that a newer version may add some. begun_at_s:
    when the step begins for which it is read.
    """
    plan, outcome, session = data.get("plan"), data.get("outcome"), data.get("session")
    return Turn(
        token=data["token"],
        customer_phone=data["customer_phone"],
        customer_name=data["customer_name"],
        swept=data["swept"],
        session_version=data["session_version"],
        catalog_version=data["catalog_version"],
        messages=tuple(TurnMessage(**known(TurnMessage, message)) for message in data["messages"]),
        session=session_from_row(session) if session else None,
        session_cache=data.get("session_cache"),
        plan=plan_from_dict(plan) if plan else None,
        outcome=outcome_from_dict(outcome) if outcome else None,
        committed=data.get("committed", False),
        accepted_at_s=data.get("accepted_at_s"),
        begun_at_s=data.get("begun_at_s", 0.0) if begun_at_s is None else begun_at_s,
        steps_ms=data.get("steps_ms", {}),
    )


def known(kind: type[Struct], data: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of `data` that are fields of `kind`."""
    return {name: data[name] for name in kind.__struct_fields__ if name in data}


def outcome_from_dict(data: Mapping[str, Any]) -> Outcome:
    """An outcome from its JSON form."""
    made = {"calls_made": msgspec.convert(data.get("calls_made", ()), tuple[ModelCalls, ...])}
    return Outcome(**known(Outcome, data) | made)


def plan_from_dict(data: Mapping[str, Any]) -> Plan:
    """A plan from its JSON form."""
    lists = {"terms": tuple(data["terms"]), "products": tuple(data["products"])}
    return Plan(**known(Plan, data) | lists)


def turn_to_dict(turn: Turn) -> dict[str, Any]:
    """The JSON form that travels between processes. What is answered leaves its request behind."""
    plan = turn.plan.answered() if turn.plan and turn.outcome else turn.plan
    return {
        "token": turn.token,
        "customer_phone": turn.customer_phone,
        "customer_name": turn.customer_name,
        "swept": turn.swept,
        "session_version": turn.session_version,
        "catalog_version": turn.catalog_version,
        "messages": [asdict(message) for message in turn.messages],
        "session": session_row(turn.session) if turn.session else None,
        "session_cache": turn.session_cache,
        "plan": asdict(plan) if plan else None,
        "outcome": msgspec.to_builtins(turn.outcome) if turn.outcome else None,
        "committed": turn.committed,
        "accepted_at_s": turn.accepted_at_s,
        "begun_at_s": turn.begun_at_s,
        "steps_ms": dict(turn.steps_ms),
    }
