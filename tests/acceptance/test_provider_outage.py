"""Two of three providers down while messages flow through the whole service: few calls to them, and soon used again."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from helpers.basics import GUARD_S
from helpers.http_provider import Answer, Handler
from helpers.provider_case import FIRST_ASKED, HEALTHY, Shop
from helpers.recorded import RECORDED, TABLE, recorded

if not RECORDED.is_dir():
    pytest.skip("the recorded answers are not beside this checkout", allow_module_level=True)

DOWN = ("deepseek", "openai")
NAMES = {provider: TABLE[provider]["name"] for provider in ("gemini", *DOWN)}
FAILURES_THAT_OPEN = 5
#: The first open wait is five seconds, give or take a fifth; it is seen to end at the next message.
SHORTEST_WAIT_S, LONGEST_WAIT_S = 4.0, 6.0
#: Long enough for two messages.
STILL_OPEN_S = 3.0
#: Messages under way at once when the providers go down.
BURST = 12
#: So often is tried what a busy machine may hinder.
TRIES = 8


def overloaded_together(together: Barrier) -> Answer:
    """Overloaded, but told only when the whole burst has called: none of its calls knows how another ended."""

    def play(handler: Handler) -> None:
        with suppress(BrokenBarrierError):
            together.wait(timeout=1.5)
        recorded("gemini_503_overloaded").answer(handler)

    return play


def ask(shop: Shop, first: str) -> Any:
    """Who answered a message for which `first` is the first candidate: always a model, never the fallback."""
    reply = shop.ask(FIRST_ASKED[first])
    assert reply["source"] == "ai"
    return reply["provider"]


def calls(shop: Shop) -> dict[str, int]:
    """HTTP requests that those who are down have taken."""
    return {provider: len(shop.servers[provider].seen) for provider in DOWN}


def trips(shop: Shop) -> dict[str, int]:
    """How often their circuits have opened."""
    return {provider: int(shop.figures(provider)["trips"]) for provider in DOWN}


def fail_a_burst(shop: Shop) -> bool:
    """All messages of a burst call both who are down before either has answered, and the third answers them. Returns
    whether they were together: on a busy machine they may not be.
    """
    barriers = [Barrier(BURST) for _ in DOWN]
    for provider, together in zip(DOWN, barriers, strict=True):
        shop.servers[provider].answers = [overloaded_together(together)]
    replies = shop.replies_to(shop.send(*[FIRST_ASKED["deepseek"]] * BURST))
    assert [reply["provider"] for reply in replies] == [NAMES["gemini"]] * BURST
    for provider in DOWN:
        shop.play(provider, recorded("gemini_503_overloaded"))
    return not any(together.broken for together in barriers)


def end_wait_in(shop: Shop, left_s: float) -> dict[str, float]:
    """Shortens the open waits that are under way; when each will be over, on the wall clock."""
    over_s = time.time() + left_s
    for provider in DOWN:
        shop.conversation.redis.hset(f"ai_circuit:{NAMES[provider]}", "until_ms", int(over_s * 1000))
    return dict.fromkeys(DOWN, over_s)


def test_two_providers_down_and_back(shop: Shop) -> None:
    """Calls to each: five that open the circuit, those in flight then, and one when the open wait is over. Back again,
    each answers the first message after its wait.
    """
    for _ in range(TRIES):
        began_s = time.monotonic()
        if fail_a_burst(shop):
            break
        shop.begin_case()
    waits_ms = [int(shop.figures(p)["until_ms"]) - int(shop.figures(p)["since_ms"]) for p in DOWN]
    assert all(SHORTEST_WAIT_S * 1000 <= wait_ms <= LONGEST_WAIT_S * 1000 for wait_ms in waits_ms)
    in_flight = BURST - FAILURES_THAT_OPEN
    assert calls(shop) == dict.fromkeys(DOWN, FAILURES_THAT_OPEN + in_flight)
    probed_s: dict[str, float] = {}
    while len(probed_s) < len(DOWN):
        assert ask(shop, "deepseek") == NAMES["gemini"]
        assert calls(shop) == {p: FAILURES_THAT_OPEN + in_flight + count - 1 for p, count in trips(shop).items()}
        probed_s |= {p: time.monotonic() - began_s for p, n in trips(shop).items() if n == 2 and p not in probed_s}
        assert time.monotonic() - began_s < GUARD_S
    assert min(probed_s.values()) > SHORTEST_WAIT_S

    for provider in DOWN:
        shop.play(provider, shop.good[provider])
    before = calls(shop)
    over_s = end_wait_in(shop, STILL_OPEN_S)
    seen = ask(shop, "deepseek"), ask(shop, "openai"), calls(shop)
    assert time.time() > min(over_s.values()) or seen == (NAMES["gemini"], NAMES["gemini"], before)
    used: Counter[str] = Counter()
    while min(used[provider] for provider in DOWN) < 3:
        for provider in DOWN:
            is_over = time.time() >= over_s[provider]
            answered_by = ask(shop, provider)
            assert not is_over or answered_by == NAMES[provider]
            used[provider] += is_over
    assert [shop.circuit(provider) for provider in DOWN] == [HEALTHY] * 2
