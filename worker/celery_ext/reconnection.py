"""Return of Celery's connections to a broker that has died, or of which another takes the place.

By itself kombu waits longer after each try, up to half a minute, so that a worker would sleep on for as long when the
broker is there again; and under Sentinels it keeps a master that refuses writes, of which a worker dies. Written for
Celery and kombu 5.7.
"""

from typing import Any

from celery.app.amqp import AMQP
from kombu.connection import Connection
from kombu.transport.redis import SentinelChannel

from worker.redisdb.sentinel import MasterConnection, SecureMasterConnection

#: Seconds before the second try, how much longer each further one waits, and the longest wait.
WAITS_S = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": 2.0}


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
