"""Requests to the simulated providers, read: chat completions (`openai`, `deepseek`) and `gemini`'s generateContent."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from functools import lru_cache
from typing import Any, Final

import orjson

from worker.devkit.json_schema import Json
from worker.devkit.sold_models import Refused, error_body, refusal

#: Gemini's fields whose content is the client's own and no message of the protocol.
OPAQUE: Final = frozenset({"response_json_schema", "response_schema", "tools", "labels"})
_OBJECTS: Final = frozenset(
    {"generation_config", "prompt_cache_options", "response_format", "stream_options", "thinking", "thinking_config"}
)


@dataclass(frozen=True, slots=True)
class Text:
    """Text of a prompt. marked: the cache may end behind it, by the client's wish."""

    role: str
    text: str
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Prompt:
    """Completion request. asked: the whole body, Gemini's in snake_case; settings: the part that says how to answer."""

    provider: str
    model: str
    texts: tuple[Text, ...]
    user: str
    asked: Json
    settings: Json

    @property
    def system(self) -> str:
        """Instructions in one text."""
        return "".join(each.text for each in self.texts if each.role in ("system", "developer"))

    @property
    def user_sha256(self) -> str:
        """Hexadecimal SHA-256 of the user text."""
        return hashlib.sha256(self.user.encode("utf-8", "surrogatepass")).hexdigest()


def read_prompt(provider: str, path: str, body: bytes) -> Prompt:
    """Reads a request. Raises Refused where the body is not what the wire format asks for."""
    try:
        prompt = _gemini_prompt(path, body) if provider == "gemini" else _chat_prompt(provider, body)
        for name, value in (prompt.asked | prompt.settings).items():
            if name in _OBJECTS and not isinstance(value, dict | None):
                raise TypeError(f"{name} must be an object")
    except orjson.JSONDecodeError as exc:
        raise Refused(400, error_body(provider, 400, str(exc))) from exc
    except (AttributeError, KeyError, IndexError, TypeError) as exc:
        raise Refused(400, error_body(provider, 400, f"request body: {type(exc).__name__} {exc}")) from exc
    return prompt


def check_key(provider: str, headers: Message) -> None:
    """Raises Refused where the request's key is missing or begins with "invalid"."""
    scheme, _, key = (headers.get("Authorization") or "").partition(" ")
    if provider == "gemini":
        scheme, key = "Bearer", headers.get("x-goog-api-key") or ""
        if not key:
            raise refusal("gemini", "no_key")
    if scheme != "Bearer" or not key or key.startswith("invalid"):
        raise refusal(provider, "key")


def _chat_prompt(provider: str, body: bytes) -> Prompt:
    asked = orjson.loads(body)
    texts = tuple(text for message in asked["messages"] for text in _message_texts(message))
    last = next(message for message in (*reversed(asked["messages"]), {}) if message.get("role", "user") == "user")
    user = "".join(each.text for each in _message_texts(last))
    return Prompt(provider, str(asked["model"]), texts, user, asked, asked)


def _message_texts(message: Mapping[str, Any]) -> list[Text]:
    """Returns a message's texts; the list may be empty (a message that only calls a tool)."""
    role, content = str(message["role"]), message["content"]
    if not isinstance(content, list):
        return [] if content is None else [Text(role, str(content))]
    parts = [part for part in content if part.get("type", "text") == "text"]
    return [Text(role, part["text"], "prompt_cache_breakpoint" in part) for part in parts]


def _gemini_prompt(path: str, body: bytes) -> Prompt:
    asked = _snake_case(orjson.loads(body))
    model = path.rpartition("/models/")[2].removesuffix(":generateContent")
    said = [("system", asked.get("system_instruction") or {"parts": []})]
    said += [(content.get("role", "user"), content) for content in asked["contents"]]
    texts = tuple(Text(role, part["text"]) for role, content in said for part in content["parts"] if "text" in part)
    user = "".join(part["text"] for part in asked["contents"][-1]["parts"])
    return Prompt("gemini", model, texts, user, asked, asked.get("generation_config") or {})


def _snake_case(message: Any) -> Any:
    """Renames the fields of a message of Gemini's protocol, to which both spellings are the same."""
    if isinstance(message, list):
        return [_snake_case(each) for each in message]
    if not isinstance(message, dict):
        return message
    named = ((_snake_name(name), value) for name, value in message.items())
    return {name: value if name in OPAQUE else _snake_case(value) for name, value in named}


@lru_cache(maxsize=1024)
def _snake_name(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda found: f"_{found[0].lower()}", name)
