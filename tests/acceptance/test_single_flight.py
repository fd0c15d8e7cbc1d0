"""Many customers, one question: one provider call, also when the process that makes it is killed."""

from __future__ import annotations

import os
import signal

import pytest
from helpers.basics import GUARD_S
from helpers.service import Service, says, webhook

CUSTOMERS = 200


def ask(service: Service, run: str, question: str) -> list[str]:
    """The question of all customers at once; the message ids."""
    ids = [f"wamid.{run}.{number}" for number in range(CUSTOMERS)]
    bodies = [webhook(says(ids[n], f"54911009{n:05}", question)).encode() for n in range(CUSTOMERS)]
    service.simulator.reset()
    service.gateway.send(*bodies)
    return ids


def calls(service: Service) -> int:
    """Calls of all providers."""
    return sum(service.simulator.calls(name) for name in ("openai", "gemini", "deepseek"))


def test_one_call_answers_everybody(service: Service) -> None:
    """200 identical questions from 200 customers within the provider's answer time."""
    service.simulator.set("all", latency_ms=(800, 800))
    ids = ask(service, "flight", "tenes leche descremada?")
    service.wait_until(lambda: len(service.answered()) >= CUSTOMERS)
    assert sorted(service.answered()) == sorted(ids)
    assert calls(service) == 1
    assert len({reply["text"] for reply in service.replies}) == 1
    assert [reply["source"] for reply in service.replies].count("ai") == 1


@pytest.mark.long
def test_a_killed_leader_costs_one_more_call(service: Service) -> None:
    """The process that asks is killed while it waits: everybody is answered once, by a second call at most."""
    service.simulator.set("all", latency_ms=(2_000, 2_000))
    ids = ask(service, "killed", "hay arroz integral?")
    service.wait_until(lambda: calls(service) == 1)
    pid = next(child.process.pid for child in service.supervisor.children if child.program.name == "worker-ai")
    os.killpg(pid, signal.SIGKILL)
    service.wait_until(lambda: len(set(service.answered())) >= CUSTOMERS, timeout_s=GUARD_S)
    service.collect(1.0)
    assert sorted(service.answered()) == sorted(ids)
    assert calls(service) <= 2
