"""Tokens of calls to language models, and sums of calls by model: figures that every floor may speak of."""

from __future__ import annotations

from operator import add

from msgspec import Struct
from msgspec.structs import astuple


class Usage(Struct, frozen=True):
    """Billed tokens of one call.

    Args:
        prompt_tokens: all input tokens, cached ones included.
        cached_tokens: the part of them read from the provider's prompt cache.
        cache_write_tokens: the part of them written to it, where the provider bills that apart.
        completion_tokens: output, thoughts included.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    cache_write_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(*map(add, astuple(self), astuple(other)))


class ModelCalls(Struct, frozen=True):
    """Sum of the calls for one turn that ended in the same way at the same model.

    Args:
        model: the model that answered, or that was asked where none did.
        outcome: `ok` or the kind of a ProviderError.
        cost_microusd: price of all of them in micro-dollars, estimated where the provider named no figures.
    """

    provider: str
    model: str
    outcome: str
    calls: int
    usage: Usage
    cost_microusd: int
