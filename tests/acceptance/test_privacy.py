"""What operators see of the work: names and counts, never a phone number, a text or a key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from celery import Celery
from helpers.service import Service, says, webhook

from worker.settings import settings

PHONE = "5491177665544"
TEXT = "agregame 3 yerbas zorzalito"
#: fetch_session, route_ai, update_session, record_metrics.
STEPS_OF_A_CACHED_TURN = 4


def test_tasks_show_counts_in_place_of_arguments(service: Service) -> None:
    """Events (what Flower draws) and `inspect active` name the tasks; a foreign producer's argsrepr is masked too."""
    actives: list[str] = []
    steps = ("receive", "fetch_session", "route_ai", "call_provider", "update_session", "record_metrics")
    with (
        Celery(broker=settings().required("redis_url"), set_as_current=False) as operator,
        watching(operator) as events,
    ):
        service.wait_until(lambda: bool(events))
        service.simulator.set("all", latency_ms=(1_500, 1_500))
        operator.send_task(
            "worker.receive", (webhook(says("wamid.seen.1", PHONE, TEXT)),), queue="inbound", argsrepr=TEXT
        )
        operator.send_task("worker.update_session", ([{"text": TEXT, "customer_phone": PHONE}],), queue="flow")
        operator.send_task("worker.unknown", (TEXT, PHONE), queue="flow")
        while "wamid.seen.1" not in service.answered():
            actives.append(str(operator.control.inspect(timeout=0.3).active()))
            service.collect(0.2)
        service.wait_until(lambda: any(event["type"] == "task-failed" for event in events))
        service.wait_until(lambda: {f"worker.{step}" for step in steps} <= {event.get("name") for event in events})
    shown = str(events) + str(actives)
    assert "1 turn" in shown
    assert any("worker.call_provider" in active for active in actives)
    for secret in (PHONE, "zorzalito", "sk-test", "wamid.seen"):
        assert secret not in shown


def test_each_step_is_a_task_whoever_does_it(service: Service) -> None:
    """Received, started and succeeded, the child of the one before, with its own time; also those that begin in the
    process that did the last one, and travel by no queue.
    """
    service.gateway.send(webhook(says("wamid.steps.1", PHONE, "hola")))
    # Its last step comes after the reply, and is none of the family below.
    service.wait_until(lambda: bool(service.sql("select 1 from ai_metrics")))
    with (
        Celery(broker=settings().required("redis_url"), set_as_current=False) as operator,
        watching(operator) as events,
    ):
        service.wait_until(lambda: bool(events))
        before = sent_tasks(service)
        service.gateway.send(webhook(says("wamid.steps.2", PHONE, "hola")))
        service.wait_until(lambda: "wamid.steps.2" in service.answered())
        service.wait_until(
            lambda: [event["type"] for event in events].count("task-succeeded") >= STEPS_OF_A_CACHED_TURN
        )
    assert sent_tasks(service) - before == 1
    received = [event for event in events if event["type"] == "task-received"]
    family = {event["name"].removeprefix("worker."): event for event in received}
    parents = [family[child]["parent_id"] for child in ("route_ai", "update_session", "record_metrics")]
    assert parents == [family[parent]["uuid"] for parent in ("fetch_session", "route_ai", "update_session")]
    assert {event["root_id"] for event in received} == {family["fetch_session"]["uuid"]}
    assert {event["args"] for event in received} == {"1 turn"}
    for step in family.values():
        seen = [event["type"] for event in events if event.get("uuid") == step["uuid"]]
        assert seen == ["task-received", "task-started", "task-succeeded"], step["name"]


def sent_tasks(service: Service) -> int:
    """How many tasks Redis has been sent since it started."""
    statistics: Any = service.redis.info("commandstats")
    return int(statistics["cmdstat_lpush"]["calls"])


def operator_app() -> Celery:
    """An application that knows the broker alone."""
    return Celery(broker=settings().required("redis_url"), set_as_current=False)


@contextmanager
def watching(operator: Celery) -> Iterator[list[dict[str, Any]]]:
    """Events of the workers as they come, for the length of the block."""
    events: list[dict[str, Any]] = []
    over = Event()

    def watch() -> None:
        with operator.connection_for_read() as connection:
            receiver = operator.events.Receiver(connection, handlers={"*": events.append})
            receiver.on_iteration = lambda: setattr(receiver, "should_stop", over.is_set())
            receiver.capture(limit=None, timeout=None, wakeup=True)

    watcher = Thread(target=watch)
    watcher.start()
    try:
        yield events
    finally:
        over.set()
        watcher.join()


def test_logs_hold_no_personal_data(service: Service) -> None:
    """Everything the processes printed so far, the unknown task with its arguments included."""
    service.gateway.send(webhook(says("wamid.logged.1", PHONE, TEXT)))
    service.wait_until(lambda: "wamid.logged.1" in service.answered())
    logged = service.log.read_text()
    assert logged
    for secret in (PHONE, "zorzalito", "sk-test", "wamid.", "agregame"):
        assert secret not in logged
