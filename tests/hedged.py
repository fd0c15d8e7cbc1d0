"""A greeting, asked of an answerer that may hedge."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import Queue

import redis
from answering import well_behaved
from turns import MILK, plan_of

from worker.ai.consent import CartRules
from worker.local.simulator import Simulator
from worker.providers.attempt import Ask, Made
from worker.providers.completion import Answerer
from worker.providers.hedging import LEAST_SAMPLES
from worker.session.turn import Outcome

HELLO = plan_of("hola", MILK)
NO_CART = CartRules(frozenset(), frozenset(), frozenset(), frozenset())
#: What a provider takes while its pace is learnt, so that a busy machine does not make a fast answer a slow one.
USUAL_MS = (60.0, 60.0)
#: Longer than any answer of a provider at rest.
SLOW_MS = (600.0, 600.0)
#: How long a test waits for what must come.
WAIT_S = 10.0


def ask_for(answerer: Answerer, left_s: float = 20.0) -> Outcome:
    """A greeting, for which gemini is asked first, then deepseek, then openai."""
    return answerer.answer(Ask(HELLO, NO_CART, "token-1", "5491100000001", time.monotonic() + left_s))


@dataclass
class Shop:
    """An answerer that hedges; `late` is what it was told of the losers; `close` waits for them."""

    answerer: Answerer
    simulator: Simulator
    client: redis.Redis
    late: Queue[Made]
    close: Callable[[], None]

    def learn(self, times: int = LEAST_SAMPLES) -> None:
        """Lets the first candidate answer so often, at its usual pace; from then on it is faster."""
        self.simulator.set("gemini", latency_ms=USUAL_MS)
        with ThreadPoolExecutor(5) as side_by_side:
            answered = side_by_side.map(lambda _: ask_for(self.answerer).provider, range(times))
            assert set(answered) == {"gemini-flash"}
        well_behaved(self.simulator)

    def failures(self, provider: str) -> int:
        """Failures in a row that a circuit has counted."""
        return int(self.client.hget(f"ai_circuit:{provider}", "failures") or 0)  # type: ignore[arg-type]

    def counted(self, provider: str, kind: str) -> int:
        """Calls or failures in a circuit's window."""
        samples = self.client.hgetall(f"ai_circuit:{provider}:samples")
        return sum(int(count) for name, count in samples.items() if name.endswith(kind.encode()))  # type: ignore[union-attr]

    def booked_microusd(self) -> int:
        """What the day's book has, with nothing set aside any more."""
        assert self.client.zcard("budget:reserved") == 0
        return int(self.client.hget(time.strftime("budget:%Y-%m-%d", time.gmtime()), "spent") or 0)  # type: ignore[arg-type]
