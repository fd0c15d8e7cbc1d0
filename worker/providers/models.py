"""Providers, their models in order of preference, and prices with the times at which they hold.

Pure: no I/O. Annotations hold what PROVIDERS_FILE may say (`providers_file.py`); values made in code are not checked.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic_core import PydanticCustomError

Wire = Literal["openai", "gemini"]
#: How a model is asked for JSON: a strict schema of the request, the same as an argument of JSON mode (llama.cpp,
#: vLLM), JSON mode alone, or the words of the instructions.
JsonMode = Literal["schema", "object_schema", "object", "words"]
PromptCache = Literal["automatic", "breakpoint"]
Complexity = Literal["simple", "medium", "complex"]
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
#: In the place of a name: answers under any name are this model's (a server that names the file it has loaded).
ANY_NAME = "*"
#: A dated snapshot of a model: "gpt-6-luna-2026-09-22", "deepseek-flash-1017", "gemini-3.5-flash-lite-001".
_SNAPSHOT = re.compile(r"[-@](?:\d{4}-\d{2}-\d{2}|\d{3,8})")
#: "Mon-Fri 01:00-04:00", "Sun 00:00-24:00"
_HOURS = re.compile(r"([A-Z][a-z]{2})(?:-([A-Z][a-z]{2}))? (\d{2}):(\d{2})-(\d{2}):(\d{2})")
#: Fields of a request that are not a model's own.
_OURS = frozenset({"model", "messages", "contents", "systemInstruction", "stream"})
_AS_INPUT = Decimal(-1)
_Usd = Annotated[Decimal, Field(ge=0, le=100_000, allow_inf_nan=False)]
_Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,99}$")]
_Path = Annotated[str, Field(pattern=r"^\w+(\.\w+)*$")]


@dataclass(frozen=True, slots=True)
class WeekHours:
    """Hours of some days of the week, in UTC. Monday is day 0; `until` is not included, None: midnight."""

    days: frozenset[int]
    since: time
    until: time | None

    def holds(self, moment: datetime) -> bool:
        """Returns whether a moment (UTC) lies in them."""
        at = moment.time()
        return moment.weekday() in self.days and self.since <= at and (self.until is None or at < self.until)


def week_hours(text: object) -> WeekHours:
    """Hours of the week as the file writes them. Raises ValueError with the form that is wanted."""
    wanted = 'must be like "Mon-Fri 01:00-04:00" (days in English, UTC, the end after the beginning)'
    found = _HOURS.fullmatch(str(text))
    if found is None or found[1] not in DAYS or (found[2] or found[1]) not in DAYS:
        raise ValueError(wanted)
    first, last = DAYS.index(found[1]), DAYS.index(found[2] or found[1])
    days = frozenset((first + step) % 7 for step in range((last - first) % 7 + 1))
    since, until = f"{found[3]}:{found[4]}", f"{found[5]}:{found[6]}"
    if until <= since:
        raise ValueError(wanted)
    return WeekHours(days, time.fromisoformat(since), None if until == "24:00" else time.fromisoformat(until))


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens.

    Args:
        cached_input_usd: of tokens read from the provider's prompt cache.
        cache_write_usd: of tokens written to it; as input where it is not given.
        starts: first day (UTC) on which it holds.
        hours: it holds only in these, always where there are none.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    input_usd: _Usd
    cached_input_usd: _Usd
    output_usd: _Usd
    cache_write_usd: _Usd = _AS_INPUT
    starts: date = date.min
    hours: tuple[Annotated[WeekHours, BeforeValidator(week_hours)], ...] = ()

    def __post_init__(self) -> None:
        if self.cache_write_usd == _AS_INPUT:
            object.__setattr__(self, "cache_write_usd", self.input_usd)

    def holds(self, moment: datetime) -> bool:
        """Returns whether it is in force at a moment (UTC)."""
        return self.starts <= moment.date() and (not self.hours or any(span.holds(moment) for span in self.hours))


def _without_ours(request: Mapping[str, Any]) -> Mapping[str, Any]:
    if taken := sorted(request.keys() & _OURS):
        raise PydanticCustomError("request", "{taken} cannot be set here", {"taken": ", ".join(taken)})
    return request


def _always_priced(prices: tuple[Price, ...]) -> tuple[Price, ...]:
    if not any(price.starts == date.min and not price.hours for price in prices):
        raise PydanticCustomError("price", "one must hold at all times (without starts and hours)")
    return prices


@dataclass(frozen=True, slots=True)
class Model:
    """One model of a provider and its own way of being asked.

    Args:
        id: its name in requests; also part of a Redis key, of a URL and of a metric label.
        prices: at least one holds at any time.
        request: fields merged into the body of every request.
        output_limit: dotted path of the field that limits the output, in tokens; empty: the usual one of its wire.
        json_mode: how JSON is asked for.
        prompt_cache: whether the stable beginning must be marked for the provider's prompt cache.
        ends: the day from which it is withdrawn, None where none is announced.
        answers_as: other names under which it answers.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    id: _Id
    prices: Annotated[tuple[Price, ...], Field(alias="price", min_length=1), AfterValidator(_always_priced)]
    request: Annotated[Mapping[str, Any], AfterValidator(_without_ours)] = field(default_factory=dict)
    output_limit: _Path = ""
    json_mode: Annotated[JsonMode, Field(alias="json")] = "object"
    prompt_cache: PromptCache = "automatic"
    ends: date | None = None
    answers_as: tuple[str, ...] = ()

    def price_at(self, moment: datetime) -> Price:
        """The price in force: of the latest start, and there the one for this hour before the one for all hours."""
        at = moment.astimezone(UTC)
        return max((price for price in self.prices if price.holds(at)), key=lambda one: (one.starts, bool(one.hours)))

    def answers_to(self, name: str | None) -> bool:
        """Returns whether an answer that names its model so is this model's; a dated snapshot is."""
        if name is None or ANY_NAME in self.answers_as:
            return True
        given = name.removeprefix("models/")
        own = (self.id, *self.answers_as)
        return given in own or any(given.startswith(one) and _SNAPSHOT.fullmatch(given[len(one) :]) for one in own)


@dataclass(frozen=True, slots=True)
class Provider:
    """A role that models play: an API at one address with one key. Times in seconds.

    Args:
        query: follows "?" in every URL, empty for none.
        key_name: environment variable of its key, None where it needs none.
        key_header: header that carries the key; None: the one of its wire.
        complexities: messages for which it is asked first.
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
    models: tuple[Model, ...] = ()

    @property
    def usable(self) -> bool:
        """Returns whether it may be asked: it has its key, or needs none."""
        return self.key_name is None or self.api_key is not None

    def url(self, path: str) -> str:
        """The address of one of its endpoints; a query of the base URL is kept."""
        return f"{self.base_url}/{path}{'?' + self.query if self.query else ''}"


def candidates(providers: Iterable[Provider], complexity: str, now: datetime) -> list[Provider]:
    """Usable providers in the order in which they are asked. An unfit model is better than no answer.

    Returns:
        Those made for this complexity first, then the others; the cheaper before the dearer, by the preferred model's
        price now.
    """

    def order(provider: Provider) -> tuple[bool, Decimal, Decimal]:
        price = provider.models[0].price_at(now)
        return complexity not in provider.complexities, price.output_usd, price.input_usd

    return sorted((provider for provider in providers if provider.usable), key=order)
