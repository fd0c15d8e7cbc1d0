"""Finding of a check. A check that fails itself is a finding too, and never hides the others."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from worker.runtime.error_reasons import reason_of

#: Leases, open times of circuits and times to live are a few seconds at least.
SKEW_WARNING_S, SKEW_FAILED_S = 1.0, 5.0
LOOK_AGAIN = "look at the server's log"


class State(StrEnum):
    """ok; warning: it works, but somebody should look; failed: the service cannot do all its work."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report, without secrets or anything of a customer. mend: what to do, None where all is well."""

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
    check: str, examine: Callable[[], Finding | Iterable[Finding]], mend: str = LOOK_AGAIN, state: State = State.FAILED
) -> list[Finding]:
    """Returns the findings of a check; where it fails itself, the kind of its error and what most likely helps."""
    try:
        found = examine()
        return [found] if isinstance(found, Finding) else list(found)
    except Exception as exc:  # noqa: BLE001  whatever a check raises, the others are made all the same
        return [Finding(check, state, reason_of(exc), mend)]


def judge_clock(
    server: str, server_time_s: Callable[[], float], own_time_s: Callable[[], float] = time.time
) -> Finding:
    """Judges a server's clock by this machine's, taking the answer for the time of the middle of the question."""
    before_s = own_time_s()
    server_s = server_time_s()
    ahead_s = server_s - (before_s + own_time_s()) / 2
    found = f"{abs(ahead_s):.1f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine"
    if abs(ahead_s) <= SKEW_WARNING_S:
        found = f"within {SKEW_WARNING_S:.0f} s of this machine's"
    mend = "let the machines keep time (systemd-timesyncd, chrony)"
    return graded(f"{server} clock", found, mend, abs(ahead_s), SKEW_WARNING_S, SKEW_FAILED_S)
