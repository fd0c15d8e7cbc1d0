"""Results of pure functions of a text, kept in a bounded amount of memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Concatenate, ParamSpec, TypeVar

#: What many customers write is short and comes again; a longer text is only read several times while it is answered.
SHORT_CHARS = 300
#: With 4 bytes a character, a text and what was made of it: about 10 MiB of short ones, 4 MiB of long ones.
SHORT_TEXTS = 4_096
LONG_TEXTS = 128

Others = ParamSpec("Others")
Made = TypeVar("Made")


def remembered(function: Callable[Concatenate[str, Others], Made]) -> Callable[Concatenate[str, Others], Made]:
    """A least recently used cache around a function of a text: many short texts, and apart from them a few long ones,
    so that thousands of the longest messages neither fill the memory nor drive out what is asked often.
    """
    often = lru_cache(maxsize=SHORT_TEXTS)(function)
    lately = lru_cache(maxsize=LONG_TEXTS)(function)

    @wraps(function)
    def recall(text: str, /, *args: Others.args, **kwargs: Others.kwargs) -> Made:
        return (often if len(text) <= SHORT_CHARS else lately)(text, *args, **kwargs)  # type: ignore[arg-type]

    return recall
