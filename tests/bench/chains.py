"""The two contenders that are Celery chains of one message: the empty one, and the seed's flow written plainly."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any, Final

import orjson
from celery import Celery
from sqlalchemy import text

from bench import empty_chain, plain
from bench.crowd import Written
from bench.gateway import LOOK_EVERY_S, PAUSE_S, SILENCE_S, BenchGateway, Look, Played
from bench.runs import Run, measured
from bench.stage import BROKER, START_TIMEOUT_S, Stage
from worker.errors import CommandError
from worker.redisdb.connect import DURABLE_TIMEOUT_S, connect_redis
from worker.runtime.embedded.processes import wait_until
from worker.runtime.environment import environment
from worker.runtime.supervisor import Program, Supervisor

#: Databases of the Redis server: each contender has a broker of its own kind, and none sees the others' keys.
EMPTY_DATABASE, PLAIN_DATABASE = 1, 2
PING_TIMEOUT_S: Final = 0.5
#: A look at the file of ends, where one chain at a time is watched.
WATCH_EVERY_S: Final = 0.001
#: Celery's name for where results go; by itself it keeps none.
BACKEND = "CELERY_RESULT_BACKEND"
#: What usual advice says: fewer messages between workers, more tasks fetched ahead.
TUNED: Final = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--prefetch-multiplier", "32")
DECISION: Final = {
    "intent": "search_product",
    "confidence": 0.9,
    "entities": {},
    "reply": "Tenemos varias opciones. ¿Cuál querés?",
    "quick_replies": [],
    "requires_human": False,
    "next_state": None,
    "cart_operations": [],
}
Texts = Sequence[str]


@contextmanager
def _worker(stage: Stage, app: Celery, module: str, database: int, options: Sequence[str]) -> Iterator[Supervisor]:
    """A Celery worker of this module, ready to work."""
    command = (sys.executable, "-m", "celery", "-A", module, "worker", "-n", f"{app.main}@%h", *options)
    with environment({BROKER: stage.redis_url(database)}), stage.playing([Program("worker", command)]) as supervisor:
        if not wait_until(lambda: bool(app.control.ping(timeout=PING_TIMEOUT_S)), START_TIMEOUT_S):
            raise CommandError(f"{module}: the worker does not answer: {stage.end_of_log()}")
        yield supervisor


class EmptyChain:
    """Chains of four tasks that do nothing."""

    def __init__(self, stage: Stage, supervisor: Supervisor) -> None:
        self._stage = stage
        self._supervisor = supervisor

    def play(self, count: int) -> Run:
        """`count` chains, from the first being sent to the last one's end."""
        return measured(self._stage, self._supervisor, lambda: self._played(count))

    def one_by_one(self, count: int, rng: Random) -> list[float]:
        """Milliseconds from sending a chain to its end, one at a time."""
        return [self._once(rng) for _ in range(count)]

    def _played(self, count: int) -> Played:
        ends, began = self._ends(), time.monotonic()
        canvas = empty_chain.empty_chain(ends)
        for _ in range(count):
            canvas.apply_async()
        _wait_for(ends, count, LOOK_EVERY_S)
        ended = empty_chain.read_ends(ends)
        replied = {str(number): round(end * 1_000) for number, end in enumerate(ended)}
        return Played(replied_ms=replied, took_s=max(ended) - began)

    def _once(self, rng: Random) -> float:
        time.sleep(rng.uniform(*PAUSE_S))
        ends = self._ends()
        canvas, began = empty_chain.empty_chain(ends), time.monotonic()
        canvas.apply_async()
        _wait_for(ends, 1, WATCH_EVERY_S)
        return (empty_chain.read_ends(ends)[0] - began) * 1_000

    def _ends(self) -> Path:
        """A file of its own for every run."""
        handle, name = tempfile.mkstemp(prefix="ends-", dir=self._stage.directory)
        os.close(handle)
        return Path(name)


def _wait_for(ends: Path, count: int, every_s: float) -> None:
    """Until so many chains have ended. CommandError where none has for 60 s."""
    ended, heard = 0, time.monotonic()
    while ended < count:
        time.sleep(every_s)
        now = ends.stat().st_size // empty_chain.END.size
        if now > ended:
            ended, heard = now, time.monotonic()
        elif time.monotonic() - heard > SILENCE_S:
            raise CommandError(f"{count - ended} empty chains have not ended")


@contextmanager
def open_empty_chain(
    stage: Stage, processes: int, options: Sequence[str] = (), *, results: bool = False
) -> Iterator[EmptyChain]:
    """A worker of that many processes for empty chains, on Celery's own settings where there are no options. results:
    it keeps the result of every task in Redis, which nobody asks for.
    """
    options = ("-c", str(processes), *options)
    backend = stage.redis_url(EMPTY_DATABASE) if results else None
    with (
        environment({BACKEND: backend}),
        _worker(stage, empty_chain.app, "bench.empty_chain", EMPTY_DATABASE, options) as supervisor,
    ):
        yield EmptyChain(stage, supervisor)


class PlainFlow:
    """The seed's flow."""

    def __init__(self, stage: Stage, supervisor: Supervisor, client: Any) -> None:
        self._stage = stage
        self._supervisor = supervisor
        self._gateway = BenchGateway(client, self._send)
        self._client = client

    def remember(self, texts: Texts) -> None:
        """Puts replies to these texts into its cache, as if others had asked before."""
        decision = orjson.dumps(DECISION)
        pipeline = self._client.pipeline(transaction=False)
        for said in texts:
            pipeline.set(plain.reply_key(said), decision, ex=plain.REPLY_TTL_S)
        pipeline.execute()

    def play(self, messages: Sequence[Written], look: Look) -> Run:
        """All messages, from the first being sent to the last reply."""
        return measured(self._stage, self._supervisor, lambda: self._gateway.play(messages, look))

    @staticmethod
    def _send(messages: Sequence[Written]) -> list[int]:
        sent_ms = []
        for message in messages:
            now_s = time.time()
            told = {"id": message.id, "from": message.customer, "text": message.text, "sent_at_s": now_s}
            plain.plain_chain(told).apply_async()
            sent_ms.append(round(now_s * 1_000))
        return sent_ms


@contextmanager
def open_plain(stage: Stage, processes: int) -> Iterator[PlainFlow]:
    """A worker of that many processes for the seed's flow, on tables of its own."""
    with stage.connection.begin():
        stage.connection.execute(text(Path(__file__).with_name("plain.sql").read_text("utf-8")))
    options = ("-c", str(processes))
    with (
        _worker(stage, plain.app, "bench.plain", PLAIN_DATABASE, options) as supervisor,
        closing(connect_redis(stage.redis_url(PLAIN_DATABASE), DURABLE_TIMEOUT_S)) as client,
    ):
        yield PlainFlow(stage, supervisor, client)
