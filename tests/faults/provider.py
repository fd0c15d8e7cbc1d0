"""The provider simulator as a process, with texts that make it hang or talk nonsense."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from threading import local

from worker.devkit.behaviour import CallPlan, Mode, SimulatedProvider
from worker.devkit.prompt import read_prompt
from worker.devkit.simulator import Answer, Handler, main

#: Words of a customer that spoil every answer to them. No rule of the simulator's assistant knows them.
HANG, GARBAGE = "colgate", "balbuceo"
MODES: dict[str, Mode] = {HANG: "hang", GARBAGE: "garbage"}


def spoil() -> None:
    """Lets the text of a request decide how it is answered."""
    complete: Callable[..., Answer] = Handler.complete
    plan, asked = SimulatedProvider.plan, local()

    def listen(self: Handler, name: str, path: str, body: bytes) -> Answer:
        # Not in the whole body: the conversation's history would spoil what the same customer asks later.
        message = json.loads(read_prompt(name, path, body).user)["message"]
        asked.mode = next((mode for word, mode in MODES.items() if word in message), None)
        return complete(self, name, path, body)

    def spoiled(self: SimulatedProvider) -> CallPlan:
        planned = plan(self)
        mode: Mode | None = getattr(asked, "mode", None)
        return replace(planned, behaviour=replace(planned.behaviour, mode=mode)) if mode else planned

    Handler.complete = listen  # type: ignore[method-assign]  # the simulator has no such switch, nor need it
    SimulatedProvider.plan = spoiled  # type: ignore[method-assign]  # as above


if __name__ == "__main__":
    spoil()
    sys.exit(main())
