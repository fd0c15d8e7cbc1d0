"""OpenAI's chat completions, which DeepSeek and most servers of open models speak too."""

from worker.errors import ProviderUnavailable
from worker.messages.fields import at, items
from worker.providers.models import Model, Provider
from worker.providers.wires.values import Answer, Call, Json, Reading, count, key_header, merged, nested
from worker.replies.prompt import AiRequest

MODELS_PATH, MODELS_QUERY = "models", ""
OUTPUT_LIMIT = "max_tokens"
#: DeepSeek ran out of capacity half way.
_NO_CAPACITY = "insufficient_system_resource"


def headers(provider: Provider) -> dict[str, str]:
    """The header that carries the key; none for a server that needs no key."""
    return key_header(provider, "Authorization", "Bearer ")


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
    merged(body, nested(model.output_limit or OUTPUT_LIMIT, request.max_output_tokens))
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
    """Reads a decoded answer of status 200; raises as `Answer.read` does, and ProviderUnavailable for no capacity."""
    finish, message = at(body, "choices", 0, "finish_reason"), at(body, "choices", 0, "message")
    usage = at(body, "usage")
    cached, hit = at(usage, "prompt_tokens_details", "cached_tokens"), at(usage, "prompt_cache_hit_tokens")
    spent = count(at(usage, "completion_tokens_details", "reasoning_tokens"))
    refused = finish == "content_filter" or at(message, "refusal")
    answer = Answer(
        text=_text(at(message, "content")),
        finish=finish,
        whole="stop",
        cut="length",
        refusal="content filter or refusal" if refused else "",
        thoughts=bool(spent or at(message, "reasoning_content") or at(message, "reasoning")),
        model=at(body, "model"),
        prompt=count(at(usage, "prompt_tokens")),
        cached=count(hit) if count(cached) is None else count(cached),
        completion=count(at(usage, "completion_tokens")),
        written=count(at(usage, "prompt_tokens_details", "cache_write_tokens")),
    )
    if finish == _NO_CAPACITY and not refused:
        raise ProviderUnavailable(provider.name, _NO_CAPACITY, usage=answer.usage(request))
    return answer.read(provider, request)


def _text(content: object) -> str:
    """A message's content: a text, or parts of which only texts count."""
    parts = [at(part, "text") for part in items(content) if at(part, "type") in ("text", "output_text", None)]
    return content if isinstance(content, str) else "".join(text for text in parts if isinstance(text, str))


def listed_models(body: object) -> dict[str, object]:
    """Model ids of a decoded list of models, with the day on which each ends (`shutdown_date`) or None."""
    return {str(at(entry, "id")): at(entry, "shutdown_date") for entry in items(at(body, "data")) if at(entry, "id")}
