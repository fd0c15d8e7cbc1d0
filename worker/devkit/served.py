"""A request that an API will answer, and what its checks have in common."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from worker.devkit.http_exchange import Json, Prompt
from worker.devkit.sold import APIS, CacheRules, refusal


@dataclass(frozen=True, slots=True)
class Served:
    """A request that will be answered.

    model: who answers it. thoughts, limit: tokens it thinks, and may use in all (None: no limit). schema: what the
    answer must conform to. shows_thoughts: whether they are part of the answer.
    """

    model: str
    cache: CacheRules
    thoughts: int
    limit: int | None
    schema: Json | None
    shows_thoughts: bool


def limit(prompt: Prompt, fields: Json) -> int | None:
    """The most tokens an answer may have. Raises Refused where it is not a whole number above zero."""
    for field in APIS[prompt.provider].limits:
        if (value := fields.get(field)) is not None:
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise refusal(prompt.provider, "limit", field=field, value=shown(value))
            return value
    return None


def enumerated(names: Iterable[str]) -> str:
    """Names in quotes as OpenAI writes them: 'a', 'b', and 'c'."""
    quoted = [f"'{name}'" for name in names]
    return ", ".join([*quoted[:-1], f"and {quoted[-1]}"]) if len(quoted) > 1 else "".join(quoted)


def shown(value: Any) -> str:
    """A value as error sentences write it: texts bare, the rest as JSON."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()
