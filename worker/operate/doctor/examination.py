"""All checks, side by side: a server that does not answer costs its own time limit and nobody else's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from threading import Thread

from worker.errors import ConfigurationError
from worker.operate.doctor import broker, database, machine, providers, redis_servers
from worker.operate.doctor.finding import Finding, State, failed, guarded
from worker.providers.circuit_states import named
from worker.providers.models import Provider
from worker.providers.providers_file import load_providers
from worker.settings import Settings

#: Every look has time limits of its own that end before.
PATIENCE_S = 30.0
Look = Callable[[], list[Finding]]


def examine(configured: Settings, home: Path, *, probe: bool) -> list[Finding]:
    """What all checks find. home: of the embedded servers. probe: whether to ask the providers."""
    try:
        known = load_providers(configured)
    except ConfigurationError as exc:
        unreadable = failed("providers", str(exc), "mend the file, or unset PROVIDERS_FILE")
        return [*_together(_servers(configured, (), home)), unreadable]
    looks = _servers(configured, known, home)
    return _together(looks | {"providers": lambda: providers.examine(known, configured.shop_name, probe=probe)})


def is_fit(findings: Sequence[Finding]) -> bool:
    """Whether the service can do all its work."""
    return all(finding.state is not State.FAILED for finding in findings)


def _servers(configured: Settings, known: Sequence[Provider], home: Path) -> dict[str, Look]:
    looks: dict[str, Look] = {
        "postgresql": lambda: database.examine(configured),
        "redis": lambda: redis_servers.examine(configured, named(known)),
        "disk": lambda: machine.examine(home),
    }
    return looks | ({"queues": broker.examine} if configured.celery_broker_url else {})


def _together(looks: Mapping[str, Look]) -> list[Finding]:
    futures = {check: _begin(look) for check, look in looks.items()}
    wait(futures.values(), PATIENCE_S)
    return [finding for check, future in futures.items() for finding in _ended(check, future)]


def _begin(look: Look) -> Future[list[Finding]]:
    """In a thread that does not keep the process alive."""
    future: Future[list[Finding]] = Future()

    def run() -> None:
        try:
            future.set_result(look())
        except Exception as exc:  # noqa: BLE001  told by `_ended`
            future.set_exception(exc)

    Thread(target=run, daemon=True).start()
    return future


def _ended(check: str, future: Future[list[Finding]]) -> list[Finding]:
    """The findings of a look, or the one that it failed, or took too long (TimeoutError)."""
    return guarded(check, lambda: future.result(timeout=0), "see the other lines")
