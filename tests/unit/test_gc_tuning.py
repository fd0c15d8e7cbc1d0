"""The collector of a process that has started."""

from __future__ import annotations

import subprocess
import sys

from helpers.basics import GUARD_S

from worker.celery_ext.gc_tuning import YOUNG

LOOK = """
import gc
from worker.celery_ext.gc_tuning import tune
tune()
print(gc.get_freeze_count() > 1_000, gc.get_threshold()[0])
"""


def test_what_was_loaded_is_left_alone_from_then_on() -> None:
    """And the young are looked through seldom."""
    looked = subprocess.run((sys.executable, "-c", LOOK), capture_output=True, text=True, timeout=GUARD_S, check=True)
    assert looked.stdout.split() == ["True", str(YOUNG)]
