"""The Compose file as Docker Compose would read it: variables filled in, `$$` undone, addresses of containers replaced."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from support import REPOSITORY

FILE = REPOSITORY / "docker-compose.yml"
IMAGE = "chasqui:local"
_VARIABLE = re.compile(r"\$\{(\w+)(:[?-])([^}]*)\}")


@dataclass(frozen=True, slots=True)
class Composed:
    """A service: what its container would run, with which environment, and how Docker would look whether it is well."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    health: tuple[str, ...]
    grace_s: float
    is_ours: bool


def composed(variables: Mapping[str, str], instead: Mapping[str, str]) -> list[Composed]:
    """The services. variables: the content of `.env`; instead: texts to be replaced in every value, in this order."""

    def told(text: str) -> str:
        filled = _VARIABLE.sub(lambda found: _value(found, variables), text).replace("$$", "$")
        for old, new in instead.items():
            filled = filled.replace(old, new)
        return filled

    services = yaml.safe_load(FILE.read_text("utf-8"))["services"]
    return [_composed(name, service, told) for name, service in services.items()]


def _composed(name: str, service: Mapping[str, Any], told: Any) -> Composed:
    kind, *words = service.get("healthcheck", {}).get("test", ["CMD"])
    return Composed(
        name,
        tuple(told(word) for word in service["command"]),
        {key: told(str(value)) for key, value in service.get("environment", {}).items()},
        tuple(told(word) for word in (["sh", "-c", *words] if kind == "CMD-SHELL" else words)),
        seconds(service["stop_grace_period"]),
        service["image"] == IMAGE,
    )


def _value(found: re.Match[str], variables: Mapping[str, str]) -> str:
    name, kind, text = found.groups()
    value = variables.get(name, "")
    assert value or kind == ":-", f"{name} is required: {text}"
    return value or text


def seconds(duration: str) -> float:
    """A duration of the Compose specification."""
    parts = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", duration)
    assert parts, duration
    assert any(parts.groups()), duration
    return 60 * int(parts[1] or 0) + int(parts[2] or 0)


def words(services: Sequence[Composed]) -> dict[str, Composed]:
    """The services by name."""
    return {service.name: service for service in services}
