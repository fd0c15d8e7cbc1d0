"""OpenAI, DeepSeek and Gemini as their pages and their users describe them in November 2026: one plain HTTP server.

It knows nothing of the project: status, code and sentence of every refusal are those that were seen.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]
#: Of each provider its models, the preferred one first.
MODELS = {
    "gpt": ("gpt-6-luna", "gpt-6.1-terra"),
    "deepseek": ("deepseek-flash", "deepseek-v4-pro"),
    "gemini-flash": ("gemini-3.5-flash-lite", "gemini-3.1-flash-lite"),
}
FIRST = {provider: models[0] for provider, models in MODELS.items()}
NAMES = [f"{provider}/{model}" for provider, models in MODELS.items() for model in models]
#: Where a model is routed to that is `rerouted`.
SUCCESSOR = {"gpt": "gpt-6.2-sol", "deepseek": "deepseek-v5", "gemini-flash": "gemini-3.8-flash"}
KEY = "sk-geheim-0123456789abcdef"
DECISION: Json = {
    "intent": "greeting",
    "confidence": 0.9,
    "entities": [],
    "quick_replies": [],
    "requires_human": False,
    "next_state": None,
    "cart_operations": [],
}
PROMPT_TOKENS, CACHED_TOKENS, COMPLETION_TOKENS = 600, 500, 60
INVALID = "invalid_request_error"
#: A model that is gone, in its provider's words.
GONE = {
    "gpt": "The model `{}` has been deprecated, learn more here: https://platform.openai.com/docs/deprecations",
    "deepseek": "The supported API model names are deepseek-v5 or deepseek-v5-pro, but you passed {}.",
    "gemini-flash": "This model models/{} is no longer available. Please update your code to use models/gemini-5-flash",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A call of a model: when it began and was answered, on the monotonic clock, and how."""

    provider: str
    model: str
    began_s: float
    ended_s: float
    status: int


class Refused(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, message: str, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param


class ModelApis(ThreadingHTTPServer):
    """The three providers on 127.0.0.1.

    states: of models that are not well: gone, parameters (takes others than it did), thinking, no_money, rerouted,
    prose (answers, but no JSON). ends: days that OpenAI's list of models names.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.states: dict[str, str] = {}
        self.ends: dict[str, str] = {}
        self.asked: list[Asked] = []

    def set(self, states: Mapping[str, str]) -> None:
        """Every model is well but these; nothing was asked yet."""
        self.states = dict(states)
        self.asked.clear()

    @property
    def base_urls(self) -> dict[str, str]:
        """Settings that lead to it."""
        url = f"http://127.0.0.1:{self.server_address[1]}"
        paths = {"OPENAI": "openai/v1", "DEEPSEEK": "deepseek", "GEMINI": "gemini/v1beta"}
        return {f"{name}_BASE_URL": f"{url}/{path}" for name, path in paths.items()}

    def calls(self, status: int | None = None) -> dict[str, int]:
        """Calls by model, those that were answered with this status."""
        models = [each.model for each in list(self.asked) if status in (None, each.status)]
        return {model: models.count(model) for model in models}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: ModelApis

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/openai/v1/models":
            ends = self.server.ends
            return self._say(200, {"data": [{"id": each, "shutdown_date": ends.get(each)} for each in MODELS["gpt"]]})
        if path == "/deepseek/models":
            return self._say(200, {"data": [{"id": each, "owned_by": "deepseek"} for each in MODELS["deepseek"]]})
        if path == "/gemini/v1beta/models":
            return self._say(200, {"models": [{"name": f"models/{each}"} for each in MODELS["gemini-flash"]]})
        return self._say(404, b"<html>no such page</html>")

    def do_POST(self) -> None:
        began_s = time.monotonic()
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        provider = {"openai": "gpt", "gemini": "gemini-flash"}.get(where := self.path.split("/")[1], where)
        model = self.path.rpartition("/")[2].partition(":")[0] if provider == "gemini-flash" else body["model"]
        try:
            status, answer = 200, _ANSWERS[provider](model, body, self.server.states.get(model, "well"))
            key = self.headers.get("x-goog-api-key") or (self.headers.get("Authorization") or "").removeprefix(
                "Bearer "
            )
            if key != KEY:
                status, answer = 401, {"error": {"message": f"Incorrect API key provided: {key}"}}
        except Refused as refusal:
            status, answer = refusal.status, _error(provider, refusal)
        self._say(status, answer)
        self.server.asked.append(Asked(provider, model, began_s, time.monotonic(), status))

    def _say(self, status: int, body: Json | bytes) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        """Keeps the test's output clean."""


def _error(provider: str, refusal: Refused) -> Json:
    if provider == "gemini-flash":
        return {"error": {"code": refusal.status, "message": refusal.message, "status": refusal.code}}
    error = {"message": refusal.message, "type": INVALID, "param": refusal.param, "code": refusal.code}
    return {"error": error}


def _text(model: str, state: str) -> str:
    if state == "prose":
        return "¡Hola! Con gusto."
    return json.dumps(DECISION | {"reply": f"Hola de {model}"}, ensure_ascii=False)


def _chat(model: str, limit: int, state: str, *, thinks: bool, usage: Json) -> Json:
    """An answer in the form of chat completions."""
    text = "" if thinks else _text(model, state)
    message = {"role": "assistant", "content": text, **({"reasoning_content": "Hmm"} if thinks else {})}
    figures = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": limit if thinks else COMPLETION_TOKENS, **usage}
    if thinks:
        figures["completion_tokens_details"] = {"reasoning_tokens": limit}
    choice = {"index": 0, "message": message, "finish_reason": "length" if thinks else "stop"}
    return {"id": "x", "object": "chat.completion", "model": model, "choices": [choice], "usage": figures}


def _gpt(model: str, body: Json, state: str) -> Json:
    if model not in MODELS["gpt"]:
        sentence = f"The model `{model}` does not exist or you do not have access to it."
        raise Refused(404, sentence, "model_not_found")
    if state == "gone":
        raise Refused(404, GONE["gpt"].format(model), "model_not_found")
    if state == "no_money":
        sentence = "You exceeded your current quota, please check your plan and billing details."
        raise Refused(429, sentence, "insufficient_quota")
    limit = "max_output_tokens" if state == "parameters" else "max_completion_tokens"
    for other in {"max_tokens", "max_completion_tokens", "max_output_tokens"} & body.keys() - {limit}:
        sentence = f"Unsupported parameter: '{other}' is not supported with this model. Use '{limit}' instead."
        raise Refused(400, sentence, "unsupported_parameter", other)
    if "temperature" in body and body.get("reasoning_effort") != "none":
        sentence = "Unsupported value: 'temperature' does not support 0.3 with this model."
        raise Refused(400, sentence, "unsupported_value", "temperature")
    thinks = state == "thinking" or body.get("reasoning_effort") != "none"
    name = SUCCESSOR["gpt"] if state == "rerouted" else model
    cached = {"prompt_tokens_details": {"cached_tokens": CACHED_TOKENS}}
    return _chat(model, body[limit], state, thinks=thinks, usage=cached) | {"model": name}


def _deepseek(model: str, body: Json, state: str) -> Json:
    if state == "no_money":
        raise Refused(402, "Insufficient Balance", INVALID)
    if model not in MODELS["deepseek"] or state == "gone":
        raise Refused(400, GONE["deepseek"].format(model), INVALID)
    form = body.get("response_format", {}).get("type")
    if form == "json_schema" or state == "parameters":
        raise Refused(400, "This response_format type is unavailable now", INVALID)
    if form == "json_object" and "json" not in json.dumps(body["messages"]).lower():
        sentence = "Prompt must contain the word 'json' in some form to use 'response_format' of type 'json_object'"
        raise Refused(400, sentence, INVALID)
    thinks = state == "thinking" or body.get("thinking", {}).get("type") != "disabled"
    name = SUCCESSOR["deepseek"] if state == "rerouted" else model
    cached = {"prompt_cache_hit_tokens": CACHED_TOKENS, "prompt_cache_miss_tokens": PROMPT_TOKENS - CACHED_TOKENS}
    return _chat(model, body["max_tokens"], state, thinks=thinks, usage=cached) | {"model": name}


def _gemini(model: str, body: Json, state: str) -> Json:
    if state == "no_money":
        raise Refused(429, "Your prepayment credits are depleted. Please go to AI Studio.", "RESOURCE_EXHAUSTED")
    if state == "gone":
        raise Refused(404, GONE["gemini-flash"].format(model), "NOT_FOUND")
    if model not in MODELS["gemini-flash"]:
        sentence = f"models/{model} is not found for API version v1beta, or is not supported for generateContent."
        raise Refused(404, sentence, "NOT_FOUND")
    config = body["generationConfig"]
    thinking = config.get("thinkingConfig", {})
    if thinking.get("thinkingBudget") == 0:
        raise Refused(400, "Request contains an invalid argument.", "INVALID_ARGUMENT")
    if state == "parameters":
        sentence = f"Thinking level {thinking['thinkingLevel'].upper()} is not supported for this model."
        raise Refused(400, f"{sentence} Please retry with other thinking level.", "INVALID_ARGUMENT")
    figures = {"promptTokenCount": PROMPT_TOKENS, "cachedContentTokenCount": CACHED_TOKENS}
    name = SUCCESSOR["gemini-flash"] if state == "rerouted" else model
    if state == "thinking":
        candidate: Json = {"content": {"role": "model"}, "finishReason": "MAX_TOKENS"}
        figures["thoughtsTokenCount"] = config["maxOutputTokens"]
    else:
        candidate = {"content": {"parts": [{"text": _text(model, state)}], "role": "model"}, "finishReason": "STOP"}
        figures["candidatesTokenCount"] = COMPLETION_TOKENS
    return {"candidates": [candidate], "usageMetadata": figures, "modelVersion": name}


_ANSWERS = {"gpt": _gpt, "deepseek": _deepseek, "gemini-flash": _gemini}


@contextmanager
def model_apis() -> Iterator[ModelApis]:
    """The three providers for the length of the block; every model is well."""
    with ModelApis() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
