"""Gemini's generateContent."""

from worker.messages.fields import at, items
from worker.providers.models import Model, Provider
from worker.providers.wires.values import Answer, Call, Json, Reading, code, count, key_header, merged, nested
from worker.replies.prompt import AiRequest

MODELS_PATH, MODELS_QUERY = "models", "pageSize=1000"
OUTPUT_LIMIT = "generationConfig.maxOutputTokens"
#: Reasons for which an answer ends that lie in the request or in what would have been said (API reference, 2026-11).
_REFUSALS = frozenset(
    {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "LANGUAGE", "IMAGE_SAFETY"}
)


def headers(provider: Provider) -> dict[str, str]:
    """The header that carries the key."""
    return key_header(provider, "x-goog-api-key")


def build(provider: Provider, model: Model, request: AiRequest) -> Call:
    """URL, headers and JSON body that ask for one JSON object."""
    body: Json = {
        "systemInstruction": {"parts": [{"text": request.system}]},
        "contents": [{"role": "user", "parts": [{"text": request.user}]}],
        "generationConfig": _json_form(model, request),
    }
    merged(body, nested(model.output_limit or OUTPUT_LIMIT, request.max_output_tokens))
    return provider.url(f"models/{model.id}:generateContent"), headers(provider), merged(body, model.request)


def _json_form(model: Model, request: AiRequest) -> Json:
    if model.json_mode == "words":
        return {}
    if model.json_mode == "object" or request.schema is None:
        return {"responseMimeType": "application/json"}
    return {"responseMimeType": "application/json", "responseJsonSchema": request.schema}


def parse(provider: Provider, request: AiRequest, body: object) -> Reading:
    """Reads a decoded answer of status 200; raises as `Answer.read` does. Thoughts are billed as output, and counted
    beside the candidates' tokens.
    """
    candidate, usage = at(body, "candidates", 0), at(body, "usageMetadata")
    parts = [at(part, "text") for part in items(at(candidate, "content", "parts")) if not at(part, "thought")]
    finish, blocked = at(candidate, "finishReason"), at(body, "promptFeedback", "blockReason")
    thoughts = count(at(usage, "thoughtsTokenCount"))
    outputs = [tokens for tokens in (count(at(usage, "candidatesTokenCount")), thoughts) if tokens is not None]
    return Answer(
        text="".join(text for text in parts if isinstance(text, str)),
        finish=finish,
        whole="STOP",
        cut="MAX_TOKENS",
        refusal=f"blocked: {code(blocked or finish)}" if blocked or code(finish) in _REFUSALS else "",
        thoughts=bool(thoughts),
        model=at(body, "modelVersion"),
        prompt=count(at(usage, "promptTokenCount")),
        cached=count(at(usage, "cachedContentTokenCount")),
        completion=sum(outputs) if outputs else None,
    ).read(provider, request)


def listed_models(body: object) -> dict[str, object]:
    """Model ids of a decoded list of models. It names no ends, and also models that this key cannot use."""
    names = [at(entry, "name") for entry in items(at(body, "models"))]
    return {str(name).removeprefix("models/"): None for name in names if name}
