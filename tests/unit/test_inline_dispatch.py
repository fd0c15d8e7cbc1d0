"""The next step begins in the process that did the last one, as a task like any other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from celery import Celery
from celery.worker.request import Request

from worker.celery_ext.inline_dispatch import InlineQueue


class Consumer:
    """Celery's consumer as the queue sees it: strategies by the name of the task, each of which does it at once."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.seen: list[Any] = []
        self.strategies: dict[str, Callable[..., None]] = {}

    def does(self, name: str, then: Callable[[], object] = lambda: None) -> None:
        """What is to happen while that task runs."""

        def strategy(message: Any, _body: object, ack: Any, reject: Any, _callbacks: object) -> None:
            self.done.append(name)
            self.seen.append(message)
            ack(None)
            reject(None)
            then()
            self.done.append(f"end of {name}")

        self.strategies[name] = strategy


@pytest.fixture
def application() -> Celery:
    """With tasks a, b and c, and one that does what it is told to."""
    application = Celery("test", broker="memory://", set_as_current=False)

    def step(batch: list[Any]) -> None:
        """Never called: the consumer here only notes its name."""

    for name in ("a", "b", "c"):
        application.task(name=name, shared=False)(step)

    @application.task(name="asking", shared=False)  # type: ignore[untyped-decorator]  # celery ships no types
    def asking(what: Callable[[], object]) -> None:
        what()

    return application


def ask(application: Celery, inline: InlineQueue, *names: str, batch: list[Any] | None = None) -> None:
    """A task hands on to these."""

    def take() -> None:
        for name in names:
            assert inline.offer(application.tasks[name], batch or ["turn"], "flow")

    asking = application.tasks["asking"].apply((take,), task_id="task-a")
    assert asking.successful()


@pytest.fixture
def inline() -> InlineQueue:
    """Of a process that does its tasks itself."""
    inline = InlineQueue()
    inline.open()
    return inline


def test_a_process_with_a_pool_sends_everything() -> None:
    """Nothing is taken, and nothing waits."""
    inline, consumer = InlineQueue(), Consumer()
    assert not inline.offer(None, ["turn"], "flow")
    inline.run(consumer)
    assert consumer.done == []


def test_one_ends_before_the_next_begins(inline: InlineQueue, application: Celery) -> None:
    """Also where a task that was taken hands on itself, while Celery asks after each task whether there is more."""
    consumer = Consumer()

    def a_takes_two() -> None:
        ask(application, inline, "b", "c")
        inline.run(consumer)

    consumer.does("a", a_takes_two)
    consumer.does("b", lambda: inline.run(consumer))
    consumer.does("c")
    ask(application, inline, "a")
    inline.run(consumer)
    assert consumer.done == ["a", "end of a", "b", "end of b", "c", "end of c"]


def test_an_error_leaves_the_rest_for_the_next_time(inline: InlineQueue, application: Celery) -> None:
    """What Celery raises past the task ends the process or the connection; a process that lives on does the rest."""
    consumer = Consumer()

    def fail() -> None:
        raise ConnectionResetError

    consumer.does("a", fail)
    consumer.does("b")
    ask(application, inline, "a", "b")
    with pytest.raises(ConnectionResetError):
        inline.run(consumer)
    inline.run(consumer)
    assert consumer.done == ["a", "b", "end of b"]


def test_to_celery_it_is_a_task_like_any_other(inline: InlineQueue, application: Celery) -> None:
    """Of the queue it would have come from, with an id of its own, and known as the child of who asked for it."""
    consumer = Consumer()
    consumer.does("b")
    batch = [object()]
    ask(application, inline, "b", batch=batch)
    inline.run(consumer)
    (message,) = consumer.seen
    assert message.delivery_info["routing_key"] == "flow"
    payload = message.payload
    assert (payload["task"], payload["root_id"], payload["parent_id"]) == ("b", "task-a", "task-a")
    assert payload["args"][0] is batch
    assert payload["id"] != "task-a"
    request = Request(message, app=application, headers=payload, body=(payload["args"], {}, {}), decoded=True)
    assert (request.id, request.root_id, request.parent_id) == (payload["id"], "task-a", "task-a")
