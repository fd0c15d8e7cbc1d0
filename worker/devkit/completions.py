"""Completions of the simulated models in both wire formats, with their usage, and every way to spoil them."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from worker.devkit.api_rules import Generation, generation_for
from worker.devkit.assistant import answer, marked
from worker.devkit.json_schema import Json, conformed
from worker.devkit.prompt import Prompt
from worker.devkit.prompt_cache import TOKEN_CHARS, CacheUse, PromptCache, tokens
from worker.devkit.sold_models import CREATED_S, Refused, error_body, refusal
from worker.devkit.spanish import facts_in

Finish = Literal["stop", "length", "refused"]
_BLANKS: Final = " \n" * 400
_THOUGHT: Final = "The customer wrote something, so what is meant, and what of it does the shop have? "
_PROSE: Final = "<think>What does the customer want?</think>\nHere is the JSON:\n{}\nAnything else?"
_GEMINI_FINISH: Final[Mapping[Finish, str]] = {"stop": "STOP", "length": "MAX_TOKENS", "refused": "SAFETY"}


@dataclass(frozen=True, slots=True)
class _Output:
    """Output of a model. texts: one, or its halves where it comes in parts; thoughts: tokens of thinking."""

    texts: list[str]
    finish: Finish
    thoughts: int

    @property
    def tokens(self) -> int:
        """Tokens of the text."""
        return tokens(sum(map(len, self.texts)))


def complete(prompt: Prompt, cache: PromptCache, mode: str, states: Mapping[str, str]) -> Json:
    """Answers a prompt, spoilt as the mode asks. states: of models, by order of the control. Raises Refused."""
    if mode == "no_money":
        raise refusal(prompt.provider, "no_money")
    generation = generation_for(prompt, states)
    text, finish = _spoilt(_answer(prompt, generation.schema), mode, prompt)
    thoughts = generation.thoughts
    if generation.limit is not None and thoughts + tokens(len(text)) > generation.limit:  # thinking comes first
        thoughts = min(thoughts, generation.limit)
        text, finish = text[: (generation.limit - thoughts) * TOKEN_CHARS], "length"
    half = len(text) // 2
    output = _Output([text[:half], text[half:]] if mode == "parts" else [text], finish, thoughts)
    asked = tokens(sum(len(text.text) for text in prompt.texts))
    used = cache.use(prompt, generation)
    if prompt.provider == "gemini":
        return _gemini(prompt, generation, output, used, asked)
    return _chat(prompt, generation, output, used, asked)


def _answer(prompt: Prompt, schema: Json | None) -> str:
    """Returns the assistant's JSON as the schema wants it; a user text that is no JSON object is a bare message."""
    context: Json = {"message": prompt.user}
    with suppress(ValueError):
        if isinstance(read := orjson.loads(prompt.user), dict):
            context = read
    decision = marked(answer(facts_in(prompt.system) | context), context)
    try:
        return orjson.dumps(decision if schema is None else conformed(decision, schema)).decode()
    except (AttributeError, KeyError, RecursionError, TypeError) as exc:
        raise Refused(400, error_body(prompt.provider, 400, "The schema is not a valid JSON Schema.")) from exc


def _spoilt(text: str, mode: str, prompt: Prompt) -> tuple[str, Finish]:
    spoilt: Mapping[str, tuple[str, Finish]] = {
        "garbage": ("Claro, acá va: {intent: saludo", "stop"),
        "empty": ("", "stop"),
        "blank": (_BLANKS, "stop"),
        "truncated": (text[: len(text) // 2], "length"),
        "refuse": ("", "refused"),
        "prose": (_PROSE.format(text), "stop"),
        "echo": (prompt.user, "stop"),
    }
    return spoilt.get(mode, (text, "stop"))


def _chat(prompt: Prompt, generation: Generation, output: _Output, used: CacheUse, asked: int) -> Json:
    answered = output.tokens + output.thoughts
    usage: Json = {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}
    usage["prompt_tokens_details"] = {"cached_tokens": used.read}
    parts = [{"type": "text", "text": text} for text in output.texts]
    message: Json = {"role": "assistant", "content": parts if parts[1:] else output.texts[0]}
    reason = "content_filter" if output.finish == "refused" else output.finish
    body: Json = {
        "id": f"chatcmpl-{prompt.user_sha256[:29]}",
        "object": "chat.completion",
        "created": CREATED_S,
        "model": generation.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
        "usage": usage,
    }
    if prompt.provider == "openai":
        tier = prompt.asked.get("service_tier")
        body["service_tier"] = tier if tier in ("flex", "priority") else "default"
        message["refusal"] = None
        usage["prompt_tokens_details"]["cache_write_tokens"] = used.written
    else:
        usage |= {"prompt_cache_hit_tokens": used.read, "prompt_cache_miss_tokens": asked - used.read}
    if prompt.provider == "deepseek" and output.thoughts:
        message["reasoning_content"] = _thinking(output.thoughts)
    if prompt.provider == "openai" or output.thoughts:
        usage["completion_tokens_details"] = {"reasoning_tokens": output.thoughts}
    return body


def _gemini(prompt: Prompt, generation: Generation, output: _Output, used: CacheUse, asked: int) -> Json:
    """Answers as generateContent does: thoughts stand beside the candidates' tokens, and zeros are left out."""
    parts: list[Any] = [{"text": text} for text in output.texts if text]
    if generation.shows_thoughts or output.texts[1:]:
        parts.insert(0, {"text": _thinking(output.thoughts or 20), "thought": True})
    content: Json = {"parts": parts, "role": "model"} if parts else {"role": "model"}
    usage = {
        "promptTokenCount": asked,
        "candidatesTokenCount": output.tokens,
        "totalTokenCount": asked + output.tokens + output.thoughts,
        "thoughtsTokenCount": output.thoughts,
        "cachedContentTokenCount": used.read,
    }
    candidate = {"content": {} if output.finish == "refused" else content, "index": 0}
    return {
        "candidates": [candidate | {"finishReason": _GEMINI_FINISH[output.finish]}],
        "usageMetadata": {name: count for name, count in usage.items() if count},
        "modelVersion": generation.model,
        "responseId": prompt.user_sha256[:23],
    }


def _thinking(count: int) -> str:
    chars = count * TOKEN_CHARS
    return (_THOUGHT * (chars // len(_THOUGHT) + 1))[:chars]
