"""Keys on a Redis Cluster: what one script touches lies in one slot, and names that others rely on stay."""

from __future__ import annotations

import pytest

from worker.redisdb.keys import (
    BUDGET,
    BUDGET_RESERVED,
    CALL_COUNTS,
    CALL_LIMIT,
    CIRCUIT,
    CIRCUIT_SAMPLES,
    FLIGHT,
    INBOUND,
    LAYERS,
    MODEL_CIRCUIT,
    ORDER_PUBLISHED,
    ORDERS,
    OUTBOUND,
    PARKED,
    PUBLISHED,
    REFUSED,
    REJECTED,
    REPLY_LIMIT,
    RUN_ID,
    SEEN_AT,
    beside,
    off_cluster,
    on_cluster,
    renamed,
    slots_of,
)

SCRIPTS = {
    "publish.lua": [OUTBOUND.pattern, beside(RUN_ID, OUTBOUND), PUBLISHED.key("r1"), PUBLISHED.key("r2")],
    "publish.lua, orders": [ORDERS.pattern, beside(RUN_ID, ORDERS), ORDER_PUBLISHED.key("e1")],
    "alive.lua": [beside(RUN_ID, OUTBOUND), beside(SEEN_AT, OUTBOUND)],
    "refuse.lua": [REJECTED.pattern, REFUSED.key("1-0:0"), REFUSED.key("1-0:1")],
    "single_flight.lua": [FLIGHT.key("ab12"), PARKED.key("ab12")],
    "circuit.lua": [CIRCUIT.key("gpt"), CIRCUIT_SAMPLES.key("gpt"), MODEL_CIRCUIT.key("gpt:gpt-5:mini")],
    "budget.lua": [BUDGET.key("2026-11"), BUDGET.key("2026-11-30"), BUDGET_RESERVED.pattern, CALL_LIMIT.key("549")],
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_finds_its_keys_in_one_slot(script: str) -> None:
    """On a cluster alone: without their tags they would not be."""
    call = ["EVALSHA", "abc", len(SCRIPTS[script]), *SCRIPTS[script], "argument", "other"]
    assert len(slots_of(renamed(call))) == 1
    assert renamed(call)[-2:] == ["argument", "other"]


def test_contracts_keep_their_names() -> None:
    """Streams, the layers of the cache, and what stands beside them alone."""
    keys = [stream.pattern for stream in (INBOUND, OUTBOUND, ORDERS, REJECTED)]
    keys += [layer.key("5491122334455") for layer in LAYERS]
    keys += [REPLY_LIMIT.key("5491122334455"), CALL_COUNTS.key("2026-11-30")]
    assert [on_cluster(key) for key in keys] == keys


@pytest.mark.parametrize(
    "name",
    ["flight:ab", "parked:ab", "ai_circuit:gpt", "ai_circuit:gpt:gpt-5:x", "published:r1", "limit:549", "session:1"],
)
def test_a_name_comes_back(name: str) -> None:
    """Whoever lists keys sees their usual names, and may ask for them by either."""
    assert off_cluster(on_cluster(name).encode()).decode() == name
    assert on_cluster(on_cluster(name)) == on_cluster(name)


@pytest.mark.parametrize(
    ("command", "keys"),
    [
        (["XREADGROUP", "GROUP", "g", "c", "COUNT", 1, b"STREAMS", "one", "two", ">", ">"], {"one", "two"}),
        (["XREAD", "BLOCK", 1, "STREAMS", "one", "0"], {"one"}),
        (["XGROUP CREATE", "one", "g", "0"], {"one"}),
        (["MEMORY USAGE", b"one"], {"one"}),
        (["DEL", "one", "two"], {"one", "two"}),
        (["EVAL", "return 1", 0, "one"], set()),
        (["SCRIPT LOAD", "return 1"], set()),
        (["TIME"], set()),
    ],
)
def test_where_keys_stand(command: list[object], keys: set[str]) -> None:
    """In each form that a command of ours has."""
    assert slots_of(renamed(command)) == {slot for key in keys for slot in slots_of(["GET", key])}
