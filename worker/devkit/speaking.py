"""What a simulated model says to a prompt, and every way in which that can be spoilt."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

import orjson

from worker.devkit.ask import categories_in, marked
from worker.devkit.behaviour import Plan, SimulatedProvider
from worker.devkit.completions import Finish, Said, completion, within_limit
from worker.devkit.conforming import conformed
from worker.devkit.http_exchange import Json, Prompt, error
from worker.devkit.rules import serve
from worker.devkit.shopkeeper import answer
from worker.devkit.sold import Refused, refusal

_BLANKS: Final = " \n" * 400


def spoken(provider: SimulatedProvider, prompt: Prompt, plan: Plan) -> Json:
    """The completion for a prompt, spoilt as the plan's mode asks. Raises Refused where the API does not take it."""
    if plan.mode == "no_money":
        raise refusal(prompt.provider, "no_money")
    served = serve(prompt, plan.models)
    text, finish = _spoilt(_answer(prompt, served.schema), plan.mode, prompt)
    said = within_limit(Said(text, finish, served.thoughts, parts=plan.mode == "parts"), served.limit)
    return completion(prompt, served, said, provider.cache.use(prompt, served))


def _answer(prompt: Prompt, schema: Json | None) -> str:
    """The shopkeeper's JSON, as the schema wants it."""
    context = _context(prompt.user)
    told = context if "categories" in context else {**context, "categories": categories_in(prompt.system)}
    said = marked(answer(told), context)
    try:
        return orjson.dumps(said if schema is None else conformed(said, schema)).decode()
    except (AttributeError, KeyError, RecursionError, TypeError) as exc:
        raise Refused(400, error(prompt.provider, 400, "The schema is not a valid JSON Schema.")) from exc


def _spoilt(text: str, mode: str, prompt: Prompt) -> tuple[str, Finish]:
    match mode:
        case "garbage":
            return "Claro, acá va: {intent: saludo", "stop"
        case "empty":
            return "", "stop"
        case "blank":
            return _BLANKS, "stop"
        case "truncated":
            return text[: len(text) // 2], "length"
        case "refuse":
            return "", "refused"
        case "prose":
            return f"<think>What does the customer want?</think>\nHere is the JSON:\n{text}\nAnything else?", "stop"
        case "echo":
            return prompt.user, "stop"
        case _:
            return text, "stop"


def _context(user: str) -> dict[str, Any]:
    """The user text as context; any other text than a JSON object is a customer's bare message."""
    with suppress(ValueError):
        if isinstance(context := orjson.loads(user), dict):
            return context
    return {"message": user}
