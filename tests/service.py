"""The running service as its gateway and its operator see it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import orjson
import redis
from sqlalchemy import Engine, text

from worker.cache import OUTBOUND, REJECTED
from worker.local.gateway import Gateway
from worker.local.simulator import Simulator
from worker.local.supervisor import Supervisor


@dataclass(slots=True)
class Service:
    """The running service as its gateway and its operator see it."""

    supervisor: Supervisor
    simulator: Simulator
    engine: Engine
    redis: redis.Redis
    log: Path
    gateway: Gateway
    replies: list[dict[str, Any]] = field(default_factory=list)
    rejections: list[dict[str, str]] = field(default_factory=list)

    def wait_until(self, condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
        """Collects replies and refusals until the condition holds; fails after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"{len(self.replies)} replies; log:\n{self.log.read_text()[-3000:]}"
            self.collect(0.2)

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

    def look_after_children(self, stop: Event) -> None:
        """What the supervisor does while `chasqui up` runs."""
        while not stop.wait(0.1):
            self.supervisor.look()


def webhook(*messages: dict[str, Any]) -> str:
    """A webhook body in Meta's shape."""
    value = {"messaging_product": "whatsapp", "contacts": [], "messages": list(messages)}
    entry = {"id": "1", "changes": [{"field": "messages", "value": value}]}
    return orjson.dumps({"object": "whatsapp_business_account", "entry": [entry]}).decode()


def says(message_id: str, phone: str, body: str) -> dict[str, Any]:
    """A text message in Meta's shape."""
    return {"id": message_id, "from": phone, "timestamp": str(int(time.time())), "type": "text", "text": {"body": body}}
