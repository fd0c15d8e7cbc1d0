"""A town: servers of its own and the whole service as real processes, each of which can be broken from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any, Final

import psutil
import requests
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Engine

from db.engine import make_engine
from faults.clock import set_shift
from faults.furnishing import furnish
from faults.points import Switches
from faults.programs import (
    LIMITS,
    PAIRS,
    PROCESSES,
    SETTINGS,
    TIMES,
    environment,
    keys,
    port_of,
    simulator,
    town_programs,
    write_spec,
)
from faults.proxy import Exchange, Proxy
from worker.redisdb.connect import connect_cache, connect_durable
from worker.runtime.embedded.postgres import Postgres
from worker.runtime.embedded.processes import RunningServer, wait_until
from worker.runtime.embedded.redis import Redis as RedisServer
from worker.runtime.embedded.server import HOST, free_port
from worker.runtime.embedded.servers import embedded_servers, start
from worker.runtime.readiness import is_ready
from worker.runtime.supervisor import Child, Supervisor, running
from worker.settings import Settings, read_settings

START_TIMEOUT_S: Final = 60.0
LOOK_EVERY_S: Final = 0.1
CALL_TIMEOUT_S: Final = 5.0
#: Longer than Redis is ever blocked here.
REDIS_TIMEOUT_S: Final = 30.0
#: So slow that there is always something under way, so quick that there is not too much.
LATENCY_MS: Final = (30, 250)


@dataclass(slots=True)
class Town:
    """A running town. direct: settings that reach the servers without a proxy; links: proxies by process and server;
    without them its servers are somebody else's, and `server` and `append_only_file` are not for it.
    """

    directory: Path
    direct: Settings
    supervisor: Supervisor
    switches: Switches
    links: Mapping[tuple[str, str], Proxy]
    engine: Engine
    redis: Redis
    cache: Redis
    control_url: str
    log: Path
    _pairs: list[tuple[str, str]] = field(default_factory=list)

    def next_pair(self, rng: Random) -> tuple[str, str]:
        """A process and a server it talks to: every pair once before any comes again."""
        if not self._pairs:
            self._pairs = sorted(self.links)
            rng.shuffle(self._pairs)
        return self._pairs.pop()

    def child(self, name: str) -> Child:
        """The child of this name as it is now."""
        return next(child for child in self.supervisor.children if child.program.name == name)

    def forked(self, name: str) -> list[psutil.Process]:
        """What a child has forked: the processes of a worker's pool."""
        try:
            return psutil.Process(self.child(name).process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def is_ready(self) -> bool:
        """Whether the service does its work."""
        try:
            return is_ready(self.direct)
        except RedisError:
            return False

    def shift_clock(self, name: str, seconds: float) -> None:
        """Sets the wall clock of a process ahead."""
        set_shift(self.directory / f"{name}.clock", seconds)

    def providers(self, **behaviour: Any) -> dict[str, Any]:
        """Changes the behaviour of all providers (`Behaviour`); what they have counted, by provider."""
        answer = requests.post(self.control_url, json=behaviour, timeout=CALL_TIMEOUT_S)
        answer.raise_for_status()
        return dict(answer.json())

    def calls(self) -> int:
        """Completion calls that the providers have taken."""
        return sum(counted["calls"] for counted in self.providers().values())

    def server(self, name: str) -> RunningServer:
        """One of the three servers, started where it is not running."""
        return starters(self.directory)[name]()

    def append_only_file(self) -> Path:
        """What the durable Redis appends to: one file, or from Redis 7 on the newest of several."""
        home = self.directory / "redis"
        return max(
            (*home.glob("appendonly.aof"), *home.glob("appendonlydir/*.incr.aof")), key=lambda f: f.stat().st_mtime
        )

    def restart_processes(self) -> None:
        """Kills the whole service, which is then started anew; waits until it is ready or a minute has passed."""
        for name in PROCESSES:
            self.child(name).process.kill()
        wait_until(self.is_ready, START_TIMEOUT_S)

    def close_circuits(self) -> None:
        """Forgets what faults at the providers' door have left in the breakers."""
        for key in self.redis.scan_iter("ai_circuit:*"):
            self.redis.delete(key)


def starters(directory: Path) -> dict[str, Callable[[], RunningServer]]:
    """How each server is started, or found where it runs."""
    return {
        "postgres": lambda: start(Postgres, directory),
        "redis": lambda: start(RedisServer, directory),
        "cache": lambda: start(RedisServer, directory / "cache"),
    }


@contextmanager
def open_town(directory: Path, seed: int) -> Iterator[Town]:
    """A town that is ready, under `directory`, which exists. Touches no server and no variable of the environment.
    Afterwards no process of it is left. Raises AssertionError where it is not ready within 60 s.
    """
    directory = directory.resolve()
    with ExitStack() as stack:
        servers = stack.enter_context(embedded_servers(directory))
        cache = stack.enter_context(embedded_servers(directory / "cache", postgres=False))
        urls = {"postgres": servers.database_url, "redis": servers.redis_url, "cache": cache.redis_url}
        found = {name: str(url) for name, url in urls.items()}
        exchange, port = stack.enter_context(Exchange()), free_port()
        targets = {server: port_of(url) for server, url in found.items()} | {"providers": port}
        links = {(name, server): exchange.proxy(free_port(), targets[server]) for name, server in PAIRS}
        ports = {pair: link.port for pair, link in links.items()}
        led = {name: environment(name, found, ports) for name in PROCESSES}
        direct = {SETTINGS[server]: url for server, url in found.items()}
        yield from _with_processes(stack, Plot(directory, seed, port, direct, led, links))


@contextmanager
def open_town_on(directory: Path, seed: int, given: Mapping[str, str]) -> Iterator[Town]:
    """The same on servers that run already, to which all processes are led by these settings, without a proxy."""
    with ExitStack() as stack:
        port = free_port()
        led = {name: {**given, **keys(port), **TIMES, **LIMITS} for name in PROCESSES}
        yield from _with_processes(stack, Plot(directory.resolve(), seed, port, given, led, {}))


@dataclass(frozen=True, slots=True)
class Plot:
    """What a town is built on. port: of the providers; direct: settings that reach the servers; led: the environment of
    each process.
    """

    directory: Path
    seed: int
    port: int
    direct: Mapping[str, str]
    led: Mapping[str, Mapping[str, str]]
    links: Mapping[tuple[str, str], Proxy]


def _with_processes(stack: ExitStack, plot: Plot) -> Iterator[Town]:
    directory = plot.directory
    furnish(plot.direct["DATABASE_URL"])
    switches = directory / "switches"
    switches.mkdir()
    for name in PROCESSES:
        set_shift(directory / f"{name}.clock", 0.0)
        write_spec(directory, name, plot.led[name])
    log = directory / "service.log"
    output = stack.enter_context(log.open("ab"))
    programs = [simulator(plot.port, plot.seed), *town_programs(directory)]
    supervisor = stack.enter_context(running(programs, output))
    engine = make_engine(plot.direct["DATABASE_URL"], pool_size=4)
    stack.callback(engine.dispose)
    direct = read_settings({**plot.direct, **keys(plot.port), **TIMES})
    durable, cache = connect_durable(direct, REDIS_TIMEOUT_S), connect_cache(direct, REDIS_TIMEOUT_S)
    stack.callback(durable.close)
    stack.callback(cache.close)
    control = f"http://{HOST}:{plot.port}/control"
    town = Town(directory, direct, supervisor, Switches(switches), plot.links, engine, durable, cache, control, log)
    stack.enter_context(_looked_after(supervisor))
    assert wait_until(lambda: _obeys(town) and town.is_ready(), START_TIMEOUT_S), log.read_text(errors="replace")[
        -4000:
    ]
    yield town


def _obeys(town: Town) -> bool:
    try:
        town.providers(latency_ms=LATENCY_MS)
    except requests.ConnectionError:
        return False
    return True


@contextmanager
def _looked_after(supervisor: Supervisor) -> Iterator[None]:
    """What `chasqui up` does all the time: dead children are started again."""
    stop = Event()

    def look() -> None:
        while not stop.wait(LOOK_EVERY_S):
            supervisor.restart_dead()

    keeper = Thread(target=look, name="keeper")
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        keeper.join()
