"""The process that asks a model dies with a call under way, at the deadlines that a shop has."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from helpers.basics import Servers
from helpers.service import Conversation, begin_anew, says, service_processes, supervised, webhook
from sqlalchemy import Engine

from worker.devkit.gateway import Gateway
from worker.devkit.simulator import Simulator
from worker.redisdb.connect import connect_redis

#: Contract P12.
PAUSE_S = 30.0


@pytest.mark.long
def test_its_customers_wait_no_longer_than_a_machine_may_cost(
    servers: Servers, shared_engine: Engine, tmp_path: Path
) -> None:
    """Two with one question, of whom one leads and one is parked, and one with another; all are answered once."""
    with ExitStack() as stack:
        simulator = stack.enter_context(Simulator())
        given = simulator.base_urls | {"AI_DEADLINE_S": "30", "FLOW_LEASE_S": "15", "SWEEP_EVERY_S": "2"}
        supervisor, log = stack.enter_context(service_processes(servers, tmp_path, given))
        stack.enter_context(supervised(supervisor))
        durable = stack.enter_context(connect_redis(servers.redis_url, 5.0))
        begin_anew(servers, shared_engine, durable)
        conversation = Conversation(shared_engine, durable, log, Gateway(durable))
        simulator.set("all", latency_ms=(20_000, 20_000))
        asked = {"wamid.1": "tenes leche?", "wamid.2": "tenes leche?", "wamid.3": "hay arroz integral?"}
        for number, (message_id, words) in enumerate(asked.items()):
            conversation.gateway.send(webhook(says(message_id, f"54911223344{number:02}", words)))
        conversation.wait_until(lambda: sum(map(simulator.calls, simulator.providers)) == 2)
        simulator.set("all", latency_ms=(0, 0))
        (child,) = (child for child in supervisor.children if child.program.name == "worker-ai")
        os.killpg(child.process.pid, signal.SIGKILL)
        died_s = time.monotonic()
        conversation.wait_until(lambda: set(asked) <= set(conversation.answered()), 2 * PAUSE_S)
        assert time.monotonic() - died_s < PAUSE_S
        assert sorted(conversation.answered()) == sorted(asked)
