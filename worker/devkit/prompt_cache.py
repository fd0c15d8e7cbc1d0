"""Prompt caches as the providers document them: deterministic for the same sequence of requests, and without end."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Final

import orjson

from worker.devkit.prompt import Prompt
from worker.devkit.rules import Served

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
class _End:
    """Place where a cached prefix may end. written: by this request, where it is not cached yet."""

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

    def use(self, prompt: Prompt, served: Served) -> CacheUse:
        """Reads and writes for one prompt; what it writes counts from the next one on."""
        rules = served.cache
        if rules.kind == "none":
            return CacheUse()
        if rules.kind == "breakpoints":
            ends = [end for end in _breakpoints(prompt, served) if end.tokens >= rules.least_tokens]
            with self._lock:
                return self._use_breakpoints(ends)
        units = list(_units(prompt, served))
        with self._lock:
            read = self._use_units(units)
        return CacheUse(read if read >= rules.least_tokens else 0)

    def forget(self) -> None:
        """Empties the cache."""
        with self._lock:
            self._stored.clear()

    def _use_breakpoints(self, ends: list[_End]) -> CacheUse:
        """Reads the longest of the marked prefixes that is cached; there is no fallback to a shorter common one."""
        read = max((end.tokens for end in ends if end.digest in self._stored), default=0)
        written = max((end.tokens for end in ends if end.written), default=0)
        for end in ends:
            if end.written:
                self._keep(end.digest, stored=True)
        return CacheUse(read, max(written - read, 0))

    def _use_units(self, units: list[_End]) -> int:
        """Reads the longest stored prefix; stores the whole prompt, and the longest prefix that it shares with an
        earlier one: so what many have in common is read from the third of them on.
        """
        read = max((unit.tokens for unit in units if self._stored.get(unit.digest)), default=0)
        common = next((unit.digest for unit in reversed(units) if unit.digest in self._stored), None)
        ends = {common, units[-1].digest}
        for unit in units:
            self._keep(unit.digest, stored=unit.digest in ends or self._stored.get(unit.digest, False))
        return read

    def _keep(self, digest: bytes, *, stored: bool) -> None:
        self._stored[digest] = stored
        self._stored.move_to_end(digest)
        if len(self._stored) > KEPT:
            self._stored.popitem(last=False)


def _breakpoints(prompt: Prompt, served: Served) -> Iterator[_End]:
    """Ends of prefixes: marked parts, and in implicit mode the ends of all messages, of which the last is written."""
    asked = prompt.asked
    implicit = (asked.get("prompt_cache_options") or {}).get("mode") != "explicit"
    scope = [served.model, asked.get("prompt_cache_key"), asked.get("tools"), asked.get("response_format")]
    digest, chars = hashlib.blake2b(orjson.dumps(scope), digest_size=16), 0
    for index, text in enumerate(prompt.texts):
        digest.update(f"\0{text.role}\0{text.text}".encode("utf-8", "surrogatepass"))
        chars += len(text.text)
        last = implicit and index == len(prompt.texts) - 1
        if text.marked or implicit:
            yield _End(digest.digest(), tokens(chars), written=text.marked or last)


def _units(prompt: Prompt, served: Served) -> Iterator[_End]:
    """Prefixes of a prompt in whole units, and the whole prompt, of which whole units are counted."""
    whole = "".join(text.text for text in prompt.texts)
    size = served.cache.unit_tokens * TOKEN_CHARS
    digest = hashlib.blake2b(served.model.encode(), digest_size=16)
    for end in range(size, len(whole) + 1, size):
        digest.update(whole[end - size : end].encode("utf-8", "surrogatepass"))
        yield _End(digest.digest(), end // TOKEN_CHARS)
    rest = len(whole) // size * size
    digest.update(f"{whole[rest:]}\0".encode("utf-8", "surrogatepass"))
    yield _End(digest.digest(), rest // TOKEN_CHARS)
