"""How simulated models answer: thinking and limits, structured outputs, spoilt answers; over real connections."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from helpers.simulated import CONTEXT, call, configured, openai_error, post, request, said, without

from worker.devkit.assistant import answer, marked
from worker.devkit.simulator import Simulator

PROVIDERS = ("openai", "gemini", "deepseek")
TEXT = {"type": "string"}
NULLABLE = {"type": ["string", "null"]}


def strict(**properties: Any) -> dict[str, Any]:
    """A schema of the strict subset."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


#: What an answer may be, with a field that the assistant does not know and without some that it does.
SCHEMA = strict(
    mood=NULLABLE,
    intent={"type": "string", "enum": ["browse_category", "unknown"]},
    reply=TEXT,
    requires_human={"type": "boolean"},
    entities={"type": "array", "items": strict(name=TEXT, value=TEXT)},
)


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """A simulator without latency."""
    with Simulator() as simulator:
        yield simulator


def wanting(provider: str, schema: Any, **wanted: Any) -> dict[str, Any]:
    """A request for an answer that conforms to a schema."""
    if provider == "gemini":
        return configured(responseJsonSchema=schema)
    asked = {"name": "r", "strict": True, "schema": schema} | wanted
    return request(provider, response_format={"type": "json_schema", "json_schema": without(asked, *_absent(asked))})


def _absent(asked: dict[str, Any]) -> list[str]:
    return [name for name, value in asked.items() if value is None]


def output(response: requests.Response) -> tuple[int, int]:
    """Tokens of output that are billed, and those of thinking."""
    body = response.json()
    if "usage" in body:
        usage = body["usage"]
        return usage["completion_tokens"], usage.get("completion_tokens_details", {}).get("reasoning_tokens", 0)
    usage = body["usageMetadata"]
    thoughts = usage.get("thoughtsTokenCount", 0)
    return usage.get("candidatesTokenCount", 0) + thoughts, thoughts


THINKING = {
    "openai": {"reasoning_effort": None, "max_completion_tokens": 400},
    "deepseek": {"thinking": None, "max_tokens": 400},
    "gemini": {"generationConfig": {"maxOutputTokens": 400, "thinkingConfig": {"thinkingLevel": "high"}}},
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_thinking_eats_the_limit(sim: Simulator, provider: str) -> None:
    """OpenAI and DeepSeek think by default; what they think is billed as output, and nothing is left to say."""
    response = post(sim, provider, request(provider, **THINKING[provider]))
    text, finish = said(response)
    assert (text, finish.lower() in ("length", "max_tokens")) == ("", True)
    assert output(response) == (400, 400)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_thinks_and_answers_where_there_is_room(sim: Simulator, provider: str) -> None:
    """Without a limit the answer follows the thoughts, and both are counted."""
    fields = {"max_completion_tokens": None, "max_tokens": None}
    config = {"thinkingConfig": {"thinkingLevel": "low"}, "responseMimeType": "application/json"}
    body = request(provider, **THINKING[provider] | fields)
    response = post(sim, provider, body | ({"generationConfig": config} if provider == "gemini" else {}))
    text, finish = said(response)
    assert json.loads(text) == marked(answer(CONTEXT), CONTEXT)
    assert finish in ("stop", "STOP")
    billed, thoughts = output(response)
    assert billed == thoughts + -(-len(text) // 4)
    assert thoughts > 0


def test_deepseek_shows_what_it_thinks(sim: Simulator) -> None:
    """`reasoning_content` stands beside the content, and only where it thinks."""
    thinking = post(sim, "deepseek", request("deepseek", thinking=None, max_tokens=3000)).json()
    assert thinking["choices"][0]["message"]["reasoning_content"]
    assert thinking["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0
    plain = call(sim, "deepseek").json()
    assert "reasoning_content" not in plain["choices"][0]["message"]
    assert "completion_tokens_details" not in plain["usage"]


def test_gemini_counts_thoughts_beside_the_answer(sim: Simulator) -> None:
    """`candidatesTokenCount` is without them, the total with them; shown they are only where that is asked."""
    thinking = {"thinkingLevel": "medium", "includeThoughts": True}
    response = post(sim, "gemini", configured(thinkingConfig=thinking, maxOutputTokens=3000))
    usage, parts = response.json()["usageMetadata"], response.json()["candidates"][0]["content"]["parts"]
    assert [part.get("thought", False) for part in parts] == [True, False]
    assert usage["candidatesTokenCount"] == -(-len(said(response)[0]) // 4)
    counted = usage["promptTokenCount"] + usage["candidatesTokenCount"] + usage["thoughtsTokenCount"]
    assert usage["totalTokenCount"] == counted
    silent = call(sim, "gemini").json()
    assert "thoughtsTokenCount" not in silent["usageMetadata"]


@pytest.mark.parametrize(
    ("model", "budget", "thinks"),
    [("gemini-3.6-flash", 0, False), ("gemini-3.6-flash", 300, True), ("gemini-3.8-flash", 0, True)],
)
def test_gemini_heeds_a_budget_by_model(sim: Simulator, model: str, budget: int, thinks: bool) -> None:
    """3.6-flash honours it, 3.8-flash takes it and thinks all the same."""
    body = configured(thinkingConfig={"thinkingBudget": budget}, maxOutputTokens=3000)
    assert (output(post(sim, "gemini", body, model=model))[1] > 0) is thinks


def test_a_limit_cuts_the_answer(sim: Simulator) -> None:
    """DeepSeek heeds `max_tokens` and nothing else, the others their own names."""
    cut = post(sim, "openai", request("openai", max_completion_tokens=5))
    assert (len(said(cut)[0]), said(cut)[1], output(cut)) == (20, "length", (5, 0))
    assert said(post(sim, "deepseek", request("deepseek", max_tokens=5)))[1] == "length"
    ignored = request("deepseek", max_tokens=None, max_completion_tokens=5)
    assert said(post(sim, "deepseek", ignored))[1] == "stop"
    assert said(post(sim, "gemini", configured(maxOutputTokens=5)))[1] == "MAX_TOKENS"


@pytest.mark.parametrize("provider", ["openai", "gemini"])
def test_an_answer_conforms_to_the_schema(sim: Simulator, provider: str) -> None:
    """Its properties in order and no others; null where there is nothing to say, pairs where objects are closed."""
    spoken = json.loads(said(post(sim, provider, wanting(provider, SCHEMA)))[0])
    expected = marked(answer(CONTEXT), CONTEXT)
    assert list(spoken) == list(SCHEMA["properties"])
    assert spoken["mood"] is None
    assert spoken["reply"] == expected["reply"]
    assert {pair["name"]: pair["value"] for pair in spoken["entities"]} == expected["entities"]


INCLUDE = "'required' is required to be supplied and to be an array including every key in properties."


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (
            without(SCHEMA, "additionalProperties"),
            "In context=(), 'additionalProperties' is required to be supplied and to be false.",
        ),
        (
            SCHEMA | {"additionalProperties": True},
            "In context=(), 'additionalProperties' is required to be supplied and to be false.",
        ),
        (
            SCHEMA | {"required": [*SCHEMA["required"], "more"]},
            f"In context=(), {INCLUDE} Extra required key 'more' supplied.",
        ),
        (SCHEMA | {"required": list(SCHEMA["required"])[:-1]}, f"In context=(), {INCLUDE} Missing 'entities'."),
        (
            strict(list={"type": "array", "items": without(strict(a=TEXT), "required")}),
            f"In context=('properties', 'list', 'items'), {INCLUDE} Missing 'a'.",
        ),
        (
            strict(one={"anyOf": [without(strict(), "additionalProperties"), {"type": "null"}]}),
            "In context=('properties', 'one', 'anyOf', '0'),"
            " 'additionalProperties' is required to be supplied and to be false.",
        ),
        (strict(any={}), "In context=('properties', 'any'), schema must have a 'type' key."),
        (strict(one={"oneOf": [TEXT]}), "In context=('properties', 'one'), 'oneOf' is not permitted."),
        (
            {"type": "array", "items": TEXT},
            "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"array\"'.",
        ),
    ],
)
def test_openai_takes_only_its_strict_subset(sim: Simulator, schema: dict[str, Any], reason: str) -> None:
    """Every object closed, every property required; otherwise a 400 that names the place. Not strict, it is taken."""
    response = post(sim, "openai", wanting("openai", schema))
    message = f"Invalid schema for response_format 'r': {reason}"
    assert (response.status_code, response.json()) == (400, openai_error(message, "response_format"))
    assert post(sim, "openai", wanting("openai", schema, strict=False)).status_code == 200


def test_openai_wants_a_name_for_a_schema(sim: Simulator) -> None:
    """And one without spaces."""
    path = "response_format.json_schema.name"
    nameless = post(sim, "openai", wanting("openai", SCHEMA, name=None)).json()
    assert nameless == openai_error(f"Missing required parameter: '{path}'.", path, "missing_required_parameter")
    spaced = post(sim, "openai", wanting("openai", SCHEMA, name="a reply")).json()
    assert (spaced["error"]["param"], spaced["error"]["code"]) == (path, "invalid_value")


@pytest.mark.parametrize(
    "schema", [{"$ref": "#"}, {"$ref": "#/none"}, {"type": "object", "properties": [1]}, {"$ref": 1}]
)
def test_a_schema_that_is_none_is_a_400(sim: Simulator, schema: dict[str, Any]) -> None:
    """It breaks neither the connection nor the simulator."""
    assert post(sim, "gemini", wanting("gemini", schema)).status_code == 400
    assert post(sim, "openai", wanting("openai", schema)).status_code == 400
