"""The Compose file as Docker Compose would read it: variables filled in, `$$` undone, and run by hand."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from helpers import yaml_text
from helpers.basics import GUARD_S, REPOSITORY
from helpers.command_line import run_in

FILE = REPOSITORY / "docker-compose.yml"
TEXT = FILE.read_text("utf-8")
#: Laid over it: two of what can be two.
TWICE_TEXT = (REPOSITORY / "docker-compose.ha.yml").read_text("utf-8")
IMAGE = "chasqui:local"
LOOK_EVERY_S = 1.0
VARIABLE = re.compile(r"\$\{(\w+)(:[?-])([^}]*)\}")
REQUIRED = frozenset(name for name, kind, _ in VARIABLE.findall(TEXT) if kind == ":?")


@dataclass(frozen=True, slots=True)
class Composed:
    """A service: what its container would run, with which environment, and how Docker would look whether it is well."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    health: tuple[str, ...]
    grace_s: float
    is_ours: bool


def merged(base: Any, over: Any) -> Any:
    """What Docker Compose makes of a file and its override, as far as ours go."""
    if isinstance(base, dict) and isinstance(over, dict):
        return base | {key: merged(base[key], value) if key in base else value for key, value in over.items()}
    return over


def content_twice() -> dict[str, Any]:
    """Both files as one: what `docker compose -f docker-compose.yml -f docker-compose.ha.yml config` would show."""
    base, over = yaml_text.load(TEXT), yaml_text.load(TWICE_TEXT)
    for name, service in over["services"].items():
        if extended := service.pop("extends", None):
            assert extended["file"] == FILE.name
            over["services"][name] = merged(base["services"][extended["service"]], service)
    whole: dict[str, Any] = merged(base, over)
    return whole


def composed(
    variables: Mapping[str, str], instead: Mapping[str, str], content: Mapping[str, Any] | None = None
) -> dict[str, Composed]:
    """The services by name.

    Args:
        variables: the content of `.env`.
        instead: texts to be replaced wherever they stand.
        content: of both files, where not of the first alone.
    """

    def told(text: str) -> str:
        filled = VARIABLE.sub(lambda found: _value(found, variables), text).replace("$$", "$")
        for old, new in instead.items():
            filled = filled.replace(old, new)
        return filled

    services: dict[str, Any] = (content or yaml_text.load(TEXT))["services"]
    return {name: _composed(name, service, told) for name, service in services.items()}


def _value(found: re.Match[str], variables: Mapping[str, str]) -> str:
    name, kind, told = found.groups()
    value = variables.get(name, "")
    assert value or kind == ":-", f"{name} is required: {told}"
    return value


def _composed(name: str, service: Mapping[str, Any], told: Callable[[str], str]) -> Composed:
    kind, *words = service.get("healthcheck", {}).get("test", ["CMD"])
    return Composed(
        name,
        tuple(told(word) for word in service["command"]),
        {key: told(str(value)) for key, value in service.get("environment", {}).items()},
        tuple(told(word) for word in (["sh", "-c", *words] if kind == "CMD-SHELL" else words)),
        seconds(service["stop_grace_period"]),
        service["image"] == IMAGE,
    )


def seconds(duration: str) -> float:
    """A duration as the Compose specification writes it."""
    parts = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", duration)
    assert parts, duration
    assert any(parts.groups()), duration
    return 60.0 * int(parts[1] or 0) + int(parts[2] or 0)


@dataclass(slots=True)
class Shop:
    """Services that run by hand. more: what their environment needs besides, because they share one network here."""

    services: Mapping[str, Composed]
    directory: Path
    more: Mapping[str, str]
    #: Where they work; in their containers nothing can be written there.
    workplace: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def environment(self, name: str) -> dict[str, str]:
        """What the image and the file set, and where the programs are."""
        path = {"PATH": f"{Path(sys.executable).parent}:{os.defpath}", "HOME": str(self.workplace)}
        return {**path, "PYTHONUNBUFFERED": "1", **self.more, **self.services[name].environment}

    def run(self, name: str, command: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        """A command in the place of the service's own, to its end, as `docker compose run` does."""
        if command[0] == "chasqui":
            return run_in(self.environment(name), self.workplace, *command[1:])
        return subprocess.run(
            command,
            cwd=self.workplace,
            env=self.environment(name),
            capture_output=True,
            text=True,
            timeout=GUARD_S,
            check=False,
        )

    def start(self, name: str) -> None:
        """The service's own command."""
        with self.log(name).open("wb") as output:
            self.processes[name] = subprocess.Popen(
                self.services[name].command,
                cwd=self.workplace,
                env=self.environment(name),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def log(self, name: str) -> Path:
        """What the service has printed."""
        return self.directory / f"{name}.log"

    def is_healthy(self, name: str) -> bool:
        """What Docker would say."""
        try:
            return self.run(name, self.services[name].health).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def becomes_healthy(self, name: str, within_s: float) -> bool:
        """Whether the service is healthy within this time, or has no check. Each look starts a program or more."""
        deadline = time.monotonic() + within_s
        while self.services[name].health and not self.is_healthy(name):
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_EVERY_S)
        return True


@contextmanager
def opened(shop: Shop) -> Iterator[Shop]:
    """The shop; at the end nothing of it is left, whatever happened."""
    try:
        yield shop
    finally:
        for process in shop.processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
