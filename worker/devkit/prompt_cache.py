"""Prompt caches as the providers document them: deterministic for the same sequence of requests, and without end."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Final

import orjson

from worker.devkit.api_rules import Generation
from worker.devkit.prompt import Prompt

#: Characters of a token, as the simulator counts.
TOKEN_CHARS: Final = 4
#: Prefixes kept for each provider; the oldest go first.
KEPT: Final = 20_000


@dataclass(frozen=True, slots=True)
class CacheUse:
    """Tokens of a prompt that came from the cache, and those written to it for a fee."""

    read: int = 0
    written: int = 0


@dataclass(frozen=True, slots=True)
class _PrefixEnd:
    """Place where a cached prefix may end. written: by this request, if not cached yet."""

    digest: bytes
    tokens: int
    written: bool = False


def tokens(chars: int) -> int:
    """Counts the tokens of so many characters, rounded up."""
    return -(-chars // TOKEN_CHARS)


class PromptCache:
    """Cached prefixes of one provider; thread safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._stored: OrderedDict[bytes, bool] = OrderedDict()

    def use(self, prompt: Prompt, generation: Generation) -> CacheUse:
        """Reads and writes for one prompt; what it writes counts from the next one on."""
        if generation.cache.kind == "none":
            return CacheUse()
        by_units = generation.cache.kind == "common_prefix"
        found = _units(prompt, generation) if by_units else _breakpoints(prompt, generation)
        ends = [end for end in found if end.tokens >= generation.cache.least_tokens]
        with self._lock:
            read = max((end.tokens for end in ends if self._stored.get(end.digest)), default=0)
            if by_units:
                self._store_units(ends)
                return CacheUse(read)
            written = [end for end in ends if end.written]
            for end in written:
                self._keep(end.digest, stored=True)
            return CacheUse(read, max((end.tokens - read for end in written if end.tokens > read), default=0))

    def forget(self) -> None:
        """Empties the cache."""
        with self._lock:
            self._stored.clear()

    def _store_units(self, units: list[_PrefixEnd]) -> None:
        """Stores the whole prompt, and the longest prefix that it shares with an earlier one.

        So what many have in common is read from the third of them on.
        """
        common = next((unit.digest for unit in reversed(units) if unit.digest in self._stored), None)
        for unit in units:
            stored = unit.digest in (common, units[-1].digest) or self._stored.get(unit.digest, False)
            self._keep(unit.digest, stored=stored)

    def _keep(self, digest: bytes, *, stored: bool) -> None:
        self._stored[digest] = stored
        self._stored.move_to_end(digest)
        if len(self._stored) > KEPT:
            self._stored.popitem(last=False)


def _breakpoints(prompt: Prompt, generation: Generation) -> Iterator[_PrefixEnd]:
    """Yields ends of prefixes: marked parts, and in implicit mode ends of all messages, of which the last is written.

    There is no fallback to a shorter common prefix.
    """
    asked = prompt.asked
    implicit = (asked.get("prompt_cache_options") or {}).get("mode") != "explicit"
    scope = [generation.model, asked.get("prompt_cache_key"), asked.get("tools"), asked.get("response_format")]
    digest, chars = hashlib.blake2b(orjson.dumps(scope), digest_size=16), 0
    for index, text in enumerate(prompt.texts, 1):
        digest.update(f"\0{text.role}\0{text.text}".encode("utf-8", "surrogatepass"))
        chars += len(text.text)
        if text.marked or implicit:
            written = text.marked or index == len(prompt.texts)
            yield _PrefixEnd(digest.digest(), tokens(chars), written)


def _units(prompt: Prompt, generation: Generation) -> Iterator[_PrefixEnd]:
    """Yields prefixes of a prompt in whole units, and the whole prompt, of which whole units are counted."""
    whole = "".join(text.text for text in prompt.texts)
    size = generation.cache.unit_tokens * TOKEN_CHARS
    rest = len(whole) // size * size
    digest = hashlib.blake2b(generation.model.encode(), digest_size=16)
    pieces = [whole[end - size : end] for end in range(size, rest + 1, size)]
    for number, piece in enumerate([*pieces, f"{whole[rest:]}\0"], 1):
        digest.update(piece.encode("utf-8", "surrogatepass"))
        yield _PrefixEnd(digest.digest(), min(number, len(pieces)) * generation.cache.unit_tokens)
