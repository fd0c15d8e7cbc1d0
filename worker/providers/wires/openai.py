"""OpenAI's chat completions, which DeepSeek speaks too."""

from __future__ import annotations

from worker.errors import ProviderUnavailable, RequestRefused, UnreadableAnswer
from worker.providers.providers_file import Provider
from worker.providers.request import AiRequest
from worker.providers.wires.common import TEMPERATURE, Call, at, code, count, usage_of
from worker.usage import Usage


def build(provider: Provider, request: AiRequest) -> Call:
    """URL, headers and JSON body that ask for one JSON object.

    JSON mode is refused (400) unless the word JSON stands in one of the request's texts.
    """
    headers = {"Authorization": f"Bearer {provider.api_key.get_secret_value()}"} if provider.api_key else {}
    body: dict[str, object] = {
        "model": provider.model,
        "messages": [{"role": "system", "content": request.system}, {"role": "user", "content": request.user}],
        "response_format": {"type": "json_object"},
        "temperature": TEMPERATURE,
        "max_tokens": request.max_output_tokens,
        "stream": False,
    }
    return f"{provider.base_url.rstrip('/')}/chat/completions", headers, body


def parse(provider: Provider, request: AiRequest, body: object) -> tuple[str, Usage]:
    """Text and tokens of a decoded answer with status 200; tokens it does not name are estimated from the characters.

    Raises UnreadableAnswer (truncated, empty, not an answer), RequestRefused (content filter, refusal) and
    ProviderUnavailable (DeepSeek ran out of capacity half way), each with the usage where it was billed.
    """
    content = at(body, "choices", 0, "message", "content")
    text = content if isinstance(content, str) else ""
    usage = _usage(request, body, text)
    finish = at(body, "choices", 0, "finish_reason")
    if finish == "content_filter" or at(body, "choices", 0, "message", "refusal"):
        raise RequestRefused(provider.name, "content filter or refusal", usage=usage)
    if finish == "insufficient_system_resource":
        raise ProviderUnavailable(provider.name, finish, usage=usage)
    if finish not in ("stop", None):
        raise UnreadableAnswer(provider.name, f"not finished: {code(finish)}", usage=usage)
    if usage is None or not text.strip():
        raise UnreadableAnswer(provider.name, "no text in it", usage=usage)
    return text, usage


def _usage(request: AiRequest, body: object, text: str) -> Usage | None:
    figures = at(body, "usage")
    cached = count(at(figures, "prompt_tokens_details", "cached_tokens"))
    if cached is None:
        cached = count(at(figures, "prompt_cache_hit_tokens"))
    return usage_of(request, text, count(at(figures, "prompt_tokens")), cached, count(at(figures, "completion_tokens")))
