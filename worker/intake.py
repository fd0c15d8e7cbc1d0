"""Intake: from the inbound stream into PostgreSQL and on to the chain; and the sweep, which finds what was lost.

One intake is active at a time (a PostgreSQL advisory lock, held by the very connection that commits); others stand by.
Sees no Celery: how turns are started and how long queue `flow` is are passed in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any, Protocol

from redis.exceptions import RedisError, ResponseError
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from db import queries, retry
from worker import tracing
from worker.errors import ChasquiError
from worker.flow import claim_limits
from worker.log import logger
from worker.messages.inbound import parse_payload
from worker.messages.message import InboundMessage
from worker.services import Services
from worker.streams import Entry
from worker.sweep import Sweep

#: The advisory lock of the active intake; arbitrary but fixed.
INTAKE_LOCK = 7_243_002
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

    def run(self) -> None:
        """Stands by or works until stopped. Whatever goes away (PostgreSQL, Redis, the broker), it waits and goes on
        with what was pending; nothing is acknowledged before it is committed.
        """
        while not self._stop.is_set():
            try:
                with self._services.engine.connect() as connection:
                    if queries.try_lock(connection, INTAKE_LOCK):
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
        pending = True
        next_sweep = 0.0
        while not self._stop.is_set():
            if self._chain.waiting() >= MAX_QUEUED_BATCHES:
                self._stop.wait(PAUSE_S)
                continue
            if self._clock() >= next_sweep:
                self._sweep.once(connection)
                next_sweep = self._clock() + self._services.settings.sweep_every_s
                # A read of the intake before this one may have been answered after our first look at what is pending.
                pending = True
            entries = self._entries(pending)
            pending = pending and bool(entries)
            if entries:
                self._take(connection, entries)

    def _entries(self, pending: bool) -> list[Entry]:
        count = self._services.settings.batch_max * READ_BATCHES
        try:
            return self._services.streams.read(pending=pending, count=count, block_ms=None if pending else BLOCK_MS)
        except ResponseError as exc:
            if "NOGROUP" not in str(exc):
                raise
            # Redis came back without its data.
            self._services.streams.create_group()
            return []

    def _take(self, connection: Connection, entries: Sequence[Entry]) -> None:
        """Commit, start the chain, acknowledge: in this order, so that a crash in between only repeats."""
        began_at_s = time.time()
        read = parse(entries, began_at_s)
        turns, refused = self._accept(connection, read)
        self._chain.start(accepted(turns, began_at_s))
        self._services.streams.finish(read.entries, [*read.rejections, *refused])
        tokens = [turn["token"] for turn in turns]
        log.info("batch_accepted", entries=len(entries), messages=len(read.messages), turns=len(turns), tokens=tokens)
        if read.rejections or refused:
            log.warning("payloads_rejected", rejections=len(read.rejections) + len(refused))

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
            more, bad = self._accept(connection, parse([entry], time.time()))
            turns.extend(more)
            refused.extend(bad)
        return turns, refused

    def _commit(self, connection: Connection, messages: Sequence[InboundMessage]) -> list[dict[str, Any]]:
        batch = claim_limits(self._services.settings) | {"messages": [message.to_dict() for message in messages]}
        return list(retry.again_on_conflict(lambda: queries.accept_messages(connection, batch))["turns"])
