"""How far a server's clock is from this machine's."""

from __future__ import annotations

import time
from collections.abc import Callable

from worker.operate.doctor.finding import Finding, failed, ok, warning

#: Leases, open times of circuits and times to live are a few seconds at least.
SKEW_WARNING_S, SKEW_FAILED_S = 1.0, 5.0
MEND = "let the machines keep time (systemd-timesyncd, chrony)"


def skew_s(server_time_s: Callable[[], float], clock: Callable[[], float] = time.time) -> float:
    """Seconds by which the server is ahead, taking its time for that of the middle of the question."""
    before_s = clock()
    server_s = server_time_s()
    return server_s - (before_s + clock()) / 2


def judge_skew(check: str, skew: float) -> Finding:
    """skew: seconds by which the server is ahead of this machine."""
    found = f"{abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} this machine"
    if abs(skew) > SKEW_FAILED_S:
        return failed(check, found, MEND)
    if abs(skew) > SKEW_WARNING_S:
        return warning(check, found, MEND)
    return ok(check, f"within {SKEW_WARNING_S:.0f} s of this machine's")
