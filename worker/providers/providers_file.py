"""The language models that may be asked: their names, where they are, what they cost. Read from a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from worker.errors import ConfigurationError
from worker.settings import Settings

Wire = Literal["openai", "gemini"]

_PACKAGED = Path(__file__).with_name("providers.toml")


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars per million tokens. `cached_input_usd` is for prompt tokens the provider found in its own cache."""

    input_usd: Decimal
    cached_input_usd: Decimal
    output_usd: Decimal


@dataclass(frozen=True, slots=True)
class Provider:
    """One language model at one address. `complexities`: those it is the first choice for. Times in seconds.

    A provider whose `api_key` is None cannot be called.
    """

    name: str
    model: str
    wire: Wire
    base_url: str
    api_key: SecretStr | None
    prices: Prices
    complexities: tuple[str, ...]
    connect_timeout_s: float
    timeout_s: float


def load_providers(settings: Settings) -> tuple[Provider, ...]:
    """The providers of `settings.providers_file`, or of the packaged file, in the file's order.

    Keys and base URLs come from the settings each entry names. Raises ConfigurationError that names the file, the
    entry, the field and the reason, never a key.
    """
    file = settings.providers_file or _PACKAGED
    entries = [_entry(file, number, raw) for number, raw in enumerate(_read(file), 1)]
    _reject_conflicts(file, entries)
    return tuple(_provider(file, entry, settings) for entry in entries)


def _reject_bad_url(url: str) -> str:
    """The URL without a slash at its end. A user name or a query in it could hold a key, and would be logged."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http:// or https:// URL")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("must have no user name, query or fragment")
    return url.rstrip("/")


def _setting(suffix: str) -> AfterValidator:
    """Only settings of that kind may be named: a database password must never be sent to a provider as its key."""
    known = [name.upper() for name in Settings.model_fields if name.endswith(suffix)]

    def check(name: str) -> str:
        if name not in known:
            raise ValueError(f"must be one of {', '.join(known)}")
        return name

    return AfterValidator(check)


_Price = Annotated[Decimal, Field(ge=0, le=100_000, allow_inf_nan=False)]
_Seconds = Annotated[float, Field(gt=0, le=600)]


class _PricesEntry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    input_usd: _Price
    cached_input_usd: _Price
    output_usd: _Price


class _Entry(BaseModel):
    """One `[[provider]]` of the file. Names become Redis keys and metric labels, models a part of a URL."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,39}$")
    model: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}$")
    wire: Wire
    base_url: Annotated[str, AfterValidator(_reject_bad_url)]
    base_url_setting: Annotated[str, _setting("_base_url")] | None = None
    api_key: Annotated[str, _setting("_api_key")]
    prices: _PricesEntry
    complexities: tuple[Literal["simple", "medium", "complex"], ...] = ()
    connect_timeout_s: _Seconds
    timeout_s: _Seconds


def _read(file: Path) -> list[Any]:
    try:
        entries = tomllib.loads(file.read_text(encoding="utf-8")).get("provider")
    except OSError as exc:
        raise ConfigurationError(f"{file}: cannot be read: {exc.strerror}") from exc
    except ValueError as exc:
        raise ConfigurationError(f"{file}: not valid TOML: {exc}") from exc
    if not isinstance(entries, list) or not entries:
        raise ConfigurationError(f"{file}: holds no [[provider]] entry")
    return entries


def _entry(file: Path, number: int, raw: Any) -> _Entry:
    try:
        return _Entry.model_validate(raw)
    except ValidationError as exc:
        name = raw.get("name") if isinstance(raw, dict) else None
        reasons = "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in exc.errors())
        raise ConfigurationError(f"{file}: provider {number} ({name}): {reasons}") from None


def _reject_conflicts(file: Path, entries: Sequence[_Entry]) -> None:
    for one, other in combinations(entries, 2):
        if one.name == other.name:
            raise ConfigurationError(f"{file}: provider {one.name}: name: there are two of that name")
        for complexity in set(one.complexities) & set(other.complexities):
            both = f"{one.name} and {other.name}"
            raise ConfigurationError(f"{file}: {both}: complexities: both are the first choice for {complexity}")


def _provider(file: Path, entry: _Entry, settings: Settings) -> Provider:
    fields = entry.model_dump(exclude={"prices", "api_key", "base_url", "base_url_setting"})
    return Provider(
        **fields,
        prices=Prices(**entry.prices.model_dump()),
        api_key=_key(file, entry, settings),
        base_url=_base_url(file, entry, settings),
    )


def _key(file: Path, entry: _Entry, settings: Settings) -> SecretStr | None:
    """The key without the newline a copied secret often ends with; requests would quote a bad header in its error."""
    given: SecretStr | None = getattr(settings, entry.api_key.lower())
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
        return _reject_bad_url(override) if override else entry.base_url
    except ValueError as exc:
        raise ConfigurationError(f"{file}: provider {entry.name}: {name}: {exc}") from None
