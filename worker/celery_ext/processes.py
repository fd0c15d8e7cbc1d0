"""Celery's worker and beat without what they print past the log: a banner, a goodbye, warnings of Python. And a worker
that goes on with what its task has handed to itself.
"""

from __future__ import annotations

import signal
import sys
from typing import Any

from celery.apps.beat import Beat
from celery.apps.worker import Worker

from worker import log
from worker.celery_ext.inline_dispatch import relay
from worker.settings import settings


class QuietWorker(Worker):  # type: ignore[misc]  # celery ships no types
    """Says what it has to say in the log."""

    def on_before_init(self, **given: Any) -> None:
        """Called before anything is printed."""
        log.configure(settings().log_format, settings().log_level)
        # Where it says that it shuts down, which the log says too.
        sys.__stdout__ = None  # type: ignore[misc]  # Python lets it be None; Celery then skips it
        self.app.wait_to_start(broker_alone=False)
        super().on_before_init(**given | {"quiet": True})

    def install_platform_tweaks(self, worker: Any) -> None:
        """Called once. By itself Celery would answer SIGHUP with a new start in the background."""
        hang_up = signal.getsignal(signal.SIGHUP)
        super().install_platform_tweaks(worker)
        signal.signal(signal.SIGHUP, hang_up)

    def _process_task(self, request: Any) -> None:
        """Called for each task; where the process does it itself, it has ended when this returns."""
        super()._process_task(request)
        relay.run(self.consumer)


class QuietBeat(Beat):  # type: ignore[misc]  # celery ships no types
    """Says what it has to say in the log."""

    def __init__(self, **given: Any) -> None:
        log.configure(settings().log_format, settings().log_level)
        given["app"].wait_to_start(broker_alone=True)
        super().__init__(**given | {"quiet": True})
