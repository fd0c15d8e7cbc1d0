"""Chasqui as a contender: the whole service with its own settings, spoken to through its two streams alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Final

from bench.crowd import Crowd, Written
from bench.gateway import BenchGateway, Look, Played
from bench.runs import Run, measured
from bench.stage import START_TIMEOUT_S, Stage
from worker.errors import CommandError
from worker.redisdb.connect import DURABLE_TIMEOUT_S, connect_redis
from worker.runtime.embedded.processes import wait_until
from worker.runtime.readiness import is_ready
from worker.runtime.supervisor import Program, Supervisor, service_programs

#: Messages that occupy every provider call while they hang.
HANGING: Final = 64
#: Real providers: what a miss takes in the measured runs, and what it takes where nothing is measured.
LATENCY_MS: Final = (150.0, 400.0)
AT_ONCE_MS: Final = (0.0, 5.0)


class Service:
    """The running service, its gateway, and its simulated providers."""

    def __init__(self, stage: Stage, supervisor: Supervisor, gateway: BenchGateway) -> None:
        self.stage = stage
        self.supervisor = supervisor
        self.gateway = gateway

    def play(self, messages: Sequence[Written], look: Look) -> Run:
        """All messages, from the first XADD to the last reply, with providers as slow as real ones."""
        self.stage.simulate(mode="ok", latency_ms=LATENCY_MS)
        return measured(self.stage, self.supervisor, lambda: self.gateway.play(messages, look))

    def prepare(self, messages: Sequence[Written], look: Look) -> Played:
        """The same with quick providers: fills the caches."""
        self.stage.simulate(mode="ok", latency_ms=AT_ONCE_MS)
        return self.gateway.play(messages, look)

    def answered_from_cache(self, crowd: Crowd, texts: Sequence[str], look: Look) -> list[str]:
        """Those of the texts that get a reply made for somebody else: asked twice, the second time by others."""
        self.prepare(crowd.each_once(texts), look)
        again = crowd.each_once(texts)
        cached = self.prepare(again, look).cached
        return [message.text for message in again if message.id in cached]

    @contextmanager
    def hanging(self, crowd: Crowd) -> Iterator[None]:
        """While the block lasts, no provider answers, and there are questions for them."""
        self.stage.simulate(mode="hang", latency_ms=(0.0, 0.0))
        self.gateway.send(crowd.never_asked(HANGING))
        try:
            yield
        finally:
            self.stage.simulate(mode="ok", latency_ms=AT_ONCE_MS)


@contextmanager
def open_service(stage: Stage, processes: int) -> Iterator[Service]:
    """The service with that many processes for the chain, ready. Raises CommandError where it is not within 60 s."""
    with open_programs(stage, service_programs(stage.directory, processes)) as service:
        yield service


@contextmanager
def open_programs(stage: Stage, programs: Sequence[Program]) -> Iterator[Service]:
    """The same with these programs."""
    with (
        stage.playing(programs) as supervisor,
        closing(connect_redis(stage.configured.required("redis_url"), DURABLE_TIMEOUT_S)) as client,
    ):
        if not wait_until(lambda: is_ready(stage.configured), START_TIMEOUT_S):
            raise CommandError(f"the service is not ready after {START_TIMEOUT_S:.0f} s: {stage.end_of_log()}")
        yield Service(stage, supervisor, BenchGateway(client))
