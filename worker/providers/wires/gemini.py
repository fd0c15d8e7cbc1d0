"""Gemini's generateContent."""

from __future__ import annotations

from typing import Any

from worker.errors import RequestRefused, ThoughtAway, UnreadableAnswer
from worker.providers.models import Model, Provider
from worker.providers.wires.values import Call, Json, Reading, at, code, count, merged, model_name, nested, usage_of
from worker.replies.request import AiRequest
from worker.usage import Usage

MODELS_PATH, MODELS_QUERY = "models", "pageSize=1000"
#: Reasons for which an answer ends that lie in the request or in what would have been said (API reference, 2026-11).
_REFUSALS = frozenset(
    {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "LANGUAGE", "IMAGE_SAFETY"}
)


def headers(provider: Provider) -> dict[str, str]:
    """The header that carries the key."""
    if provider.api_key is None:
        return {}
    return {provider.key_header or "x-goog-api-key": provider.api_key.get_secret_value()}


def build(provider: Provider, model: Model, request: AiRequest) -> Call:
    """URL, headers and JSON body that ask for one JSON object."""
    body: Json = {
        "systemInstruction": {"parts": [{"text": request.system}]},
        "contents": [{"role": "user", "parts": [{"text": request.user}]}],
        "generationConfig": _json_form(model, request),
    }
    merged(body, nested(model.output_limit or "generationConfig.maxOutputTokens", request.max_output_tokens))
    return provider.url(f"models/{model.id}:generateContent"), headers(provider), merged(body, model.request)


def _json_form(model: Model, request: AiRequest) -> Json:
    if model.json_mode == "words":
        return {}
    if model.json_mode == "object" or request.schema is None:
        return {"responseMimeType": "application/json"}
    return {"responseMimeType": "application/json", "responseJsonSchema": request.schema}


def parse(provider: Provider, request: AiRequest, body: object) -> Reading:
    """Text, tokens and model of a decoded answer with status 200; tokens it does not name are estimated.

    Raises UnreadableAnswer (truncated, empty, not an answer), ThoughtAway and RequestRefused (the prompt or the answer
    was blocked), each with the usage where it was billed.
    """
    text = _text(at(body, "candidates", 0, "content", "parts"))
    usage = _usage(request, body, text)
    finish = at(body, "candidates", 0, "finishReason")
    blocked = at(body, "promptFeedback", "blockReason")
    if blocked or code(finish) in _REFUSALS:
        raise RequestRefused(provider.name, f"blocked: {code(blocked or finish)}", usage=usage)
    if finish == "MAX_TOKENS" and not text.strip() and count(at(body, "usageMetadata", "thoughtsTokenCount")):
        raise ThoughtAway(provider.name, "its thoughts took the whole limit of output", usage=usage)
    if finish not in ("STOP", None):
        raise UnreadableAnswer(provider.name, f"not finished: {code(finish)}", usage=usage)
    if usage is None or not text.strip():
        raise UnreadableAnswer(provider.name, "no text in it", usage=usage)
    return text, usage, model_name(at(body, "modelVersion"))


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
        None,
    )


def listed_models(body: object) -> dict[str, Any]:
    """Model ids of a decoded list of models. It names no ends, and also models that this key cannot use."""
    entries = at(body, "models")
    found = entries if isinstance(entries, list) else []
    return {str(at(entry, "name")).removeprefix("models/"): None for entry in found if at(entry, "name")}
