"""Tokens of one call to a language model, as its answer counts them."""

from __future__ import annotations

from msgspec import Struct


class Usage(Struct, frozen=True):
    """Billed tokens. `cached_tokens` is the part of `prompt_tokens` billed at the cached price."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
