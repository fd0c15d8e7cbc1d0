"""The chain. Each task decodes its batch, does one step, and hands on; the logic lives in `worker.steps.steps`.

worker.fetch_session -> worker.route_ai -> worker.update_session -> worker.record_metrics      queue `flow`
                              | misses              ^
                              +-> worker.call_provider                                         queue `ai`
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any

import orjson
from celery.exceptions import Reject
from celery.signals import worker_process_shutdown, worker_ready
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from db import queries, retry
from worker.app import AI, FLOW, app
from worker.celery_ext.broker import BROKER_TIMEOUT_S
from worker.celery_ext.inline_dispatch import relay
from worker.celery_ext.micro_batch import Gathering
from worker.celery_ext.redaction import summary
from worker.errors import BrokerUnavailable, StepFailed
from worker.log import logger
from worker.messages.inbound import MAX_PAYLOAD_BYTES
from worker.session.turn import Turn, turn_from_dict, turn_to_dict
from worker.settings import settings
from worker.steps import attempts, steps
from worker.steps.services import Services, services
from worker.telemetry import tracing
from worker.telemetry.recording import CLEANUP, note_run

Rows = list[dict[str, Any]]
RECEIVE_PAUSE_S = 1.0
#: For RabbitMQ: a message counts as sent when the broker says that it has it. Redis always says so.
CONFIRMED = {"confirm_publish": True, "read_timeout": BROKER_TIMEOUT_S, "write_timeout": BROKER_TIMEOUT_S}
#: Batches on queue `ai` beyond which turns stay in PostgreSQL: half of what `worker-ai` has in work (`-c 32`), so that
#: who waits there is asked for before his lease ends, and Redis does not fill while nobody asks.
MAX_QUEUED_CALLS = 16
#: Answers that come within this time of each other go on as one batch. Little beside what a model takes.
TOGETHER_S = 0.1
#: A probe that has waited so long behind calls of customers is not needed any more.
PROBE_EXPIRES_S = 300.0
log = logger(__name__)


def step(name: str) -> Callable[[Callable[[Services, list[Turn]], None]], Any]:
    """Makes a task of a body over a batch. An error is logged and raised again as its kind alone, since whatever a
    foreign exception says may hold what a customer wrote; the turns come back by the sweep.
    """

    def decorate(body: Callable[[Services, list[Turn]], None]) -> Any:
        @app.task(name=name)  # type: ignore[untyped-decorator]  # celery ships no types
        @wraps(body)
        def run(batch: str | Rows | list[Turn], size: int | None = None) -> str:
            turns: list[Turn] = []
            began_at_s = time.time()
            try:
                turns += received(batch, began_at_s)
                body(services(), turns)
            except Exception as exc:
                tokens = [turn.token for turn in turns]
                log.exception("step_failed", task=name, error=type(exc).__name__, tokens=tokens)
                if isinstance(exc, SQLAlchemyError):
                    attempts.forgive(services(), turns, exc)
                tracing.steps(body.__name__, dict.fromkeys(tokens, began_at_s), type(exc).__name__)
                raise StepFailed(name, type(exc).__name__) from None
            return summary([batch] if size is None else [batch, size])

        return run

    return decorate


def received(batch: str | Rows | list[Turn], now_s: float) -> Iterable[Turn]:
    """The turns that a step was called with: as sent, as a list of rows, or as handed on within this process."""
    rows = orjson.loads(batch) if isinstance(batch, str) else batch
    return (row if isinstance(row, Turn) else turn_from_dict(row, now_s) for row in rows)


def hand_on(task: Any, turns: list[Turn], packed: Callable[[Turn], dict[str, Any]] = turn_to_dict) -> None:
    """On to the next step of queue `flow`: in this process where that can be, else by the broker. packed: what a turn
    is where it has to travel.
    """
    if turns and not relay.take(task, turns, FLOW):
        send(task, [packed(turn) for turn in turns])


def send(task: Any, rows: Rows) -> None:
    """Sends a batch to a task by the broker; nothing for an empty one. The batch travels as one text and its size: a
    list would be decoded, pickled and unpickled on its way through the worker's own processes, object by object.
    """
    if rows:
        arguments = (orjson.dumps(rows).decode(), len(rows))
        task.apply_async(arguments, argsrepr=summary(arguments))


def queued(queue: str, connection: Any) -> int:
    """Batches that wait on a queue and that nobody has taken yet."""
    return int(app.amqp.queues[queue](connection.default_channel).queue_declare().message_count)


def calls_have_room() -> bool:
    """Whether queue `ai` takes another batch. Yes where the broker does not say: sending has its own attempts."""
    with app.connection_or_acquire() as connection:
        try:
            return queued(AI, connection) < MAX_QUEUED_CALLS
        except connection.recoverable_connection_errors:
            return True


def done(step: str, turns: Sequence[Turn]) -> list[Turn]:
    """Turns as they go on from a step, with how long it took them."""
    now_s = time.time()
    tracing.steps(step, {turn.token: turn.begun_at_s for turn in turns})
    return [turn.after(step, now_s) for turn in turns]


@step("worker.fetch_session")
def fetch_session(services: Services, batch: list[Turn]) -> None:
    """Session of each turn: cache, PostgreSQL, or new."""
    hand_on(route_ai, done("fetch_session", steps.fetch_session(services, batch)))


@step("worker.route_ai")
def route_ai(services: Services, batch: list[Turn]) -> None:
    """Answered from the cache, or on to a provider."""
    answered, missed = steps.route_ai(services, batch, calls_have_room)
    hand_on(update_session, done("route_ai", answered))
    send(call_provider, [turn_to_dict(turn) for turn in done("route_ai", missed)])


@step("worker.call_provider")
def call_provider(services: Services, batch: list[Turn]) -> None:
    """Asks the models side by side; what is ready goes on, with what other batches have ready at that time."""
    with finished.working(len(batch)):
        for ready in steps.call_provider(services, batch):
            finished.add([turn_to_dict(turn) for turn in done("call_provider", ready)])


@step("worker.update_session")
def update_session(services: Services, batch: list[Turn]) -> None:
    """Commit, publish, and on with what the same customers wrote meanwhile."""
    closed = steps.update_session(services, batch)
    send(fetch_session, list(closed.next_turns))
    hand_on(record_metrics, done("update_session", closed.turns), lambda turn: turn_to_dict(turn.recorded()))


finished = Gathering(lambda rows: send(update_session, rows), TOGETHER_S, settings().batch_max)


@step("worker.record_metrics")
def record_metrics(services: Services, batch: list[Turn]) -> None:
    """What it cost and how long it took."""
    steps.record_metrics(services, batch)


@app.task(name="worker.receive", acks_late=True, reject_on_worker_lost=True)  # type: ignore[untyped-decorator]  # no types
def receive(payload: str | dict[str, Any]) -> str:
    """The door for gateways that speak Celery: a payload (contract 3.1) as text or as JSON object goes to the inbound
    stream; one that is too large goes to `whatsapp:rejected`.
    """
    text = payload.encode("utf-8", "replace") if isinstance(payload, str) else orjson.dumps(payload)
    streams = services().streams
    try:
        if len(text) > MAX_PAYLOAD_BYTES:
            streams.reject(text, f"payload: {len(text)} bytes, at most {MAX_PAYLOAD_BYTES} are allowed")
            return "rejected"
        streams.send(text)
    except RedisError as exc:
        # A failed task would be acknowledged and lost. After a pause, so as not to spin.
        log.warning("receive_postponed", error=type(exc).__name__)
        time.sleep(RECEIVE_PAUSE_S)
        send_again(payload)
        return "postponed"
    return "queued"


def send_again(payload: str | dict[str, Any]) -> None:
    """Puts a payload at the end of queue `inbound`, and waits until the broker has it. Rejects the task, which then
    stays in its queue, where the broker does not take it.

    A copy, not the message itself: RabbitMQ counts how often a message comes back, and throws it away after 20 times.
    """
    try:
        with app.connection_for_write(transport_options=CONFIRMED) as connection:
            connection.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT_S)
            receive.apply_async((payload,), connection=connection, argsrepr="masked", retry=False)
    except Exception as exc:  # noqa: BLE001  whatever a broker's client raises, the message must not be lost
        log.warning("receive_postponed", error=type(exc).__name__)
        raise Reject(type(exc).__name__, requeue=True) from None


@app.task(name="worker.cleanup_expired_sessions")  # type: ignore[untyped-decorator]  # celery ships no types
def cleanup_expired_sessions() -> int:
    """Deletes expired sessions in bounded batches until none is left; how many there were."""
    deleted = 0
    while count := retry.run(services().engine, queries.cleanup_expired_sessions):
        deleted += count
    note_run(services().redis, CLEANUP)
    log.info("sessions_cleaned", deleted=deleted)
    return deleted


@app.task(name="worker.apply_retention")  # type: ignore[untyped-decorator]  # celery ships no types
def apply_retention() -> int:
    """Erases what is older than RETENTION_DAYS in bounded batches until nothing is left; how many rows there were."""
    days = services().settings.retention_days
    erased = 0
    while count := retry.run(services().engine, lambda connection: queries.apply_retention(connection, days)):
        erased += count
    log.info("retention_applied", rows=erased)
    return erased


@app.task(name="worker.reconcile_budget")  # type: ignore[untyped-decorator]  # celery ships no types
def reconcile_budget() -> None:
    """Raises the books in Redis to what PostgreSQL has recorded, should they have fallen behind."""
    services().budget.seed()


@app.task(name="worker.probe_models")  # type: ignore[untyped-decorator]  # celery ships no types
def probe_models() -> int:
    """Asks each model as the service does, within a cent a day; how many were asked."""
    return len(services().prober.run())


@worker_ready.connect  # type: ignore[untyped-decorator]  # celery ships no types
def probe_at_start(sender: Any, **_: object) -> None:
    """A worker that takes calls of models begins with a look at them; of a fleet that starts together, one does."""
    takes = {queue.name for queue in sender.task_consumer.queues}
    if AI in takes and settings().ai_probe_every_s:
        probe_models.apply_async(expires=PROBE_EXPIRES_S)


@app.task(name="worker.trim_streams")  # type: ignore[untyped-decorator]  # celery ships no types
def trim_streams() -> int:
    """Drops outbound and rejected entries that are past their time; how many went."""
    return services().streams.trim()


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]  # celery ships no types
def send_traces(**_: object) -> None:
    """A process of the pool ends without running exit handlers."""
    tracing.flush()


class CeleryChain:
    """The chain as intake sees it: starts turns, and tells how many batches wait. Raises BrokerUnavailable."""

    def __init__(self, batch_max: int) -> None:
        self._batch_max = batch_max
        self._connection: Any = None

    def start(self, turns: Sequence[dict[str, Any]]) -> None:
        """Starts the chain for turns as the database functions return them. Swept turns run alone: one of them may be
        what killed the worker the last time.
        """
        fresh = [turn for turn in turns if not turn["swept"]]
        batches = [fresh[first : first + self._batch_max] for first in range(0, len(fresh), self._batch_max)]
        try:
            for batch in [*batches, *([turn] for turn in turns if turn["swept"])]:
                send(fetch_session, batch)
        except OperationalError as exc:
            raise BrokerUnavailable(type(exc).__name__) from exc

    def waiting(self) -> int:
        """Batches on queue `flow`, on whatever broker; over one connection that is kept."""
        try:
            if self._connection is None:
                self._connection = app.connection_for_read()
            self._connection.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT_S)
            return queued(FLOW, self._connection)
        except Exception as exc:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.release()
            raise BrokerUnavailable(type(exc).__name__) from exc
