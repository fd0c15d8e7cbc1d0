"""The two wire formats of the simulated providers: what they are asked, keys, and the form of their errors.

`openai` and `deepseek` speak chat completions; `gemini` speaks generateContent.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from functools import lru_cache
from typing import Any, Final

import orjson

Json = dict[str, Any]

#: Gemini's fields whose content is the client's own and no message of the protocol.
OPAQUE: Final = frozenset({"response_json_schema", "response_schema", "tools", "labels"})
_OBJECTS: Final = (
    "generation_config",
    "prompt_cache_options",
    "response_format",
    "stream_options",
    "thinking",
    "thinking_config",
)
GEMINI_STATUS: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
CHAT_ERRORS: Final[Mapping[tuple[str, int], tuple[str, str | None]]] = {
    ("openai", 400): ("invalid_request_error", None),
    ("openai", 401): ("invalid_request_error", "invalid_api_key"),
    ("openai", 402): ("unknown_error", "invalid_request_error"),
    ("openai", 404): ("invalid_request_error", "model_not_found"),
    ("openai", 429): ("requests", "rate_limit_exceeded"),
    ("deepseek", 400): ("invalid_request_error", "invalid_request_error"),
    ("deepseek", 401): ("authentication_error", "invalid_request_error"),
    ("deepseek", 402): ("unknown_error", "invalid_request_error"),
    ("deepseek", 404): ("invalid_request_error", "invalid_request_error"),
    ("deepseek", 429): ("requests", "rate_limit_exceeded"),
}


@dataclass(frozen=True, slots=True)
class Text:
    """One text of a prompt. marked: the cache may end behind it, by the client's wish."""

    role: str
    text: str
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a provider was asked: its texts in order, and the whole request (Gemini's in snake_case)."""

    provider: str
    model: str
    texts: tuple[Text, ...]
    user: str
    asked: Json

    @property
    def system(self) -> str:
        """The instructions in one text."""
        return "".join(each.text for each in self.texts if each.role in ("system", "developer"))

    @property
    def user_sha256(self) -> str:
        """Hexadecimal SHA-256 of the user text."""
        return hashlib.sha256(self.user.encode("utf-8", "surrogatepass")).hexdigest()


def read_prompt(provider: str, path: str, body: bytes) -> Prompt:
    """The prompt in a request. Raises ValueError where the body is not what the wire format asks for."""
    try:
        asked = orjson.loads(body)
        prompt = (_generate_content if provider == "gemini" else _chat)(provider, path, asked)
        _check_objects(prompt.asked | (prompt.asked.get("generation_config") or {}))
        return prompt
    except (AttributeError, KeyError, IndexError, TypeError) as exc:
        raise ValueError(f"request body: {type(exc).__name__} {exc}") from exc


def _check_objects(fields: Json) -> None:
    for name in _OBJECTS:
        if not isinstance(fields.get(name), dict | None):
            raise TypeError(f"{name} must be an object")


def _chat(provider: str, _: str, asked: Json) -> Prompt:
    texts = tuple(text for message in asked["messages"] for text in _message_texts(message))
    last = next(message for message in (*reversed(asked["messages"]), {}) if message.get("role", "user") == "user")
    return Prompt(provider, str(asked["model"]), texts, "".join(each.text for each in _message_texts(last)), asked)


def _message_texts(message: Json) -> list[Text]:
    """Its texts; the list may be empty (a message that only calls a tool)."""
    role, content = str(message["role"]), message["content"]
    if not isinstance(content, list):
        return [] if content is None else [Text(role, str(content))]
    parts = [part for part in content if part.get("type", "text") == "text"]
    return [Text(role, part["text"], "prompt_cache_breakpoint" in part) for part in parts]


def _generate_content(provider: str, path: str, body: Json) -> Prompt:
    asked = snake(body)
    model = path.rpartition("/models/")[2].removesuffix(":generateContent")
    said = [("system", asked.get("system_instruction") or {"parts": []})]
    said += [(content.get("role", "user"), content) for content in asked["contents"]]
    texts = [Text(role, part["text"]) for role, content in said for part in content["parts"] if "text" in part]
    user = "".join(part["text"] for part in asked["contents"][-1]["parts"])
    return Prompt(provider, model, tuple(texts), user, asked)


def snake(message: Any) -> Any:
    """A message of Gemini's protocol with its fields in snake_case, which is the same message to it."""
    if isinstance(message, list):
        return [snake(each) for each in message]
    if not isinstance(message, dict):
        return message
    named = ((_snake_name(name), value) for name, value in message.items())
    return {name: value if name in OPAQUE else snake(value) for name, value in named}


@lru_cache(maxsize=1024)
def _snake_name(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda found: f"_{found[0].lower()}", name)


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
    kind, code = CHAT_ERRORS.get((provider, status), ("server_error", None))
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
