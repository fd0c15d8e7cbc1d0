"""What operators see of a task: how much it carries, never what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from celery import Celery
from helpers.basics import GUARD_S
from helpers.turns import turn_of, turn_to_dict

from worker.celery_ext.redaction import RedactedRequest, summary

TURN = turn_to_dict(turn_of("quiero leche", phone="5491122334455"))
BATCH = orjson.dumps([TURN, TURN]).decode()


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (([TURN],), "1 turn"),
        ([[TURN, TURN]], "2 turns"),
        (([],), "0 turns"),
        ((BATCH, 2), "2 turns"),
        ([BATCH, 1], "1 turn"),
        ((BATCH, "quiero leche"), "masked"),
        ((BATCH, 2, "quiero leche"), "masked"),
        ((), "()"),
        ([], "()"),
        (None, "()"),
        ((TURN,), "masked"),
        (("quiero leche",), "masked"),
        (([TURN], "quiero leche"), "masked"),
        ("quiero leche", "masked"),
        ({"payload": "quiero leche"}, "masked"),
    ],
)
def test_a_summary_counts_and_shows_nothing(arguments: object, shown: str) -> None:
    """A batch is counted, anything else is masked."""
    assert summary(arguments) == shown


@pytest.fixture
def application() -> Iterator[Celery]:
    """An app on a broker in memory."""
    with Celery("masking", broker="memory://", set_as_current=False) as application:
        application.conf.task_default_queue = "masking"
        yield application


def received(application: Celery, *args: Any, **sent: Any) -> RedactedRequest:
    """The request that a worker makes of a task another producer has sent."""

    @application.task(name="worker.fetch_session", shared=False)  # type: ignore[untyped-decorator]  # celery ships no types
    def fetch_session(*_args: object, **_kwargs: object) -> None:
        """Never run."""

    application.send_task("worker.fetch_session", args, **sent)
    with application.connection_for_read() as connection, connection.SimpleQueue("masking") as queue:
        message = queue.get(timeout=GUARD_S)
        message.ack()
        return RedactedRequest(message, app=application, task=fetch_session)


def test_operators_see_a_summary_of_the_arguments(application: Celery) -> None:
    """In a repr, in `inspect`, and in the events; the task itself gets what was sent."""
    request = received(application, BATCH, 2)
    shown = [repr(request), str(request.info()), str(request.info(safe=False)), str(request.humaninfo())]
    shown += [str(request.argsrepr), str(request.request_dict.get("argsrepr"))]
    assert not any(text in each for each in shown for text in ("leche", "549112"))
    assert request.info()["args"] == "2 turns"
    assert request.args == [BATCH, 2]


def test_a_foreign_producers_own_summary_is_replaced(application: Celery) -> None:
    """A gateway may send whatever it likes as `argsrepr`."""
    request = received(application, "quiero leche", argsrepr="quiero leche", kwargsrepr="Ana", kwargs={"name": "Ana"})
    shown = f"{request!r} {request.info()} {request.argsrepr} {request.kwargsrepr} "
    shown += f"{request.request_dict['argsrepr']} {request.request_dict['kwargsrepr']}"
    assert "leche" not in shown
    assert "Ana" not in shown
    assert (request.argsrepr, request.kwargsrepr) == ("masked", "masked")
