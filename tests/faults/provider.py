"""The provider simulator as a process, with texts that make it hang or talk nonsense."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from threading import local
from typing import Any

from worker.devkit import endpoint, http_exchange
from worker.devkit.behaviour import Mode, Plan, SimulatedProvider
from worker.devkit.simulator import main

#: Words of a customer that spoil every answer to them. No rule of the simulator's shopkeeper knows them.
HANG, GARBAGE = "colgate", "balbuceo"
MODES: dict[str, Mode] = {HANG: "hang", GARBAGE: "garbage"}


def spoil() -> None:
    """Lets the text of a request decide how it is answered."""
    handler: Any = endpoint._Handler
    complete: Callable[..., None] = handler._complete
    plan, asked = SimulatedProvider.plan, local()

    def listen(self: Any, name: str, path: str, body: bytes) -> None:
        # Not in the whole body: the conversation's history would spoil what the same customer asks later.
        message = json.loads(http_exchange.read_prompt(name, path, body).user)["message"]
        asked.mode = next((mode for word, mode in MODES.items() if word in message), None)
        complete(self, name, path, body)

    def spoiled(self: SimulatedProvider) -> Plan:
        planned = plan(self)
        mode: Mode | None = getattr(asked, "mode", None)
        return replace(planned, mode=mode) if mode else planned

    handler._complete = listen
    SimulatedProvider.plan = spoiled  # type: ignore[method-assign]  # the simulator has no such switch, nor need it


if __name__ == "__main__":
    spoil()
    sys.exit(main())
