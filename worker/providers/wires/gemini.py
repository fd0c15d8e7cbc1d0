"""Gemini's generateContent."""

from __future__ import annotations

from worker.errors import RequestRefused, UnreadableAnswer
from worker.providers.providers_file import Provider
from worker.providers.request import AiRequest
from worker.providers.wires.common import TEMPERATURE, Call, at, code, count, usage_of
from worker.usage import Usage

_REFUSALS = ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII")


def build(provider: Provider, request: AiRequest) -> Call:
    """URL, headers and JSON body that ask for one JSON object, without thinking: it is slow and billed as output."""
    headers = {"x-goog-api-key": provider.api_key.get_secret_value()} if provider.api_key else {}
    body: dict[str, object] = {
        "systemInstruction": {"parts": [{"text": request.system}]},
        "contents": [{"role": "user", "parts": [{"text": request.user}]}],
        "generationConfig": {
            "responseMimeType": "application/json",
            "maxOutputTokens": request.max_output_tokens,
            "temperature": TEMPERATURE,
            "thinkingConfig": {"thinkingBudget": 0},
        },
    }
    return f"{provider.base_url.rstrip('/')}/models/{provider.model}:generateContent", headers, body


def parse(provider: Provider, request: AiRequest, body: object) -> tuple[str, Usage]:
    """Text and tokens of a decoded answer with status 200; tokens it does not name are estimated from the characters.

    Raises UnreadableAnswer (truncated, empty, not an answer) and RequestRefused (the prompt or the answer was
    blocked), each with the usage where it was billed.
    """
    text = _text(at(body, "candidates", 0, "content", "parts"))
    usage = _usage(request, body, text)
    finish = at(body, "candidates", 0, "finishReason")
    blocked = at(body, "promptFeedback", "blockReason")
    if blocked or finish in _REFUSALS:
        raise RequestRefused(provider.name, f"blocked: {code(blocked or finish)}", usage=usage)
    if finish not in ("STOP", None):
        raise UnreadableAnswer(provider.name, f"not finished: {code(finish)}", usage=usage)
    if usage is None or not text.strip():
        raise UnreadableAnswer(provider.name, "no text in it", usage=usage)
    return text, usage


def _text(parts: object) -> str:
    """The parts of an answer in one, without the summaries of the model's thoughts."""
    texts = [at(part, "text") for part in parts if not at(part, "thought")] if isinstance(parts, list) else []
    return "".join(text for text in texts if isinstance(text, str))


def _usage(request: AiRequest, body: object, text: str) -> Usage | None:
    """Thoughts are billed as output, and counted beside the candidates' tokens."""
    figures = at(body, "usageMetadata")
    outputs = [count(at(figures, key)) for key in ("candidatesTokenCount", "thoughtsTokenCount")]
    known = [tokens for tokens in outputs if tokens is not None]
    return usage_of(
        request,
        text,
        count(at(figures, "promptTokenCount")),
        count(at(figures, "cachedContentTokenCount")),
        sum(known) if known else None,
    )
