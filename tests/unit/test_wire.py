"""The two wire formats: what is asked, and what every kind of answer is taken for."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
from helpers.basics import SHARED_DATA
from pydantic import SecretStr

from worker import errors
from worker.errors import ProviderError, RequestRefused, UnreadableAnswer
from worker.providers.models import Model, Price, Provider
from worker.providers.providers_file import load_providers
from worker.providers.wires import gemini as wire_gemini
from worker.providers.wires import openai as wire_openai
from worker.providers.wires.refusals import error_for
from worker.providers.wires.values import MAX_TOKENS
from worker.replies.prompt import AiRequest
from worker.settings import read_settings
from worker.usage import Usage

RECORDED = SHARED_DATA / "llm_wire"
NOW = datetime(2026, 11, 22, 9, 0, 0, tzinfo=UTC)
KEY = "sk-Secret0123"
SCHEMA = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
REQUEST = AiRequest(system="s" * 40, user="u" * 8, schema=SCHEMA, max_output_tokens=123)
PRICE = Price(Decimal("0.5"), Decimal("0.5"), Decimal("1.5"), Decimal("0.5"))
MODEL = Model("model-1", (PRICE,), {"temperature": 0.2})

needs_recorded = pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded answers are not beside this checkout")


def provider(wire: Any = "openai", base_url: str = "https://api.example/v1") -> Provider:
    """A provider with a key."""
    return Provider("p", wire, base_url, "", SecretStr(KEY), "KEY", None, ("simple",), 1.0, 5.0, (MODEL,))


def model(**changes: Any) -> Model:
    """A model that is asked in JSON mode, some things about it changed."""
    return replace(MODEL, **changes)


def recorded(name: str) -> dict[str, Any]:
    response: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))["response"]
    return response


def wire_of(name: str) -> ModuleType:
    return wire_gemini if name.startswith("gemini") else wire_openai


def openai(text: object = "{}", finish: object = "stop", **more: object) -> dict[str, object]:
    return {"choices": [{"message": {"content": text}, "finish_reason": finish}], **more}


def gemini(text: object = "{}", finish: object = "STOP", **more: object) -> dict[str, object]:
    return {"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": finish}], **more}


# What is asked


def test_openai_request() -> None:
    """Chat completions in JSON mode, the key in the Authorization header only."""
    url, headers, body = wire_openai.build(provider(), model(), REQUEST)
    assert url == "https://api.example/v1/chat/completions"
    assert headers == {"Authorization": f"Bearer {KEY}"}
    assert body == {
        "model": "model-1",
        "messages": [{"role": "system", "content": REQUEST.system}, {"role": "user", "content": REQUEST.user}],
        "response_format": {"type": "json_object"},
        "temperature": 0.2,
        "max_tokens": 123,
    }


def test_gemini_request() -> None:
    """generateContent, a model's own fields merged into objects of ours, the key in a header and never in the URL."""
    asked = model(request={"generationConfig": {"topK": 1}})
    url, headers, body = wire_gemini.build(provider("gemini", "https://g.example/v1beta"), asked, REQUEST)
    assert url == "https://g.example/v1beta/models/model-1:generateContent"
    assert headers == {"x-goog-api-key": KEY}
    assert body == {
        "systemInstruction": {"parts": [{"text": REQUEST.system}]},
        "contents": [{"role": "user", "parts": [{"text": REQUEST.user}]}],
        "generationConfig": {"responseMimeType": "application/json", "maxOutputTokens": 123, "topK": 1},
    }
    assert asked.request == {"generationConfig": {"topK": 1}}


@pytest.mark.parametrize(
    ("wire", "json_mode", "form"),
    [
        ("openai", "words", {}),
        ("openai", "object", {"response_format": {"type": "json_object"}}),
        ("openai", "object_schema", {"response_format": {"type": "json_object", "schema": SCHEMA}}),
        (
            "openai",
            "schema",
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "decision", "strict": True, "schema": SCHEMA},
                }
            },
        ),
        ("gemini", "words", {"generationConfig": {}}),
        ("gemini", "object", {"generationConfig": {"responseMimeType": "application/json"}}),
        (
            "gemini",
            "schema",
            {"generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}},
        ),
    ],
)
def test_how_json_is_asked_for(wire: str, json_mode: Any, form: dict[str, Any]) -> None:
    """By words alone, by JSON mode, by a schema in it, or by a strict schema."""
    asked = model(json_mode=json_mode, request={}, output_limit="limit")
    _, _, body = {"openai": wire_openai, "gemini": wire_gemini}[wire].build(provider(wire), asked, REQUEST)
    ours = {"model", "messages", "systemInstruction", "contents", "limit"}
    assert {name: value for name, value in body.items() if name not in ours} == form
    assert body["limit"] == 123


def test_a_request_without_a_schema_falls_back_to_json_mode() -> None:
    """A strict schema that is not there cannot be sent."""
    bare = AiRequest("s", "u")
    body = wire_openai.build(provider(), model(json_mode="schema"), bare)[2]
    assert body["response_format"] == {"type": "json_object"}
    config = wire_gemini.build(provider("gemini"), model(json_mode="schema", output_limit="limit"), bare)[2][
        "generationConfig"
    ]
    assert config == {"responseMimeType": "application/json"}


def test_a_key_header_of_ones_own() -> None:
    """Azure's `api-key`; a server that needs no key gets none."""
    azure = replace(provider(), key_header="api-key")
    assert wire_openai.headers(azure) == {"api-key": KEY}
    assert wire_gemini.headers(replace(azure, wire="gemini")) == {"api-key": KEY}
    for wire in (wire_openai, wire_gemini):
        assert wire.headers(replace(provider(), api_key=None)) == {}


def test_the_query_of_a_base_url_is_kept() -> None:
    """Behind the path of each endpoint (Azure's api-version)."""
    azure = replace(provider(), query="api-version=2026-01-01")
    assert wire_openai.build(azure, model(), REQUEST)[0].endswith("/v1/chat/completions?api-version=2026-01-01")
    assert wire_gemini.build(azure, model(), REQUEST)[0].endswith("model-1:generateContent?api-version=2026-01-01")


# The six shipped models, field by field, as their APIs take them

CACHED_SYSTEM = [{"type": "text", "text": REQUEST.system, "prompt_cache_breakpoint": {"mode": "explicit"}}]
OPENAI_FIELDS = {
    "messages": [{"role": "system", "content": CACHED_SYSTEM}, {"role": "user", "content": REQUEST.user}],
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "decision", "strict": True, "schema": SCHEMA},
    },
    "max_completion_tokens": 123,
    "reasoning_effort": "none",
    "store": False,
    "prompt_cache_key": "chasqui",
    "prompt_cache_options": {"mode": "explicit"},
}
DEEPSEEK_FIELDS = {
    "messages": [{"role": "system", "content": REQUEST.system}, {"role": "user", "content": REQUEST.user}],
    "response_format": {"type": "json_object"},
    "max_tokens": 123,
    "temperature": 0.3,
    "thinking": {"type": "disabled"},
}
GEMINI_FIELDS = {
    "systemInstruction": {"parts": [{"text": REQUEST.system}]},
    "contents": [{"role": "user", "parts": [{"text": REQUEST.user}]}],
    "store": False,
    "generationConfig": {
        "maxOutputTokens": 123,
        "thinkingConfig": {"thinkingLevel": "minimal"},
        "responseMimeType": "application/json",
        "responseJsonSchema": SCHEMA,
    },
}
SHIPPED: dict[str, dict[str, dict[str, Any]]] = {
    "gemini-flash": dict.fromkeys(("gemini-3.5-flash-lite", "gemini-3.1-flash-lite"), GEMINI_FIELDS),
    "deepseek": {name: {"model": name} | DEEPSEEK_FIELDS for name in ("deepseek-flash", "deepseek-v4-pro")},
    "gpt": {name: {"model": name} | OPENAI_FIELDS for name in ("gpt-6-luna", "gpt-6.1-terra")},
}


def test_the_requests_of_the_shipped_models() -> None:
    """Each as its API takes it today: no field is missing, and none is there that is refused."""
    for found in load_providers(read_settings({})):
        wire = wire_gemini if found.wire == "gemini" else wire_openai
        bodies = {one.id: wire.build(found, one, REQUEST)[2] for one in found.models}
        assert bodies == SHIPPED[found.name]
    assert [found.name for found in load_providers(read_settings({}))] == list(SHIPPED)


# What came back: recorded answers


@needs_recorded
@pytest.mark.parametrize(
    ("name", "start", "usage"),
    [
        ("openai_200_simple", "The capital of France is Paris.", Usage(14, 0, 7)),
        ("deepseek_200_json_mode", '{\n  "location": "San Francisco"', Usage(495, 320, 144)),
        ("gemini_200_text", "There are **3** r's", Usage(9, 0, 28 + 244)),
    ],
)
def test_recorded_text(name: str, start: str, usage: Usage) -> None:
    """A finished answer gives its text and its figures; cached tokens and thoughts are counted as they are billed."""
    text, billed, answered_by = wire_of(name).parse(provider(), REQUEST, recorded(name)["body"])
    assert text.startswith(start)
    assert billed == usage
    assert answered_by == recorded(name)["body"].get("model", recorded(name)["body"].get("modelVersion"))


@needs_recorded
@pytest.mark.parametrize(
    ("name", "error", "usage"),
    [
        ("deepseek_200_text", UnreadableAnswer, Usage(13, 0, 300)),
        ("openai_shape_200_finish_length", UnreadableAnswer, Usage(57, 0, 20)),
        ("gemini_200_max_tokens_truncated_text", UnreadableAnswer, Usage(15, 0, 5)),
        ("gemini_200_finish_safety_empty_content", RequestRefused, Usage(14, 0, 0)),
    ],
)
def test_recorded_text_that_cannot_be_used(name: str, error: type[ProviderError], usage: Usage) -> None:
    """A truncated or blocked answer is an error, but its tokens are billed all the same."""
    with pytest.raises(error) as raised:
        wire_of(name).parse(provider(), REQUEST, recorded(name)["body"])
    assert raised.value.usage == usage


@needs_recorded
@pytest.mark.parametrize(
    ("name", "error", "detail", "retry_after_s"),
    [
        ("openai_401_invalid_key", errors.ProviderDenied, "HTTP 401 invalid_api_key", None),
        ("deepseek_401_auth", errors.ProviderDenied, "HTTP 401 invalid_request_error", None),
        ("gemini_400_invalid_key", errors.ProviderDenied, "HTTP 400 INVALID_ARGUMENT", None),
        ("openai_400_context_length", RequestRefused, "HTTP 400 context_length_exceeded", None),
        ("deepseek_400_context_length", RequestRefused, "HTTP 400 invalid_request_error", None),
        ("openai_404_unknown_model", errors.ModelGone, "HTTP 404 model_not_found", None),
        ("gemini_404_unknown_model", errors.ModelGone, "HTTP 404 NOT_FOUND", None),
        ("openai_429_rpm_gpt35", errors.ProviderRateLimited, "HTTP 429 rate_limit_exceeded", 20.0),
        ("gemini_429_quota", errors.ProviderRateLimited, "HTTP 429 RESOURCE_EXHAUSTED", 48.0),
        ("gemini_503_overloaded", errors.ProviderUnavailable, "HTTP 503 UNAVAILABLE", None),
    ],
)
def test_recorded_error(name: str, error: type[ProviderError], detail: str, retry_after_s: float | None) -> None:
    """Each recorded error becomes the one class that says what to do about it, with the wait the provider named."""
    response = recorded(name)
    made = error_for("p", response["status"], None, response["body"], NOW)
    assert type(made) is error
    assert made.detail == detail
    assert getattr(made, "retry_after_s", None) == retry_after_s


# What came back: answers nobody recorded


@pytest.mark.parametrize(
    "body",
    [
        openai("", "content_filter"),
        {"choices": [{"message": {"content": None, "refusal": "no"}, "finish_reason": "stop"}]},
    ],
)
def test_openai_refusal(body: object) -> None:
    """A content filter and a refusal are about this request."""
    with pytest.raises(RequestRefused):
        wire_openai.parse(provider(), REQUEST, body)


@pytest.mark.parametrize(
    "body",
    [
        {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4}},
        gemini("copied", "RECITATION"),
        gemini("x", "PROHIBITED_CONTENT"),
    ],
)
def test_gemini_refusal(body: object) -> None:
    """A blocked prompt and a blocked answer are about this request."""
    with pytest.raises(RequestRefused) as raised:
        wire_gemini.parse(provider("gemini"), REQUEST, body)
    assert raised.value.usage is not None


@pytest.mark.parametrize(
    "body", [None, [], 7, {}, {"choices": []}, {"choices": {}}, openai(None), openai(" \n"), openai(3)]
)
def test_openai_nothing_to_read(body: object) -> None:
    """Whatever JSON comes back, the worst it can be is an unreadable answer."""
    with pytest.raises(UnreadableAnswer):
        wire_openai.parse(provider(), REQUEST, body)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"candidates": []},
        {"candidates": [{"content": {}}]},
        gemini(""),
        gemini("x", "OTHER"),
        gemini("x", ["?"]),
    ],
)
def test_gemini_nothing_to_read(body: object) -> None:
    """Whatever JSON comes back, the worst it can be is an unreadable answer."""
    with pytest.raises(UnreadableAnswer):
        wire_gemini.parse(provider("gemini"), REQUEST, body)


def test_deepseek_out_of_capacity() -> None:
    """An answer DeepSeek broke off for want of capacity counts against the provider, and was billed."""
    with pytest.raises(errors.ProviderUnavailable) as raised:
        wire_openai.parse(provider(), REQUEST, openai("half", "insufficient_system_resource"))
    assert raised.value.usage is not None


def test_thoughts_are_not_the_answer() -> None:
    """Parts marked as thoughts are left out of the text."""
    parts = [{"text": "hmm", "thought": True}, {"text": '{"a"'}, {"text": ":1}"}]
    body = {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]}
    assert wire_gemini.parse(provider("gemini"), REQUEST, body)[0] == '{"a":1}'


@pytest.mark.parametrize(
    ("figures", "usage"),
    [
        (None, Usage(12, 0, 2)),
        ({"prompt_tokens": "many", "completion_tokens": True}, Usage(12, 0, 2)),
        ({"prompt_tokens": 2**63, "completion_tokens": MAX_TOKENS + 1}, Usage(12, 0, 2)),
        ({"prompt_tokens": MAX_TOKENS, "completion_tokens": 9}, Usage(MAX_TOKENS, 0, 9)),
        ({"prompt_tokens": 50, "completion_tokens": 9, "prompt_cache_hit_tokens": 20}, Usage(50, 20, 9)),
        (
            {"prompt_tokens": 50, "completion_tokens": -9, "prompt_tokens_details": {"cached_tokens": 80}},
            Usage(50, 50, 2),
        ),
    ],
)
def test_missing_figures_are_estimated(figures: object, usage: Usage) -> None:
    """A figure that is missing or senseless is estimated from characters, so that no call looks free."""
    assert wire_openai.parse(provider(), REQUEST, openai("12345678", usage=figures)) == ("12345678", usage, None)


def test_tokens_written_to_a_prompt_cache() -> None:
    """They are a part of the prompt beside those that were read, and never more than that."""
    details = {"cached_tokens": 600, "cache_write_tokens": 300}
    figures = {"prompt_tokens": 1000, "completion_tokens": 9, "prompt_tokens_details": details}
    assert wire_openai.parse(provider(), REQUEST, openai("x", usage=figures))[1] == Usage(1000, 600, 9, 300)
    figures["prompt_tokens"] = 700
    assert wire_openai.parse(provider(), REQUEST, openai("x", usage=figures))[1] == Usage(700, 600, 9, 100)


@pytest.mark.parametrize(
    ("wire", "body"),
    [
        (
            wire_openai,
            openai(
                "",
                "length",
                usage={
                    "prompt_tokens": 900,
                    "completion_tokens": 700,
                    "completion_tokens_details": {"reasoning_tokens": 700},
                },
            ),
        ),
        (
            wire_openai,
            {
                "choices": [{"message": {"content": None, "reasoning": "hm"}, "finish_reason": "length"}],
                "usage": {"completion_tokens": 700},
            },
        ),
        (wire_gemini, gemini("", "MAX_TOKENS", usageMetadata={"thoughtsTokenCount": 700})),
        (wire_gemini, {"candidates": [{"finishReason": "MAX_TOKENS"}], "usageMetadata": {"thoughtsTokenCount": 7}}),
    ],
)
def test_thoughts_that_took_the_whole_limit(wire: ModuleType, body: object) -> None:
    """It is said, since it lies in how the model is asked; it is unreadable like any other answer without a text."""
    with pytest.raises(errors.ThoughtAway) as raised:
        wire.parse(provider(), REQUEST, body)
    assert isinstance(raised.value, UnreadableAnswer)
    assert raised.value.usage is not None


@pytest.mark.parametrize(
    ("wire", "body", "name"),
    [
        (wire_openai, openai("x", model="gpt-6-luna-2026-09-22"), "gpt-6-luna-2026-09-22"),
        (wire_gemini, gemini("x", modelVersion="models/gemini-3.5-flash-lite"), "gemini-3.5-flash-lite"),
        (wire_openai, openai("x", model="two words"), None),
        (wire_openai, openai("x", model=["a"]), None),
        (wire_openai, openai("x", model="a" * 101), None),
    ],
)
def test_the_model_an_answer_names(wire: ModuleType, body: object, name: str | None) -> None:
    """As far as it can stand in a log and a key."""
    assert wire.parse(provider(), REQUEST, body)[2] == name


def test_content_in_parts() -> None:
    """Texts are joined; anything else in it is left out."""
    parts = [{"type": "text", "text": '{"a"'}, {"type": "image_url"}, {"type": "text", "text": ":1}"}, 7]
    assert wire_openai.parse(provider(), REQUEST, openai(parts))[0] == '{"a":1}'


def test_gemini_cached_tokens() -> None:
    """The cached part of a prompt is part of its tokens."""
    figures = {"promptTokenCount": 100, "cachedContentTokenCount": 60, "candidatesTokenCount": 5}
    assert wire_gemini.parse(provider("gemini"), REQUEST, gemini(usageMetadata=figures))[1] == Usage(100, 60, 5)


# What a status means


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, errors.ProviderDenied),
        (402, errors.ProviderDenied),
        (408, errors.ProviderTimeout),
        (413, RequestRefused),
        (422, RequestRefused),
        (500, errors.ProviderUnavailable),
        (529, errors.ProviderUnavailable),
        (204, UnreadableAnswer),
        (302, UnreadableAnswer),
        (418, UnreadableAnswer),
    ],
)
@pytest.mark.parametrize("body", [None, [], {"error": "text"}, {"error": {"details": {}}}])
def test_status_without_a_readable_body(status: int, error: type[ProviderError], body: object) -> None:
    """The status alone decides where the body says nothing."""
    assert type(error_for("p", status, None, body, NOW)) is error


def test_forbidden_by_the_api_or_by_a_page_before_it() -> None:
    """A page that is no JSON may have been provoked by a customer's text: no word about the key."""
    assert type(error_for("p", 403, None, {"error": {"message": "no"}}, NOW)) is errors.ProviderDenied
    assert type(error_for("p", 403, None, None, NOW)) is UnreadableAnswer


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (403, {"code": "x", "error": "Content violates usage guidelines. Failed check: SAFETY_CHECK"}, RequestRefused),
        (400, {"error": {"code": "json_validate_failed", "message": "Failed to generate JSON."}}, UnreadableAnswer),
        (
            400,
            [{"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT"}}],
            errors.ProviderDenied,
        ),
    ],
)
def test_what_other_servers_mean(status: int, body: object, error: type[ProviderError]) -> None:
    """A filter of xAI, a model of Groq that fails once, Gemini's list of one error."""
    assert type(error_for("p", status, None, body, NOW)) is error


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("7", 7.0),
        (" 1.5 ", 1.5),
        ("Sun, 22 Nov 2026 09:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 08:00:00 GMT", 0.0),
        ("Sun, 22 Nov 2026 09:00:30 -0000", 30.0),
        ("Mon, 20 Nov 99999999999 19:12:08 GMT", None),
        ("9" * 400, None),
        ("soon", None),
        ("-5", None),
        ("nan", None),
    ],
)
def test_retry_after_header(header: str, wait_s: float | None) -> None:
    """Seconds and HTTP dates are understood, nonsense is as good as no header."""
    for status in (429, 503):
        error = error_for("p", status, header, None, NOW)
        assert isinstance(error, errors.ProviderUnavailable)
        assert error.retry_after_s == wait_s


@pytest.mark.parametrize(
    ("message", "wait_s"),
    [
        ("Please try again in 20s. Visit", 20.0),
        ("Please try again in 1m2s.", 62.0),
        ("Please try again in 350ms.", 0.35),
        ("Please try again in 1.898s", 1.898),
        ("Please retry in 48.9s.", 48.9),
        ("try again in 2h0m1s", 7201.0),
        ("try again later", None),
        (None, None),
        (["try again in 5"], None),
    ],
)
def test_wait_in_the_message(message: object, wait_s: float | None) -> None:
    """Where no header names the wait, the sentence in the body may; a header goes before it."""
    body = {"error": {"message": message}}
    error = error_for("p", 429, None, body, NOW)
    assert isinstance(error, errors.ProviderRateLimited)
    assert error.retry_after_s == (None if wait_s is None else pytest.approx(wait_s))
    assert getattr(error_for("p", 429, "3", body, NOW), "retry_after_s", None) == 3.0


@pytest.mark.parametrize("word", [KEY, "AIzaSyA1234", "quiero dos leches", "x" * 41, 5, None, ["a"]])
def test_only_plain_codes_reach_the_detail(word: object) -> None:
    """A key, a sentence or anything long that stands where a code should be is left out."""
    body = {"error": {"code": word, "type": word, "status": word, "message": f"bad key {KEY}"}}
    assert error_for("p", 400, None, body, NOW).detail == "HTTP 400"
