"""Finding JSON objects in what a model has written: thoughts, prose and code fences may stand around them.

Pure: no I/O.
"""

import json
import re
from typing import Any

from worker.messages.text import mend

#: A decision is a few kilobytes; what stands further behind is not looked at.
MAX_CHARS = 65_536
#: Braces at which an object is looked for; prose has few.
MAX_TRIES = 32
_THOUGHTS = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_DECODER = json.JSONDecoder(strict=False)


def objects_in(text: str) -> list[dict[str, Any]]:
    """The JSON objects in a text, in their order, none of them inside another one or inside thoughts."""
    rest = _THOUGHTS.sub(" ", text[:MAX_CHARS])
    found: list[dict[str, Any]] = []
    place = 0
    for _ in range(MAX_TRIES):
        place = rest.find("{", place)
        if place < 0:
            break
        try:
            value, end = _DECODER.raw_decode(rest, place)
            found.append(mended(value))
            place = end
        except (ValueError, RecursionError):
            place += 1
    return found


def mended(value: Any) -> Any:
    """A decoded JSON value whose texts hold nothing that PostgreSQL's jsonb refuses."""
    if isinstance(value, str):
        return mend(value)
    if isinstance(value, list):
        return [mended(item) for item in value]
    if isinstance(value, dict):
        return {mend(name): mended(item) for name, item in value.items()}
    return value
