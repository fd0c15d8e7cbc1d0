"""Values of PROVIDERS_FILE: providers, their models in order of preference, and prices with the times they hold.

Pure thought.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Literal

from pydantic import SecretStr

Wire = Literal["openai", "gemini"]
#: How a model is asked for JSON: a strict schema of the request, the same as an argument of JSON mode (llama.cpp,
#: vLLM), JSON mode alone, or the words of the instructions.
JsonMode = Literal["schema", "object_schema", "object", "words"]
PromptCache = Literal["automatic", "breakpoint"]
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
#: A dated snapshot of a model: "gpt-6-luna-2026-09-22", "deepseek-flash-1017", "gemini-3.5-flash-lite-001".
_SNAPSHOT = re.compile(r"[-@](?:\d{4}-\d{2}-\d{2}|\d{3,8})")
#: In the place of a name: answers under any name are this model's (a server that names the file it has loaded).
ANY_NAME = "*"


@dataclass(frozen=True, slots=True)
class WeekHours:
    """Hours of some days of the week, in UTC. Monday is day 0; `until` is not included, None: midnight."""

    days: frozenset[int]
    since: time
    until: time | None

    def holds(self, moment: datetime) -> bool:
        """Whether a moment (UTC) lies in them."""
        at = moment.time()
        return moment.weekday() in self.days and self.since <= at and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens. starts: the first day (UTC) on which it holds; hours: only then, empty: always.

    cached_input_usd is for tokens read from the provider's prompt cache, cache_write_usd for those written to it.
    """

    input_usd: Decimal
    cached_input_usd: Decimal
    output_usd: Decimal
    cache_write_usd: Decimal
    starts: date = date.min
    hours: tuple[WeekHours, ...] = ()

    def holds(self, moment: datetime) -> bool:
        """Whether it is in force at a moment (UTC)."""
        return self.starts <= moment.date() and (not self.hours or any(span.holds(moment) for span in self.hours))


@dataclass(frozen=True, slots=True)
class Model:
    """One model of a provider and its own way of being asked.

    Args:
        id: its name in requests.
        request: fields merged into the body of every request.
        output_limit: dotted path of the field that limits the output, in tokens.
        json_mode: how JSON is asked for.
        prompt_cache: whether the stable beginning must be marked for the provider's prompt cache.
        prices: at least one holds at any time.
        ends: the day from which it is withdrawn, None where none is announced.
        answers_as: other names under which it answers.
    """

    id: str
    request: Mapping[str, Any]
    output_limit: str
    json_mode: JsonMode
    prompt_cache: PromptCache
    prices: tuple[Price, ...]
    ends: date | None = None
    answers_as: tuple[str, ...] = ()

    def price_at(self, moment: datetime) -> Price:
        """The price in force: of the latest start, and there the one for this hour before the one for all hours."""
        at = moment.astimezone(UTC)
        return max((price for price in self.prices if price.holds(at)), key=lambda one: (one.starts, bool(one.hours)))

    def answers_to(self, name: str | None) -> bool:
        """Whether an answer that names its model so is this model's; a dated snapshot is."""
        if name is None or ANY_NAME in self.answers_as:
            return True
        given = name.removeprefix("models/")
        own = (self.id, *self.answers_as)
        return given in own or any(
            given.startswith(one) and _SNAPSHOT.fullmatch(given[len(one) :]) is not None for one in own
        )


@dataclass(frozen=True, slots=True)
class Provider:
    """A role that models play: an API at one address with one key. Times in seconds.

    Args:
        complexities: the messages for which it is asked first.
        key_name: the environment variable of its key, None where it needs none.
        key_header: the header that carries the key; None: the one of its wire.
        query: what follows "?" in every URL, empty for none.
    """

    name: str
    wire: Wire
    base_url: str
    query: str
    api_key: SecretStr | None
    key_name: str | None
    key_header: str | None
    complexities: tuple[str, ...]
    connect_timeout_s: float
    timeout_s: float
    models: tuple[Model, ...] = field(default=())

    @property
    def usable(self) -> bool:
        """Whether it may be asked: it has its key, or needs none."""
        return self.key_name is None or self.api_key is not None

    def url(self, path: str) -> str:
        """The address of one of its endpoints; a query of the base URL is kept."""
        return f"{self.base_url}/{path}{'?' + self.query if self.query else ''}"
