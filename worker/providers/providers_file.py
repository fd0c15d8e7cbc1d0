"""Reading PROVIDERS_FILE: TOML to providers, each mistake named with its place."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from worker.errors import ConfigurationError
from worker.providers.models import Complexity, JsonMode, Model, Provider, Wire
from worker.settings import PROVIDER_KEYS, Settings, secret_of_environment

_PACKAGED = Path(__file__).with_name("providers.toml")
_JSON_MODES: Mapping[Wire, frozenset[JsonMode]] = {
    "openai": frozenset({"schema", "object_schema", "object", "words"}),
    "gemini": frozenset({"schema", "object", "words"}),
}


def load_providers(settings: Settings) -> tuple[Provider, ...]:
    """Reads the providers of `settings.providers_file`, or of the packaged file, in the file's order.

    Keys come from the environment variables that the entries name.

    Raises:
        ConfigurationError: names the file, the entry, the field and the reason, never a key.
    """
    file = settings.providers_file or _PACKAGED
    try:
        entries = [_entry(number, raw) for number, raw in enumerate(_read(file), 1)]
        for conflict in _conflicts(entries):
            raise ValueError(conflict)
        return tuple(_provider(entry, settings) for entry in entries)
    except ValueError as exc:
        raise ConfigurationError(f"{file}: {exc}") from exc.__cause__


def _read(file: Path) -> list[Any]:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ValueError(f"cannot be read: {exc.strerror}") from exc
    except ValueError as exc:
        raise ValueError(f"not valid TOML: {exc}") from exc
    if unknown := sorted(content.keys() - {"provider"}):
        raise ValueError(f"{unknown[0]}: no such table; providers stand under [[provider]]")
    entries = content.get("provider")
    if not isinstance(entries, list) or not entries:
        raise ValueError("holds no [[provider]] entry")
    return entries


def _url(text: str) -> str:
    """Checks a base URL, and removes the slash at its end. A user name in it would be logged."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http:// or https:// URL")
    if "@" in parts.netloc or parts.fragment:
        raise ValueError("must have no user name and no fragment")
    return parts._replace(path=parts.path.rstrip("/")).geturl()


def _setting(name: str) -> str:
    known = [field.upper() for field in Settings.model_fields if field.endswith("_base_url")]
    if name not in known:
        raise ValueError(f"must be one of {', '.join(known)}")
    return name


def _key_name(name: str) -> str:
    """Refuses a variable that holds another secret: a database password must never be sent as a provider's key."""
    if name.lower() in Settings.model_fields.keys() - PROVIDER_KEYS:
        raise ValueError("is a setting of Chasqui's own and no provider's key")
    return name


class _Entry(BaseModel):
    """One `[[provider]]`. Its name becomes a part of a Redis key and a metric label."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,39}$")
    wire: Wire
    base_url: Annotated[str, AfterValidator(_url)]
    base_url_setting: Annotated[str, AfterValidator(_setting)] | None = None
    api_key: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,99}$"), AfterValidator(_key_name)] | None = None
    key_header: str | None = Field(None, pattern=r"^[A-Za-z][A-Za-z0-9-]{0,60}$")
    complexities: tuple[Complexity, ...] = ()
    connect_timeout_s: float = Field(3.0, gt=0, le=600)
    timeout_s: float = Field(15.0, gt=0, le=600)
    model: tuple[Model, ...] = Field(min_length=1, max_length=20)

    @model_validator(mode="after")
    def _checked(self) -> Self:
        for model in self.model:
            if model.json_mode not in _JSON_MODES[self.wire]:
                raise ValueError(f"model {model.id}: json: {model.json_mode} is not known to the wire {self.wire}")
        return self


def _entry(number: int, raw: Any) -> _Entry:
    try:
        return _Entry.model_validate(raw)
    except ValidationError as exc:
        name = raw.get("name") if isinstance(raw, dict) else None
        reasons = "; ".join(f"{_place(error['loc'], raw)}: {_reason(error)}" for error in exc.errors())
        raise ValueError(f"provider {number} ({name}): {reasons}") from None


def _reason(error: Mapping[str, Any]) -> str:
    """Pydantic's words for a field that nobody knows are about calls where it is a dataclass's."""
    return "Extra inputs are not permitted" if error["type"] == "unexpected_keyword_argument" else str(error["msg"])


def _place(location: Sequence[int | str], raw: Any) -> str:
    """The place of a mistake: `model 2 (gpt-6.1-terra).price 1.input_usd`."""
    parts: list[str] = []
    value = raw
    for step in location:
        try:
            value = value[step]
        except (LookupError, TypeError):
            value = None
        if isinstance(step, int) and parts:
            name = value.get("id") if isinstance(value, dict) else None
            parts[-1] += f" {step + 1}" + (f" ({name})" if name else "")
        else:
            parts.append(str(step))
    return ".".join(parts)


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


def _provider(entry: _Entry, settings: Settings) -> Provider:
    base_url = urlsplit(_base_url(entry, settings))
    return Provider(
        name=entry.name,
        wire=entry.wire,
        base_url=base_url._replace(query="").geturl(),
        query=base_url.query,
        api_key=_key(entry, settings),
        key_name=entry.api_key,
        key_header=entry.key_header,
        complexities=entry.complexities,
        connect_timeout_s=entry.connect_timeout_s,
        timeout_s=entry.timeout_s,
        models=entry.model,
    )


def _key(entry: _Entry, settings: Settings) -> SecretStr | None:
    """The key without the newline a copied secret often ends with; in a header it would be quoted in an error."""
    if entry.api_key is None:
        return None
    name = entry.api_key.lower()
    given = getattr(settings, name) if name in PROVIDER_KEYS else secret_of_environment(entry.api_key)
    key = given.get_secret_value().strip() if given else ""
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise ValueError(f"provider {entry.name}: {entry.api_key}: must be one word of ASCII characters")
    return SecretStr(key) if key else None


def _base_url(entry: _Entry, settings: Settings) -> str:
    name = entry.base_url_setting
    override: str | None = getattr(settings, name.lower()) if name else None
    try:
        return _url(override) if override else entry.base_url
    except ValueError as exc:
        raise ValueError(f"provider {entry.name}: {name}: {exc}") from None
