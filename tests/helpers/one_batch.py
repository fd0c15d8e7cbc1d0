"""Customers whose messages go through intake as one batch, for tests that walk the road step by step."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event
from typing import Any
from uuid import uuid4

import redis

from helpers.service import says, webhook
from helpers.turns import turn_from_dict
from worker.intake.intake import Intake
from worker.redisdb.keys import INBOUND
from worker.session.turn import Turn
from worker.steps.services import Services

TEXTS = ("tenés leche?", "hola", "cuánto sale el arroz?", "gracias")


class OneBatch:
    """The chain as intake sees it; keeps the turns of the first batch and stops intake behind it."""

    def __init__(self) -> None:
        self.stop = Event()
        self.turns: list[dict[str, Any]] = []

    def start(self, turns: Sequence[dict[str, Any]]) -> None:
        """Intake's sweep starts nothing here, and calls all the same."""
        if turns:
            self.turns = list(turns)
            self.stop.set()

    def waiting(self) -> int:
        """Nothing waits."""
        return 0


def accept(services: Services, client: redis.Redis, size: int) -> list[Turn]:
    """One message of each of so many customers, through intake."""
    bodies = [webhook(says(f"wamid.{uuid4()}", f"54911{n:06d}", TEXTS[n % len(TEXTS)])) for n in range(size)]
    for body in bodies:
        client.xadd(INBOUND.pattern, {"payload": body})
    chain = OneBatch()
    Intake(services, chain, chain.stop).run()
    return [turn_from_dict(turn) for turn in chain.turns]
