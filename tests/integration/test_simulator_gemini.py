"""What generateContent refuses, over real connections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from helpers.simulated import configured, gemini_error, post, request

from worker.devkit.simulator import Simulator

ARGUMENT = "Request contains an invalid argument."


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    """A simulator that no test here changes."""
    with Simulator() as simulator:
        yield simulator


GEMINI = [
    ("gemini-3.5-flash-lite", {"thinkingBudget": 0}, ARGUMENT),
    (
        "gemini-3.8-flash",
        {"thinkingLevel": "minimal"},
        "Thinking level MINIMAL is not supported for this model. Please retry with other thinking level.",
    ),
    (
        "gemini-3.5-flash-lite",
        {"thinkingLevel": "xhigh"},
        "Thinking level XHIGH is not supported for this model. Please retry with other thinking level.",
    ),
    (
        "gemini-3.5-flash-lite",
        {"thinkingLevel": "minimal", "thinkingBudget": 0},
        "You can only set only one of thinking budget and thinking level.",
    ),
    ("gemini-4-hydrogen", {"thinkingBudget": 512}, ARGUMENT),
]


@pytest.mark.parametrize(("model", "thinking", "message"), GEMINI)
def test_gemini_refuses_ways_of_thinking(sim: Simulator, model: str, thinking: dict[str, Any], message: str) -> None:
    """Levels and budgets that the model does not offer."""
    response = post(sim, "gemini", configured(thinkingConfig=thinking), model=model)
    assert (response.status_code, response.json()) == (400, gemini_error(message))


def test_gemini_refuses_penalties(sim: Simulator) -> None:
    """Since 3.5 they are an error."""
    response = post(sim, "gemini", configured(frequencyPenalty=0.5))
    assert (response.status_code, response.json()) == (400, gemini_error(ARGUMENT))


@pytest.mark.parametrize(
    ("body", "strange"),
    [
        (request("gemini", temperature=0.3), [("temperature", "")]),
        (configured(max_tokens=400), [("max_tokens", "generation_config")]),
        (
            configured(thinkingConfig={"effort": "low"}) | {"messages": []},
            [("effort", "generation_config.thinking_config"), ("messages", "")],
        ),
        (
            {"contents": [{"parts": [{"text": "hola", "cache": 1}]}]},
            [("cache", "contents[0].parts[0]")],
        ),
    ],
)
def test_gemini_refuses_unknown_fields(sim: Simulator, body: dict[str, Any], strange: list[tuple[str, str]]) -> None:
    """All of them are named, by their places in snake_case, and again as violations."""
    places = [(name, f" at '{path}'" if path else "") for name, path in strange]
    texts = [
        f'Invalid JSON payload received. Unknown name "{name}"{place}: Cannot find field.' for name, place in places
    ]
    response = post(sim, "gemini", body)
    error = response.json()["error"]
    assert (response.status_code, error["status"]) == (400, "INVALID_ARGUMENT")
    assert sorted(error["message"].split("\n")) == sorted(texts)
    (detail,) = error["details"]
    assert detail["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    described = {(each["description"], each.get("field", "")) for each in detail["fieldViolations"]}
    assert described == {(text, path) for text, (_, path) in zip(texts, strange, strict=True)}
