"""Reading PROVIDERS_FILE: TOML to providers, each mistake named with its place."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from worker.errors import ConfigurationError
from worker.providers.models import DAYS, JsonMode, Model, Price, PromptCache, Provider, WeekHours, Wire
from worker.settings import PROVIDER_KEYS, Settings, secret_of_environment

_PACKAGED = Path(__file__).with_name("providers.toml")
#: "Mon-Fri 01:00-04:00", "Sun 00:00-24:00"
_HOURS = re.compile(r"([A-Z][a-z]{2})(?:-([A-Z][a-z]{2}))? (\d{2}):(\d{2})-(\d{2}):(\d{2})")
#: Fields of a body that are not a model's own.
_OURS = frozenset({"model", "messages", "contents", "systemInstruction", "stream"})
_LIMITS: Mapping[Wire, str] = {"openai": "max_tokens", "gemini": "generationConfig.maxOutputTokens"}
_JSON_FORMS: Mapping[Wire, frozenset[JsonMode]] = {
    "openai": frozenset({"schema", "object_schema", "object", "words"}),
    "gemini": frozenset({"schema", "object", "words"}),
}


def load_providers(settings: Settings) -> tuple[Provider, ...]:
    """The providers of `settings.providers_file`, or of the packaged file, in the file's order.

    Keys come from the environment variables that the entries name. Raises ConfigurationError that names the file, the
    entry, the field and the reason, never a key.
    """
    file = settings.providers_file or _PACKAGED
    entries = [_entry(file, number, raw) for number, raw in enumerate(_read(file), 1)]
    _reject_conflicts(file, entries)
    return tuple(_provider(file, entry, settings) for entry in entries)


def _checked_url(url: str) -> str:
    """The URL without a slash at its end. A user name in it would be logged."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http:// or https:// URL")
    if "@" in parts.netloc or parts.fragment:
        raise ValueError("must have no user name and no fragment")
    return parts._replace(path=parts.path.rstrip("/")).geturl()


def _checked_setting(name: str) -> str:
    known = [field.upper() for field in Settings.model_fields if field.endswith("_base_url")]
    if name not in known:
        raise ValueError(f"must be one of {', '.join(known)}")
    return name


def _checked_key_name(name: str) -> str:
    """Any variable but one that holds another secret: a database password must never be sent as a provider's key."""
    if name.lower() in Settings.model_fields.keys() - PROVIDER_KEYS:
        raise ValueError("is a setting of Chasqui's own and no provider's key")
    return name


def _checked_hours(text: str) -> str:
    week_hours(text)
    return text


def week_hours(text: str) -> WeekHours:
    """Hours of the week as the file writes them. Raises ValueError with the form that is wanted."""
    found = _HOURS.fullmatch(text)
    wanted = 'must be like "Mon-Fri 01:00-04:00" (days in English, UTC, the end after the beginning)'
    if found is None or found[1] not in DAYS or (found[2] or found[1]) not in DAYS:
        raise ValueError(wanted)
    first, last = DAYS.index(found[1]), DAYS.index(found[2] or found[1])
    days = frozenset((first + step) % 7 for step in range((last - first) % 7 + 1))
    since, until = f"{found[3]}:{found[4]}", f"{found[5]}:{found[6]}"
    if until <= since:
        raise ValueError(wanted)
    return WeekHours(days, time.fromisoformat(since), None if until == "24:00" else time.fromisoformat(until))


_Usd = Annotated[Decimal, Field(ge=0, le=100_000, allow_inf_nan=False)]
_Seconds = Annotated[float, Field(gt=0, le=600)]
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,99}$")]
_Complexity = Literal["simple", "medium", "complex"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _PriceEntry(_Strict):
    input_usd: _Usd
    cached_input_usd: _Usd
    output_usd: _Usd
    cache_write_usd: _Usd | None = None
    starts: date = date.min
    hours: tuple[Annotated[str, AfterValidator(_checked_hours)], ...] = ()

    def made(self) -> Price:
        return Price(
            self.input_usd,
            self.cached_input_usd,
            self.output_usd,
            self.input_usd if self.cache_write_usd is None else self.cache_write_usd,
            self.starts,
            tuple(week_hours(text) for text in self.hours),
        )


class _ModelEntry(_Strict):
    """One `[[provider.model]]`. Its id becomes a part of a Redis key, of a URL and a metric label."""

    id: _Name
    request: dict[str, Any] = Field(default_factory=dict)
    output_limit: Annotated[str, Field(pattern=r"^\w+(\.\w+)*$")] | None = None
    json_mode: JsonMode = Field("object", alias="json")
    prompt_cache: PromptCache = "automatic"
    ends: date | None = None
    answers_as: tuple[str, ...] = ()
    price: tuple[_PriceEntry, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _checked(self) -> Self:
        if taken := sorted(self.request.keys() & _OURS):
            raise ValueError(f"request: {', '.join(taken)} cannot be set here")
        if not any(entry.starts == date.min and not entry.hours for entry in self.price):
            raise ValueError("price: one must hold at all times (without starts and hours)")
        return self

    def made(self, wire: Wire) -> Model:
        return Model(
            id=self.id,
            request=self.request,
            output_limit=self.output_limit or _LIMITS[wire],
            json_mode=self.json_mode,
            prompt_cache=self.prompt_cache,
            prices=tuple(entry.made() for entry in self.price),
            ends=self.ends,
            answers_as=self.answers_as,
        )


class _Entry(_Strict):
    """One `[[provider]]`. Its name becomes a part of a Redis key and a metric label."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,39}$")
    wire: Wire
    base_url: Annotated[str, AfterValidator(_checked_url)]
    base_url_setting: Annotated[str, AfterValidator(_checked_setting)] | None = None
    api_key: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,99}$"), AfterValidator(_checked_key_name)] | None = None
    key_header: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,60}$")] | None = None
    complexities: tuple[_Complexity, ...] = ()
    connect_timeout_s: _Seconds = 3.0
    timeout_s: _Seconds = 15.0
    model: tuple[_ModelEntry, ...] = Field(min_length=1, max_length=20)

    @model_validator(mode="after")
    def _checked(self) -> Self:
        for entry in self.model:
            if entry.json_mode not in _JSON_FORMS[self.wire]:
                raise ValueError(f"model {entry.id}: json: {entry.json_mode} is not known to the wire {self.wire}")
        return self


def _read(file: Path) -> list[Any]:
    try:
        text = file.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except OSError as exc:
        raise ConfigurationError(f"{file}: cannot be read: {exc.strerror}") from exc
    except ValueError as exc:
        raise ConfigurationError(f"{file}: not valid TOML: {exc}") from exc
    if unknown := sorted(content.keys() - {"provider"}):
        raise ConfigurationError(f"{file}: {unknown[0]}: no such table; providers stand under [[provider]]")
    entries = content.get("provider")
    if not isinstance(entries, list) or not entries:
        raise ConfigurationError(f"{file}: holds no [[provider]] entry")
    return entries


def _entry(file: Path, number: int, raw: Any) -> _Entry:
    try:
        return _Entry.model_validate(raw)
    except ValidationError as exc:
        name = raw.get("name") if isinstance(raw, dict) else None
        reasons = "; ".join(f"{_place(error['loc'], raw)}: {error['msg']}" for error in exc.errors())
        raise ConfigurationError(f"{file}: provider {number} ({name}): {reasons}") from None


def _place(location: Sequence[int | str], raw: Any) -> str:
    """The place of a mistake: `model 2 (gpt-6.1-terra).price 1.input_usd`."""
    parts: list[str] = []
    value = raw
    for step in location:
        value = _child(value, step)
        if isinstance(step, int) and parts:
            name = value.get("id") if isinstance(value, dict) else None
            parts[-1] += f" {step + 1}" + (f" ({name})" if name else "")
        else:
            parts.append(str(step))
    return ".".join(parts)


def _child(value: Any, step: int | str) -> Any:
    if isinstance(value, dict):
        return value.get(step)
    return value[step] if isinstance(value, list) and isinstance(step, int) and step < len(value) else None


def _reject_conflicts(file: Path, entries: Sequence[_Entry]) -> None:
    for problem in _conflicts(entries):
        raise ConfigurationError(f"{file}: {problem}")


def _conflicts(entries: Sequence[_Entry]) -> Iterator[str]:
    for entry in entries:
        ids = [model.id for model in entry.model]
        for doubled in sorted({one for one in ids if ids.count(one) > 1}):
            yield f"provider {entry.name}: model {doubled}: there are two of that id"
        if "samples" in ids:
            yield f"provider {entry.name}: model samples: the name is taken in Redis (ai_circuit:{entry.name}:samples)"
    for one, other in combinations(entries, 2):
        if one.name == other.name:
            yield f"provider {one.name}: name: there are two of that name"
        for complexity in sorted(set(one.complexities) & set(other.complexities)):
            yield f"{one.name} and {other.name}: complexities: both are the first choice for {complexity}"


def _provider(file: Path, entry: _Entry, settings: Settings) -> Provider:
    base_url = urlsplit(_base_url(file, entry, settings))
    return Provider(
        name=entry.name,
        wire=entry.wire,
        base_url=base_url._replace(query="").geturl(),
        query=base_url.query,
        api_key=_key(file, entry, settings),
        key_name=entry.api_key,
        key_header=entry.key_header,
        complexities=entry.complexities,
        connect_timeout_s=entry.connect_timeout_s,
        timeout_s=entry.timeout_s,
        models=tuple(model.made(entry.wire) for model in entry.model),
    )


def _key(file: Path, entry: _Entry, settings: Settings) -> SecretStr | None:
    """The key without the newline a copied secret often ends with; requests would quote a bad header in its error."""
    if entry.api_key is None:
        return None
    name = entry.api_key.lower()
    given = getattr(settings, name) if name in PROVIDER_KEYS else secret_of_environment(entry.api_key)
    key = given.get_secret_value().strip() if given else ""
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise ConfigurationError(
            f"{file}: provider {entry.name}: {entry.api_key}: must be one word of ASCII characters"
        )
    return SecretStr(key) if key else None


def _base_url(file: Path, entry: _Entry, settings: Settings) -> str:
    name = entry.base_url_setting
    override: str | None = getattr(settings, name.lower()) if name else None
    try:
        return _checked_url(override) if override else entry.base_url
    except ValueError as exc:
        raise ConfigurationError(f"{file}: provider {entry.name}: {name}: {exc}") from None
