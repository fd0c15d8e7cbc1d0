"""Python's garbage collector, set for processes that make many short-lived objects beside many that stay."""

from __future__ import annotations

import gc

#: Objects made before the young are looked through: a batch of a hundred turns decoded, a few times over. Python's own
#: number, 700 in 3.11, has every batch go through the whole heap several times: a quarter of a step's CPU time.
YOUNG = 50_000


def settle() -> None:
    """Leaves what exists now, modules and settings, out of all further collections. Called once per process, when it
    has started. What forms no cycle is freed at once as ever.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
