"""Examination: all checks side by side, so that a server that does not answer costs its own time limit only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from worker.errors import ConfigurationError
from worker.operate.background_read import BackgroundRead, settle
from worker.operate.doctor import broker, database, machine, providers, redis_servers
from worker.operate.doctor.finding import Finding, State, failed, guarded
from worker.providers.circuit_states import named
from worker.providers.models import Provider
from worker.providers.providers_file import load_providers
from worker.settings import Settings

#: Every check has time limits of its own that end before.
PATIENCE_S = 30.0
Check = Callable[[], list[Finding]]


def examine(configured: Settings, home: Path, *, probe: bool) -> list[Finding]:
    """Returns the findings of all checks.

    Args:
        home: directory of the embedded servers.
        probe: ask the providers.
    """
    known: Sequence[Provider] = ()
    unreadable = []
    try:
        known = load_providers(configured)
    except ConfigurationError as exc:
        unreadable = [failed("providers", str(exc), "mend the file, or unset PROVIDERS_FILE")]
    checks: dict[str, Check] = {
        "postgresql": lambda: database.examine(configured),
        "redis": lambda: redis_servers.examine(configured, named(known)),
        "disk": lambda: machine.examine(home),
    }
    if configured.celery_broker_url:
        checks["queues"] = broker.examine
    if not unreadable:
        checks["providers"] = lambda: providers.examine(known, configured.shop_name, probe=probe)
    return [*_side_by_side(checks), *unreadable]


def is_fit(findings: Sequence[Finding]) -> bool:
    """Returns whether the service can do all its work."""
    return all(finding.state is not State.FAILED for finding in findings)


def _side_by_side(checks: Mapping[str, Check]) -> list[Finding]:
    """Returns the findings of each check, or the one that it failed or took too long."""
    reads = {name: BackgroundRead(name, check).begin() for name, check in checks.items()}
    settle(*reads.values(), patience_s=PATIENCE_S)
    results = ((name, partial(read.result, timeout=0)) for name, read in reads.items())
    return [finding for name, result in results for finding in guarded(name, result, "see the other lines")]
