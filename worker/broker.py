"""How Celery reaches its broker: a Redis, a Redis that Sentinel watches over, or RabbitMQ."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any

from worker.errors import ConfigurationError
from worker.settings import Settings

#: Longer than a Redis failover needs to show, shorter than a lease on `ai`.
BROKER_TIMEOUT_S = 10.0
#: Only `worker.receive` acknowledges late, and it takes milliseconds; what a killed worker had reserved comes back
#: after this time. Turns do not wait for it: the sweep takes them when their lease ends.
VISIBILITY_TIMEOUT_S = 20
#: Time limits on every socket, and a prompt return of unacknowledged messages. Never `retry_on_timeout`: with it a
#: reset connection is repaired inside redis-py's pub/sub reader, which then waits for a remote command without any time
#: limit, and the worker takes no task until one comes. Without it kombu hears of the loss and connects anew.
REDIS_OPTIONS = {
    "visibility_timeout": VISIBILITY_TIMEOUT_S,
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
    "socket_timeout": BROKER_TIMEOUT_S,
    "socket_connect_timeout": BROKER_TIMEOUT_S,
    "socket_keepalive": True,
    "health_check_interval": 30,
}


@dataclass(frozen=True, slots=True)
class Broker:
    """What Celery is told: URL, transport options, TLS options, and with which arguments queues are declared."""

    url: str = field(repr=False)
    options: dict[str, Any] = field(default_factory=dict)
    tls: dict[str, Any] | None = None
    queue_arguments: dict[str, Any] | None = None


def broker_of(configured: Settings) -> Broker:
    """The broker that BROKER_URL, or else REDIS_URL, names; the local Redis where neither does.

    On RabbitMQ the queues are quorum queues, which survive the loss of a machine. Raises ConfigurationError where
    Sentinels are named without what they watch over.
    """
    given = configured.celery_broker_url
    url = given.get_secret_value() if given else "redis://127.0.0.1:6379/0"
    if url.startswith("amqp"):
        return Broker(url, queue_arguments={"x-queue-type": "quorum"})
    if url.startswith("sentinel"):
        if configured.broker_master_name is None:
            raise ConfigurationError("BROKER_MASTER_NAME: must be set where BROKER_URL names Sentinels")
        return Broker(url, REDIS_OPTIONS | {"master_name": configured.broker_master_name})
    # Without options kombu would take any certificate.
    return Broker(url, dict(REDIS_OPTIONS), {"ssl_cert_reqs": ssl.CERT_REQUIRED} if url.startswith("rediss") else None)
