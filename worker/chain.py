"""Chain as Celery carries it: how a step becomes a task, how batches are decoded, enqueued and given back, and how much
waits. The steps themselves stand in `worker.tasks`.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import wraps
from typing import Any

from celery.exceptions import Reject
from celery.signals import worker_process_shutdown
from kombu.exceptions import OperationalError
from msgspec.structs import replace
from sqlalchemy.exc import SQLAlchemyError

from db import retry
from worker.app import AI, FLOW, app, task
from worker.celery_ext.broker import BROKER_TIMEOUT_S
from worker.celery_ext.inline_dispatch import inline_queue
from worker.celery_ext.micro_batch import Rows
from worker.celery_ext.queues import queue_length
from worker.celery_ext.redaction import summary
from worker.errors import BrokerUnavailable, StepFailed
from worker.log import logger
from worker.session.turn import Turn, claimed_turn, decode_turns, encode_turns
from worker.steps import attempts
from worker.steps.services import Services, services
from worker.telemetry import tracing

Body = Callable[[Services, list[Turn]], None]
#: For RabbitMQ: a message counts as sent when the broker says that it has it. Redis always says so.
CONFIRMED = {"confirm_publish": True, "read_timeout": BROKER_TIMEOUT_S, "write_timeout": BROKER_TIMEOUT_S}
#: Batches on queue `ai` beyond which turns stay in PostgreSQL: half of what `worker-ai` has in work (`-c 32`), so that
#: turns there are called for before their leases end, and Redis does not fill while nobody calls.
MAX_QUEUED_CALLS = 16
#: Before a process that does not reach PostgreSQL hands a batch back: others come first, and it does not spin.
HAND_BACK_PAUSE_S = 0.5
log = logger(__name__)


def step(body: Body) -> Any:
    """Makes a task of a body over a batch.

    An error is logged and raised again as its kind alone, since a foreign exception may hold what a customer wrote; the
    sweep starts the turns again. A process that PostgreSQL does not answer hands its batches back to the queue.
    """
    name = f"worker.{body.__name__}"

    @wraps(body)
    def run(batch: str | Rows | list[Turn], size: int | None = None) -> str:
        turns: list[Turn] = []
        began_at_s = time.time()
        try:
            turns += decoded(batch, began_at_s)
            if services().reachability.is_lost:
                time.sleep(HAND_BACK_PAUSE_S)
                enqueue(made, turns)
            else:
                body(services(), turns)
        except Exception as exc:
            kind, tokens = type(exc).__name__, [turn.token for turn in turns]
            log.exception("step_failed", task=name, error=kind, tokens=tokens)
            if isinstance(exc, SQLAlchemyError):
                give_back(made, turns, exc)
            tracing.steps(body.__name__, dict.fromkeys(tokens, began_at_s), kind)
            raise StepFailed(name, kind) from None
        return summary([batch] if size is None else [batch, size])

    made = task(run)
    return made


def give_back(failed_step: Any, turns: list[Turn], error: SQLAlchemyError) -> None:
    """Gives turns back that PostgreSQL has failed: to the sweep, or, where it said nothing at all, to the queue, for
    another process that may reach it: leases on `ai` are long. What is ours no more when it runs is dropped, as ever.
    """
    if not retry.is_unreachable(error):
        attempts.give_back_blameless(services(), turns, error)
        return
    services().reachability.lose()
    with suppress(OperationalError):
        enqueue(failed_step, turns)


def decoded(batch: str | Rows | list[Turn], now_s: float) -> list[Turn]:
    """Decodes a batch: a text as `enqueue` makes it, rows, or turns that were dispatched inline."""
    if isinstance(batch, str):
        return [replace(turn, begun_at_s=now_s) for turn in decode_turns(batch)]
    return [row if isinstance(row, Turn) else replace(claimed_turn(row), begun_at_s=now_s) for row in batch]


def send_on(next_step: Any, turns: list[Turn]) -> None:
    """Sends turns on to the next step on queue `flow`: inline where that can be, else by the broker."""
    if turns and not inline_queue.offer(next_step, turns, FLOW):
        enqueue(next_step, turns)


def enqueue(next_step: Any, turns: Sequence[Turn | Mapping[str, Any]], retries: int = 3) -> None:
    """Enqueues a batch at the broker, if it is not empty. It travels as one text and its size: a list would be decoded,
    pickled and unpickled on its way through a worker's processes, object by object.
    """
    if turns:
        arguments = (encode_turns(turns).decode(), len(turns))
        next_step.apply_async(arguments, argsrepr=summary(arguments), retry_policy={"max_retries": retries})


def calls_have_room() -> bool:
    """Returns whether queue `ai` takes another batch; yes where the broker does not say, since sending tries again."""
    return (_waiting_calls() or 0) < MAX_QUEUED_CALLS


def calls_are_idle() -> bool:
    """Returns whether no batch waits on queue `ai`; no where the broker does not say."""
    return _waiting_calls() == 0


def _waiting_calls() -> int | None:
    """Batches on queue `ai`; None where the broker does not say."""
    with app.connection_or_acquire() as connection:
        try:
            return queue_length(app, AI, connection)
        except connection.recoverable_connection_errors:
            return None


def end_step(name: str, turns: Sequence[Turn]) -> list[Turn]:
    """Ends a step of these turns: notes how long it took each."""
    now_s = time.time()
    tracing.steps(name, {turn.token: turn.begun_at_s for turn in turns})
    return [turn.after(name, now_s) for turn in turns]


def enqueue_again(receiver: Any, payload: str | dict[str, Any]) -> None:
    """Puts a payload at the end of its receiver's queue, and waits until the broker has it. A copy, not the message
    itself: RabbitMQ counts how often a message comes back, and throws it away after 20 times.

    Raises:
        Reject: the broker does not take it; the task stays in its queue.
    """
    try:
        with app.connection_for_write(transport_options=CONFIRMED) as connection:
            connection.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT_S)
            receiver.apply_async((payload,), connection=connection, argsrepr="masked", retry=False)
    except Exception as exc:  # noqa: BLE001  whatever a broker's client raises, the message must not be lost
        log.warning("receive_postponed", error=type(exc).__name__)
        raise Reject(type(exc).__name__, requeue=True) from None


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]  # celery ships no types
def send_traces(**_: object) -> None:
    """Sends what is left of the traces: a process of the pool ends without running exit handlers."""
    tracing.flush()


class CeleryChain:
    """Chain as intake sees it, from the task at its head on. Its methods raise BrokerUnavailable."""

    def __init__(self, first_step: Any, batch_max: int) -> None:
        self._first_step = first_step
        self._batch_max = batch_max
        self._connection: Any = None

    def start(self, turns: Sequence[dict[str, Any]]) -> None:
        """Starts turns as the database functions return them, in batches; a swept turn runs alone, as it may be what
        killed the worker the last time.
        """
        fresh = [turn for turn in turns if not turn["swept"]]
        batches = [fresh[first : first + self._batch_max] for first in range(0, len(fresh), self._batch_max)]
        try:
            for batch in [*batches, *([turn] for turn in turns if turn["swept"])]:
                # Once more, by a new connection; then another intake may be nearer to the broker than the active one.
                enqueue(self._first_step, batch, retries=1)
        except OperationalError as exc:
            raise BrokerUnavailable(type(exc).__name__) from exc

    def waiting(self) -> int:
        """Counts the batches on queue `flow`, over one connection that is kept."""
        try:
            if self._connection is None:
                self._connection = app.connection_for_read()
            self._connection.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT_S)
            return queue_length(app, FLOW, self._connection)
        except Exception as exc:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.release()
            raise BrokerUnavailable(type(exc).__name__) from exc
