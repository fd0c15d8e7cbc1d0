"""Whose only provider has an answer nobody can use is answered by its next model; no customer shuts a provider out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from helpers.http_provider import Answer, say
from helpers.roles import DOWN, UNCLEAR, Fleet, ask, chat, done, fleet_on

BLANK = say(200, {"choices": [{"message": {"content": "   "}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 9}})
ECHO = "¿Tenés leche, che?"


@pytest.fixture
def fleet(redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """Two providers that are well."""
    monkeypatch.setenv("NO_PROXY", "*")
    with fleet_on(redis_client) as made:
        yield made


@pytest.mark.parametrize("answer", [BLANK, UNCLEAR, DOWN], ids=["blank", "unclear", "overloaded"])
def test_the_only_provider_is_asked_for_its_next_model(fleet: Fleet, answer: Answer) -> None:
    """Once each; where there is another provider, that one comes first."""
    fleet.play([answer, answer, chat("Soy b.")] if answer is DOWN else [answer, chat("Soy b.")])
    assert done(fleet.process(fleet.providers[:1]).complete(ask())) == ("ai", "first", "b")
    assert set(fleet.asked()) == {"a", "b"}
    fleet.play([answer])
    assert done(fleet.process().complete(ask())) == ("ai", "second", "c")


def test_what_a_customer_provokes_opens_no_circuit(fleet: Fleet) -> None:
    """Replies that are no answer, to the same customer again and again; a stranger is still answered."""
    fleet.play([chat(ECHO)], [chat(ECHO)])
    process = fleet.process()
    for _ in range(6):
        assert process.complete(ask("tenes leche che?")).source == "fallback"
    for name in ("first", "second", "first:a", "second:c"):
        assert fleet.state(name).get("state", "closed") == "closed"
    fleet.play([chat("Sí, tenemos.")])
    assert process.complete(ask("tenes pan?", customer="5491100000002")).source == "ai"


def test_a_model_that_answers_nobody_is_set_aside(fleet: Fleet) -> None:
    """Three customers in a row have had no answer of it."""
    fleet.play([chat("add_to_cart")])
    process = fleet.process()
    for number in range(3):
        process.complete(ask(customer=f"549110000000{number}"))
    assert fleet.state("first:a")["state"] == "open"


def test_an_answer_that_nobody_can_use_shows_that_the_provider_is_well(fleet: Fleet) -> None:
    """Its circuit, open since it was down, closes again."""
    fleet.client.hset("ai_circuit:first", mapping={"state": "open", "until_ms": 0, "opened": 1, "generation": 3})
    fleet.play([chat(ECHO)])
    process = fleet.process(fleet.providers[:1])
    for number in range(2):
        process.complete(ask("tenes leche che?", customer=f"549110000001{number}"))
    assert fleet.state("first")["state"] == "closed"
