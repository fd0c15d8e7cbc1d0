"""Requests to the simulated providers, as the real APIs take them today."""

from __future__ import annotations

import json
from typing import Any

import requests

from helpers.basics import GUARD_S
from worker.devkit.simulator import Simulator

CONTEXT = {"categories": ["Lácteos"], "products": [], "message": "menú"}
USER = json.dumps(CONTEXT, ensure_ascii=False)
MODELS = {"openai": "gpt-6-luna", "gemini": "gemini-3.5-flash-lite", "deepseek": "deepseek-flash"}
SYSTEM = "Sos el asistente de un supermercado y respondés en JSON. " * 20
DEADLINE_S = GUARD_S
PLAIN: dict[str, dict[str, Any]] = {
    "openai": {"reasoning_effort": "none", "max_completion_tokens": 700, "response_format": {"type": "json_object"}},
    "deepseek": {
        "thinking": {"type": "disabled"},
        "max_tokens": 700,
        "temperature": 0.3,
        "response_format": {"type": "json_object"},
    },
    "gemini": {
        "store": False,
        "generationConfig": {
            "maxOutputTokens": 700,
            "thinkingConfig": {"thinkingLevel": "minimal"},
            "responseMimeType": "application/json",
        },
    },
}


INVALID = "invalid_request_error"


def request(provider: str, user: str = USER, system: Any = SYSTEM, **fields: Any) -> dict[str, Any]:
    """A body with these fields in the place of or beside today's; None leaves one out."""
    if provider == "gemini":
        prompt = {"systemInstruction": {"parts": [{"text": system}]}, "contents": [{"parts": [{"text": user}]}]}
    else:
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        prompt = {"model": MODELS[provider], "messages": messages}
    return {name: value for name, value in (prompt | PLAIN[provider] | fields).items() if value is not None}


def post(
    sim: Simulator, provider: str, body: dict[str, Any], model: str = "", key: str = "k", **options: Any
) -> requests.Response:
    """One completion call. model: in the place of the body's, or of the usual one where Gemini's path names it."""
    base, options = sim.base_urls[f"{provider.upper()}_BASE_URL"], {"timeout": DEADLINE_S} | options
    if provider == "gemini":
        url = f"{base}/models/{model or MODELS[provider]}:generateContent"
        return requests.post(url, json=body, headers={"x-goog-api-key": key} if key else {}, **options)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    body = body | ({"model": model} if model else {})
    return requests.post(f"{base}/chat/completions", json=body, headers=headers, **options)


def call(sim: Simulator, provider: str, user: str = USER, key: str = "k", **options: Any) -> requests.Response:
    """One completion call as today's APIs take it."""
    return post(sim, provider, request(provider, user), key=key, **options)


def said(response: requests.Response) -> tuple[str, str]:
    """Text and finish reason of a completion."""
    body = response.json()
    if "candidates" in body:
        (candidate,) = body["candidates"]
        parts = candidate["content"].get("parts", [])
        return "".join(part["text"] for part in parts if not part.get("thought")), candidate["finishReason"]
    (choice,) = body["choices"]
    content = choice["message"]["content"]
    text = "".join(part["text"] for part in content) if isinstance(content, list) else content
    return text, choice["finish_reason"]


def without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    """A copy without these names."""
    return {name: value for name, value in fields.items() if name not in names}


def openai_error(message: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """The body of a refusal by OpenAI."""
    return {"error": {"message": message, "type": INVALID, "param": param, "code": code}}


def deepseek_error(message: str) -> dict[str, Any]:
    """The body of a refusal by DeepSeek, which has one code for all of them."""
    return {"error": {"message": message, "type": INVALID, "param": None, "code": INVALID}}


def gemini_error(message: str, code: int = 400, status: str = "INVALID_ARGUMENT") -> dict[str, Any]:
    """The body of a refusal by Gemini."""
    return {"error": {"code": code, "message": message, "status": status}}


def configured(**config: Any) -> dict[str, Any]:
    """A request to Gemini with these fields of generationConfig."""
    return request("gemini", generationConfig=PLAIN["gemini"]["generationConfig"] | config)
