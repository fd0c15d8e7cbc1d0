"""Acceptance, commit, crash and sweep in any order, on the real database functions, beside a model of their promises.

Workers are values here: a turn that somebody holds, or held until the sweep gave it to another. Whatever is lost on the
way is simply never used again; what comes late is used after its time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from helpers.basics import EMPTY
from helpers.factories import ANA, BRUNO, accept, commit, commit_row, expire_leases, inbound, rows
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import Connection, Engine

from db import queries

Json = dict[str, Any]
PHONES = (ANA, BRUNO)
PLACE = st.integers(0, 30)


class Shop(RuleBasedStateMachine):
    """`held`: turns under their present token. `stale`: turns whose token is no longer their customer's. `waiting`: ids
    of accepted messages by customer, oldest first. `answered`: message ids in the order of their commits.
    """

    open_database: Callable[[], Any]

    def __init__(self) -> None:
        super().__init__()
        self._database = self.open_database()
        self.connection: Connection = self._database.__enter__()
        self.held: dict[str, Json] = {}
        self.stale: list[Json] = []
        self.done: list[Json] = []
        self.waiting: dict[str, list[str]] = {phone: [] for phone in PHONES}
        self.answered: dict[str, list[str]] = {phone: [] for phone in PHONES}
        self.number = 0

    def teardown(self) -> None:
        """Closes the connection."""
        self._database.__exit__(None, None, None)

    @initialize()
    def empty(self) -> None:
        """Every run begins with an empty database."""
        self.connection.execute(EMPTY)

    @rule(phones=st.lists(st.sampled_from(PHONES), min_size=1, max_size=4), again=st.booleans())
    def accept_batch(self, phones: list[str], again: bool) -> None:
        """New messages, delivered once or twice: free customers get a turn, busy ones wait."""
        messages = []
        for phone in phones:
            self.number += 1
            messages.append(inbound(f"m{self.number}", phone))
            self.waiting[phone].append(f"m{self.number}")
        turns = accept(self.connection, *messages, *(messages if again else []))
        assert {turn["customer_phone"] for turn in turns} == set(phones) - self.held.keys()
        self._hold(turns)

    @rule(phone=st.sampled_from(PHONES), lost=st.booleans())
    def commit_held(self, phone: str, lost: bool) -> None:
        """The holder commits: all its messages are answered, and what waited is claimed. lost: PostgreSQL's answer
        never arrives, so that nobody knows of the next turn until the sweep.
        """
        if phone not in self.held:
            return
        turn = self.held.pop(phone)
        result = commit(self.connection, commit_row(turn))
        assert [entry["token"] for entry in result["committed"]] == [turn["token"]]
        ids = [message["message_id"] for message in turn["messages"]]
        assert self.waiting[phone][: len(ids)] == ids
        self.waiting[phone] = self.waiting[phone][len(ids) :]
        self.answered[phone] += ids
        self.done.append(turn)
        assert {entry["customer_phone"] for entry in result["next"]} == ({phone} if self.waiting[phone] else set())
        self._hold(result["next"])
        if lost:
            expire_leases(self.connection, phone)

    @rule(place=PLACE)
    def commit_stale(self, place: int) -> None:
        """Who was overtaken changes nothing."""
        if self.stale:
            result = commit(self.connection, commit_row(self.stale[place % len(self.stale)]))
            assert (result["committed"], result["next"]) == ([], [])

    @rule(place=PLACE)
    def commit_again(self, place: int) -> None:
        """A commit that is repeated is told that it has happened, and happens no second time."""
        if self.done:
            turn = self.done[place % len(self.done)]
            result = commit(self.connection, commit_row(turn))
            assert result["committed"] == [{"token": turn["token"], "session_version": None}]
            assert result["next"] == []

    @rule(phone=st.sampled_from(PHONES))
    def crash(self, phone: str) -> None:
        """The holder is gone: its lease ends."""
        if phone in self.held:
            expire_leases(self.connection, phone)

    @rule()
    def sweep(self) -> None:
        """Turns whose lease has ended have a new holder, one message each, the oldest."""
        for turn in queries.sweep_turns(self.connection, lease_s=60.0, limit=10)[0]:
            phone = turn["customer_phone"]
            self.stale.append(self.held[phone])
            assert [message["message_id"] for message in turn["messages"]] == self.waiting[phone][:1]
            self.held[phone] = turn

    @invariant()
    def everything_is_answered_once_in_order_or_waits(self) -> None:
        """What PostgreSQL has is what the model has."""
        found = rows(self.connection, "select message_id, customer_phone, state, reply_id from messages order by id")
        for phone in PHONES:
            own = [row for row in found if row["customer_phone"] == phone]
            answered = [row["message_id"] for row in own if row["state"] == "answered"]
            assert answered == self.answered[phone]
            assert [row["message_id"] for row in own[len(answered) :]] == self.waiting[phone]
            assert all(row["reply_id"] is not None for row in own[: len(answered)])

    @invariant()
    def who_waits_is_never_without_a_holder(self) -> None:
        """Nobody is forgotten: a customer with unanswered messages has a turn, and it is the one the model knows."""
        found = rows(self.connection, "select customer_phone, token::text from turns where token is not null")
        assert {row["customer_phone"]: row["token"] for row in found} == {
            phone: turn["token"] for phone, turn in self.held.items()
        }
        assert self.held.keys() == {phone for phone in PHONES if self.waiting[phone]}

    def _hold(self, turns: list[Json]) -> None:
        self.held |= {turn["customer_phone"]: turn for turn in turns}


def test_every_order_of_events_keeps_the_promises(engine: Engine) -> None:
    """Hundreds of runs of up to 30 steps; a failing one is made as short as can be."""

    @contextmanager
    def opened() -> Iterator[Connection]:
        with engine.connect() as connection:
            yield connection

    machine = type("OpenShop", (Shop,), {"open_database": staticmethod(opened)})
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=100, stateful_step_count=30, deadline=None, derandomize=True, suppress_health_check=checks
        ),
    )
