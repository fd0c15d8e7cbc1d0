"""The oracle: replays the recorded turns one after the other, with their recorded answers, as if nothing had failed.

It uses the service's own functions for what a turn does to a session, but no queue, no cache, no concurrency and no
database function that changes anything. What comes out is what the service must have left behind.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from helpers.turns import HUMAN_WAIT_S
from msgspec import convert, structs, to_builtins

from faults.records import Ended, Records
from worker.catalog.search import Catalog
from worker.providers.reply_cache import in_own_words
from worker.redisdb.cache import Cache
from worker.redisdb.keys import Key
from worker.replies.cart_changes import changed
from worker.replies.closing import close
from worker.session.outcome import Outcome
from worker.session.session import Context, Session, session_from_row
from worker.session.turn import Turn
from worker.session.turn_message import TurnMessage
from worker.shop.shop import Shop
from worker.steps.planning import acted, search_all
from worker.steps.route_ai import plan, read
from worker.steps.services import Services


class Memory(Cache):
    """A cache that nobody shares and nothing fails in."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    def get_many(self, layer: Key, names: Sequence[str], *, keep: bool = False) -> dict[str, Any]:
        """See Cache.get_many."""
        return {name: self._kept[layer.key(name)] for name in names if layer.key(name) in self._kept}

    def set_many(self, layer: Key, values: Mapping[str, Any]) -> None:
        """See Cache.set_many."""
        self._kept.update({layer.key(name): value for name, value in values.items()})

    def count(self, name: str, number: int = 1) -> None:
        """Counts nothing: a replay is no traffic."""


class Router:
    """`route_ai` of one turn, from PostgreSQL alone."""

    def __init__(self, services: Services) -> None:
        memory = Memory()
        self._services = replace(services, cache=memory, catalog=Catalog(services.engine, memory))
        self.shop = services.shop

    def planned(self, turn: Turn) -> Turn:
        """The turn with its request."""
        questions = read(self._services, [turn])
        found = search_all(self._services.catalog, [(turn, questions[turn.token])])
        return plan(self._services, [turn], questions, found, datetime.now(UTC))[0]

    def acted(self, turn: Turn) -> Outcome | None:
        """What the turn comes to by acts of its customer; None where a model is asked."""
        question = read(self._services, [turn])[turn.token]
        found = search_all(self._services.catalog, [(turn, question)])
        return acted(turn, question, self.shop, found).outcome


@dataclass(frozen=True, slots=True)
class Difference:
    """What the service left is not what a serial run leaves."""

    customer: str
    what: str


class Oracle:
    """Sessions and orders of a serial run, advanced with every call of `follow`."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._sessions: dict[str, Session] = {}
        self._counts: Counter[str] = Counter()
        self._orders: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._done: set[str] = set()

    def follow(self, records: Records) -> Iterator[Difference]:
        """Replays the turns that are new in the records, then compares. Nothing may be under way."""
        for turn in records.turns:
            if turn.reply_id not in self._done:
                self._done.add(turn.reply_id)
                yield from self._replay(turn, records)
        yield from self._compare_sessions(records)
        yield from self._compare_orders(records)

    def _replay(self, ended: Ended, records: Records) -> Iterator[Difference]:
        phone, stored = ended.last.customer_phone, ended.last.outcome
        if ended.last.state == "dead":
            self._close_questions(phone)
            return
        assert stored is not None, "a turn that ended has an outcome"
        turn = structs.replace(self._turn(ended, records), outcome=convert(stored, Outcome))
        if stored["complexity"] is not None:
            turn = self._router.planned(turn)
            yield from _misled(turn, stored, self._router.shop)
        yield from self._otherwise_done(turn)
        shop = self._router.shop
        closing = close(turn, shop, ended.last.answered_at, HUMAN_WAIT_S)  # type: ignore[arg-type]  # set with the outcome
        assert closing.session is not None, "a turn that was answered leaves a session"
        self._counts[phone] += len(ended.messages)
        self._sessions[phone] = _stored(closing.session)
        self._orders |= {(ended.reply_id, order.currency): to_builtins(order) for order in closing.orders}

    def _close_questions(self, phone: str) -> None:
        """An apology comes between: what was asked before is open no more."""
        if session := self._sessions.get(phone):
            context = structs.replace(session.context, asking="", numbered=False, left_open="")
            self._sessions[phone] = structs.replace(session, context=context)

    def _otherwise_done(self, turn: Turn) -> Iterator[Difference]:
        """Whether the effects are those that the serial run's session and the turn's own operations have."""
        effects, plan = turn.decided().decision.effects, turn.plan
        if plan is not None:
            operations = turn.decided().decision.cart_operations
            cart = turn.fetched().cart
            done = cart if plan.shared else changed(self._router.shop, cart, operations, plan.products).cart
            if (done if done != cart else None) != effects.cart or effects.orders:
                yield Difference(turn.customer_phone, f"turn {turn.token}: another cart than its operations leave")
        elif effects.cart is not None or effects.orders or effects.checkout is not None:
            # Whether its customer could have read the summary before is known to the service alone.
            runs = (self._router.acted(structs.replace(turn, outcome=None, waited=waited)) for waited in (False, True))
            if all(run is None or run.decision.effects != effects for run in runs):
                yield Difference(turn.customer_phone, f"turn {turn.token}: other effects than those of its acts")

    def _turn(self, ended: Ended, records: Records) -> Turn:
        phone = ended.last.customer_phone
        # Its id is drawn by lot when a session begins, so it is the one thing the oracle has to be told.
        session_id = records.sessions[phone]["id"] if phone in records.sessions else str(uuid4())
        return Turn(
            token=ended.reply_id,
            customer_phone=phone,
            customer_name=None,
            swept=False,
            session_version=None,
            catalog_version=0,
            messages=tuple(_message(m) for m in ended.messages),
            session=self._sessions.get(phone, Session(id=session_id, customer_phone=phone)),
        )

    def _compare_sessions(self, records: Records) -> Iterator[Difference]:
        for phone in self._sessions.keys() | records.sessions.keys():
            expected, found = self._expected(phone), _found(records.sessions.get(phone))
            for name in expected.keys() | found.keys():
                if expected.get(name) != found.get(name):
                    yield Difference(phone, f"session: {name} is not what a serial run leaves")

    def _expected(self, phone: str) -> dict[str, Any]:
        session = self._sessions.get(phone)
        if session is None:
            return {}
        return _comparable(
            session.state, session.row()["cart_data"], session.row()["context_data"], self._counts[phone]
        )

    def _compare_orders(self, records: Records) -> Iterator[Difference]:
        for key in self._orders.keys() | records.orders.keys():
            (reply_id, _), expected, found = key, self._orders.get(key), records.orders.get(key)
            if expected is None or found is None:
                yield Difference("", f"order of turn {reply_id}: {'one too many' if found else 'missing'}")
            elif (Decimal(found["total"]), found["address"], _items(found["items"])) != _order(expected):
                yield Difference(found["customer_phone"], f"order of turn {reply_id}: another one than a serial run's")


def _stored(session: Session) -> Session:
    """The session as whoever fetches it next reads it."""
    return session_from_row(json.loads(json.dumps(session.row())))


def _message(message: Any) -> TurnMessage:
    ids = {"id": message.id, "message_id": message.message_id, "sent_at_s": message.sent_at_s, "attempts": 0}
    return convert(ids | message.content, TurnMessage)


def _misled(turn: Turn, stored: Mapping[str, Any], shop: Shop) -> Iterator[Difference]:
    """Whether the answer was made for another request than the serial run makes: a session that was not current, or
    somebody else's. The simulator marks each answer with a hash of the request's facts; what no model has answered is
    what the catalogue answers.
    """
    planned = turn.planned()
    if list(planned.terms) != stored["terms"]:
        yield Difference(turn.customer_phone, f"turn {turn.token}: searched for something else")
    if stored["source"] == "cache" and stored["provider"] is None:
        own = in_own_words(shop, planned)
        same = own is not None and own.decision.reply == stored["decision"]["reply"]
    else:
        facts = json.dumps(json.loads(planned.user), sort_keys=True)
        mark = stored["decision"].get("entities", {}).get("facts")
        same = stored["source"] not in ("ai", "cache") or mark == hashlib.sha256(facts.encode()).hexdigest()[:16]
    if not same:
        yield Difference(turn.customer_phone, f"turn {turn.token}: answered from another session or catalogue")


def _found(row: Mapping[str, Any] | None) -> dict[str, Any]:
    if row is None:
        return {}
    return _comparable(row["session_state"], row["cart_data"], row["context_data"], row["messages"])


def _comparable(state: str, cart: Any, context: Mapping[str, Any], messages: int) -> dict[str, Any]:
    """As JSON has it. When a customer waits for a person, how fast he writes, and the second of a summary depend on the
    clock of the worker; that he does, and that there is one, do not. Recorded is when PostgreSQL had the answer.
    """
    timed = ("human_since", "human_until", "pace", "summed_at_s")
    # A field may stand there with its default or not at all.
    known = to_builtins(convert(context, Context))
    untimed = {name: bool(value) if name in timed else value for name, value in known.items() if value not in ({}, [])}
    told = {"state": state, "cart": cart, "messages": messages, **{f"context.{k}": v for k, v in untimed.items()}}
    return dict(json.loads(json.dumps(told)))


def _order(expected: Mapping[str, Any]) -> tuple[Decimal, Any, list[tuple[str, Decimal]]]:
    items = _items((item["name"], item["quantity"]) for item in expected["items"])
    return Decimal(expected["total"]), expected["address"], items


def _items(given: Iterable[Sequence[Any]]) -> list[tuple[str, Decimal]]:
    return sorted((str(name), Decimal(str(quantity))) for name, quantity in given)
