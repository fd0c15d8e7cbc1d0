"""The service spread over hosts of a network: PostgreSQL and Redis on one, all processes of ours on each of two others,
and customers who write from a fourth.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import redis
from celery import Celery
from redis.exceptions import RedisError
from sqlalchemy import Engine, text

from db import migrations
from db.engine import make_engine
from db.locks import ADVISORY, INTAKE_LOCK
from helpers.basics import REPOSITORY
from helpers.hosts import Host, hosts
from helpers.postgres_pair import DATABASE, USER, Member
from helpers.redis_group import PASSWORD, running
from helpers.service import says, webhook
from worker.catalog.price_list import import_products, read_products
from worker.celery_ext.broker import broker_of
from worker.devkit.demo import CATALOG, KEYS
from worker.devkit.gateway import Gateway
from worker.devkit.simulator import Simulator
from worker.redisdb.connect import connect_redis
from worker.runtime.embedded.processes import own_directory, wait_until
from worker.settings import read_settings

POSTGRES_PORT, REDIS_PORT = 5432, 6379
APPLICATIONS = ("app1", "app2")
#: No multiple of 3: who writes the same words every time is taken for a machine.
CUSTOMERS, EVERY_S = 31, 0.1
START_TIMEOUT_S = 90.0
ACTIVE = f"""select host(client_addr) from pg_stat_activity join pg_locks using (pid)
    where {ADVISORY} and objid = {INTAKE_LOCK} and granted"""
#: Of production, times included; nobody here uses up his calls of an hour.
SETTINGS = {
    "AI_CALLS_PER_CUSTOMER_HOUR": "1000000",
    "REPLIES_PER_CUSTOMER_HOUR": "1000000",
    "AI_PROBE_EVERY_S": "0",
    "LOG_FORMAT": "json",
}


@dataclass(slots=True)
class Servers:
    """PostgreSQL and Redis on a host, and their URLs."""

    host: Host
    postgres: Member

    @property
    def urls(self) -> dict[str, str]:
        """As the environment names them."""
        place = self.host.address
        return {
            "DATABASE_URL": f"postgresql://{USER}:{PASSWORD}@{place}:{POSTGRES_PORT}/{DATABASE}",
            "REDIS_URL": f"redis://:{PASSWORD}@{place}:{REDIS_PORT}/0",
        }


@contextmanager
def servers_on(host: Host, directory: Path) -> Iterator[Servers]:
    """Both servers, set to nothing but where they listen: what else they do is what they do by themselves."""
    own_directory(home := directory / "postgres")
    postgres = Member("one", home, POSTGRES_PORT, host=host.address)
    lines = ("bind 0.0.0.0", f"port {REDIS_PORT}", f"requirepass {PASSWORD}", "appendonly yes")
    with host.entered():
        postgres.create(f"{host.address}/24")
        postgres.start()
        postgres.ask(f"create database {DATABASE}", "postgres")
        with running(directory, "redis", lines):
            yield Servers(host, postgres)
    postgres.kill()


@dataclass(slots=True)
class Conversations:
    """Customers who write without a pause, each message under an id of its own, and what they are answered."""

    client: redis.Redis
    follower: redis.Redis
    sent: dict[str, float] = field(default_factory=dict)
    replies: dict[str, tuple[float, dict[str, Any]]] = field(default_factory=dict)
    _stop: Event = field(default_factory=Event)

    def write(self) -> None:
        """Writes until stopped: what a cache answers, and what needs a model."""
        gateway = Gateway(self.client)
        while not self._stop.wait(EVERY_S):
            number = len(self.sent)
            words = "hola" if number % 3 else f"hola {number}"
            message_id = f"wamid.{number:06}"
            began = time.monotonic()
            if self._added(gateway, webhook(says(message_id, f"54911200{number % CUSTOMERS:05}", words))):
                self.sent[message_id] = began

    def _added(self, gateway: Gateway, payload: str) -> bool:
        """Sends the same again until Redis has it; a message that came twice is known by its id."""
        while not self._stop.is_set():
            try:
                gateway.send(payload)
            except RedisError:
                time.sleep(0.1)
            else:
                return True
        return False

    def read(self) -> None:
        """Reads replies until stopped; one that comes again under its id is the same."""
        gateway = Gateway(self.follower)
        while not self._stop.is_set():
            try:
                for seen in gateway.follow(0.2):
                    if "payload" in seen.fields and "reply_id" in seen.reply:
                        self.replies.setdefault(seen.reply["reply_id"], (time.monotonic(), seen.reply))
            except RedisError:
                time.sleep(0.1)

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Customers write, and are answered, for the length of the block."""
        threads = [Thread(target=self.read), Thread(target=self.write)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def answered(self) -> dict[str, float]:
        """When each message was answered first."""
        found: dict[str, float] = {}
        for at, reply in list(self.replies.values()):
            for message_id in reply["in_reply_to"]:
                found.setdefault(message_id, at)
        return found


@dataclass(slots=True)
class Spread:
    """The running service: its hosts by name, and what is needed to see and to mend it."""

    network: dict[str, Host]
    servers: Servers
    conversations: Conversations
    engine: Engine
    directory: Path
    variables: dict[str, dict[str, str]]

    def start(self, name: str) -> None:
        """Starts all processes of ours on a host, as its operator does."""
        home = self.directory / name
        home.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "worker", "up", "--concurrency", "1"]
        self.network[name].start(command, home, self.variables[name], self.log(name))

    def log(self, name: str) -> Path:
        """What the processes of a host have said."""
        return self.directory / f"{name}.log"

    def active(self) -> str:
        """The host whose intake is active; empty where none is."""
        with self.engine.connect() as connection:
            found = set(connection.execute(text(ACTIVE)).scalars())
        assert len(found) < 2, found
        return next((name for name in APPLICATIONS if self.network[name].address in found), "")

    def working(self) -> set[str]:
        """Workers that answer, as role@host."""
        broker = broker_of(read_settings(self.servers.urls))
        with Celery(broker=broker.url, set_as_current=False) as operator:
            operator.conf.update(broker_transport_options=broker.options)
            return {name for answer in operator.control.ping(timeout=1.0) for name in answer}

    def wait_until_whole(self) -> None:
        """Returns when both hosts do their work, and an intake is active."""
        expected = {f"{role}@{name}" for name in APPLICATIONS for role in ("flow", "ai")}

        def are_there() -> bool:
            return bool(self.active()) and expected <= self.working()

        assert wait_until(are_there, START_TIMEOUT_S), self.last_words()

    def wait_until_settled(self) -> None:
        """Returns when every message that was sent before is answered."""
        before = set(self.conversations.sent)
        assert wait_until(lambda: before <= self.conversations.answered().keys(), START_TIMEOUT_S), self.last_words()

    def last_words(self) -> str:
        """The end of both logs."""
        return "\n".join(f"{name}:\n{self.log(name).read_text()[-3000:]}" for name in APPLICATIONS)


@contextmanager
def spread_service(directory: Path, clocks: dict[str, dict[str, str]]) -> Iterator[Spread]:
    """The service as above, whole and with customers writing. clocks: variables that set a host's clock wrong."""
    with ExitStack() as stack:
        network = stack.enter_context(hosts(*APPLICATIONS, "servers", "gateway"))
        servers = stack.enter_context(servers_on(network["servers"], directory))
        stack.enter_context(network["gateway"].entered())
        providers = Simulator()
        # It listens to its own machine alone; here it is the providers' machine, too.
        providers.server_address = (network["gateway"].address, 0)
        stack.enter_context(providers)
        url = servers.urls["DATABASE_URL"]
        migrations.upgrade(url)
        import_products(url, read_products(CATALOG), lambda _rows: None)
        clients = [stack.enter_context(connect_redis(servers.urls["REDIS_URL"], 5.0)) for _ in range(2)]
        engine = make_engine(url)
        stack.callback(engine.dispose)
        base = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "HOME": str(directory), "LC_ALL": "C.UTF-8"}
        base |= dict.fromkeys(KEYS, "sk-test-0123456789abcdef") | SETTINGS | servers.urls
        place = network["gateway"].address
        base |= {name: address.replace("127.0.0.1", place) for name, address in providers.base_urls.items()}
        variables = {name: base | clocks.get(name, {}) for name in APPLICATIONS}
        found = Spread(network, servers, Conversations(*clients), engine, directory, variables)
        for name in APPLICATIONS:
            found.start(name)
        found.wait_until_whole()
        with found.conversations.flowing():
            yield found
