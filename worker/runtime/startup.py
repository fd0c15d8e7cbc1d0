"""Start of a process: waits for the servers it needs, and refuses those on which nothing can be relied."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from threading import Event, Thread

from db.pooler import keeps_session
from worker.errors import ConfigurationError
from worker.log import logger
from worker.redisdb.connect import connect_durable
from worker.runtime.error_reasons import is_refused, reason_of
from worker.settings import Settings

PAUSE_S = 0.5
#: How often a process that waits says so.
REMIND_EVERY_S = 30.0
REDIS_TIMEOUT_S = 5.0
NO_SESSIONS = (
    "PostgreSQL: DATABASE_URL leads through a pooler that gives every transaction another connection, and so locks and "
    "settings do not hold: set it to sessions (PgBouncer: pool_mode = session), or name the server itself"
)
#: Returns when a server is fit; raises ConfigurationError where it never will be, else what its client raises.
Check = Callable[[], None]
log = logger(__name__)


@dataclass(frozen=True, slots=True)
class RequiredServer:
    """Server that a process needs. settings: names of those that lead to it."""

    name: str
    settings: str
    check: Check


def wait_for_servers(configured: Settings, check_broker: Check, stop: Event | None = None) -> bool:
    """Waits until PostgreSQL, Redis and the broker answer, and logs for what it waits; False where `stop` came before.
    Raises ConfigurationError where one refuses us, or cannot be relied on.
    """
    return all(_wait_for(server, stop or Event()) for server in _servers(configured, check_broker))


def wait_for_broker(check_broker: Check) -> None:
    """Waits until the broker answers; raises as `wait_for_servers` does."""
    _wait_for(_broker(check_broker), Event())


def announce_servers(configured: Settings, check_broker: Check) -> None:
    """Logs, in a thread of its own, for which servers a process waits that serves meanwhile."""

    def wait() -> None:
        try:
            wait_for_servers(configured, check_broker)
        except ConfigurationError as exc:
            log.error("server_refused", reason=str(exc))

    Thread(target=wait, name="servers", daemon=True).start()


def check_servers(configured: Settings, check_broker: Check) -> None:
    """Looks once; raises as `wait_for_servers` does. A server that is away passes."""
    for server in _servers(configured, check_broker):
        _reason_unfit(server)


def _servers(configured: Settings, check_broker: Check) -> tuple[RequiredServer, ...]:
    sentinels = " (or REDIS_MASTER_NAME, REDIS_SENTINEL_PASSWORD)" if configured.redis_master_name else ""
    return (
        RequiredServer("PostgreSQL", "DATABASE_URL", partial(_check_postgres, configured.required("database_url"))),
        RequiredServer("Redis", f"REDIS_URL{sentinels}", partial(_check_redis, configured)),
        _broker(check_broker),
    )


def _broker(check: Check) -> RequiredServer:
    return RequiredServer("the broker", "BROKER_URL (or REDIS_URL, BROKER_SENTINEL_PASSWORD)", check)


def _check_postgres(url: str) -> None:
    if not keeps_session(url):
        raise ConfigurationError(NO_SESSIONS)


def _check_redis(configured: Settings) -> None:
    with connect_durable(configured, REDIS_TIMEOUT_S, repeats=0) as client:
        client.ping()


def _wait_for(server: RequiredServer, stop: Event) -> bool:
    began, reminded = time.monotonic(), 0.0
    while not stop.is_set():
        reason, waited_s = _reason_unfit(server), time.monotonic() - began
        if reason is None:
            if reminded:
                log.info("server_answers", server=server.name, waited_s=round(waited_s, 1))
            return True
        if not reminded or time.monotonic() - reminded > REMIND_EVERY_S:
            log.warning("waiting_for_server", server=server.name, reason=reason, waited_s=round(waited_s, 1))
            reminded = time.monotonic()
        stop.wait(PAUSE_S)
    return False


def _reason_unfit(server: RequiredServer) -> str | None:
    """Returns why a server cannot be used yet; None where it can."""
    try:
        server.check()
    except ConfigurationError:
        raise
    except (TypeError, ValueError) as exc:
        raise ConfigurationError(f"{server.name}: an option in the URL is none of its: see {server.settings}") from exc
    except Exception as exc:  # each client has a family of errors of its own
        if is_refused(exc):
            raise ConfigurationError(f"{server.name}: {reason_of(exc)}: is {server.settings} right?") from exc
        return reason_of(exc)
    return None
