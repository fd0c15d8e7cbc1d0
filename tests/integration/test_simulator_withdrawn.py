"""Models that the simulated APIs do not sell, in the words of the real ones, over real connections."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.simulated import configured, deepseek_error, gemini_error, openai_error, post, request

from worker.devkit.simulator import Simulator

WIRE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "llm_wire"
CASES = WIRE.parents[1] / "cases" / "providers.jsonl"


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    """A simulator that no test here changes."""
    with Simulator() as simulator:
        yield simulator


GONE = "The model `{}` does not exist or you do not have access to it."
NOT_FOUND = (
    "models/{} is not found for API version v1beta, or is not supported for generateContent. Call"
    " ModelService.ListModels to see the list of available models and their supported methods."
)
CLOSED = (
    "This model models/{} is no longer available to new users. Please update your code to use a newer model for the"
    " latest features and improvements."
)
RETIRED = "This model models/{} is no longer available. Please update your code to use models/gemini-3.8-flash"
SOLD = "The supported API model names are deepseek-flash, deepseek-v4-pro, but you passed {}."


@pytest.mark.parametrize(
    ("provider", "model", "status", "message"),
    [
        ("openai", "gpt-3.5-turbo", 404, GONE),
        ("openai", "gpt-7", 404, GONE),
        ("deepseek", "deepseek-chat", 400, SOLD),
        ("deepseek", "deepseek-reasoner", 400, SOLD),
        ("deepseek", "gpt-4o-mini", 400, SOLD),
        ("gemini", "gemini-3.6-flahs", 404, NOT_FOUND),
        ("gemini", "gemini-1.5-flash", 404, NOT_FOUND),
        ("gemini", "gemini-2.5-flash-lite", 404, CLOSED),
        ("gemini", "gemini-2.5-flash", 404, CLOSED),
        ("gemini", "gemini-2.0-flash", 404, RETIRED),
    ],
)
def test_models_that_are_not_sold(sim: Simulator, provider: str, model: str, status: int, message: str) -> None:
    """Unknown, withdrawn, closed to new keys: each provider says it in its own way."""
    bodies = {
        "openai": lambda text: openai_error(text, None, "model_not_found"),
        "deepseek": deepseek_error,
        "gemini": lambda text: gemini_error(text, 404, "NOT_FOUND"),
    }
    response = post(sim, provider, request(provider), model=model)
    assert (response.status_code, response.json()) == (status, bodies[provider](message.format(model)))


@pytest.mark.skipif(not WIRE.is_dir(), reason="recorded provider answers are not part of the repository")
@pytest.mark.parametrize(
    ("provider", "recording"), [("openai", "openai_404_unknown_model"), ("gemini", "gemini_404_unknown_model")]
)
def test_an_unknown_model_is_refused_as_recorded(sim: Simulator, provider: str, recording: str) -> None:
    """Status and body are those that the real API gave for a slip of the finger."""
    recorded = json.loads((WIRE / f"{recording}.json").read_text(encoding="utf-8"))
    uri, asked = recorded["request"]["uri"], recorded["request"]["body"]
    model = asked.get("model") or uri.rpartition("/models/")[2].partition(":")[0]
    response = post(sim, provider, asked, model=model)
    assert (response.status_code, response.json()) == (recorded["response"]["status"], recorded["response"]["body"])


def cases() -> list[dict[str, Any]]:
    """The bodies of failed cases that a provider gives to a bad request."""
    lines = CASES.read_text(encoding="utf-8").splitlines() if CASES.is_file() else []
    return [case for case in map(json.loads, filter(None, lines)) if case["status"] != 200]


@pytest.mark.skipif(not CASES.is_file(), reason="the failed cases are not part of the repository")
def test_refuses_in_the_words_of_the_cases(sim: Simulator) -> None:
    """Each case's body but for the model's name, the value, and the way DeepSeek's list is written."""
    bodies = {case["case"]: case["body"]["error"] for case in cases()}
    seen = {
        "openai_model_gone": post(sim, "openai", request("openai"), model="gpt-3.5-turbo"),
        "openai_parameter_refused": post(sim, "openai", request("openai", max_tokens=9)),
        "openai_value_refused": post(sim, "openai", request("openai", reasoning_effort="low", temperature=0.2)),
        "gemini_budget_refused": post(sim, "gemini", configured(thinkingConfig={"thinkingBudget": 0})),
        "gemini_level_refused": post(
            sim, "gemini", configured(thinkingConfig={"thinkingLevel": "minimal"}), model="gemini-3.8-flash"
        ),
    }
    assert {name: response.json()["error"] for name, response in seen.items()} == {name: bodies[name] for name in seen}
    deepseek = post(sim, "deepseek", request("deepseek"), model="deepseek-chat").json()["error"]
    assert deepseek["message"].replace(", deepseek-v4", " or deepseek-v4") == bodies["deepseek_model_gone"]["message"]
