"""Sweep: starts turns again whose lease has ended, and publishes the outbox: replies and events of orders that nobody
marked published.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import ValidationError, convert
from msgspec.structs import replace
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from db import queries, retry
from db.customers import close_questions
from worker.log import logger
from worker.orders.outbox import republish
from worker.redisdb.restarts import Restart, RestartWatch
from worker.replies.closing import bury
from worker.replies.fallback import apology_decision
from worker.session.outcome import Decision, Outcome, StoredOutcome
from worker.session.turn import Turn, claimed_turn
from worker.steps.locked_customers import locked_lease_s
from worker.steps.record_metrics import store_metrics
from worker.steps.services import Services
from worker.steps.turn_commit import commit_turns
from worker.telemetry.recording import metrics_row, turn_ended

#: Turns claimed per pass; each runs alone, so this is also how much they may add to queue `flow`.
LIMIT = 100
#: A message that was started this often and never ended is a dead letter.
MAX_ATTEMPTS = 5
MAX_REPUBLISHED = 20_000
log = logger(__name__)


class Sweep:
    """Sweep of the active intake, one pass per call."""

    def __init__(self, services: Services, start: Callable[[Sequence[dict[str, Any]]], None]) -> None:
        self._services = services
        self._start = start
        self._restarts = RestartWatch(services.redis)

    def once(self, connection: Connection) -> set[str]:
        """Publishes the outbox, then restarts overdue turns; those that are worn out become dead letters.

        Returns:
            Customers whose overdue turns stay, because another transaction holds rows of theirs.
        """
        self._republish(connection, self._restarts.look(time.time()))
        return self._restart_turns(connection)

    def restore(self, connection: Connection) -> None:
        """Publishes what a Redis that has restarted may have forgotten, where it has. Until then nobody else publishes,
        so it does not wait for its turn.
        """
        if restart := self._restarts.look(time.time()):
            self._republish(connection, restart)

    def _restart_turns(self, connection: Connection) -> set[str]:
        lease_s, locked_s = self._services.settings.flow_lease_s, locked_lease_s(self._services.settings)
        claimed, locked = retry.again_on_conflict(
            lambda: queries.sweep_turns(connection, lease_s=lease_s, limit=LIMIT, locked_lease_s=locked_s)
        )
        worn_out = [row for row in claimed if row["messages"][0]["attempts"] >= MAX_ATTEMPTS]
        self._start([row for row in claimed if row not in worn_out])
        if claimed:
            log.warning("turns_restarted", turns=len(claimed) - len(worn_out), dead=len(worn_out))
        if worn_out:
            self._bury(connection, [claimed_turn(row) for row in worn_out])
        return locked

    def _bury(self, connection: Connection, turns: Sequence[Turn]) -> None:
        """Makes dead letters, with an apology each, and starts what the same customers wrote next."""
        phones = [turn.customer_phone for turn in turns]
        # The apology asks to write again: a yes behind it agrees to no summary that stood there before.
        retry.again_on_conflict(lambda: close_questions(connection, phones))
        states = {row["customer_phone"]: row["session_state"] for row in queries.load_sessions(connection, phones)}
        now = datetime.now(UTC)
        error = f"given up after {MAX_ATTEMPTS} attempts"
        apology = Outcome("canned", apology_decision(self._services.shop))
        closings = [
            bury(replace(turn, outcome=apology), states.get(turn.customer_phone, "browsing"), error, now)
            for turn in turns
        ]
        committed = commit_turns(self._services, closings)
        self._start(committed.next)
        self._services.streams.publish(committed.replies, by_sweep=True)

    def _republish(self, connection: Connection, restarted: Restart | None) -> None:
        """Publishes the outbox, and, when Redis has restarted or a replica has taken over, what it may not know of
        replies and orders.
        """
        recent_s = restarted.lost_s if restarted else 0.0
        rows = queries.unpublished_replies(
            connection,
            # A worker may just be about to note as published what the restart has undone.
            older_than_s=0.0 if restarted else self._services.settings.flow_lease_s,
            recent_s=recent_s,
            max_rows=MAX_REPUBLISHED,
        )
        if rows:
            new = self._services.streams.publish([row["reply"] for row in rows], by_sweep=True)
            self._record(rows)
            log.warning("replies_republished", replies=len(rows), new=new)
        if events := republish(connection, self._services.streams, recent_s=recent_s):
            log.warning("order_events_republished", events=events)
        if restarted:
            self._restarts.settle(restarted)
            log.warning("redis_restarted", lost_s=round(recent_s, 1))

    def _record(self, rows: Sequence[dict[str, Any]]) -> None:
        """Records the figures of replies that are out; another pass does, where the sums that all share are locked, so
        that the intake goes on meanwhile.
        """
        metrics = [
            metrics_row(row["reply_id"], _stored_outcome(row), row["message_count"], committed=True) for row in rows
        ]
        try:
            total_ms = store_metrics(self._services, metrics, waits_again=False)
        except DBAPIError as exc:
            if not retry.is_locked(exc):
                raise
            log.warning("figures_locked", replies=len(metrics))
            return
        for row in metrics:
            if row["reply_id"] in total_ms:
                turn_ended(row, total_ms[row["reply_id"]])


def _stored_outcome(row: Mapping[str, Any]) -> StoredOutcome:
    """Reads how a reply was decided; one that cannot be read has no figures, and stops no other."""
    try:
        return convert(row["outcome"], StoredOutcome)
    except ValidationError as exc:
        log.warning("outcome_unreadable", reply_id=row["reply_id"], error=type(exc).__name__)
        return StoredOutcome(row["reply"].get("source", "canned"), Decision())
