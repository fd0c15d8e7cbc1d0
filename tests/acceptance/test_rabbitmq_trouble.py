"""The service on a RabbitMQ that takes nothing for a while, or holds a step for lost: nothing is lost or doubled."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import pytest
from helpers.basics import Servers
from helpers.rabbit import Rabbit, needs_rabbitmq, rabbitmq
from helpers.service import Conversation, begin_anew, says, service_processes, supervised, webhook
from kombu import Connection
from sqlalchemy import Engine

from worker.devkit.gateway import Gateway
from worker.devkit.simulator import Simulator
from worker.redisdb.connect import connect_redis
from worker.runtime.embedded.processes import wait_until

pytestmark = [needs_rabbitmq, pytest.mark.long]
#: RabbitMQ's limit for what is taken and not acknowledged (30 minutes by itself), and how often it looks.
CONSUMER_TIMEOUT_MS, LOOK_EVERY_MS = 1_500, 500
#: Longer than that, and than RabbitMQ needs to see it.
STEP_MS = 6_000
ALARM_S, CUSTOMERS, EVERY_S = 6.0, 60, 0.1
TOO_LATE = "timed out waiting for delivery acknowledgement"
QUESTION = "que conviene para {}, manteca o queso?"


@dataclass(frozen=True, slots=True)
class Shop:
    """A service on a RabbitMQ of its own."""

    rabbit: Rabbit
    simulator: Simulator
    conversation: Conversation

    def say(self, number: int, text: str) -> str:
        """A customer of this number writes; returns the message's id."""
        message_id = f"wamid.rabbit.{number}"
        self.conversation.gateway.send(webhook(says(message_id, f"54911333{number:05}", text)))
        return message_id

    def answers_once(self, sent: list[str]) -> None:
        """Waits until all have an answer, and looks whether any has two."""
        self.conversation.wait_until(lambda: set(sent) <= set(self.conversation.answered()), 90)
        self.conversation.collect(2.0)
        replies = {reply["reply_id"]: reply["in_reply_to"] for reply in self.conversation.replies}
        assert Counter(each for ids in replies.values() for each in ids) == Counter(sent)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rabbit]:
    """One for both: it takes a quarter of a minute to start."""
    with rabbitmq(tmp_path_factory.mktemp("broker")) as rabbit:
        for name, value in (("consumer_timeout", CONSUMER_TIMEOUT_MS), ("channel_tick_interval", LOOK_EVERY_MS)):
            rabbit.control("eval", f"application:set_env(rabbit, {name}, {value}).")
        yield rabbit


@contextmanager
def shop(node: Rabbit, servers: Servers, engine: Engine, directory: Path) -> Iterator[Shop]:
    """A shop that answers."""
    with ExitStack() as stack:
        simulator = stack.enter_context(Simulator())
        given = simulator.base_urls | {"BROKER_URL": node.url}
        supervisor, log = stack.enter_context(service_processes(servers, directory, given))
        stack.enter_context(supervised(supervisor))
        durable = stack.enter_context(connect_redis(servers.redis_url, 5.0))
        begin_anew(servers, engine, durable)
        yield Shop(node, simulator, Conversation(engine, durable, log, Gateway(durable)))


def test_a_step_may_outlast_the_consumer_timeout(
    node: Rabbit, servers: Servers, shared_engine: Engine, tmp_path: Path
) -> None:
    """What a worker takes it acknowledges at once, also while it waits for models, so that RabbitMQ minds nothing; it
    does mind who takes a message and keeps silent.
    """
    with shop(node, servers, shared_engine, tmp_path) as found:
        found.simulator.set("all", latency_ms=(STEP_MS, STEP_MS))
        sent = []
        for number in range(8):
            sent.append(found.say(number, QUESTION.format(f"la mesa {number}")))
            time.sleep(STEP_MS / 4_000)
        found.answers_once(sent)
        assert TOO_LATE not in node.log()
    with Connection(node.url) as connection:
        mine = connection.SimpleQueue("silent")
        mine.put("taken and not acknowledged")
        mine.get(timeout=10)
        assert wait_until(lambda: TOO_LATE in node.log(), 30), node.log()[-2000:]


def test_a_memory_alarm_is_waited_for(node: Rabbit, servers: Servers, shared_engine: Engine, tmp_path: Path) -> None:
    """It takes nothing from who publishes, for longer than a lease; customers write on."""
    with shop(node, servers, shared_engine, tmp_path) as found:
        alarm = Thread(target=sound, args=(node,))
        alarm.start()
        sent = []
        for number in range(100, 100 + CUSTOMERS):
            sent.append(found.say(number, "hola"))
            time.sleep(EVERY_S)
        alarm.join()
        found.answers_once(sent)
        assert "memory resource limit alarm set" in found.rabbit.log()


def sound(node: Rabbit) -> None:
    """The alarm, for a while."""
    node.control("set_vm_memory_high_watermark", "0.000001")
    try:
        time.sleep(ALARM_S)
    finally:
        node.control("set_vm_memory_high_watermark", "0.9")
