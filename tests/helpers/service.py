"""The running service as its gateway and its operator see it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import IO, Any

import orjson
import redis
from sqlalchemy import Engine, text

from db import retry
from helpers.basics import EMPTY, GUARD_S, Servers
from helpers.forked import fork
from worker.catalog.price_list import import_products, read_products
from worker.devkit.demo import CATALOG, KEYS
from worker.devkit.gateway import Gateway
from worker.devkit.simulator import Simulator
from worker.redisdb.keys import OUTBOUND, REJECTED
from worker.runtime.environment import environment
from worker.runtime.readiness import is_ready
from worker.runtime.supervisor import LOOK_EVERY_S, Program, Supervisor, service_programs
from worker.settings import settings

#: Short times, so that what is lost comes back within a test; no probe is among the calls that a test counts.
#: No turn waits for its customer to be quiet, and nothing is made ahead, but where that is the subject.
SUITED = {
    "FLOW_LEASE_S": "3",
    "AI_DEADLINE_S": "5",
    "SWEEP_EVERY_S": "0.5",
    "AI_PROBE_EVERY_S": "0",
    "REPLY_QUIET_S": "0",
    "PRECACHE_DAILY_USD": "0",
}
#: Two where a test kills one, or counts them.
FLOW_PROCESSES = 2


def service_environment(servers: Servers, given: Mapping[str, str | None]) -> dict[str, str | None]:
    """The environment of the service on these servers. given: where its providers are, at least."""
    unset = dict.fromkeys(("CACHE_REDIS_URL", "BROKER_URL", "PROVIDERS_FILE", "SHOP_FILE"))
    urls = {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url, "LOG_FORMAT": "json"}
    return unset | urls | dict.fromkeys(KEYS, "sk-test-0123456789abcdef") | SUITED | dict(given)


class QuickSupervisor(Supervisor):
    """Supervisor whose programs are forks of a process that has loaded them (`helpers.forking`).

    Programs that Python starts anew are the subject of test_start and test_commands.
    """

    def _launch(self, program: Program) -> Any:
        output = self._output.fileno() if self._output else 1
        with Path(os.devnull).open("rb") as nothing:
            return fork(program.argv[2], program.argv[3:], Path.cwd(), os.environ, nothing.fileno(), output, output)


@contextmanager
def running(programs: Sequence[Program], output: IO[bytes] | None = None) -> Iterator[Supervisor]:
    """Runs the programs under a supervisor for the length of the block."""
    supervisor = QuickSupervisor(programs, output)
    try:
        yield supervisor
    finally:
        supervisor.stop()


@contextmanager
def service_processes(
    servers: Servers, directory: Path, given: Mapping[str, str | None], flow_processes: int = 1
) -> Iterator[tuple[Supervisor, Path]]:
    """The processes of the service, ready to work, and their log. given: where its providers are, at least."""
    log = directory / "service.log"
    with (
        environment(service_environment(servers, given)),
        log.open("wb") as output,
        running(service_programs(directory, flow_processes), output) as supervisor,
    ):
        wait_until_ready(log)
        yield supervisor, log


def wait_until_ready(log: Path) -> None:
    """Returns when the service of this environment works."""
    deadline = time.monotonic() + GUARD_S
    while not is_ready(settings()):
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        # As `chasqui up` does: a look costs a connection each, which the processes that start would have to wait for.
        time.sleep(LOOK_EVERY_S)


@contextmanager
def supervised(supervisor: Supervisor) -> Iterator[None]:
    """Starts children again that die, as `chasqui up` does; at the end of the block all of them live."""
    stop = Event()

    def look_after_children() -> None:
        while not (stop.wait(0.1) and all(child.process.poll() is None for child in supervisor.children)):
            supervisor.restart_dead()

    # One thread for the length of the block: a child gets SIGTERM when the thread that started it ends.
    keeper = Thread(target=look_after_children)
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        keeper.join()


def begin_anew(servers: Servers, engine: Engine, client: redis.Redis) -> None:
    """An empty database with a fresh catalogue, empty streams and caches, and closed circuits, under the feet of the
    service.
    """
    # The service goes on working, so emptying may cross one of its transactions.
    retry.run(engine, lambda connection: connection.execute(EMPTY))
    import_products(servers.database_url, read_products(CATALOG), lambda _rows: None)
    for stream in (OUTBOUND, REJECTED):
        client.xtrim(stream.pattern, maxlen=0, approximate=False)
    forget(client, "ai_response:*", "ai_circuit:*", "flight:*", "session:*", "product_search:*", "categories:*")
    # A process that another test killed in a call settles it no more: its reservation would stay for minutes.
    forget(client, "budget:reserved")


def forget(client: redis.Redis, *patterns: str) -> None:
    """Deletes all keys of these patterns."""
    for pattern in patterns:
        for key in client.scan_iter(pattern):
            client.delete(key)


@dataclass(slots=True)
class Conversation:
    """What a gateway, and whoever may look into the servers, sees of the running service."""

    engine: Engine
    redis: redis.Redis
    log: Path
    gateway: Gateway
    replies: list[dict[str, Any]] = field(default_factory=list)
    rejections: list[dict[str, str]] = field(default_factory=list)

    def wait_until(self, condition: Callable[[], bool], timeout_s: float = GUARD_S) -> None:
        """Collects replies and refusals until the condition holds; fails after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"{len(self.replies)} replies; log:\n{self.log.read_text()[-3000:]}"
            self.collect(0.05)

    def collect(self, seconds: float) -> None:
        """Takes in what appears within this time."""
        for seen in self.gateway.follow(seconds):
            if seen.stream == OUTBOUND.pattern:
                self.replies.append(seen.reply)
            elif seen.stream == REJECTED.pattern:
                self.rejections.append(seen.fields)

    def answered(self) -> list[str]:
        """Message ids in the order in which their replies came."""
        return [message_id for reply in self.replies for message_id in reply["in_reply_to"]]

    def sql(self, statement: str, **values: object) -> list[Any]:
        """Rows of a query."""
        with self.engine.connect() as connection:
            return list(connection.execute(text(statement), values))


@dataclass(slots=True, kw_only=True)
class Service(Conversation):
    """The same with a hand on its processes and on its simulated providers."""

    supervisor: Supervisor
    simulator: Simulator


def webhook(*messages: dict[str, Any]) -> str:
    """A webhook body in Meta's shape."""
    value = {"messaging_product": "whatsapp", "contacts": [], "messages": list(messages)}
    entry = {"id": "1", "changes": [{"field": "messages", "value": value}]}
    return orjson.dumps({"object": "whatsapp_business_account", "entry": [entry]}).decode()


def says(message_id: str, phone: str, body: str) -> dict[str, Any]:
    """A text message in Meta's shape."""
    return {"id": message_id, "from": phone, "timestamp": str(int(time.time())), "type": "text", "text": {"body": body}}
