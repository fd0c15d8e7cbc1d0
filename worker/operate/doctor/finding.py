"""Finding of a check. A check that fails itself is a finding too, and never hides the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from worker.runtime.error_reasons import reason_of


class State(StrEnum):
    """ok; warning: it works, but somebody should look; failed: the service cannot do all its work."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report, without a key, a password or anything of a customer.

    Args:
        mend: what to do about it, None where all is well.
    """

    check: str
    state: State
    found: str
    mend: str | None = None


def ok(check: str, found: str) -> Finding:
    """Returns a finding that all is well."""
    return Finding(check, State.OK, found)


def warning(check: str, found: str, mend: str) -> Finding:
    """Returns a finding that somebody should look at."""
    return Finding(check, State.WARNING, found, mend)


def failed(check: str, found: str, mend: str) -> Finding:
    """Returns a finding that makes the service unfit."""
    return Finding(check, State.FAILED, found, mend)


def graded(
    check: str, found: str, mend: str, value: float, warning_over: float, failed_over: float = math.inf
) -> Finding:
    """Returns the finding on a value that should be small."""
    if value <= warning_over:
        return ok(check, found)
    return (failed if value > failed_over else warning)(check, found, mend)


def guarded(
    check: str, examine: Callable[[], Finding | Iterable[Finding]], mend: str, state: State = State.FAILED
) -> list[Finding]:
    """Returns the findings of a check; where it fails itself, the kind of its error and what most likely helps."""
    try:
        found = examine()
        return [found] if isinstance(found, Finding) else list(found)
    except Exception as exc:  # noqa: BLE001  whatever a check raises, the others are made all the same
        return [Finding(check, state, reason_of(exc), mend)]
