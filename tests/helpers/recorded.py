"""Answers as real providers gave them, read where they are recorded, and what they cost by the price table."""

from __future__ import annotations

import json
import tomllib
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from helpers.basics import REPOSITORY, SHARED_DATA
from helpers.http_provider import Answer, say
from worker.providers.models import week_hours

RECORDED = SHARED_DATA / "llm_wire"
PROVIDERS_TOML = (REPOSITORY / "worker" / "providers" / "providers.toml").read_text("utf-8")
#: The entries of the price table by the name that the settings and the recordings use: openai, gemini, deepseek.
TABLE: dict[str, dict[str, Any]] = {
    entry["api_key"].removesuffix("_API_KEY").lower(): entry
    for entry in tomllib.loads(PROVIDERS_TOML, parse_float=Decimal)["provider"]
}
#: How a body was framed on its way then; a body that is served again has a length of its own.
_FRAMING = {"content-length", "transfer-encoding", "content-encoding", "connection"}


@dataclass(frozen=True, slots=True)
class Recording:
    """An answer as it goes over the wire, and the body that says what it is billed for (None: nothing).

    given_up: it never ends, or not whole, so that the call is billed as estimated.
    """

    answer: Answer
    body: Any = None
    given_up: bool = False

    @property
    def tokens(self) -> tuple[int, int, int]:
        """Prompt tokens, how many of them are billed at the cached price, and completion tokens."""
        figures = (self.body or {}).get("usage") or {}
        if figures:
            cached = figures.get("prompt_tokens_details", {}).get("cached_tokens", 0)
            return figures["prompt_tokens"], cached, figures["completion_tokens"]
        figures = (self.body or {}).get("usageMetadata", {})
        written = figures.get("candidatesTokenCount", 0) + figures.get("thoughtsTokenCount", 0)
        return figures.get("promptTokenCount", 0), figures.get("cachedContentTokenCount", 0), written

    def billed(self, asked: dict[str, Any]) -> tuple[int, int, int]:
        """The same for a call with this body; estimated where it was given up: its texts and all it might have said."""
        return (estimated_tokens(asked), 0, MOST_TOKENS) if self.given_up else self.tokens


#: The limit of output that every request of ours names.
MOST_TOKENS = 700


def estimated_tokens(asked: dict[str, Any]) -> int:
    """A token per four characters of the two texts of a request, in either wire format."""
    if "contents" in asked:
        texts = [asked["systemInstruction"]["parts"][0]["text"], asked["contents"][0]["parts"][0]["text"]]
    else:
        contents = [message["content"] for message in asked["messages"]]
        texts = [content if isinstance(content, str) else content[0]["text"] for content in contents]
    return -(-sum(map(len, texts)) // 4)


def cost_microusd(provider: str, prompt: int, cached: int, completion: int) -> int:
    """The price of one call by the table, whose dollars per million tokens are micro-dollars per token."""
    prices = price_now(provider)
    cost = prices["input_usd"] * (prompt - cached)
    cost += prices["cached_input_usd"] * cached + prices["output_usd"] * completion
    return int(cost.quantize(Decimal(1), ROUND_HALF_UP))


def recorded(name: str, **headers: str) -> Recording:
    """The answer of that file with its status and headers; `headers` are added."""
    response = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))["response"]
    kept = {k: v for k, v in response["headers"].items() if k.lower() not in _FRAMING and isinstance(v, str)}
    return Recording(say(response["status"], response["body"], **kept | headers), response["body"])


def changed(name: str, value: object, *path: str | int) -> Recording:
    """The answer of that file, status 200, with another value at this path of its body; None takes it out."""
    body = deepcopy(recorded(name).body)
    place = body
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return Recording(say(200, body), body)


def price_now(provider: str) -> dict[str, Any]:
    """The price of a provider's preferred model at this hour, by the table."""
    prices: list[dict[str, Any]] = TABLE[provider]["model"][0]["price"]
    now = datetime.now(UTC)
    dear = [price for price in prices if any(week_hours(text).holds(now) for text in price.get("hours", ()))]
    return (dear or [price for price in prices if "hours" not in price])[0]


#: Of each provider one answer that came whole.
WHOLE = {"openai": "openai_200_simple", "deepseek": "deepseek_200_json_mode", "gemini": "gemini_200_text"}


def saying(provider: str, text: str) -> Recording:
    """The provider's recorded envelope with another text in it."""
    if provider == "gemini":
        return changed(WHOLE[provider], text, "candidates", 0, "content", "parts", 0, "text")
    return changed(WHOLE[provider], text, "choices", 0, "message", "content")
