"""What operators see of a task: how many turns it carries, never what is in them.

Task arguments hold phone numbers and texts. A producer may send its own `argsrepr`, and `celery inspect` shows the
arguments themselves, so the worker's request replaces both.
"""

from __future__ import annotations

from typing import Any

from celery.worker.request import Request


def summary(arguments: object) -> str:
    """`8 turns`, `1 turn`, or `masked` where the arguments are neither a batch nor a batch as text and its size."""
    match arguments:
        case [list(batch)] | (list(batch),):
            turns = len(batch)
        case [str(), int(size)] | (str(), int(size)):
            turns = size
        case _:
            return "masked" if arguments else "()"
    return f"{turns} turn{'' if turns == 1 else 's'}"


class MaskedRequest(Request):  # type: ignore[misc]  # celery ships no types
    """A task request that shows summaries in place of its arguments."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._argsrepr = summary(self._args)
        self._kwargsrepr = "masked" if self._kwargs else "{}"
        self._request_dict.update(argsrepr=self._argsrepr, kwargsrepr=self._kwargsrepr)

    def info(self, safe: bool = False) -> dict[str, Any]:  # noqa: ARG002  whoever asks, the answer is the safe one
        """What `celery inspect active` and `reserved` show."""
        return dict(super().info(safe=True))
