"""Prompt caches of the simulated providers: what is read, what is written, and what never helps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from helpers.basics import GUARD_S
from helpers.simulated import USER, post, request

from worker.devkit.simulator import Simulator

LONG = "Respondé en JSON, con lo que la tienda tiene. " * 120
SHORT = "Respondé en JSON. " * 20
LONG_TOKENS, SHORT_TOKENS = -(-len(LONG) // 4), -(-len(SHORT) // 4)
EXPLICIT = {"prompt_cache_options": {"mode": "explicit"}, "prompt_cache_key": "shop"}
MARK = {"prompt_cache_breakpoint": {"mode": "explicit"}}


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """A simulator with empty caches."""
    with Simulator() as simulator:
        yield simulator


def parts(*texts: str, marked: bool = True) -> list[dict[str, Any]]:
    """System content in parts, the last of them marked."""
    return [{"type": "text", "text": text} | (MARK if marked and text is texts[-1] else {}) for text in texts]


def openai(sim: Simulator, user: str, system: Any, model: str = "", **fields: Any) -> tuple[int, int]:
    """Tokens read from the cache and written to it."""
    details = post(sim, "openai", request("openai", user, system, **fields), model=model).json()["usage"]
    return details["prompt_tokens_details"]["cached_tokens"], details["prompt_tokens_details"]["cache_write_tokens"]


def test_an_explicit_breakpoint_is_written_once_and_read_after(sim: Simulator) -> None:
    """The marked system text is paid for once; the customer's text behind it is neither written nor read."""
    used = [openai(sim, f"hola {n}", parts(LONG), **EXPLICIT) for n in range(3)]
    assert used == [(0, LONG_TOKENS), (LONG_TOKENS, 0), (LONG_TOKENS, 0)]


def test_a_later_part_may_change(sim: Simulator) -> None:
    """What stands behind the mark is no part of the prefix, what stands before it is."""
    behind = [*parts(LONG), {"type": "text", "text": "Hoy cerramos temprano."}]
    before = [{"type": "text", "text": "Hoy cerramos temprano."}, *parts(LONG)]
    assert openai(sim, "hola", parts(LONG), **EXPLICIT)[1] == LONG_TOKENS
    assert openai(sim, "hola", behind, **EXPLICIT) == (LONG_TOKENS, 0)
    assert openai(sim, "hola", before, **EXPLICIT)[0] == 0


def test_less_than_1024_tokens_are_not_cached(sim: Simulator) -> None:
    """Neither read nor written, so no fee."""
    assert SHORT_TOKENS < 1024 < LONG_TOKENS
    assert [openai(sim, USER, parts(SHORT), **EXPLICIT) for _ in range(3)] == [(0, 0)] * 3


def test_explicit_mode_without_a_mark_is_no_cache(sim: Simulator) -> None:
    """The right setting for what is asked once."""
    assert [openai(sim, USER, LONG, **EXPLICIT) for _ in range(3)] == [(0, 0)] * 3


def test_without_a_mark_each_new_question_pays_for_a_write(sim: Simulator) -> None:
    """The automatic breakpoint is the end of the prompt, and there is no fallback to a common prefix."""
    whole = [-(-(len(LONG) + len(f"hola {n}")) // 4) for n in range(3)]
    assert [openai(sim, f"hola {n}", LONG) for n in range(3)] == [(0, tokens) for tokens in whole]
    assert openai(sim, "hola 1", LONG) == (whole[1], 0)


def test_a_cache_is_of_a_key_a_model_and_a_format(sim: Simulator) -> None:
    """Another shop, another model, another schema: each writes anew."""
    schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    formatted = {"type": "json_schema", "json_schema": {"name": "r", "strict": True, "schema": schema}}
    assert openai(sim, USER, parts(LONG), **EXPLICIT) == (0, LONG_TOKENS)
    assert openai(sim, USER, parts(LONG), **EXPLICIT | {"prompt_cache_key": "other"}) == (0, LONG_TOKENS)
    assert openai(sim, USER, parts(LONG), model="gpt-6.1-terra", **EXPLICIT) == (0, LONG_TOKENS)
    assert openai(sim, USER, parts(LONG), response_format=formatted, **EXPLICIT) == (0, LONG_TOKENS)
    assert openai(sim, USER, parts(LONG), **EXPLICIT) == (LONG_TOKENS, 0)


def deepseek(sim: Simulator, user: str, system: str) -> tuple[int, int]:
    """Tokens read from the cache and not."""
    usage = post(sim, "deepseek", request("deepseek", user, system)).json()["usage"]
    hit, miss = usage["prompt_cache_hit_tokens"], usage["prompt_cache_miss_tokens"]
    assert usage["prompt_tokens"] == hit + miss
    assert usage["prompt_tokens_details"]["cached_tokens"] == hit
    return hit, miss


def test_deepseek_finds_a_common_prefix_by_itself(sim: Simulator) -> None:
    """The second request shows what is common, the third reads it, in whole units."""
    hits = [deepseek(sim, f"{n} hola", LONG)[0] for n in range(4)]
    assert hits == [0, 0, LONG_TOKENS // 64 * 64, LONG_TOKENS // 64 * 64]


def test_deepseek_reads_a_repeated_prompt_at_once(sim: Simulator) -> None:
    """A whole prompt is kept as it ends."""
    assert [deepseek(sim, USER, SHORT)[0] > 0 for _ in range(3)] == [False, True, True]


def gemini(sim: Simulator, user: str, system: str, model: str = "") -> int:
    """Tokens read from the cache."""
    response: requests.Response = post(sim, "gemini", request("gemini", user, system), model=model)
    cached: int = response.json()["usageMetadata"].get("cachedContentTokenCount", 0)
    return cached


def test_gemini_flash_lite_has_no_cache(sim: Simulator) -> None:
    """Not even for a prompt above the least size of the others."""
    assert [gemini(sim, USER, LONG * 4) for _ in range(4)] == [0] * 4


def test_gemini_flash_has_one_from_4096_tokens(sim: Simulator) -> None:
    """Below it nothing is read."""
    model = "gemini-3.6-flash"
    assert [gemini(sim, USER, LONG, model) for _ in range(4)] == [0] * 4
    assert gemini(sim, USER, LONG * 4, model) == 0
    assert gemini(sim, USER, LONG * 4, model) >= 4096


def test_a_refused_call_leaves_no_trace_in_the_cache(sim: Simulator) -> None:
    """Only what was answered was read and written."""
    body = request("openai", USER, parts(LONG), max_tokens=5, **EXPLICIT)
    assert post(sim, "openai", body).status_code == 400
    assert openai(sim, USER, parts(LONG), **EXPLICIT) == (0, LONG_TOKENS)


def test_caches_can_be_emptied(sim: Simulator) -> None:
    """By the control, apart from the counters."""
    for order in ({}, {"reset": True}, {"forget": True}):
        requests.post(sim.control_url, json=order, timeout=GUARD_S)
        kept = openai(sim, USER, parts(LONG), **EXPLICIT)
        assert kept == ((LONG_TOKENS, 0) if order.get("reset") else (0, LONG_TOKENS))
    sim.forget()
    assert openai(sim, USER, parts(LONG), **EXPLICIT) == (0, LONG_TOKENS)
