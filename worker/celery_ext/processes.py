"""Celery's worker and beat as processes of this service: they wait for their servers, and write nothing but the log.

Keeps output readable by machine: without banner, goodbye and Python's warnings. Written for Celery 5.7: `quiet` stops
the banner, and the goodbye goes to `sys.__stdout__` where there is one.
"""

import signal
import sys
from typing import Any

from celery.apps.beat import Beat

from worker import log
from worker.celery_ext.inline_dispatch import InlineWorker
from worker.settings import settings


class ServiceWorker(InlineWorker):
    """Worker of this service."""

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


class ServiceBeat(Beat):  # type: ignore[misc]  # celery ships no types
    """Beat of this service."""

    def __init__(self, **given: Any) -> None:
        log.configure(settings().log_format, settings().log_level)
        self.app.wait_to_start(broker_alone=True)
        super().__init__(**given | {"quiet": True})
