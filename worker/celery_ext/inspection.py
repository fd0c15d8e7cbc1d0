"""Which workers answer."""

from __future__ import annotations

from celery import Celery
from kombu.exceptions import OperationalError

from worker.celery_ext.broker import Broker

PING_TIMEOUT_S = 0.5


def answering_workers(broker: Broker) -> set[str]:
    """Names of workers (`flow`, `ai`) that answer a ping within half a second; none where the broker is away."""
    with Celery(broker=broker.url, set_as_current=False) as operator:
        operator.conf.update(broker_transport_options=broker.options, broker_use_ssl=broker.tls)
        try:
            answers = operator.control.ping(timeout=PING_TIMEOUT_S)
        except (OperationalError, OSError):
            return set()
    return {name.split("@")[0] for answer in answers for name in answer}
