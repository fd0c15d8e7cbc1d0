"""Turn: messages of one customer that nobody has answered yet, on their way through the chain. Pure: no I/O.

A batch is a list of turns; between tasks it travels as JSON under the names of the fields here. A field that another
version does not know is ignored, one that it lacks has its default.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import asdict, replace

from worker.catalog.product import Product
from worker.language.normalise import normalised
from worker.messages.message import CatalogOrder
from worker.session.outcome import Decision, Outcome, StoredOutcome
from worker.session.session import Session
from worker.session.turn_message import TurnMessage, references

#: Decimals as numbers, exact to the last digit.
ENCODER = msgspec.json.Encoder(decimal_format="number")
#: Digits of a token that stand in the ids of buttons: enough to be nobody else's.
VERSION_CHARS = 12


class Plan(Struct, frozen=True):
    """Route of a turn that may need a model: the rendered request and what it was made from.

    Args:
        shared: the request holds no session data, so everybody gets the same answer.
        terms: product searches made.
        searched: how many of the products, from the first on, this message asked for; the others were shown before.
        key: of the reply cache.
        form: words of a shared request, which are nobody's own; empty where it is not shared.
        after: form of what this customer asked before, empty where that was nothing or not shared.
    """

    complexity: str
    shared: bool
    terms: tuple[str, ...]
    products: tuple[Product, ...]
    key: str
    system: str
    user: str
    searched: int = 0
    form: str = ""
    after: str = ""


class Turn(Struct, frozen=True, dict=True):
    """Turn of one customer; each step of the chain adds its fields.

    Args:
        token: proves that the turn is still ours.
        swept: started again by the sweep.
        session_version: of the session when claimed, None where there was none.
        session_cache: hit, miss or new, once fetched.
        waited: claimed by the commit that ended the turn before, so that its messages were written before that turn's
            reply was out.
        quiet: its customer has been quiet for REPLY_QUIET_S, or it has waited for that as long as it may.
        accepted_at_s: when intake began to accept it, or its first message where it waited for quiet, since 1970; None
            where it was claimed later.
        begun_at_s: when its present step began, since 1970.
        steps_ms: duration of each step that has ended.
        channel: id of the business number that all its messages came to, None where none was named.
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
    waited: bool = False
    accepted_at_s: float | None = None
    begun_at_s: float = 0.0
    steps_ms: Mapping[str, float] = {}
    channel: str | None = None
    quiet: bool = False

    @cached_property
    def text(self) -> str:
        """All that can be read, in order, a line per message; empty where nothing can."""
        return "\n".join(message.text for message in self.messages if message.text)

    @cached_property
    def normalised(self) -> str:
        """The text in the one form in which it is looked at, the greater part of the work of understanding it."""
        return normalised(self.text)

    @property
    def readable(self) -> bool:
        """Returns whether every message can be read as text."""
        return all(message.text for message in self.messages)

    @property
    def is_tapped(self) -> bool:
        """Returns whether any message of it is a tap on a button or row."""
        return any(message.selection_id for message in self.messages)

    @property
    def orders(self) -> tuple[CatalogOrder, ...]:
        """Carts sent from WhatsApp's catalogue."""
        return tuple(message.order for message in self.messages if message.order)

    @property
    def message_ids(self) -> tuple[int, ...]:
        """Ids of the messages in table `messages`."""
        return tuple(message.id for message in self.messages)

    @property
    def version(self) -> str:
        """Version of what the turn's reply shows, for the ids of its buttons: no other turn has it."""
        return self.token.replace("-", "")[:VERSION_CHARS]

    @property
    def reached_at(self) -> str:
        """The customer's id that the last message came from: where the reply goes."""
        return self.messages[-1].sender or self.customer_phone

    @property
    def holder(self) -> tuple[str, str]:
        """Customer and token, which together prove the claim."""
        return (self.customer_phone, self.token)

    def transcript(self, names: Mapping[str, str]) -> str:
        """The messages as a model is told them, a line each: a mark like `[audio]` for one that cannot be read, and the
        products of a cart by their names.

        Args:
            names: of products, by the ids that WhatsApp's catalogue has for them.
        """
        words = (message.order.words(names) if message.order else message.text for message in self.messages)
        return "\n".join(said or f"[{message.type}]" for said, message in zip(words, self.messages, strict=True))

    def references(self, names: Mapping[str, str]) -> list[dict[str, str | None]]:
        """References of the messages, as a model is told them. names: as `transcript` takes them."""
        return [
            ({"message": message.text} if len(self.messages) > 1 else {}) | reference
            for message in self.messages
            for reference in references(message, names)
        ]

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

    def stored_outcome(self) -> StoredOutcome:
        """The outcome with how the turn got there."""
        plan = self.plan
        return StoredOutcome(
            **asdict(self.decided()),
            complexity=plan.complexity if plan else None,
            terms=plan.terms if plan else (),
            reply_key=plan.key if plan and not plan.shared else None,
            session_cache=self.session_cache,
            channel=self.channel,
        )

    def after(self, step: str, now_s: float) -> Turn:
        """The turn when a step has ended, which is when the next one begins. now_s: since 1970."""
        took_ms = round(max(now_s - self.begun_at_s, 0.0) * 1000, 1)
        return replace(self, begun_at_s=now_s, steps_ms={**self.steps_ms, step: took_ms})

    def without_words(self) -> Turn:
        """The turn as `record_metrics` needs it: nothing of what was said, which would make most of its message."""
        session, outcome = self.fetched(), self.decided()
        return replace(
            self,
            customer_name=None,
            messages=tuple(message.without_words() for message in self.messages),
            session=Session(id=session.id, customer_phone=session.customer_phone),
            plan=self.plan and replace(self.plan, terms=(), products=(), system="", user=""),
            outcome=replace(
                outcome, decision=Decision(outcome.decision.intent, effects=outcome.decision.effects.counts)
            ),
        )


def encode_turn(turn: Turn) -> bytes:
    """JSON form of a turn; one that is answered leaves its request behind."""
    return ENCODER.encode(_as_it_travels(turn))


def encode_turns(turns: Iterable[Turn | Mapping[str, Any]]) -> bytes:
    """JSON form of a batch of turns, also of rows of the database functions that claim turns."""
    return ENCODER.encode([_as_it_travels(turn) if isinstance(turn, Turn) else turn for turn in turns])


def _as_it_travels(turn: Turn) -> Turn:
    """The turn without what nobody needs any more, and with prices as texts: the version before reads no others."""
    if not turn.plan:
        return turn
    plan = replace(turn.plan, system="", user="") if turn.outcome else turn.plan
    products = tuple(replace(product, price=str(product.price)) for product in plan.products)
    return replace(turn, plan=replace(plan, products=products))


def decode_turn(raw: bytes | str) -> Turn:
    """Turn from its JSON form. Raises msgspec.DecodeError."""
    return msgspec.json.decode(raw, type=Turn)


def decode_turns(raw: bytes | str) -> list[Turn]:
    """Batch from its JSON form. Raises msgspec.DecodeError."""
    return msgspec.json.decode(raw, type=list[Turn])


def claimed_turn(row: Mapping[str, Any]) -> Turn:
    """Turn from a row of the database functions that claim turns."""
    return msgspec.convert(row, Turn)
