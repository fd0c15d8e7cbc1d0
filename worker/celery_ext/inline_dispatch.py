"""From one step of the chain to the next inside a process that does its tasks itself.

What a batch needs next could be done by any worker, but the one that has it in hand is the cheapest: nothing has to be
written as JSON, compressed, stored in Redis, taken and read again, and no other batch comes between. To Celery the next
step is a task as ever, with an id, a parent, events, and arguments that are masked.

Nothing is promised for it: what a process had in hand is gone when it is killed, as it was before, and the sweep finds
it in PostgreSQL.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from kombu.message import Message


class Relay:
    """Tasks that begin in this process as soon as the present one has ended, the oldest first."""

    def __init__(self) -> None:
        self._is_open = False
        self._is_running = False
        self._waiting: deque[Message] = deque()

    def open(self) -> None:
        """For a process that does its tasks itself, one after the other; in all others nothing is taken."""
        self._is_open = True

    def take(self, task: Any, batch: Sequence[Any], queue: str) -> bool:
        """Whether the task will begin here. If not, somebody has to send it. queue: where it would have come from."""
        if self._is_open:
            self._waiting.append(_message(task, batch, queue))
        return self._is_open

    def run(self, consumer: Any) -> None:
        """Does what has been taken, and what is taken meanwhile. consumer: Celery's, which starts what it receives."""
        if self._is_running:
            return
        self._is_running = True
        try:
            while self._waiting:
                message = self._waiting.popleft()
                consumer.strategies[message.payload["task"]](message, None, _not_asked, _not_asked, ())
        finally:
            self._is_running = False


#: Of this process.
relay = Relay()


def _message(task: Any, batch: Sequence[Any], queue: str) -> Message:
    """A message that has been read: Celery takes one with arguments in it as it is."""
    asked_by = task.app.current_worker_task.request
    task_id = str(uuid4())
    message = Message(delivery_info={"exchange": queue, "routing_key": queue}, properties={"correlation_id": task_id})  # type: ignore[no-untyped-call]  # kombu's
    message._decoded_cache = {
        "task": task.name,
        "id": task_id,
        "root_id": asked_by.root_id,
        "parent_id": asked_by.id,
        "args": (batch,),
        "kwargs": {},
    }
    return message


def _not_asked(*_: Any) -> None:
    """In the place of an acknowledgement: no broker waits for one."""
