"""What a check found. A check that fails itself is a finding too, and never hides the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from redis.exceptions import AuthenticationError, RedisError
from redis.exceptions import TimeoutError as RedisTimeout
from sqlalchemy.exc import ArgumentError, DBAPIError, ProgrammingError

from worker.errors import ConfigurationError


class State(StrEnum):
    """ok; warning: it works, but somebody should look; failed: the service cannot do all its work."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report. mend: what to do about it, None where all is well. Neither holds a key, a
    password or anything of a customer.
    """

    check: str
    state: State
    found: str
    mend: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check, State.OK, found)


def warning(check: str, found: str, mend: str) -> Finding:
    """Somebody should look."""
    return Finding(check, State.WARNING, found, mend)


def failed(check: str, found: str, mend: str) -> Finding:
    """The service is not fit."""
    return Finding(check, State.FAILED, found, mend)


def guarded(
    check: str, examine: Callable[[], Finding | Iterable[Finding]], mend: str, state: State = State.FAILED
) -> list[Finding]:
    """What a check finds; where it fails itself, the kind of its error. mend: what most likely helps then."""
    try:
        found = examine()
    except Exception as exc:  # noqa: BLE001  whatever a check raises, the others are made all the same
        return [Finding(check, state, reason_of(exc), mend)]
    return [found] if isinstance(found, Finding) else list(found)


#: What libpq says of a connection that was not made, and the same in words that quote nothing of ours.
_CONNECTION_PROBLEMS = {
    "password authentication failed": "it refuses the user or the password",
    "no password supplied": "it wants a password",
    "does not exist": "there is no such database or user",
    "could not translate host name": "no machine has that name",
    "timeout expired": "no answer in time",
    "refused": "nobody listens there",
    "starting up": "it is just starting",
    "too many clients": "it has no connection left",
}


def reason_of(error: Exception) -> str:
    """An error in words; its own text may hold a URL with a password, or what a customer wrote."""
    if isinstance(error, ConfigurationError | ArgumentError):
        return "its URL cannot be read"
    if isinstance(error, ProgrammingError):
        return "the schema is not what this version expects"
    if isinstance(error, DBAPIError):
        told = str(error.orig)
        known = (words for sign, words in _CONNECTION_PROBLEMS.items() if sign in told)
        return f"no connection: {next(known, type(error.orig).__name__)}"
    if isinstance(error, AuthenticationError):
        return "it refuses the password"
    if isinstance(error, RedisTimeout | TimeoutError):
        return "no answer in time"
    if isinstance(error, RedisError | ConnectionError):
        return f"no connection: {'nobody listens there' if 'refused' in str(error) else type(error).__name__}"
    # Celery's client hides who was to blame behind an error of its own.
    if isinstance(error.__cause__, Exception):
        return reason_of(error.__cause__)
    return f"the check failed: {type(error).__name__}"
