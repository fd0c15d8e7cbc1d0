"""Reading an answer nobody vouches for: values at a path, token counts, codes, and building a request's body."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from worker.providers.pricing import estimate_tokens
from worker.replies.request import AiRequest
from worker.usage import Usage

Json = dict[str, Any]
Call = tuple[str, dict[str, str], Json]
"""URL, headers (with the key in them) and JSON body of one POST."""

Reading = tuple[str, Usage, str | None]
"""Text of an answer, its billed tokens, and the name of the model that it says made it."""

#: More tokens than any model takes or gives; PostgreSQL and Redis can still add up what they would cost.
MAX_TOKENS = 100_000_000
# Letters and underscores in one case: an error code looks so, a key or a customer's sentence does not.
_CODE = re.compile(r"[a-z_]{1,40}|[A-Z_]{1,40}")
#: A model's name as it may stand in logs, reports and keys.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,99}")


def at(value: object, *path: str | int) -> object:
    """What stands at that path of a decoded JSON value; None where there is nothing or something of another form."""
    for step in path:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, dict) else None
        else:
            value = value[step] if isinstance(value, list) and step < len(value) else None
    return value


def count(value: object) -> int | None:
    """A number of tokens, or None where the value is not one, or none that can be true."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOKENS else None


def code(value: object) -> str | None:
    """A provider's own word for what happened, if it is a plain identifier that can hold neither a key nor a text."""
    return value if isinstance(value, str) and _CODE.fullmatch(value) else None


def model_name(value: object) -> str | None:
    """The name a model answers under, if it is one."""
    return value.removeprefix("models/") if isinstance(value, str) and _NAME.fullmatch(value) else None


def usage_of(
    request: AiRequest, text: str, prompt: int | None, cached: int | None, completion: int | None, written: int | None
) -> Usage | None:
    """Tokens an answer was billed for; None where it has neither figures nor text.

    A figure that is missing is estimated from the characters: money that was spent must not look like none.
    """
    if prompt is None and completion is None and not text:
        return None
    prompt_tokens = estimate_tokens(request.text) if prompt is None else prompt
    said = estimate_tokens(text) if text else 0
    cached_tokens = min(cached or 0, prompt_tokens)
    return Usage(
        prompt_tokens,
        cached_tokens,
        said if completion is None else completion,
        min(written or 0, prompt_tokens - cached_tokens),
    )


def merged(body: Json, fields: Mapping[str, Any]) -> Json:
    """The body with a model's own fields; objects are merged, other values replaced."""
    for name, value in fields.items():
        both = isinstance(value, Mapping) and isinstance(body.get(name), dict)
        body[name] = merged(dict(body[name]), value) if both else value
    return body


def nested(path: str, value: object) -> Json:
    """An object with a value at a dotted path."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return value  # type: ignore[return-value]  # a path has at least one name, so it is an object
