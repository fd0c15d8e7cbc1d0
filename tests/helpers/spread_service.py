"""The service spread over hosts of a network: PostgreSQL and Redis on one, all processes of ours on each of two others,
and customers who write from a fourth.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import redis
from celery import Celery
from redis.exceptions import RedisError
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from db import migrations
from db.engine import make_engine
from db.locks import ADVISORY, INTAKE_LOCK
from helpers.basics import REPOSITORY
from helpers.hosts import Host, hosts
from helpers.service import says, webhook
from helpers.spread_servers import postgres_on, redis_on, sentinels_on
from worker.catalog.price_list import import_products, read_products
from worker.celery_ext.broker import broker_of
from worker.devkit.demo import CATALOG, KEYS
from worker.devkit.gateway import Gateway
from worker.devkit.simulator import Simulator
from worker.redisdb.connect import connect_durable
from worker.redisdb.keys import INBOUND
from worker.runtime.embedded.processes import wait_until
from worker.settings import read_settings

APPLICATIONS = ("app1", "app2")
#: No multiple of 3: who writes the same words every time is taken for a machine.
CUSTOMERS, EVERY_S = 31, 0.1
START_TIMEOUT_S = 180.0
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
class Conversations:
    """Customers who write without a pause, each message under an id of its own, and what they are answered."""

    client: redis.Redis
    follower: redis.Redis
    replicas: int = 0
    sent: dict[str, float] = field(default_factory=dict)
    replies: dict[str, tuple[float, dict[str, Any]]] = field(default_factory=dict)
    _stop: Event = field(default_factory=Event)

    def write(self) -> None:
        """Writes until stopped: what a cache answers, and what needs a model."""
        while not self._stop.wait(EVERY_S):
            number = len(self.sent)
            words = "hola" if number % 3 else f"hola {number}"
            message_id = f"wamid.{number:06}"
            began = time.monotonic()
            if self._added(webhook(says(message_id, f"54911200{number % CUSTOMERS:05}", words))):
                self.sent[message_id] = began

    def _added(self, payload: str) -> bool:
        """Sends the same again until Redis has it, and a replica where there are any; what came twice is known by its
        id.
        """
        while not self._stop.is_set():
            with suppress(RedisError), self.client.pipeline(transaction=False) as pipeline:
                pipeline.xadd(INBOUND.pattern, {"payload": payload})
                pipeline.wait(min(self.replicas, 1), 1_000)
                if pipeline.execute()[1] or not self.replicas:
                    return True
            time.sleep(0.1)
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
    settings: dict[str, str]
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
        """The host whose intake is active; empty where none is, or nobody says so."""
        try:
            with self.engine.connect() as connection:
                found = set(connection.execute(text(ACTIVE)).scalars())
        except SQLAlchemyError:
            # What has lain idle in our own pool while the servers were away.
            return ""
        assert len(found) < 2, found
        return next((name for name in APPLICATIONS if self.network[name].address in found), "")

    def working(self) -> set[str]:
        """Workers that answer, as role@host."""
        broker = broker_of(read_settings(self.settings))
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
def spread_service(
    directory: Path, clocks: Mapping[str, Mapping[str, str]], members: Sequence[str] = ()
) -> Iterator[Spread]:
    """The service as above, whole and with customers writing.

    Args:
        clocks: variables that set a host's clock wrong.
        members: hosts of Redis under Sentinels; without, it is one, beside PostgreSQL.
    """
    with ExitStack() as stack:
        network = stack.enter_context(hosts(*APPLICATIONS, "servers", "gateway", *members))
        settings = stack.enter_context(postgres_on(network["servers"], directory))
        trio = [network[name] for name in members]
        found = sentinels_on(trio, directory) if trio else redis_on(network["servers"], directory)
        settings |= stack.enter_context(found)
        stack.enter_context(network["gateway"].entered())
        providers = Simulator()
        # It listens to its own machine alone; here it is the providers' machine, too.
        providers.server_address = (network["gateway"].address, 0)
        stack.enter_context(providers)
        url = settings["DATABASE_URL"]
        migrations.upgrade(url)
        import_products(url, read_products(CATALOG), lambda _rows: None)
        clients = [stack.enter_context(connect_durable(read_settings(settings))) for _ in range(2)]
        engine = make_engine(url)
        stack.callback(engine.dispose)
        base = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "HOME": str(directory), "LC_ALL": "C.UTF-8"}
        base |= dict.fromkeys(KEYS, "sk-test-0123456789abcdef") | SETTINGS | settings
        place = network["gateway"].address
        base |= {name: address.replace("127.0.0.1", place) for name, address in providers.base_urls.items()}
        variables = {name: base | clocks.get(name, {}) for name in APPLICATIONS}
        spread = Spread(
            network, settings, Conversations(*clients, replicas=max(len(members) - 1, 0)), engine, directory, variables
        )
        for name in APPLICATIONS:
            spread.start(name)
        spread.wait_until_whole()
        with spread.conversations.flowing():
            yield spread
