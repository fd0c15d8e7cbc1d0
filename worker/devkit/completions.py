"""Complete answers in both wire formats with their usage, a function of their arguments alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from worker.devkit.http_exchange import Json, Prompt
from worker.devkit.prompt_cache import TOKEN_CHARS, CacheUse, tokens
from worker.devkit.served import Served

Finish = Literal["stop", "length", "refused"]

CREATED_S: Final = 1_763_800_000
_THOUGHT: Final = "The customer wrote something, so what is meant, and what of it does the shop have? "


@dataclass(frozen=True, slots=True)
class Said:
    """An answer within its limit. thoughts: tokens of thinking. parts: its text comes in several parts."""

    text: str
    finish: Finish
    thoughts: int = 0
    parts: bool = False


def within_limit(said: Said, limit: int | None) -> Said:
    """What is left of an answer whose thoughts and text together may have `limit` tokens: thinking comes first."""
    if limit is None or said.thoughts + tokens(said.text) <= limit:
        return said
    thoughts = min(said.thoughts, limit)
    return Said(said.text[: (limit - thoughts) * TOKEN_CHARS], "length", thoughts, said.parts)


def completion(prompt: Prompt, served: Served, said: Said, used: CacheUse) -> Json:
    """The answer's body; tokens are counted as characters / 4."""
    asked = -(-sum(len(text.text) for text in prompt.texts) // TOKEN_CHARS)
    return (_gemini if prompt.provider == "gemini" else _chat)(prompt, served, said, used, asked)


def _chat(prompt: Prompt, served: Served, said: Said, used: CacheUse, asked: int) -> Json:
    spoken: Json = {"role": "assistant", "content": _content(said)}
    answer: Json = {
        "id": f"chatcmpl-{prompt.user_sha256[:29]}",
        "object": "chat.completion",
        "created": CREATED_S,
        "model": served.model,
    }
    usage = _chat_usage(said, used, asked)
    if prompt.provider == "openai":
        spoken["refusal"] = None
        usage["prompt_tokens_details"]["cache_write_tokens"] = used.written
        usage["completion_tokens_details"] = {"reasoning_tokens": said.thoughts}
        answer["service_tier"] = {"flex": "flex", "priority": "priority"}.get(
            str(prompt.asked.get("service_tier")), "default"
        )
    else:
        usage |= {"prompt_cache_hit_tokens": used.read, "prompt_cache_miss_tokens": asked - used.read}
        if said.thoughts:
            spoken["reasoning_content"] = _thinking(said.thoughts)
            usage["completion_tokens_details"] = {"reasoning_tokens": said.thoughts}
    reason = "content_filter" if said.finish == "refused" else said.finish
    choice = {"index": 0, "message": spoken, "logprobs": None, "finish_reason": reason}
    return answer | {"choices": [choice], "usage": usage}


def _content(said: Said) -> Any:
    return [{"type": "text", "text": half} for half in _halves(said.text)] if said.parts else said.text


def _chat_usage(said: Said, used: CacheUse, asked: int) -> Json:
    output = tokens(said.text) + said.thoughts
    return {
        "prompt_tokens": asked,
        "completion_tokens": output,
        "total_tokens": asked + output,
        "prompt_tokens_details": {"cached_tokens": used.read},
    }


def _gemini(prompt: Prompt, served: Served, said: Said, used: CacheUse, asked: int) -> Json:
    reason = {"stop": "STOP", "length": "MAX_TOKENS", "refused": "SAFETY"}[said.finish]
    parts = _gemini_parts(said, shown=served.shows_thoughts or said.parts)
    content: Json = {"parts": parts, "role": "model"} if parts else {"role": "model"}
    return {
        "candidates": [{"content": {} if said.finish == "refused" else content, "finishReason": reason, "index": 0}],
        "usageMetadata": _gemini_usage(said, used, asked),
        "modelVersion": served.model,
        "responseId": prompt.user_sha256[:23],
    }


def _gemini_parts(said: Said, *, shown: bool) -> list[Json]:
    thought = [{"text": _thinking(said.thoughts or 20), "thought": True}] if shown else []
    texts = _halves(said.text) if said.parts else [said.text]
    return [*thought, *({"text": text} for text in texts if text)]


def _gemini_usage(said: Said, used: CacheUse, asked: int) -> Json:
    """Thoughts stand beside the candidates' tokens; figures that are zero are left out."""
    output = tokens(said.text)
    usage = {
        "promptTokenCount": asked,
        "candidatesTokenCount": output,
        "totalTokenCount": asked + output + said.thoughts,
        "thoughtsTokenCount": said.thoughts,
        "cachedContentTokenCount": used.read,
    }
    return {name: count for name, count in usage.items() if count}


def _halves(text: str) -> list[str]:
    return [text[: len(text) // 2], text[len(text) // 2 :]]


def _thinking(count: int) -> str:
    """So many tokens of thoughts."""
    chars = count * TOKEN_CHARS
    return (_THOUGHT * (chars // len(_THOUGHT) + 1))[:chars]
