"""Start of a process: waits for the servers it needs, and refuses those on which nothing can be relied."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread

from db.pooler import keeps_session
from worker.errors import ConfigurationError
from worker.log import logger
from worker.redisdb.connect import connect_redis
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
Look = Callable[[], None]
log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Server:
    """Server that a process needs. settings: names of those that lead to it."""

    name: str
    settings: str
    look: Look


def wait_for_servers(configured: Settings, look_at_broker: Look, stop: Event | None = None) -> bool:
    """Waits until PostgreSQL, Redis and the broker answer, and logs for what it waits.

    Args:
        look_at_broker: returns when the broker is fit (`worker.app.check_queues`).
        stop: ends the wait.

    Returns:
        Whether all of them answer; False where `stop` was set before.

    Raises:
        ConfigurationError: one refuses us, or cannot be relied on.
    """
    stop = stop or Event()
    return all(_waited(server, stop) for server in _servers(configured, look_at_broker))


def wait_for_broker(look_at_broker: Look) -> None:
    """Waits until the broker answers; raises as `wait_for_servers` does."""
    _waited(_broker(look_at_broker), Event())


def announce_servers(configured: Settings, look_at_broker: Look) -> None:
    """Logs, in a thread of its own, for which servers a process waits that serves meanwhile."""

    def wait() -> None:
        try:
            wait_for_servers(configured, look_at_broker)
        except ConfigurationError as exc:
            log.error("server_refused", reason=str(exc))

    Thread(target=wait, name="servers", daemon=True).start()


def check_servers(configured: Settings, look_at_broker: Look) -> None:
    """Looks once; raises as `wait_for_servers` does. A server that is away passes."""
    for server in _servers(configured, look_at_broker):
        _missing(server)


def _servers(configured: Settings, look_at_broker: Look) -> tuple[Server, ...]:
    postgres, redis = configured.required("database_url"), configured.required("redis_url")
    return (
        Server("PostgreSQL", "DATABASE_URL", lambda: _look_at_postgres(postgres)),
        Server("Redis", "REDIS_URL", lambda: _look_at_redis(redis)),
        _broker(look_at_broker),
    )


def _broker(look: Look) -> Server:
    return Server("the broker", "BROKER_URL (or REDIS_URL, BROKER_SENTINEL_PASSWORD)", look)


def _look_at_postgres(url: str) -> None:
    if not keeps_session(url):
        raise ConfigurationError(NO_SESSIONS)


def _look_at_redis(url: str) -> None:
    with connect_redis(url, REDIS_TIMEOUT_S, repeats=0) as client:
        client.ping()


def _waited(server: Server, stop: Event) -> bool:
    began, reminded = time.monotonic(), 0.0
    while not stop.is_set():
        reason, waited_s = _missing(server), time.monotonic() - began
        if reason is None:
            if reminded:
                log.info("server_answers", server=server.name, waited_s=round(waited_s, 1))
            return True
        if not reminded or time.monotonic() - reminded > REMIND_EVERY_S:
            log.warning("waiting_for_server", server=server.name, reason=reason, waited_s=round(waited_s, 1))
            reminded = time.monotonic()
        stop.wait(PAUSE_S)
    return False


def _missing(server: Server) -> str | None:
    """Returns why a server cannot be used yet; None where it can."""
    try:
        server.look()
    except ConfigurationError:
        raise
    except (TypeError, ValueError) as exc:
        raise ConfigurationError(f"{server.name}: an option in the URL is none of its: see {server.settings}") from exc
    except Exception as exc:  # each client has a family of errors of its own
        if is_refused(exc):
            raise ConfigurationError(f"{server.name}: {reason_of(exc)}: is {server.settings} right?") from exc
        return reason_of(exc)
    return None
