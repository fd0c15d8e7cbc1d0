"""Names, signatures and versions of Celery, kombu and Flower that `worker.celery_ext` and its neighbours use."""

from __future__ import annotations

import inspect
import io
import sys
from importlib import import_module
from importlib.metadata import version
from typing import Any

import pytest
from celery.apps.worker import Worker, safe_say
from celery.worker.consumer import Consumer

from worker.app import Application, app
from worker.celery_ext import processes
from worker.celery_ext.processes import DELAYED_DELIVERY, PromptConsumer

#: Series of releases with which everything below was tried, and `make test` has passed.
TRIED = {"celery": "5.7", "kombu": "5.7", "flower": "2.2"}
#: What is overridden, replaced or called, its parameters, and the file that does it.
USED = [
    ("celery.worker:WorkController._process_task", ("self", "req"), "celery_ext/processes.py"),
    ("kombu.message:Message.payload", ("self",), "celery_ext/inline_dispatch.py"),
    ("celery.apps.worker:Worker.on_before_init", ("self", "quiet", "kwargs"), "celery_ext/processes.py"),
    ("celery.apps.worker:Worker.install_platform_tweaks", ("self", "worker"), "celery_ext/processes.py"),
    ("celery.apps.beat:Beat.__init__", ("quiet", "app"), "celery_ext/processes.py"),
    ("celery.worker.request:Request.info", ("self", "safe"), "celery_ext/redaction.py"),
    ("celery.worker.request:Request.request_dict", ("self",), "celery_ext/redaction.py"),
    ("celery.worker.request:Request.argsrepr", ("self",), "celery_ext/redaction.py"),
    ("celery.worker.request:Request.kwargsrepr", ("self",), "celery_ext/redaction.py"),
    ("celery.worker.request:Request.acknowledge", ("self",), "celery_ext/queues.py"),
    ("kombu.entity:Queue.consume", ("self", "no_ack"), "celery_ext/queues.py"),
    ("kombu:Connection.ensure_connection", ("self", "args", "kwargs"), "celery_ext/broker.py"),
    ("kombu.transport.redis:SentinelChannel.connection_class", (), "celery_ext/broker.py"),
    ("kombu.transport.redis:SentinelChannel.connection_class_ssl", (), "celery_ext/broker.py"),
    ("celery.app.amqp:AMQP.Connection", (), "celery_ext/broker.py"),
    ("celery:Celery.subclass_with_self", ("self", "Class", "name"), "app.py"),
    ("kombu.serialization:register", ("name", "encoder", "decoder", "content_type", "content_encoding"), "app.py"),
    ("flower.events:EventsState.event", ("self", "event"), "flower.py"),
]


@pytest.mark.parametrize("package", TRIED)
def test_the_version_was_tried(package: str) -> None:
    """A new series may have changed what no signature shows."""
    found = version(package)
    changed = ", ".join(f"{name} (worker/{file})" for name, _, file in USED if name.startswith(package))
    assert found.startswith(f"{TRIED[package]}."), (
        f"{package} {found} is new here: look at {changed}, run `make test` and `make bench`, then raise TRIED"
    )


@pytest.mark.parametrize(("name", "parameters", "file"), USED)
def test_what_is_used_is_as_it_was(name: str, parameters: tuple[str, ...], file: str) -> None:
    """It exists, and takes what we give or are given."""
    module, _, path = name.partition(":")
    found: Any = import_module(module)
    for part in path.split("."):
        found = inspect.getattr_static(found, part, None)
    found = getattr(found, "fget", None) or found
    assert callable(found), f"{name} is gone: worker/{file} relies on it"
    taken = tuple(inspect.signature(found).parameters)
    assert set(parameters) <= set(taken), f"{name}{taken} takes no {parameters} any more: look at worker/{file}"


def test_a_worker_of_one_process_asks_for_more_after_each_task() -> None:
    """Celery's worker calls `_process_task`, and its consumer the strategies, as inline dispatch does."""
    worker, consumer = (
        inspect.getsource(import_module(f"celery.worker.{name}")) for name in ("worker", "consumer.consumer")
    )
    assert issubclass(Worker, import_module("celery.worker").WorkController)
    assert "self._process_task" in worker, "it is called no more: look at worker/celery_ext/processes.py"
    assert "strategies = self.strategies" in consumer, "look at worker/celery_ext/inline_dispatch.py"


def test_the_goodbye_needs_an_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where `sys.__stdout__` is None, Celery says nothing past the log, and does not fail."""
    monkeypatch.setattr(sys, "stdout", said := io.StringIO())
    safe_say("worker: Warm shutdown (MainProcess)", None)
    assert said.getvalue() == ""
    source = inspect.getsource(import_module("celery.apps.worker"))
    assert "sys.__stdout__)" in source, "the goodbye goes elsewhere: look at worker/celery_ext/processes.py"


def test_beat_is_ours_and_waits_for_its_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Celery gives a program its application by its class, not by an argument."""
    waited: list[bool] = []
    monkeypatch.setattr(processes.log, "configure", lambda *_: None)
    monkeypatch.setattr(Application, "wait_to_start", lambda _self, *, broker_alone: waited.append(broker_alone))
    beat = app.Beat(quiet=False)
    assert (waited, beat.quiet, beat.app) == ([True], True, app), "look at worker/celery_ext/processes.py"
    assert issubclass(app.Worker, processes.ServiceWorker)
    assert app.Worker.app is app


def test_only_delayed_delivery_is_left_out() -> None:
    """Celery still calls that step by this name, and has no other that the service goes without."""
    assert set(Consumer.Blueprint.default_steps) - set(PromptConsumer.Blueprint.default_steps) == {DELAYED_DELIVERY}
