"""`chasqui circuits`: what an operator sees of circuit breakers, and does to them."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis
from helpers.basics import Servers
from helpers.circuit import KEY, LIMITS, NAME, SAMPLES, Circuit
from helpers.command_line import run, urls_of
from helpers.factories import rows
from sqlalchemy import Connection

from worker.errors import ModelGone, ProviderDenied
from worker.providers.circuit import CircuitBreaker
from worker.providers.circuit_rules import Permit
from worker.providers.circuit_states import read_circuits
from worker.providers.providers_file import load_providers
from worker.settings import Settings

MODELS = ("gpt-6-luna", "gpt-6.1-terra")
GONE, OTHER = (f"gpt/{model}" for model in MODELS)
TOLD = "The model has been deprecated."
#: Every circuit there is, in the order of the file: a provider, then its models.
NAMES = [
    name
    for provider in load_providers(Settings())
    for name in (provider.name, *(f"{provider.name}/{model.id}" for model in provider.models))
]


def name_of(circuit: dict[str, Any]) -> str:
    """As the command takes it."""
    return f"{circuit['provider']}/{circuit['model']}" if circuit["model"] else str(circuit["provider"])


def seen(client: redis.Redis) -> Any:
    """The circuit as an operator sees it."""
    (found,) = read_circuits(client, [(NAME, [])])
    return found


def test_a_circuit_that_nobody_knows(redis_client: redis.Redis) -> None:
    """Closed, without figures; those asked for come in their order."""
    found = read_circuits(redis_client, [("b", []), ("a", [])])
    assert [(one.provider, one.state, one.calls, one.trips, one.since) for one in found] == [
        ("b", "closed", 0, 0, None),
        ("a", "closed", 0, 0, None),
    ]


def test_failures_in_the_window(redis_client: redis.Redis) -> None:
    """Calls of the last 30 s are counted, older ones are not."""
    circuit = Circuit(redis_client)
    circuit.fail(2)
    circuit.succeed(3)
    found = seen(redis_client)
    assert (found.state, found.calls, found.failures, found.opens_until) == ("closed", 5, 2, None)
    bucket = int(time.time() * 1000) // (LIMITS.window_ms // LIMITS.buckets)
    redis_client.delete(SAMPLES)
    for back in (LIMITS.buckets - 2, LIMITS.buckets + 1):
        redis_client.hset(SAMPLES, f"{bucket - back}:calls", back)
    assert seen(redis_client).calls == LIMITS.buckets - 2


def test_an_open_circuit(redis_client: redis.Redis) -> None:
    """Why, since when and for how long; when that time is over, it is as good as half open."""
    circuit = Circuit(redis_client)
    circuit.fail(error=ProviderDenied(NAME, "HTTP 401"))
    found = seen(redis_client)
    assert (found.state, found.reason, found.trips) == ("open", "denied", 1)
    assert 290 < found.open_s <= 300
    assert 290 < (found.opens_until - datetime.now(UTC)).total_seconds() <= 301
    assert abs((found.since - datetime.now(UTC)).total_seconds()) < 5
    circuit.wait_is_over()
    assert (seen(redis_client).state, seen(redis_client).open_s) == ("half_open", None)
    circuit.permit()
    assert seen(redis_client).state == "half_open"


def test_a_circuit_opened_by_hand_stays_open(redis_client: redis.Redis) -> None:
    """Every caller that is turned away renews its time to live, which is no open time."""
    circuit = Circuit(redis_client)
    circuit.breaker.force(NAME, "open")
    redis_client.expire(KEY, 60)
    assert circuit.is_shut_to()
    assert redis_client.ttl(KEY) > 86_400  # type: ignore[operator]
    found = seen(redis_client)
    assert (found.state, found.reason, found.open_s) == ("forced_open", "operator", None)


def command(directory: Path, servers: Servers, *arguments: str) -> Any:
    """What a `circuits` command that succeeds prints as JSON."""
    done = run(directory, "circuits", *arguments, "--json", **urls_of(servers))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_command(tmp_path: Path, redis_client: redis.Redis, connection: Connection, servers: Servers) -> None:
    """List, open, close; an opened circuit turns callers away, a closed one has forgotten all; both are noted."""
    circuit = Circuit(redis_client)
    circuit.fail(error=ProviderDenied(NAME, "HTTP 401"))
    listed = {name_of(one): one for one in command(tmp_path, servers)}
    assert {name: one["state"] for name, one in listed.items()} == dict.fromkeys(NAMES, "closed") | {NAME: "open"}
    assert list(listed) == NAMES
    assert listed[NAME]["opens_until"].endswith("Z")
    closed, *models = command(tmp_path, servers, "close", NAME)
    assert [name_of(one) for one in models] == [name for name in NAMES if name.startswith(f"{NAME}/")]
    assert (closed["state"], closed["calls"], closed["failures"]) == ("closed", 0, 0)
    assert circuit.figures()["opened"] == "0"
    assert circuit.permit().healthy
    opened, *models = command(tmp_path, servers, "open", NAME)
    assert opened["state"] == "forced_open"
    assert circuit.is_shut_to()
    assert command(tmp_path, servers, "list", NAME) == [opened, *models]
    noted = rows(connection, "select data ->> 'provider' as name, data ->> 'state' as state from events order by id")
    assert noted == [{"name": NAME, "state": "closed"}, {"name": NAME, "state": "forced_open"}]
    shown = run(tmp_path, "circuits", **urls_of(servers)).stdout
    assert "forced_open" in shown
    assert max(len(line) for line in shown.splitlines()) <= 80


def ask_and_be_refused(client: redis.Redis) -> CircuitBreaker:
    """A breaker that has just heard that the first of two models is gone; the caller goes on with the second."""
    breaker = CircuitBreaker(client, lambda *_: None)
    permit = breaker.permit("gpt", "caller", MODELS)
    assert isinstance(permit, Permit)
    breaker.failed(permit, ModelGone("gpt", "HTTP 404", sentence=TOLD), 10.0)
    assert asked_next(breaker) == MODELS[1]
    return breaker


def asked_next(breaker: CircuitBreaker) -> str:
    """The model that is asked now."""
    permit = breaker.permit("gpt", "caller", MODELS)
    assert isinstance(permit, Permit)
    return permit.model


def test_the_circuit_of_a_model(
    tmp_path: Path, redis_client: redis.Redis, connection: Connection, servers: Servers
) -> None:
    """With the provider's sentence, in JSON and below the table; by hand back at once, or away for good."""
    breaker = ask_and_be_refused(redis_client)
    listed = {name_of(one): one for one in command(tmp_path, servers, "list", "gpt")}
    assert {name: one["state"] for name, one in listed.items()} == {"gpt": "closed", GONE: "open", OTHER: "closed"}
    assert (listed[GONE]["reason"], listed[GONE]["told"], listed[GONE]["trips"]) == ("model_gone", TOLD, 1)
    assert 3_500 < listed[GONE]["open_s"] <= 3_600
    (only,) = command(tmp_path, servers, "list", GONE)
    assert only.keys() == listed[GONE].keys()
    assert name_of(only) == GONE
    shown = run(tmp_path, "circuits", **urls_of(servers)).stdout
    assert f"\n{GONE}: {TOLD}\n" in shown
    (closed,) = command(tmp_path, servers, "close", GONE)
    assert (closed["state"], closed["told"]) == ("closed", "")
    assert asked_next(breaker) == MODELS[0]
    (opened,) = command(tmp_path, servers, "open", GONE)
    assert (opened["state"], opened["reason"]) == ("forced_open", "operator")
    assert asked_next(breaker) == MODELS[1]
    (provider,) = [one for one in command(tmp_path, servers) if name_of(one) == "gpt"]
    assert provider["state"] == "closed"
    noted = rows(connection, "select data - array['reason', 'told'] as data from events order by id")
    assert [row["data"] for row in noted] == [
        {"provider": "gpt", "model": MODELS[0], "state": state} for state in ("closed", "forced_open")
    ]


def test_another_model_that_answers(tmp_path: Path, redis_client: redis.Redis, servers: Servers) -> None:
    """Is named for an hour."""
    note = {"answered_by": "gpt-9", "answered_at": int(time.time())}
    redis_client.hset(f"ai_circuit:gpt:{MODELS[0]}", mapping=note)
    (found,) = command(tmp_path, servers, "list", GONE)
    assert (found["state"], found["answered_by"]) == ("closed", "gpt-9")
    assert f"\n{GONE}: answered by gpt-9\n" in run(tmp_path, "circuits", **urls_of(servers)).stdout
    redis_client.hset(f"ai_circuit:gpt:{MODELS[0]}", "answered_at", int(time.time()) - 3_601)
    assert command(tmp_path, servers, "list", GONE)[0]["answered_by"] == ""


def test_opening_works_without_postgresql(tmp_path: Path, redis_client: redis.Redis, servers: Servers) -> None:
    """What is noted of it may be lost, the deed is not."""
    urls = urls_of(servers) | {"DATABASE_URL": "postgresql://u:geheim@127.0.0.1:1/x"}
    done = run(tmp_path, "circuits", "open", NAME, **urls)
    assert done.returncode == 0
    assert "circuit_not_noted" in done.stderr
    assert "geheim" not in done.stderr + done.stdout
    assert seen(redis_client).state == "forced_open"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["open"], 2, "needs the name of a PROVIDER"),
        (["shut", NAME], 2, "shut"),
        (["close", "nobody"], 1, "there is no provider nobody; known are gemini-flash, deepseek, gpt"),
        (["open", "gpt/nothing"], 1, "gpt has no model nothing; known are gpt-6-luna, gpt-6.1-terra"),
    ],
)
def test_what_cannot_be_done(
    tmp_path: Path, redis_client: redis.Redis, servers: Servers, arguments: list[str], code: int, words: str
) -> None:
    """Wrong usage and unknown names change nothing."""
    done = run(tmp_path, "circuits", *arguments, **urls_of(servers))
    assert done.returncode == code
    assert words in done.stderr
    assert redis_client.keys("ai_circuit:*") == []


def test_redis_away(tmp_path: Path, servers: Servers) -> None:
    """One clear line."""
    done = run(tmp_path, "circuits", **urls_of(servers) | {"REDIS_URL": "redis://:geheim@127.0.0.1:1/0"})
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "Redis" in done.stderr
    assert "geheim" not in done.stderr
