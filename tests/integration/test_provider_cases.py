"""Answers of real APIs that once ended a turn, each played by a server: what they mean, and who answers then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from helpers.basics import SHARED_DATA
from helpers.http_provider import say
from helpers.roles import Fleet, ask, chat, done, fleet_on

from worker.errors import ThoughtAway
from worker.providers.circuit_rules import DENIED_MS
from worker.providers.client import AiClient
from worker.providers.models import Wire
from worker.providers.probe import THINKS, probe_model, probe_request
from worker.shop.shop import Shop

FILE = SHARED_DATA.parent / "cases" / "providers.jsonl"
CASES: dict[str, dict[str, Any]] = (
    {case["case"]: case for case in map(json.loads, FILE.read_text("utf-8").splitlines())} if FILE.is_file() else {}
)
#: A reply that our schema takes, in an answer that names its model.
ANSWERED, NEXT_MODEL, NEXT_PROVIDER = ("ai", "first", "a"), ("ai", "first", "b"), ("ai", "second", "c")
#: Who answers, what the call was booked as, and the state of the asked model's circuit and of its provider's.
EXPECTED: dict[str, tuple[tuple[str, str, str], str, str, str]] = {
    "openai_model_gone": (NEXT_MODEL, "model_gone", "open", "closed"),
    "deepseek_model_gone": (NEXT_MODEL, "model_gone", "open", "closed"),
    "deepseek_model_not_exist": (NEXT_MODEL, "model_gone", "open", "closed"),
    "gemini_model_gone": (NEXT_MODEL, "model_gone", "open", "closed"),
    "openai_parameter_refused": (NEXT_MODEL, "model_unfit", "open", "closed"),
    "openai_value_refused": (NEXT_MODEL, "model_unfit", "open", "closed"),
    "gemini_level_refused": (NEXT_MODEL, "model_unfit", "open", "closed"),
    "gemini_budget_refused": (NEXT_PROVIDER, "refused", "closed", "closed"),
    "openai_no_money": (NEXT_PROVIDER, "denied", "closed", "open"),
    "answered_by_another_model": (("ai", "first", "gpt-6-luna-2026-09-22"), "ok", "closed", "closed"),
    "thinking_ate_the_answer": (NEXT_MODEL, "thinking", "closed", "closed"),
    "blank_json": (NEXT_PROVIDER, "unreadable", "closed", "closed"),
    "prose_around_json": (("ai", "first", "any"), "ok", "closed", "closed"),
    "content_in_parts": (("ai", "first", "any"), "ok", "closed", "closed"),
}
pytestmark = pytest.mark.skipif(not CASES, reason="the cases are not beside this checkout")


def wire_of(name: str) -> Wire:
    """The wire that a case speaks."""
    return "gemini" if name.startswith("gemini") else "openai"


@pytest.fixture
def fleet(
    request: pytest.FixtureRequest, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Fleet]:
    """Two providers, the first of which answers as the case says, then well."""
    monkeypatch.setenv("NO_PROXY", "*")
    case = CASES[request.param]
    with fleet_on(redis_client, wire_of(request.param)) as made:
        made.play([say(case["status"], case["body"], **case["headers"]), good(wire_of(request.param))])
        yield made


def good(wire: Wire) -> Any:
    """A good answer in this wire format."""
    if wire == "openai":
        return chat()
    text = '{"intent": "greeting", "confidence": 1, "reply": "¡Hola!"}'
    return say(200, {"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}]})


def test_none_is_forgotten() -> None:
    """A case that is added needs a line above."""
    assert set(CASES) == set(EXPECTED)


@pytest.mark.parametrize(("fleet", "name"), [(name, name) for name in CASES], indirect=["fleet"])
def test_what_comes_of_it(fleet: Fleet, name: str) -> None:
    """The customer is answered in the same turn, and the circuits know whose fault it was."""
    answered, outcome, of_model, of_provider = EXPECTED[name]
    made = fleet.process().complete(ask("hola"))
    assert done(made) == answered
    assert made.calls_made[0].outcome == outcome
    assert made.calls == (1 if outcome == "ok" else 2)
    assert fleet.state("first:a").get("state", "closed") == of_model
    assert fleet.state("first").get("state", "closed") == of_provider


@pytest.mark.parametrize("fleet", ["openai_no_money"] if CASES else [], indirect=True)
def test_an_empty_balance_waits_as_long_as_a_wrong_key(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    """And the log tells what to look at."""
    fleet.process().complete(ask())
    found = fleet.state("first")
    assert float(found["until_ms"]) - float(found["since_ms"]) == pytest.approx(DENIED_MS, abs=10)
    logged = capsys.readouterr()
    assert "check the key and the balance" in logged.out + logged.err


@pytest.mark.parametrize("fleet", ["gemini_budget_refused"] if CASES else [], indirect=True)
def test_several_customers_in_a_row_make_it_the_models(fleet: Fleet) -> None:
    """Three of them; the fourth is answered by the next model."""
    fleet.play(fleet.first.answers[:1])
    process = fleet.process()
    for customer in "123":
        process.complete(ask(customer=customer))
    fleet.play([good("gemini")])
    assert done(process.complete(ask(customer="4"))) == NEXT_MODEL


@pytest.mark.parametrize("fleet", ["thinking_ate_the_answer"] if CASES else [], indirect=True)
def test_the_probe_says_that_it_thinks(fleet: Fleet) -> None:
    """As the doctor prints it."""
    provider = fleet.providers[0]
    client = AiClient()
    looked = probe_model(client, provider, provider.models[0], probe_request(Shop("la tienda")))
    client.close()
    assert isinstance(looked.error, ThoughtAway)
    assert looked.probe.told == THINKS


@pytest.mark.parametrize(
    ("fleet", "word"),
    [("openai_parameter_refused", "max_tokens"), ("openai_value_refused", "temperature")] if CASES else [],
    indirect=["fleet"],
)
def test_the_parameter_is_named(fleet: Fleet, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In Redis, where doctor finds it, and in the log."""
    fleet.process().complete(ask())
    assert word in fleet.state("first:a")["told"]
    logged = capsys.readouterr()
    assert word in logged.out + logged.err
