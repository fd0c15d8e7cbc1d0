"""Judging a model's answer: a valid decision that keeps the rules of its request, or why it cannot be used.

Pure: no I/O.
"""

from __future__ import annotations

from typing import Protocol

from msgspec.structs import replace

from worker.replies.cart_guard import CartRules, check_cart, check_claim, check_order
from worker.replies.cart_limits import within_limits
from worker.replies.decision import InvalidDecision, RefusedChange, parse_decision
from worker.replies.decision_schema import decision_schema
from worker.replies.reply_check import check_reply
from worker.replies.request import AiRequest
from worker.session.cart import Cart
from worker.session.outcome import Decision
from worker.session.turn import Plan

#: Added to the request when the first answer could not be used.
REPAIR = "Your last answer could not be used ({problem}). Answer again: one JSON object that fits, and nothing else."
#: The same when it would have done what nobody asked for.
REFUSED = (
    "Your last answer was refused because of this: {told}. It will not be done. Answer again without it: one JSON "
    "object that fits, and nothing else. The reply must not say that it was done or will be; if the customer wanted a "
    "change, ask which product and how many."
)


class VerdictContext(Protocol):
    """Request of a turn, as far as its answer is judged by it."""

    @property
    def plan(self) -> Plan: ...
    @property
    def rules(self) -> CartRules: ...
    @property
    def said(self) -> str: ...
    @property
    def cart(self) -> Cart | None: ...


def request_of(plan: Plan, rules: CartRules, caller: str, problem: InvalidDecision | None = None) -> AiRequest:
    """The planned request with the schema of its answers. problem: of the last answer, if there was one."""
    schema = decision_schema(rules, shared=plan.shared)
    if problem is None:
        return AiRequest(plan.system, plan.user, schema, caller=caller)
    told = problem.told if isinstance(problem, RefusedChange) else None
    advice = REFUSED.format(told=told) if told else REPAIR.format(problem=problem)
    return AiRequest(f"{plan.system}\n{advice}", plan.user, schema, caller=caller)


def decide(text: str, asked: VerdictContext, problem: InvalidDecision | None = None) -> Decision:
    """A valid decision that does only what the customer asked for.

    Args:
        problem: of the answer that this one repairs.

    Raises:
        InvalidDecision: the answer cannot be used.
    """
    decision = parse_decision(text, asked.rules.offered)
    check_reply(decision.reply, asked.said, asked.plan.system)
    wanted = decision.cart_operations
    if asked.plan.shared:
        decision = _for_everybody(decision)
    check_order(decision, asked.rules)
    check_cart(decision, asked.rules)
    if not decision.cart_operations and (wanted or asked.rules.kinds or isinstance(problem, RefusedChange)):
        check_claim(decision)
    return within_limits(decision, asked.cart or (), asked.plan.products)


def _for_everybody(decision: Decision) -> Decision:
    """A decision that changes nobody's cart and moves nobody's conversation."""
    if decision.requires_human:
        raise InvalidDecision("requires_human: the answer goes to everybody who asks this and can call no person")
    return replace(decision, cart_operations=(), next_state=None)
