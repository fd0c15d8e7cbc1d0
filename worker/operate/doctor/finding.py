"""What a check found. A check that fails itself is a finding too, and never hides the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from worker.runtime.error_reasons import reason_of


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
