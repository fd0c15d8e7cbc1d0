"""The whole service on a Redis that Sentinels watch over, and on a cluster: masters die under load."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread

import pytest
import redis
from helpers.basics import GUARD_S, Servers
from helpers.inbound import add
from helpers.redis_cluster import RunningCluster, redis_cluster
from helpers.redis_group import RedisGroup, redis_group
from helpers.service import Conversation, begin_anew, says, service_processes, supervised, webhook
from redis.exceptions import RedisError
from sqlalchemy import Engine

from worker.devkit.gateway import Gateway
from worker.devkit.simulator import Simulator
from worker.log import logger
from worker.redisdb.connect import connect_durable
from worker.redisdb.keys import INBOUND, OUTBOUND
from worker.settings import read_settings

CUSTOMERS, EVERY_S, FOR_S, KILLS_AT_S = 20, 0.05, 36.0, (4.0, 22.0)
#: So many that some were under way whenever a master died; a busy machine confirms a few in a second.
LEAST_SENT = 30
#: So that one is left that confirms what the gateway sends: Sentinels leave a master that comes back alone for ten
#: seconds and more before they make it a replica, and the replies of a gateway that waits so long pause as long.
REPLICAS = 2
#: Contract P12.
PAUSE_S = 30.0


class PatientGateway:
    """A gateway that keeps what no replica has confirmed, and sends it again under its id."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self.sent: list[str] = []
        self._stop = Event()

    def run(self) -> None:
        """Sends until it is stopped: each customer's messages one after the other."""
        while not self._stop.wait(EVERY_S):
            number = len(self.sent)
            message_id = f"wamid.{number:05}"
            if self._send(webhook(says(message_id, f"54911200{number % CUSTOMERS:05}", f"hola {number}"))):
                self.sent.append(message_id)

    def _send(self, payload: str) -> bool:
        """Whether a replica has it; not where it was stopped before one had."""
        while not self._stop.is_set():
            try:
                if add(self._client, payload, replicas=1):
                    return True
            except RedisError:
                time.sleep(0.1)
        return False

    def stop(self) -> None:
        """Ends `run`."""
        self._stop.set()


@pytest.mark.long
def test_the_master_of_everything_dies_under_load(servers: Servers, shared_engine: Engine, tmp_path: Path) -> None:
    """Streams, caches and Celery's queues go on with its replica; so do they when that dies."""
    with redis_group(tmp_path / "redis", replicas=REPLICAS) as group:
        play(servers, shared_engine, tmp_path, group.settings, partial(die_and_come_back, group))


@pytest.mark.long
def test_the_master_of_everything_falls_silent(servers: Servers, shared_engine: Engine, tmp_path: Path) -> None:
    """No connection ends by itself: time limits alone tell that it is gone. What it comes back with is not served."""
    with redis_group(tmp_path / "redis", replicas=REPLICAS) as group:
        play(servers, shared_engine, tmp_path, group.settings, group.fall_silent)


@pytest.mark.long
def test_masters_of_a_cluster_die_under_load(servers: Servers, shared_engine: Engine, tmp_path: Path) -> None:
    """First the one that has the inbound stream, then that of the replies; Celery's queues are elsewhere."""
    with redis_cluster(tmp_path / "redis", replicas=True) as cluster:
        given = {"REDIS_URL": cluster.url, "BROKER_URL": servers.redis_url}
        play(servers, shared_engine, tmp_path, given, partial(slots_die, cluster, [INBOUND.pattern, OUTBOUND.pattern]))


def play(
    servers: Servers, engine: Engine, directory: Path, redis_settings: dict[str, str], die: Callable[[], None]
) -> None:
    """Lets masters die while customers write: every message is answered once and in its customer's order, and the
    replies pause for less than P12 allows.
    """
    with ExitStack() as stack:
        simulator = stack.enter_context(Simulator())
        given = simulator.base_urls | redis_settings
        supervisor, log = stack.enter_context(service_processes(servers, directory, given))
        stack.enter_context(supervised(supervisor))
        durable = stack.enter_context(connect_durable(read_settings(redis_settings)))
        sender = stack.enter_context(connect_durable(read_settings(redis_settings)))
        begin_anew(servers, engine, durable)
        conversation = Conversation(engine, durable, log, Gateway(durable))
        gateway = PatientGateway(sender)
        thread = Thread(target=gateway.run)
        thread.start()
        arrivals: list[float] = []
        try:
            follow(conversation, arrivals, die)
        finally:
            gateway.stop()
            thread.join()
        wait_for_all(conversation, arrivals, gateway.sent)
    ids = [message_id for reply in once(conversation) for message_id in reply["in_reply_to"]]
    doubled = [message_id for message_id, count in Counter(ids).items() if count > 1]
    assert (set(gateway.sent) - set(ids), doubled) == (set(), [])
    for customer in range(CUSTOMERS):
        own = [one for one in ids if int(one[-5:]) % CUSTOMERS == customer]
        assert own == sorted(own)
    pause_s = max(later - earlier for earlier, later in pairwise(arrivals))
    assert len(gateway.sent) > LEAST_SENT
    logger(__name__).info("failovers_survived", messages=len(gateway.sent), pause_s=round(pause_s, 1))
    assert pause_s < PAUSE_S


def die_and_come_back(group: RedisGroup) -> None:
    """The master dies; when its replica has taken over, it comes back as one."""
    dead = group.master()
    group.fail_over()
    group.revive(dead)


def slots_die(cluster: RunningCluster, keys: list[str]) -> None:
    """The master of the next of these keys dies, and comes back as a replica."""
    cluster.revive(cluster.fail_over(keys.pop(0)))


def follow(conversation: Conversation, arrivals: list[float], die: Callable[[], None]) -> None:
    """Collects replies with their times, and breaks what is to be broken at its time."""
    began, kills = time.monotonic(), list(KILLS_AT_S)
    while (now_s := time.monotonic() - began) < FOR_S:
        if kills and now_s > kills[0]:
            kills.pop(0)
            Thread(target=die).start()
        collect(conversation, arrivals)


def collect(conversation: Conversation, arrivals: list[float]) -> None:
    """Takes in what comes within a moment, whether or not Redis answers."""
    before = len(conversation.replies)
    try:
        conversation.collect(0.1)
    except RedisError:
        time.sleep(0.1)
    if len(conversation.replies) > before:
        arrivals.append(time.monotonic())


def wait_for_all(conversation: Conversation, arrivals: list[float], sent: list[str]) -> None:
    """Waits until every message has its reply."""
    deadline = time.monotonic() + GUARD_S
    while not set(sent) <= set(conversation.answered()):
        assert time.monotonic() < deadline, conversation.log.read_text()[-3000:]
        collect(conversation, arrivals)


def once(conversation: Conversation) -> list[dict[str, list[str]]]:
    """Replies as a gateway sends them that remembers their ids."""
    return list({reply["reply_id"]: reply for reply in conversation.replies}.values())
