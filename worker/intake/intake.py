"""Intake: from the inbound stream into PostgreSQL and on to the chain, in the order of the stream.

One intake is active at a time (a PostgreSQL advisory lock, held by the very connection that commits); others stand by.
Sees no Celery: how turns are started and how long queue `flow` is are passed in.
"""

import math
import time
from collections.abc import Sequence
from functools import partial
from threading import Event
from typing import Any, Protocol

from msgspec import to_builtins
from redis.exceptions import RedisError
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from db import queries, retry
from db.locks import INTAKE_LOCK, try_lock
from worker.errors import ChasquiError
from worker.intake.deliveries import mark_deliveries
from worker.intake.held_back import HeldBack
from worker.intake.invalidation import invalidate
from worker.intake.parsed_entry import ParsedEntry, parse
from worker.intake.portions import BLOCK_MS, Portions
from worker.intake.quiet_turns import QuietTurns
from worker.intake.sweep import Sweep
from worker.log import logger
from worker.messages.message import InboundMessage
from worker.redisdb.streams import BEGINNING, Entry
from worker.steps.locked_customers import around_locked
from worker.steps.services import Services
from worker.steps.turn_commit import claim_limits
from worker.telemetry import tracing

STANDBY_S = 0.5
#: Batches on queue `flow` beyond which the backlog stays in the stream, where it is cheap and holds no lease.
MAX_QUEUED_BATCHES = 4
#: Entries read, and messages committed, at a time, in batches of the chain: the price of one commit is shared.
READ_BATCHES = 4
PAUSE_S = 0.05
RECOVERY_PAUSE_S = 1.0
Turns = list[dict[str, Any]]
log = logger(__name__)


class Chain(Protocol):
    """Entrance to the chain."""

    def start(self, turns: Sequence[dict[str, Any]]) -> None:
        """Starts turns as the database functions return them."""

    def waiting(self) -> int:
        """Returns how many batches wait on queue `flow`."""


class Intake:
    """Active intake, or one that stands by; works until `stop` is set."""

    def __init__(self, services: Services, chain: Chain, stop: Event) -> None:
        self._services = services
        self._chain = chain
        self._stop = stop
        self._sweep = Sweep(services, chain.start)
        self._held = HeldBack()
        self._size = services.settings.batch_max * READ_BATCHES
        self._portions = Portions(services.streams, self._size)
        self._quiet = QuietTurns(services)
        self._caught_up = False

    def run(self) -> None:
        """Stands by or works until stopped. When PostgreSQL, Redis or the broker goes away, it waits and goes on with
        what was pending; nothing is acknowledged before it is committed.
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
            # Before the broker is asked, which may just be as far away as Redis was.
            self._sweep.restore(connection)
            self._read_on(connection)
        finally:
            # The lock lives as long as the connection, so the pool must not keep it.
            connection.invalidate()

    def _read_on(self, connection: Connection) -> None:
        pass_from: bytes | None = BEGINNING
        self._portions.begin_pass()
        # What came while no intake was active may belong to bursts whose waits are over by now.
        self._caught_up = False
        next_sweep = 0.0
        while not self._stop.is_set():
            if self._chain.waiting() >= MAX_QUEUED_BATCHES:
                # What waits there may wait for just this.
                self._sweep.restore(connection)
                self._stop.wait(PAUSE_S)
                continue
            if self._caught_up and time.monotonic() >= next_sweep:
                # Before the sweep, which takes what is overdue apart: a burst is one turn still.
                self._chain.start(self._quiet.claim_late(connection))
                self._held.report(self._services.redis, self._sweep.once(connection))
                next_sweep = time.monotonic() + self._services.settings.sweep_every_s
                if pass_from is None:
                    # A read of the intake before this one may have been answered after our first look at what is
                    # pending; and customers who were locked may be free.
                    self._held.release_unlocked(connection)
                    self._portions.begin_pass()
                    pass_from = BEGINNING
            # What customers have written before they were due is read first: they have not been quiet.
            due = self._quiet.is_due
            pass_from = self._read(connection, pass_from)
            self._caught_up = self._caught_up or pass_from is None
            if due:
                self._chain.start(self._quiet.claim(connection))

    def _read(self, connection: Connection, pass_from: bytes | None) -> bytes | None:
        """Takes the next entries: in a pass over what is pending those behind `pass_from`, else new ones, which are
        read after every pass, however long it takes. Returns where the pass goes on, None where it is over.
        """
        if pass_from is not None and (entries := self._portions.take(pass_from)):
            self._take(connection, entries)
            return entries[-1].id
        if self._held.is_full:
            self._stop.wait(PAUSE_S)
        elif entries := self._portions.take(None, self._block_ms()):
            self._take(connection, entries)
        return None

    def _block_ms(self) -> int:
        """Milliseconds for which a read waits for new entries: at least 1, since 0 means for ever to Redis."""
        due_in_s = self._quiet.due_in_s() if self._caught_up else 0.0
        return BLOCK_MS if due_in_s is None else min(max(math.ceil(due_in_s * 1000), 1), BLOCK_MS)

    def _take(self, connection: Connection, entries: Sequence[Entry]) -> None:
        """Commits, starts the chain, acknowledges: in this order, so that a crash in between only repeats. A body of
        many messages is committed in several parts, and acknowledged once all of them are.
        """
        began_at_s = time.time()
        parsed = [parse(entry, began_at_s, self._services.settings.late_after_s) for entry in entries]
        messages = self._free(parsed)
        tokens: list[str] = []
        for first in range(0, len(messages), self._size):
            turns = self._accept(connection, messages[first : first + self._size])
            self._quiet.expect()
            self._start(turns, began_at_s)
            tokens += [turn["token"] for turn in turns]
        mark_deliveries(connection, [status for one in parsed for status in one.statuses])
        finished = self._finished(parsed)
        rejections = [(one.entry, reason) for one in finished for reason in one.rejections]
        self._services.streams.finish([one.entry for one in finished], rejections)
        if finished or tokens:
            facts = {"entries": len(finished), "messages": len(messages), "turns": len(tokens)}
            log.info("batch_accepted", **facts, tokens=tokens)
        if rejections:
            log.warning("payloads_rejected", rejections=len(rejections))

    def _free(self, parsed: Sequence[ParsedEntry]) -> list[tuple[ParsedEntry, InboundMessage]]:
        return [(one, m) for one in parsed for m in one.messages if m.customer_phone not in self._held]

    def _finished(self, parsed: Sequence[ParsedEntry]) -> list[ParsedEntry]:
        """Entries of which nothing is held back. Another one stays pending as a whole: what of it is accepted already
        changes nothing when it comes again.
        """
        finished = [one for one in parsed if not any(m.customer_phone in self._held for m in one.messages)]
        self._held.count(len(parsed) - len(finished))
        return finished

    def _accept(self, connection: Connection, messages: Sequence[tuple[ParsedEntry, InboundMessage]]) -> Turns:
        """Commits messages and returns the turns claimed; a message that PostgreSQL refuses is refused."""

        def commit(some: Sequence[tuple[ParsedEntry, InboundMessage]]) -> Turns:
            # An earlier part may have found a customer to be locked: what follows must not overtake.
            free = [message for _, message in some if message.customer_phone not in self._held]
            return self._commit(connection, free) if free else []

        def refuse(pair: tuple[ParsedEntry, InboundMessage], error: SQLAlchemyError) -> Turns:
            log.exception("payload_refused_by_database", error=type(error).__name__)
            pair[0].rejections.append(f"payload: the database refused it ({type(error).__name__})")
            return []

        return [turn for part in retry.around_refused(messages, commit, refuse) for turn in part]

    def _commit(self, connection: Connection, messages: Sequence[InboundMessage]) -> Turns:
        """Commits messages, and invalidates what Redis keeps of those before; returns the turns claimed. Customers of
        whom somebody else holds rows are held back from now on.
        """

        def accept(some: Sequence[InboundMessage]) -> Turns:
            batch = claim_limits(self._services.settings) | {"messages": to_builtins(list(some))}
            accepted = retry.again_on_conflict(lambda: queries.accept_messages(connection, batch))
            services = self._services
            invalidate(services.redis, services.cache, accepted, services.catalog.terms_of)
            return list(accepted["turns"])

        parts, left = around_locked(messages, accept, partial(queries.locked_for_acceptance, connection))
        self._held.add(connection, {message.customer_phone for message in left})
        return [turn for part in parts for turn in part]

    def _start(self, turns: Turns, began_at_s: float) -> None:
        """Starts turns, with how long their acceptance took, from the read of their batch to its commit."""
        took_ms = round((time.time() - began_at_s) * 1000, 1)
        tracing.steps(tracing.ACCEPT, {turn["token"]: began_at_s for turn in turns})
        facts = {"accepted_at_s": began_at_s, "steps_ms": {tracing.ACCEPT: took_ms}}
        self._chain.start([turn | facts for turn in turns])
