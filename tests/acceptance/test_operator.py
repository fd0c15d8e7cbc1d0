"""An operator's hour at the running service: find out what is wrong, mend it, and see that it is well."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from helpers.command_line import run_in
from helpers.service import Service, says, webhook

from worker.providers.providers_file import load_providers
from worker.settings import Settings

FAILED = "failed"
PROVIDERS = load_providers(Settings())
MODELS = [f"{provider.name}/{model.id}" for provider in PROVIDERS for model in provider.models]


def chasqui(directory: Path, *arguments: str) -> tuple[int, Any]:
    """A command in the surroundings of the service; its exit code and what it prints as JSON."""
    done = run_in(os.environ, directory, *arguments, "--json")
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def examine(directory: Path, *options: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The doctor's exit code and its findings by check."""
    code, report = chasqui(directory, "doctor", *options)
    return code, {finding["check"]: finding for finding in report["checks"]}


def ask(service: Service, message_id: str, phone: str, text: str) -> dict[str, Any]:
    """The reply to a message."""
    service.gateway.send(webhook(says(message_id, phone, text)))
    service.wait_until(lambda: message_id in service.answered())
    return next(reply for reply in service.replies if message_id in reply["in_reply_to"])


def test_a_healthy_service(service: Service, tmp_path: Path) -> None:
    """Everything is looked at, and nothing needs a hand."""
    ask(service, "wamid.well.1", "5491155500001", "agregame 2 leches")
    code, found = examine(tmp_path)
    assert code == 0, found
    assert {name for name, finding in found.items() if finding["state"] != "ok"} <= {"beat"}
    checks = {"postgresql", "migrations", "intake", "messages", "answers", "dead letters", "redis", "redis memory"}
    checks |= {"redis persistence", "inbound stream", "beat", "cache", "queues", "workers"}
    checks |= {f"{what} {name}" for what in ("model", "circuit") for name in MODELS}
    checks |= {f"circuit {provider.name}" for provider in PROVIDERS}
    assert checks <= found.keys()
    assert found["workers"]["found"] == "3 workers answer"
    assert found["queues"]["found"] == "flow 0, ai 0, inbound 0, periodic 0"


def test_a_key_that_was_withdrawn(service: Service, tmp_path: Path) -> None:
    """The doctor names provider and circuit; with a new key and the circuit closed by hand all is well again."""
    service.simulator.set("deepseek", status=401)
    assert ask(service, "wamid.ill.1", "5491155500002", "agregame 2 leches")["provider"] != "deepseek"
    code, found = examine(tmp_path)
    assert code == 1
    models = {f"model {name}" for name in MODELS if name.startswith("deepseek/")}
    assert {name for name, finding in found.items() if finding["state"] == FAILED} == {"circuit deepseek", *models}
    assert all("denied" in found[model]["found"] for model in models)
    assert found["circuit deepseek"]["mend"].endswith("chasqui circuits close deepseek")

    service.simulator.set("deepseek", status=None)
    assert chasqui(tmp_path, "circuits", "close", "deepseek")[1][0]["state"] == "closed"
    assert examine(tmp_path)[0] == 0
    assert ask(service, "wamid.ill.2", "5491155500003", "agregame 3 leches")["provider"] == "deepseek"


def test_a_provider_that_is_left_alone(service: Service, tmp_path: Path) -> None:
    """Opened by hand it is not asked, whatever it could say; closed by hand it is."""
    chasqui(tmp_path, "circuits", "open", "deepseek")
    before = service.simulator.calls("deepseek")
    assert ask(service, "wamid.alone.1", "5491155500004", "agregame 2 leches")["provider"] != "deepseek"
    assert service.simulator.calls("deepseek") == before
    _, found = examine(tmp_path, "--no-probe")
    assert found["circuit deepseek"]["found"] == "opened by hand"
    chasqui(tmp_path, "circuits", "close", "deepseek")
    assert ask(service, "wamid.alone.2", "5491155500005", "agregame 2 leches")["provider"] == "deepseek"


def test_a_layer_flushed_while_the_service_runs(service: Service, tmp_path: Path) -> None:
    """What was cached is asked for again, and a conversation goes on from PostgreSQL."""
    first = ask(service, "wamid.flush.1", "5491155500006", "tenes leche?")
    assert ask(service, "wamid.flush.2", "5491155500007", "TENES LECHE")["source"] == "cache"
    for layer in ("ai_response", "session"):
        assert chasqui(tmp_path, "cache", "flush", layer, "--yes")[1]["deleted"] >= 1
    again = ask(service, "wamid.flush.3", "5491155500006", "tenes leche?")
    assert (first["source"], again["source"]) == ("ai", "ai")
    (row,) = service.sql("select messages from customer_sessions where customer_phone = '5491155500006'")
    assert row.messages == 2


def test_the_report_of_a_window(service: Service, tmp_path: Path) -> None:
    """The last hour has what was just answered, the hour of a year ago has not."""
    reply = ask(service, "wamid.report.1", "5491155500008", "agregame 2 leches")
    recorded = "select from ai_metrics where reply_id = cast(:id as uuid)"
    service.wait_until(lambda: bool(service.sql(recorded, id=reply["reply_id"])))
    code, last = chasqui(tmp_path, "report", "--since", "1h")
    (row,) = service.sql("select sum(messages) as messages from ai_metrics")
    assert (code, last["window_s"], last["messages"]) == (0, 3_600, row.messages)
    assert row.messages >= 1
    _, long_ago = chasqui(tmp_path, "report", "--from", "2020-01-01T00:00", "--to", "2020-01-01T01:00-03:00")
    assert (long_ago["window_s"], long_ago["messages"]) == (4 * 3_600, 0)
