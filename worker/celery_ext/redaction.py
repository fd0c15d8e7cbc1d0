"""Redaction of what operators see of a task: how many turns it carries, never what is in them.

Task arguments hold phone numbers and texts. A producer may send its own `argsrepr`, and `celery inspect` shows the
arguments themselves, so the worker's request replaces both. A promise, whatever it costs. Written for Celery 5.7: a
request shows `_argsrepr` and `_kwargsrepr`.
"""

from typing import Any

from celery import Task
from celery.worker.request import Request


def summary(arguments: object) -> str:
    """Returns `8 turns` for a batch, or for a batch as text and its size; `masked` for all else."""
    match arguments:
        case [list(batch)] | (list(batch),):
            turns = len(batch)
        case [str(), int(size)] | (str(), int(size)):
            turns = size
        case _:
            return "masked" if arguments else "()"
    return f"{turns} turn{'' if turns == 1 else 's'}"


class RedactedRequest(Request):  # type: ignore[misc]  # celery ships no types
    """Task request that shows summaries in place of its arguments."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._argsrepr = summary(self.args)
        self._kwargsrepr = "masked" if self.kwargs else "{}"
        self.request_dict.update(argsrepr=self._argsrepr, kwargsrepr=self._kwargsrepr)

    def info(self, safe: bool = False) -> dict[str, Any]:  # noqa: ARG002  whoever asks, the answer is the safe one
        """Returns what `celery inspect active` and `reserved` show."""
        return dict(super().info(safe=True))


class RedactedTask(Task):  # type: ignore[misc]  # celery ships no types
    """Base of all tasks, whose requests are redacted."""

    Request = RedactedRequest
