"""Celery's worker, its consumer and beat as processes of this service: they wait for their servers, and write nothing
but the log.

Keeps output readable by machine: without banner, goodbye and Python's warnings. Written for Celery 5.7: `quiet` stops
the banner, and the goodbye goes to `sys.__stdout__` where there is one.
"""

import signal
import sys
from typing import Any

from celery.apps.beat import Beat
from celery.apps.worker import Worker
from celery.worker.consumer import Consumer

from worker import log
from worker.celery_ext.inline_dispatch import inline_queue
from worker.settings import settings

DELAYED_DELIVERY = "celery.worker.consumer.delayed_delivery:DelayedDelivery"


class ServiceWorker(Worker):  # type: ignore[misc]  # celery ships no types
    """Worker of this service, which goes on with what its task has queued inline."""

    def on_before_init(self, **given: Any) -> None:
        """Prepares before anything is printed."""
        log.configure(settings().log_format, settings().log_level)
        sys.__stdout__ = None  # type: ignore[misc]  # Python lets it be None; Celery then skips its goodbye
        self.app.wait_to_start(broker_alone=False)
        super().on_before_init(**given | {"quiet": True})

    def install_platform_tweaks(self, worker: Any) -> None:
        """Keeps SIGHUP as it is: Celery would answer it with a new start in the background."""
        hang_up = signal.getsignal(signal.SIGHUP)
        super().install_platform_tweaks(worker)
        signal.signal(signal.SIGHUP, hang_up)

    def _process_task(self, request: Any) -> None:
        super()._process_task(request)
        inline_queue.run(self.consumer)


class ServiceBeat(Beat):  # type: ignore[misc]  # celery ships no types
    """Beat of this service."""

    def __init__(self, **given: Any) -> None:
        log.configure(settings().log_format, settings().log_level)
        self.app.wait_to_start(broker_alone=True)
        super().__init__(**given | {"quiet": True})


class PromptConsumer(Consumer):  # type: ignore[misc]  # celery ships no types
    """Consumer of tasks that are due when they are sent, without native delayed delivery: for that Celery declares, on
    every start of a worker on quorum queues, 28 more of them and as many exchanges.
    """

    class Blueprint(Consumer.Blueprint):  # type: ignore[misc]
        """Steps of Celery's own, without the one of delayed delivery."""

        default_steps = [step for step in Consumer.Blueprint.default_steps if step != DELAYED_DELIVERY]  # noqa: RUF012
