"""An upgrade as docs/deploy.md describes it: the processes are restarted one after the other while customers write."""

from __future__ import annotations

import signal
import time
from collections import Counter

import pytest
from helpers.basics import GUARD_S
from helpers.service import Service, says, webhook

pytestmark = pytest.mark.long


def test_nobody_notices_a_rolling_restart(service: Service) -> None:
    """Every process gets SIGTERM, ends by itself and comes back; every message is answered once, none is late."""
    sent: list[str] = []
    for name in ("worker-ai", "worker", "intake", "beat"):
        child = next(child for child in service.supervisor.children if child.program.name == name)
        before = child.process
        before.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + GUARD_S
        while child.process is before or child.process.poll() is not None:
            assert time.monotonic() < deadline, f"{name} does not come back"
            say(service, sent)
        assert before.returncode == 0, name
        for _ in range(5):
            say(service, sent)
    service.wait_until(lambda: set(sent) <= set(service.answered()), GUARD_S)
    service.collect(1.0)
    assert Counter(service.answered()) == Counter(sent)
    slowest = "select max(extract(epoch from answered_at - accepted_at)) from messages"
    assert service.sql(slowest)[0][0] < 20


def say(service: Service, sent: list[str]) -> None:
    """One more customer writes; what was answered meanwhile is taken in."""
    message_id = f"wamid.rolling.{len(sent)}"
    service.gateway.send(webhook(says(message_id, f"54911333{len(sent):05}", "hola")))
    sent.append(message_id)
    service.collect(0.1)
