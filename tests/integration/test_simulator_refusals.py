"""What the simulated APIs refuse, with the status and the body of the real ones, over real connections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from helpers.simulated import configured, deepseek_error, openai_error, post, request

from worker.devkit.simulator import Simulator

NO_JSON = "Sos el asistente de un supermercado."
HINT = "Use 'max_completion_tokens' instead."
MAX_TOKENS = f"Unsupported parameter: 'max_tokens' is not supported with this model. {HINT}"
ONLY_ONE = "with this model. Only the default (1) value is supported."
MINIMAL = "Supported values are: 'none', 'low', 'medium', 'high', 'xhigh', and 'max'."
NO_NONE = "Supported values are: 'low', 'medium', 'high', 'xhigh', and 'max'."
SCHEMA = {"type": "json_schema", "json_schema": {"name": "r", "schema": {"type": "object"}}}
WORD = "must contain the word 'json' in some form"
UNAVAILABLE = "This response_format type is unavailable now"


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    """A simulator that no test here changes."""
    with Simulator() as simulator:
        yield simulator


OPENAI = [
    ("max_tokens", {"max_tokens": 400}, (MAX_TOKENS, "max_tokens", "unsupported_parameter")),
    (
        "temperature where the default effort thinks",
        {"reasoning_effort": None, "temperature": 0.3},
        (f"Unsupported value: 'temperature' does not support 0.3 {ONLY_ONE}", "temperature", "unsupported_value"),
    ),
    (
        "top_p at low effort",
        {"reasoning_effort": "low", "top_p": 0.9},
        (f"Unsupported value: 'top_p' does not support 0.9 {ONLY_ONE}", "top_p", "unsupported_value"),
    ),
    (
        "minimal effort",
        {"reasoning_effort": "minimal"},
        (
            f"Unsupported value: 'minimal' is not supported with the 'gpt-6-luna' model. {MINIMAL}",
            "reasoning_effort",
            "unsupported_value",
        ),
    ),
    (
        "JSON mode without the word",
        {"system": NO_JSON},
        (f"'messages' {WORD}, to use 'response_format' of type 'json_object'.", "messages", None),
    ),
    ("an unknown argument", {"thinking": {"type": "disabled"}}, ("Unrecognized request argument supplied: thinking",)),
    ("an argument of Gemini's", {"topK": 3}, ("Unrecognized request argument supplied: topK",)),
    (
        "an unknown field of a message",
        {"messages": [{"role": "user", "content": "json", "mood": "x"}]},
        ("Unknown parameter: 'messages[0].mood'.", "messages[0].mood", "unknown_parameter"),
    ),
    (
        "an unknown field of a part",
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "json", "cache_control": {}}]}]},
        (
            "Unknown parameter: 'messages[0].content[0].cache_control'.",
            "messages[0].content[0].cache_control",
            "unknown_parameter",
        ),
    ),
]


@pytest.mark.parametrize(("fields", "said"), [case[1:] for case in OPENAI], ids=[case[0] for case in OPENAI])
def test_openai_refuses(sim: Simulator, fields: dict[str, Any], said: tuple[str, ...]) -> None:
    """What gpt-6-luna does not take is a 400 that names the parameter."""
    response = post(sim, "openai", request("openai", **fields))
    assert (response.status_code, response.json()) == (400, openai_error(*said))


def test_sol_always_thinks(sim: Simulator) -> None:
    """gpt-6.2-sol has no effort "none"."""
    response = post(sim, "openai", request("openai"), model="gpt-6.2-sol")
    message = f"Unsupported value: 'none' is not supported with the 'gpt-6.2-sol' model. {NO_NONE}"
    assert response.json() == openai_error(message, "reasoning_effort", "unsupported_value")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"response_format": SCHEMA}, UNAVAILABLE),
        ({"system": NO_JSON}, f"Prompt {WORD} to use 'response_format' of type 'json_object'"),
        (
            {"system": [{"type": "text", "text": "JSON"}]},
            "Failed to deserialize the JSON body into the target type: "
            "messages[0]: invalid type: sequence, expected a string",
        ),
    ],
)
def test_deepseek_refuses(sim: Simulator, fields: dict[str, Any], message: str) -> None:
    """A schema, JSON mode without the word and content in parts are each a 400 with its own sentence."""
    response = post(sim, "deepseek", request("deepseek", **fields))
    assert (response.status_code, response.json()) == (400, deepseek_error(message))


@pytest.mark.parametrize(
    ("provider", "fields"),
    [
        ("openai", {}),
        ("openai", {"temperature": 0.3}),
        ("openai", {"reasoning_effort": "low", "temperature": 1}),
        ("openai", {"store": False, "verbosity": "low", "prompt_cache_key": "shop", "service_tier": "flex"}),
        ("deepseek", {}),
        ("deepseek", {"top_k": 3, "prompt_cache_key": "x", "max_completion_tokens": 5}),
        ("deepseek", {"thinking": None, "reasoning_effort": "minimal", "max_tokens": 2000}),
        ("gemini", {}),
        ("gemini", {"generation_config": {"max_output_tokens": 400, "thinking_config": {"thinking_budget": -1}}}),
        ("gemini", {"generationConfig": {"temperature": 0.3, "topP": 0.5, "topK": 4}}),
    ],
)
def test_takes_what_the_real_ones_take(sim: Simulator, provider: str, fields: dict[str, Any]) -> None:
    """Today's requests, and fields that are taken with or without effect."""
    assert post(sim, provider, request(provider, **fields)).status_code == 200


def test_a_limit_must_be_a_number_above_zero(sim: Simulator) -> None:
    """Zero, less, a text and a truth are no limits."""
    for value in (0, -1, "400", True):
        assert post(sim, "openai", request("openai", max_completion_tokens=value)).status_code == 400
        assert post(sim, "deepseek", request("deepseek", max_tokens=value)).status_code == 400
        assert post(sim, "gemini", configured(maxOutputTokens=value)).status_code == 400


@pytest.mark.parametrize(
    ("provider", "fields"),
    [
        ("openai", {"response_format": "json"}),
        ("openai", {"prompt_cache_options": [1]}),
        ("openai", {"reasoning_effort": ["none"]}),
        ("openai", {"response_format": {"type": ["text"]}}),
        ("openai", {"response_format": {"type": "json_schema", "json_schema": "r"}}),
        ("deepseek", {"thinking": "disabled"}),
        ("gemini", {"generationConfig": []}),
        ("gemini", {"generationConfig": 3}),
        ("gemini", {"generationConfig": {"thinkingConfig": {"thinkingBudget": "x"}}}),
        ("gemini", {"generationConfig": {"thinkingConfig": {"thinkingLevel": 3}}}),
    ],
)
def test_fields_of_another_shape_are_a_400(sim: Simulator, provider: str, fields: dict[str, Any]) -> None:
    """Nothing a client sends breaks the connection."""
    assert post(sim, provider, request(provider, **fields)).status_code == 400
