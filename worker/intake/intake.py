"""Intake: from the inbound stream into PostgreSQL and on to the chain; and the sweep, which finds what was lost.

One intake is active at a time (a PostgreSQL advisory lock, held by the very connection that commits); others stand by.
Sees no Celery: how turns are started and how long queue `flow` is are passed in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Event
from typing import Any, Protocol

from redis.exceptions import RedisError, ResponseError
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from db import queries, retry
from db.locks import INTAKE_LOCK, try_lock
from worker.errors import ChasquiError
from worker.intake.held_back import Held
from worker.intake.sweep import Sweep
from worker.log import logger
from worker.messages.inbound import parse_payload
from worker.messages.message import InboundMessage
from worker.redisdb.streams import BEGINNING, Entry
from worker.steps.locked_customers import SplitCommit
from worker.steps.services import Services
from worker.steps.steps import claim_limits
from worker.telemetry import tracing

#: The advisory lock of the active intake; arbitrary but fixed.
STANDBY_S = 0.5
BLOCK_MS = 500
#: Batches on queue `flow` beyond which the backlog stays in the stream, where it is cheap and holds no lease.
MAX_QUEUED_BATCHES = 4
#: Entries read at a time, in batches of the chain: the price of one commit is shared.
READ_BATCHES = 4
MAX_REJECTIONS = 100
PAUSE_S = 0.05
RECOVERY_PAUSE_S = 1.0
log = logger(__name__)


class Chain(Protocol):
    """How turns get into the chain, and how many batches wait there."""

    def start(self, turns: Sequence[dict[str, Any]]) -> None:
        """Starts turns as the database functions return them."""

    def waiting(self) -> int:
        """Batches on queue `flow`."""


@dataclass(frozen=True, slots=True)
class Read:
    """A batch of the stream, parsed: messages in their order, and refusals with the entry they came in."""

    entries: tuple[Entry, ...]
    messages: tuple[InboundMessage, ...]
    rejections: tuple[tuple[Entry, str], ...]


def parse(entries: Sequence[Entry], now_s: float) -> Read:
    """All messages of the entries; a refusal for everything that is not one."""
    messages: list[InboundMessage] = []
    rejections: list[tuple[Entry, str]] = []
    for entry in entries:
        if entry.payload is None:
            rejections.append((entry, "payload: the entry has no field 'payload'"))
            continue
        parsed = parse_payload(entry.payload, now_s)
        messages.extend(parsed.messages)
        rejections.extend((entry, reason) for reason in bounded(parsed.rejections))
    return Read(tuple(entries), tuple(messages), tuple(rejections))


def accepted(turns: Sequence[dict[str, Any]], began_at_s: float) -> list[dict[str, Any]]:
    """The turns with how long their acceptance took: from when their batch had been read until it was committed."""
    took_ms = round((time.time() - began_at_s) * 1000, 1)
    tracing.steps(tracing.ACCEPT, {turn["token"]: began_at_s for turn in turns})
    return [turn | {"accepted_at_s": began_at_s, "steps_ms": {tracing.ACCEPT: took_ms}} for turn in turns]


def bounded(reasons: Sequence[str]) -> list[str]:
    """At most 100 reasons and one that counts the others: each is kept with the whole payload, and a payload of 64 KiB
    can hold tens of thousands of broken messages.
    """
    if len(reasons) <= MAX_REJECTIONS:
        return list(reasons)
    return [*reasons[:MAX_REJECTIONS], f"payload: {len(reasons) - MAX_REJECTIONS} more messages cannot be read"]


class Intake:
    """The active intake, or one that stands by. `run` returns when `stop` is set."""

    def __init__(
        self, services: Services, chain: Chain, stop: Event, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._services = services
        self._chain = chain
        self._stop = stop
        self._clock = clock
        self._sweep = Sweep(services, chain.start)
        self._held = Held(clock)

    def run(self) -> None:
        """Stands by or works until stopped. Whatever goes away (PostgreSQL, Redis, the broker), it waits and goes on
        with what was pending; nothing is acknowledged before it is committed.
        """
        while not self._stop.is_set():
            try:
                with self._services.engine.connect() as connection:
                    if try_lock(connection, INTAKE_LOCK):
                        self._work(connection)
                    else:
                        self._stop.wait(STANDBY_S)
            except (SQLAlchemyError, RedisError, OSError, ChasquiError) as exc:
                log.warning("intake_interrupted", error=type(exc).__name__)
                self._stop.wait(RECOVERY_PAUSE_S)

    def _work(self, connection: Connection) -> None:
        log.info("intake_active")
        try:
            self._services.streams.create_group()
            self._read_on(connection)
        finally:
            # The lock lives as long as the connection, so the pool must not keep it.
            connection.invalidate()

    def _read_on(self, connection: Connection) -> None:
        pass_from: bytes | None = BEGINNING
        next_sweep = 0.0
        while not self._stop.is_set():
            if self._chain.waiting() >= MAX_QUEUED_BATCHES:
                self._stop.wait(PAUSE_S)
                continue
            if self._clock() >= next_sweep:
                self._look_after(connection)
                next_sweep = self._clock() + self._services.settings.sweep_every_s
                if pass_from is None:
                    # A read of the intake before this one may have been answered after our first look at what is
                    # pending; and who was locked may be free.
                    self._held.look_again(connection)
                    pass_from = BEGINNING
            pass_from = self._read(connection, pass_from)

    def _look_after(self, connection: Connection) -> None:
        """The sweep, and how many customers are locked."""
        self._held.tell(self._services.redis, self._sweep.once(connection))

    def _read(self, connection: Connection, pass_from: bytes | None) -> bytes | None:
        """Takes the next entries: in a pass over what is pending those behind `pass_from`, else new ones, which are
        read after every pass, however long it takes. Returns where the pass goes on, None where it is over.
        """
        if pass_from is not None and (entries := self._entries(pass_from)):
            self._take(connection, entries)
            return entries[-1].id
        if self._held.is_full:
            self._stop.wait(PAUSE_S)
        elif entries := self._entries(None):
            self._take(connection, entries)
        return None

    def _entries(self, pass_from: bytes | None) -> list[Entry]:
        count, streams = self._services.settings.batch_max * READ_BATCHES, self._services.streams
        try:
            if pass_from is None:
                return streams.read(pending=False, count=count, block_ms=BLOCK_MS)
            return streams.read(pending=True, count=count, after=pass_from)
        except ResponseError as exc:
            if "NOGROUP" not in str(exc):
                raise
            # Redis came back without its data.
            streams.create_group()
            return []

    def _take(self, connection: Connection, entries: Sequence[Entry]) -> None:
        """Commit, start the chain, acknowledge: in this order, so that a crash in between only repeats."""
        began_at_s = time.time()
        read = self._parse(entries, began_at_s)
        turns, refused = self._accept(connection, read)
        self._chain.start(accepted(turns, began_at_s))
        finished = self._finished(entries)
        ids = {entry.id for entry in finished}
        rejections = [(entry, reason) for entry, reason in (*read.rejections, *refused) if entry.id in ids]
        self._services.streams.finish(finished, rejections)
        if finished or turns:
            tokens = [turn["token"] for turn in turns]
            log.info("batch_accepted", entries=len(ids), messages=len(read.messages), turns=len(turns), tokens=tokens)
        if rejections:
            log.warning("payloads_rejected", rejections=len(rejections))

    def _parse(self, entries: Sequence[Entry], now_s: float) -> Read:
        """The entries without what customers wrote who are held back."""
        read = parse(entries, now_s)
        if not self._held:
            return read
        return replace(read, messages=tuple(m for m in read.messages if m.customer_phone not in self._held))

    def _finished(self, entries: Sequence[Entry]) -> list[Entry]:
        """The entries of which nothing is held back. Another one stays pending as a whole: what of it is accepted
        already changes nothing when it comes again.
        """
        if not self._held:
            return list(entries)
        finished = [
            entry
            for entry in entries
            if not any(message.customer_phone in self._held for message in parse([entry], 0.0).messages)
        ]
        self._held.count(len(entries) - len(finished))
        return finished

    def _accept(self, connection: Connection, read: Read) -> tuple[list[dict[str, Any]], list[tuple[Entry, str]]]:
        """The turns claimed; a batch that PostgreSQL refuses is done again entry by entry, to find the one at fault."""
        if not read.messages:
            return [], []
        try:
            return self._commit(connection, read.messages), []
        except SQLAlchemyError as exc:
            if not retry.blames_a_value(exc):
                raise
            if len(read.entries) == 1:
                log.exception("payload_refused_by_database", error=type(exc).__name__)
                return [], [(read.entries[0], f"payload: the database refused it ({type(exc).__name__})")]
        turns: list[dict[str, Any]] = []
        refused: list[tuple[Entry, str]] = []
        for entry in read.entries:
            more, bad = self._accept(connection, self._parse([entry], time.time()))
            turns.extend(more)
            refused.extend(bad)
        return turns, refused

    def _commit(self, connection: Connection, messages: Sequence[InboundMessage]) -> list[dict[str, Any]]:
        """The turns claimed; customers of whom somebody else holds rows are held back from now on."""

        def accept(some: Sequence[InboundMessage]) -> list[dict[str, Any]]:
            batch = claim_limits(self._services.settings) | {"messages": [message.to_dict() for message in some]}
            return list(retry.again_on_conflict(lambda: queries.accept_messages(connection, batch))["turns"])

        split = SplitCommit(
            commit=accept,
            locked=lambda phones: queries.locked_for_acceptance(connection, phones),
            phone_of=lambda message: message.customer_phone,
            until_s=time.monotonic() + retry.GIVE_UP_AFTER_S,
        )
        parts, left = split.done(messages)
        self._held.add(connection, {message.customer_phone for message in left})
        return [turn for part in parts for turn in part]
