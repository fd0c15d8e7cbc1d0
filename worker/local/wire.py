"""The two wire formats of the simulated providers: what they are asked and how they answer, errors included.

`openai` and `deepseek` speak chat completions; `gemini` speaks generateContent. Everything is a function of its
arguments alone, ids and times included, so that the same request brings the same bytes.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any, Final, Literal

import orjson

Json = dict[str, Any]
Finish = Literal["stop", "length", "refused"]

CREATED_S: Final = 1_763_800_000
MODELS: Final[Mapping[str, tuple[str, ...]]] = {
    "openai": ("gpt-3.5-turbo", "gpt-4o-mini"),
    "gemini": ("gemini-2.5-flash", "gemini-2.5-flash-lite"),
    "deepseek": ("deepseek-chat",),
}
# Published rules of prompt caching: (least tokens, step). gpt-3.5 has none.
CACHED_PREFIX: Final = {"openai": (1024, 128), "gemini": (1024, 1), "deepseek": (64, 64)}
GEMINI_STATUS: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
CHAT_ERRORS: Final = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    402: ("unknown_error", "invalid_request_error"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a provider was asked."""

    provider: str
    model: str
    system: str
    user: str

    @property
    def user_sha256(self) -> str:
        """Hexadecimal SHA-256 of the user text."""
        return hashlib.sha256(self.user.encode("utf-8", "surrogatepass")).hexdigest()


def read_prompt(provider: str, path: str, body: bytes) -> Prompt:
    """The prompt in a request. Raises ValueError where the body is not what the wire format asks for."""
    try:
        asked = orjson.loads(body)
        if provider == "gemini":
            model = path.rpartition("/models/")[2].removesuffix(":generateContent")
            return Prompt(provider, model, _parts(asked.get("systemInstruction")), _parts(asked["contents"][-1]))
        texts = {message["role"]: str(message["content"]) for message in asked["messages"]}
        return Prompt(provider, asked["model"], texts.get("system", ""), texts["user"])
    except (AttributeError, KeyError, IndexError, TypeError) as exc:
        raise ValueError(f"request body: {type(exc).__name__} {exc}") from exc


def _parts(content: Json | None) -> str:
    return "".join(part["text"] for part in content["parts"]) if content else ""


def refused_key(provider: str, headers: Message) -> tuple[int, Json] | None:
    """Status and error body where the request's key is missing or begins with "invalid"; None where it is fit."""
    key = headers.get("x-goog-api-key") or ""
    if provider != "gemini":
        scheme, _, key = (headers.get("Authorization") or "").partition(" ")
        key = key if scheme == "Bearer" else ""
        return None if key and not key.startswith("invalid") else (401, error(provider, 401, "Incorrect API key"))
    if not key:
        return 403, error(provider, 403, "Method doesn't allow unregistered callers.")
    if key.startswith("invalid"):
        detail = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
        return 400, error(provider, 400, "API key not valid. Please pass a valid API key.", detail)
    return None


def error(provider: str, status: int, message: str, *details: Json) -> Json:
    """An error body in the provider's own shape."""
    if provider == "gemini":
        named = {"code": status, "message": message, "status": GEMINI_STATUS.get(status, "INTERNAL")}
        return {"error": {**named, "details": list(details)} if details else named}
    kind, code = CHAT_ERRORS.get(status, ("server_error", None))
    if provider == "deepseek" and status == 401:
        kind, code = "authentication_error", "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def failure(provider: str, status: int, retry_after_s: float | None) -> tuple[Json, dict[str, str]]:
    """Error body and headers of an ordered failure. Gemini names the wait in the body, the others in a header."""
    message = f"Simulated failure {status}."
    if retry_after_s is None:
        return error(provider, status, message), {}
    if provider == "gemini":
        detail = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{retry_after_s:g}s"}
        return error(provider, status, f"{message} Please retry in {retry_after_s:g}s.", detail), {}
    body = error(provider, status, f"{message} Please try again in {retry_after_s:g}s.")
    return body, {"Retry-After": f"{retry_after_s:g}"}


def completion(prompt: Prompt, text: str, finish: Finish) -> Json:
    """A complete answer with `text`, its usage counted as characters / 4."""
    asked, cached, said = _tokens(prompt.system + prompt.user), _cached_tokens(prompt), _tokens(text)
    return (_gemini if prompt.provider == "gemini" else _chat)(prompt, text, finish, asked, cached, said)


def _chat(prompt: Prompt, text: str, finish: Finish, asked: int, cached: int, said: int) -> Json:
    usage: Json = {
        "prompt_tokens": asked,
        "completion_tokens": said,
        "total_tokens": asked + said,
        "prompt_tokens_details": {"cached_tokens": cached},
    }
    if prompt.provider == "deepseek":
        usage |= {"prompt_cache_hit_tokens": cached, "prompt_cache_miss_tokens": asked - cached}
    reason = "content_filter" if finish == "refused" else finish
    message = {"role": "assistant", "content": text, "refusal": None}
    return {
        "id": f"chatcmpl-{prompt.user_sha256[:29]}",
        "object": "chat.completion",
        "created": CREATED_S,
        "model": prompt.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
        "usage": usage,
    }


def _gemini(prompt: Prompt, text: str, finish: Finish, asked: int, cached: int, said: int) -> Json:
    reason = {"stop": "STOP", "length": "MAX_TOKENS", "refused": "SAFETY"}[finish]
    content: Json = {"parts": [{"text": text}], "role": "model"} if text else {"role": "model"}
    usage = {"promptTokenCount": asked, "candidatesTokenCount": said, "totalTokenCount": asked + said}
    return {
        "candidates": [{"content": {} if finish == "refused" else content, "finishReason": reason, "index": 0}],
        "usageMetadata": usage | ({"cachedContentTokenCount": cached} if cached else {}),
        "modelVersion": prompt.model,
        "responseId": prompt.user_sha256[:23],
    }


def _tokens(text: str) -> int:
    return math.ceil(len(text) / 4)


def _cached_tokens(prompt: Prompt) -> int:
    """The instructions count as cached, as they are the same in every request; a fixed rule keeps answers the same."""
    least, step = CACHED_PREFIX[prompt.provider]
    tokens = _tokens(prompt.system)
    return 0 if tokens < least or prompt.model.startswith("gpt-3.5") else tokens // step * step


def model_list(provider: str) -> Json:
    """The answer to GET models."""
    if provider == "gemini":
        methods = {"supportedGenerationMethods": ["generateContent"]}
        return {"models": [{"name": f"models/{name}", "displayName": name, **methods} for name in MODELS[provider]]}
    entries = [{"id": name, "object": "model", "created": CREATED_S, "owned_by": provider} for name in MODELS[provider]]
    return {"object": "list", "data": entries}
