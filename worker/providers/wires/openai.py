"""OpenAI's chat completions, which DeepSeek and most servers of open models speak too."""

from __future__ import annotations

from typing import Any

from worker.errors import ProviderUnavailable, RequestRefused, ThoughtAway, UnreadableAnswer
from worker.providers.models import Model, Provider
from worker.providers.wires.values import Call, Json, Reading, at, code, count, merged, model_name, nested, usage_of
from worker.replies.request import AiRequest
from worker.usage import Usage

MODELS_PATH, MODELS_QUERY = "models", ""


def headers(provider: Provider) -> dict[str, str]:
    """The header that carries the key; none for a server that needs no key."""
    if provider.api_key is None:
        return {}
    key = provider.api_key.get_secret_value()
    return {provider.key_header: key} if provider.key_header else {"Authorization": f"Bearer {key}"}


def build(provider: Provider, model: Model, request: AiRequest) -> Call:
    """URL, headers and JSON body that ask for one JSON object."""
    body: Json = {
        "model": model.id,
        "messages": [
            {"role": "system", "content": _system(model, request)},
            {"role": "user", "content": request.user},
        ],
        **_json_form(model, request),
    }
    merged(body, nested(model.output_limit or "max_tokens", request.max_output_tokens))
    return provider.url("chat/completions"), headers(provider), merged(body, model.request)


def _system(model: Model, request: AiRequest) -> str | list[Json]:
    if model.prompt_cache == "automatic":
        return request.system
    return [{"type": "text", "text": request.system, "prompt_cache_breakpoint": {"mode": "explicit"}}]


def _json_form(model: Model, request: AiRequest) -> Json:
    """JSON mode is refused (400) unless the word JSON stands in one of the request's texts."""
    if model.json_mode == "words":
        return {}
    if model.json_mode == "object" or request.schema is None:
        return {"response_format": {"type": "json_object"}}
    if model.json_mode == "object_schema":
        return {"response_format": {"type": "json_object", "schema": request.schema}}
    schema = {"name": "decision", "strict": True, "schema": request.schema}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def parse(provider: Provider, request: AiRequest, body: object) -> Reading:
    """Text, tokens and model of a decoded answer with status 200; tokens it does not name are estimated.

    Raises UnreadableAnswer (truncated, empty, not an answer), ThoughtAway, RequestRefused (content filter, refusal)
    and ProviderUnavailable (DeepSeek ran out of capacity half way), each with the usage where it was billed.
    """
    text = _text(at(body, "choices", 0, "message", "content"))
    usage = _usage(request, body, text)
    finish = at(body, "choices", 0, "finish_reason")
    if finish == "content_filter" or at(body, "choices", 0, "message", "refusal"):
        raise RequestRefused(provider.name, "content filter or refusal", usage=usage)
    if finish == "insufficient_system_resource":
        raise ProviderUnavailable(provider.name, finish, usage=usage)
    if finish == "length" and not text.strip() and _thoughts(body):
        raise ThoughtAway(provider.name, "its thoughts took the whole limit of output", usage=usage)
    if finish not in ("stop", None):
        raise UnreadableAnswer(provider.name, f"not finished: {code(finish)}", usage=usage)
    if usage is None or not text.strip():
        raise UnreadableAnswer(provider.name, "no text in it", usage=usage)
    return text, usage, model_name(at(body, "model"))


def _text(content: object) -> str:
    """A message's content: a text, or parts of which only texts count."""
    if isinstance(content, list):
        texts = [at(part, "text") for part in content if at(part, "type") in ("text", "output_text", None)]
        return "".join(text for text in texts if isinstance(text, str))
    return content if isinstance(content, str) else ""


def _thoughts(body: object) -> bool:
    spent = count(at(body, "usage", "completion_tokens_details", "reasoning_tokens"))
    message = at(body, "choices", 0, "message")
    return bool(spent or at(message, "reasoning_content") or at(message, "reasoning"))


def _usage(request: AiRequest, body: object, text: str) -> Usage | None:
    figures = at(body, "usage")
    cached = count(at(figures, "prompt_tokens_details", "cached_tokens"))
    if cached is None:
        cached = count(at(figures, "prompt_cache_hit_tokens"))
    return usage_of(
        request,
        text,
        count(at(figures, "prompt_tokens")),
        cached,
        count(at(figures, "completion_tokens")),
        count(at(figures, "prompt_tokens_details", "cache_write_tokens")),
    )


def listed_models(body: object) -> dict[str, Any]:
    """Model ids of a decoded list of models, with the day on which each ends (`shutdown_date`) or None."""
    entries = at(body, "data")
    found = entries if isinstance(entries, list) else []
    return {str(at(entry, "id")): at(entry, "shutdown_date") for entry in found if at(entry, "id")}
