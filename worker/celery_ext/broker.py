"""Broker of Celery: a Redis, a Redis under Sentinel, or RabbitMQ, and how connections to one that has died come back.

By itself kombu waits longer after each try, up to half a minute, so that a worker would sleep on for as long when the
broker is there again; and under Sentinels it keeps a master that refuses writes, of which a worker dies. Written for
Celery and kombu 5.7.
"""

import ssl
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from celery.app.amqp import AMQP
from kombu.connection import Connection
from kombu.transport.redis import SentinelChannel
from redis.backoff import NoBackoff
from redis.retry import Retry

from worker.errors import ConfigurationError
from worker.redisdb.sentinel import (
    ANSWER_TIMEOUT_S,
    CONNECT_TIMEOUT_S,
    SENTINEL_TIMEOUT_S,
    MasterConnection,
    SecureMasterConnection,
)
from worker.settings import Settings

#: Longer than a Redis failover needs to show, shorter than a lease on `ai`.
BROKER_TIMEOUT_S = 10.0
#: Of a command at a Redis, and of a connection to one: what waits for one that is gone does nothing else meanwhile.
REDIS_TIMEOUT_S = 5.0
#: Only `worker.receive` acknowledges late, and it takes milliseconds; what a killed worker had reserved comes back
#: after this time. Turns do not wait for it: the sweep takes them when their lease ends.
VISIBILITY_TIMEOUT_S = 20
#: Time limits on every socket, and a prompt return of unacknowledged messages. Never `retry_on_timeout`: with it
#: redis-py's pub/sub reader repairs a reset connection itself, then waits for a remote command without any time limit,
#: and the worker takes no task until one comes. Without it kombu sees the loss and connects anew.
#: No socket option limits how long a worker waits for the next task of a machine that is gone: kombu looks every
#: `health_check_interval`, and gives up one that has said nothing for a second more than that.
REDIS_OPTIONS: dict[str, Any] = {
    "visibility_timeout": VISIBILITY_TIMEOUT_S,
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
    "socket_timeout": REDIS_TIMEOUT_S,
    "socket_connect_timeout": REDIS_TIMEOUT_S,
    "socket_keepalive": True,
    "health_check_interval": 5,
}
#: Celery's queues are lists, sets and hashes that one transaction changes together, wherever their slots lie.
NO_CLUSTER = (
    "BROKER_URL: must be set where REDIS_URL names a Redis Cluster, on which Celery cannot keep its queues: name a "
    "Redis, Sentinels or RabbitMQ (docs/deploy.md, 'Another broker')"
)
#: Seconds before the second try, how much longer each further one waits, and the longest wait.
WAITS_S = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": 2.0}


@dataclass(frozen=True, slots=True)
class Broker:
    """Broker of the application: URL, transport options, TLS options, and arguments of its queues."""

    url: str = field(repr=False)
    options: dict[str, Any] = field(default_factory=dict)
    tls: dict[str, Any] | None = None
    queue_arguments: dict[str, Any] | None = None


def broker_of(configured: Settings) -> Broker:
    """Returns the broker that BROKER_URL, or else REDIS_URL, names; the local Redis where neither does. Raises
    ConfigurationError where Sentinels are named without what they watch over, or a cluster and no broker.
    """
    given = configured.celery_broker_url
    url = given.get_secret_value() if given else "redis://127.0.0.1:6379/0"
    if "+cluster://" in url:
        raise ConfigurationError(NO_CLUSTER)
    if url.startswith("amqp"):
        return _rabbitmq(url)
    if url.startswith(("sentinel", "rediss+sentinel")):
        return _sentinel(url, configured)
    if url.startswith("unix"):
        return Broker(_socket(url), dict(REDIS_OPTIONS))
    # Without options kombu would take any certificate.
    return Broker(url, dict(REDIS_OPTIONS), {"ssl_cert_reqs": ssl.CERT_REQUIRED} if url.startswith("rediss") else None)


def _rabbitmq(url: str) -> Broker:
    """RabbitMQ with quorum queues, which survive the loss of a machine; amqps checks its certificate and host."""
    plain, authority = _without_authority(url)
    tls: dict[str, Any] | None = None
    if url.startswith("amqps"):
        # None: pyamqp puts in the name of the host that it connects to.
        tls = {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": None}
        if authority:
            tls["ca_certs"] = authority
    return Broker(plain, tls=tls, queue_arguments={"x-queue-type": "quorum"})


def _sentinel(url: str, configured: Settings) -> Broker:
    """Redis under Sentinels, by rediss+sentinel with TLS to both. The password in the URL is that of Redis."""
    if configured.celery_master_name is None:
        url_name, name = ("BROKER_URL", "BROKER_") if configured.broker_url else ("REDIS_URL", "REDIS_")
        raise ConfigurationError(f"{name}MASTER_NAME: must be set where {url_name} names Sentinels")
    plain, authority = _without_authority(url.replace("rediss+sentinel://", "sentinel://"))
    tls: dict[str, Any] = {"ssl_cert_reqs": ssl.CERT_REQUIRED} if url.startswith("rediss") else {}
    if tls and authority:
        tls["ssl_ca_certs"] = authority
    watch: dict[str, Any] = {name: value for name, value in REDIS_OPTIONS.items() if name.startswith("socket_")}
    # By itself redis-py asks a machine that says nothing ten times, each connection anew, before it asks the next.
    watch |= {"socket_timeout": SENTINEL_TIMEOUT_S, "socket_connect_timeout": SENTINEL_TIMEOUT_S}
    watch |= {"retry": Retry(NoBackoff(), 0)}
    if configured.celery_sentinel_password is not None:
        watch["password"] = configured.celery_sentinel_password.get_secret_value()
    watch |= {"ssl": True, **tls} if tls else {}
    options = REDIS_OPTIONS | {"socket_timeout": ANSWER_TIMEOUT_S, "socket_connect_timeout": CONNECT_TIMEOUT_S}
    options |= {"master_name": configured.celery_master_name, "sentinel_kwargs": watch}
    return Broker(plain, options, tls or None)


def _without_authority(url: str) -> tuple[str, str | None]:
    """Splits off the file of certificates that a URL (or one of several, side by side) names in its query."""
    parts = [urlsplit(part) for part in url.split(";")]
    asked = [dict(parse_qsl(part.query)) for part in parts]
    named = [query.pop("ssl_ca_certs", None) for query in asked]
    plain = [urlunsplit(part._replace(query=urlencode(query))) for part, query in zip(parts, asked, strict=True)]
    return ";".join(plain), next((name for name in named if name), None)


def _socket(url: str) -> str:
    """Rewrites redis-py's unix://:password@/path?db=1 as kombu's redis+socket; other options are ours to set."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    login = parts.netloc.rpartition("@")[0]
    if "password" in query:
        login = f"{quote(query.get('username', ''), safe='')}:{quote(query['password'], safe='')}"
    return f"redis+socket://{login}{'@' if login else ''}{parts.path}?virtual_host={query.get('db', '0')}"


class PromptConnection(Connection):
    """Connection to the broker that is tried again every two seconds at least."""

    def ensure_connection(self, *args: Any, **given: Any) -> Any:
        """Connects; returns itself."""
        return super().ensure_connection(*args, **WAITS_S | given)  # type: ignore[no-untyped-call]  # kombu's


class PromptAMQP(AMQP):  # type: ignore[misc]  # celery ships no types
    """Maker of the application's connections."""

    Connection = PromptConnection


def leave_demoted_masters() -> None:
    """Lets Celery connect under Sentinels as our own clients do, which leave a master that takes no writes, or that is
    gone, as those of redis-py do not.
    """
    SentinelChannel.connection_class = MasterConnection
    SentinelChannel.connection_class_ssl = SecureMasterConnection  # type: ignore[assignment]  # kombu's has no parent
