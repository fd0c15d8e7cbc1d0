"""Kill -9 of each process while messages flow: nothing lost, nothing twice, order kept."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest
from helpers.basics import GUARD_S
from helpers.service import Service, says, webhook

MESSAGES = 120
CUSTOMERS = 12


def kill(service: Service, name: str) -> bool:
    """Kills the process of that name under the supervisor. False while it is being started again."""
    process = next(child.process for child in service.supervisor.children if child.program.name == name)
    if running := process.poll() is None:
        process.kill()
    return running


@pytest.mark.parametrize("victim", ["intake", "worker", "worker-2"])
def test_a_killed_process_loses_nothing(service: Service, victim: str) -> None:
    """Killed three times in the middle of the work."""
    service.simulator.set("all", latency_ms=(5, 60))
    sent: dict[str, list[str]] = {}
    for number in range(MESSAGES):
        phone = f"54911{victim[:1].encode()[0]:03}{number % CUSTOMERS:05}"
        message_id = f"wamid.{victim}.{number}"
        sent.setdefault(phone, []).append(message_id)
        service.gateway.send(webhook(says(message_id, phone, f"agregame {number % 7 + 1} leches")))
        if number % 40 == 20:
            service.wait_until(lambda done=number: len(service.answered()) >= done // 3)
            service.wait_until(partial(kill, service, victim))
    service.wait_until(lambda: len(set(service.answered())) >= MESSAGES, timeout_s=GUARD_S)
    service.collect(1.0)
    by_reply = {reply["reply_id"]: reply for reply in service.replies}
    answered = [message_id for reply in by_reply.values() for message_id in reply["in_reply_to"]]
    assert Counter(answered) == Counter(i for ids in sent.values() for i in ids)
    for phone, ids in sent.items():
        assert [i for reply in by_reply.values() if reply["to"] == phone for i in reply["in_reply_to"]] == ids
    assert service.sql("select count(*) from messages where state <> 'answered'")[0][0] == 0
