"""A message that was started five times and never ended: a dead letter, one apology, and the next one goes on."""

from __future__ import annotations

import json
from typing import Any

import redis
from helpers.factories import ANA, accept, answer, expire_leases, inbound, row, rows, session_row
from sqlalchemy import Connection

from worker.intake.sweep import MAX_ATTEMPTS, Sweep
from worker.settings import Settings
from worker.steps.services import build


def test_the_fifth_attempt_was_the_last(
    connection: Connection, redis_client: redis.Redis, settings_here: Settings
) -> None:
    """Four attempts bring a fifth; five bring the dead letter, whose apology answers no message."""
    services = build(settings_here)
    started: list[dict[str, Any]] = []
    sweep = Sweep(services, started.extend)
    accept(connection, inbound("m1"), inbound("m2"))
    for attempts in (MAX_ATTEMPTS - 1, MAX_ATTEMPTS):
        connection.exec_driver_sql("update messages set attempts = %s where message_id = 'm1'", (attempts,))
        expire_leases(connection, ANA)
        sweep.once(connection)
        sweep.once(connection)
    assert [[m["message_id"] for m in turn["messages"]] for turn in started] == [["m1"], ["m2"]]
    assert [turn["swept"] for turn in started] == [True, False]
    states = {row["message_id"]: row["state"] for row in rows(connection, "select message_id, state from messages")}
    assert states == {"m1": "dead", "m2": "accepted"}
    replies = [json.loads(fields[b"payload"]) for _, fields in redis_client.xrange("whatsapp:outbound")]
    assert [(reply["source"], reply["in_reply_to"], reply["to"]) for reply in replies] == [("canned", [], ANA)]
    services.engine.dispose()
    services.redis.close()


def test_a_yes_behind_an_apology_confirms_nothing(
    connection: Connection, redis_client: redis.Redis, settings_here: Settings
) -> None:
    """It asks to write again, and that is what a yes may be meant for: what was asked before is open no more."""
    services = build(settings_here)
    asked = {"asking": "confirm", "numbered": True, "left_open": "which:1", "version": "v-1"}
    answer(connection, "m0", session=session_row(context_data=asked))
    version = row(connection, "select version from customer_sessions")["version"]
    accept(connection, inbound("m1"), inbound("m2"))
    connection.exec_driver_sql("update messages set attempts = %s where message_id = 'm1'", (MAX_ATTEMPTS,))
    expire_leases(connection, ANA)
    started: list[dict[str, Any]] = []
    Sweep(services, started.extend).once(connection)
    found = row(connection, "select version, context_data from customer_sessions")
    assert found["context_data"] == {"version": "v-1"}
    assert [turn["session_version"] for turn in started] == [found["version"]] != [version]
    services.engine.dispose()
    services.redis.close()
