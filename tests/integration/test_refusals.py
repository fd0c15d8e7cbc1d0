"""Claims that nothing stands behind, and operations on what was not offered: repaired once, then a reply that says so;
no other model is paid for them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
import redis
from helpers.answering import completer_on, request_of
from helpers.http_provider import Answer, Server, say, serving
from helpers.turns import MILK, MILK_ITEM, RICE, SHOP, decision_of, planned, session_of, turn_of
from msgspec import convert

from worker.providers.circuit_rules import CircuitLimits
from worker.providers.completion import Completer
from worker.providers.providers_file import load_providers
from worker.replies.scene import NOBODY
from worker.session.cart import CartOperation
from worker.session.outcome import Outcome
from worker.settings import read_settings

ADD_1 = {"op": "add", "product_id": 7, "quantity": 1}
ADD_2 = {"op": "add", "product_id": 7, "quantity": 2}
ADD_UNKNOWN = {"op": "add", "product_id": 4242, "quantity": 1}
UNCHANGED = SHOP.text("fallback.unchanged")
TRY_AGAIN, SAY_OTHERWISE = (SHOP.text(f"fallback.{name}") for name in ("try_again", "say_otherwise"))
ADD, HARD = "agregame 2 leches", "cual de esas me conviene mas?"
DOWN = say(500, {"error": {"message": "no"}})


def says(reply: str, *operations: dict[str, Any]) -> Answer:
    """A model's answer with this reply and these cart operations."""
    content = json.dumps(decision_of(reply=reply, cart_operations=list(operations)))
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return say(200, {"choices": [choice], "usage": {"prompt_tokens": 900, "completion_tokens": 100}})


OBEYS, CLAIMS = says("Va.", ADD_UNKNOWN), says("Listo, agregué 50 leches.")
ORDERS, DISCOUNTS = says("Tu pedido quedó confirmado."), says("Te hago un 50 % de descuento.")
OFFERS = says("¿Cuántas leches querés?")


@dataclass
class Models:
    """Two models, the cheaper asked first except for hard messages, and what they are asked."""

    completer: Completer
    cheap: Server
    dear: Server

    def answer(self, said: str, **changes: Any) -> Outcome:
        """What comes of a customer's message."""
        turn = planned(turn_of(said, session=session_of(**changes)), MILK, RICE)
        plan = turn.planned()
        session = NOBODY if plan.shared else turn.fetched()
        return self.completer.complete(request_of(plan, said, turn.token, session=session))

    def systems(self) -> list[str]:
        """The instructions of the cheap model's requests."""
        return [seen.body["messages"][0]["content"] for seen in self.cheap.seen]

    def asked(self) -> tuple[int, int]:
        """Requests of each."""
        return len(self.cheap.seen), len(self.dear.seen)


Ready = Callable[[Sequence[Answer], Sequence[Answer]], Models]


@pytest.fixture
def ready(redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ready]:
    """A maker of two models that give these answers, one after the other; the last one stays."""
    monkeypatch.setenv("NO_PROXY", "*")
    with ExitStack() as stack:

        def make(cheap: Sequence[Answer], dear: Sequence[Answer]) -> Models:
            servers = [stack.enter_context(serving(*answers)) for answers in (cheap, dear)]
            urls = dict(zip(("DEEPSEEK_BASE_URL", "OPENAI_BASE_URL"), (server.url for server in servers), strict=True))
            keys = dict.fromkeys(("DEEPSEEK_API_KEY", "OPENAI_API_KEY"), "sk-test")
            providers = load_providers(read_settings(urls | keys))
            return Models(stack.enter_context(completer_on(redis_client, providers)), *servers)

        yield make


def failures(client: redis.Redis) -> list[bytes | None]:
    """What the circuits of both have counted."""
    return [client.hget(f"ai_circuit:{name}", "failures") for name in ("deepseek", "gpt")]  # type: ignore[misc]


def test_the_repair_says_what_was_refused_and_why(ready: Ready) -> None:
    """The model is told the operation, the reason, and not to speak of it; its second answer is taken."""
    models = ready([OBEYS, OFFERS], [DOWN])
    outcome = models.answer(ADD)
    assert (outcome.source, outcome.decision.reply) == ("ai", "¿Cuántas leches querés?")
    assert outcome.decision.cart_operations == ()
    assert (models.asked(), outcome.calls, outcome.prompt_tokens) == ((2, 0), 2, 1800)
    first, second = models.systems()
    assert second.startswith(first)
    told = second.removeprefix(first)
    assert '{"op":"add","product_id":4242,"quantity":1}: product was not offered' in told
    assert "must not say that anything was done" in told


def test_only_what_was_refused_must_go(ready: Ready) -> None:
    """The operation that can be made stays; what came of it is told by us, not by the model."""
    models = ready([says("Agregué todo.", ADD_2, ADD_UNKNOWN), says("Agregué 2 leches.", ADD_2)], [DOWN])
    outcome = models.answer(ADD)
    assert outcome.decision.cart_operations == (convert(ADD_2, CartOperation),)
    assert outcome.decision.effects.cart == (MILK_ITEM,)
    assert outcome.decision.reply.splitlines()[0] == SHOP.text("cart.changed")
    assert '"product_id":4242' in models.systems()[1]
    assert '"product_id":7' not in models.systems()[1]


@pytest.mark.parametrize("second", [OBEYS, CLAIMS, ORDERS, DISCOUNTS], ids=["insists", "claims", "orders", "discounts"])
def test_a_model_that_insists_is_the_last_to_be_asked(ready: Ready, second: Answer) -> None:
    """On the operation, or on saying what is not so: the next one is paid too, and would be misled as well."""
    models = ready([OBEYS, second], [says("Agregué 2 leches.", ADD_2)])
    outcome = models.answer(ADD)
    assert (outcome.source, outcome.provider, outcome.calls) == ("fallback", None, 2)
    assert models.asked() == (2, 0)
    assert [(call.outcome, call.calls) for call in outcome.calls_made] == [("refused", 2)]


def test_the_customer_is_told_that_nothing_changed(ready: Ready) -> None:
    """The reply fits what was asked, and asks for other words, not for another try."""
    models = ready([OBEYS], [OBEYS])
    outcome = models.answer(ADD)
    assert (outcome.source, outcome.decision.intent, outcome.calls) == ("fallback", "add_to_cart", 2)
    assert UNCHANGED in outcome.decision.reply
    assert SAY_OTHERWISE in outcome.decision.reply
    assert outcome.decision.cart_operations == ()


def test_refusals_alone_call_no_person(ready: Ready) -> None:
    """A hard message that models answered, only with too much zeal, is no case for one."""
    outcome = ready([CLAIMS], [CLAIMS]).answer(HARD)
    assert outcome.source == "fallback"
    assert outcome.decision.requires_human is False
    assert UNCHANGED in outcome.decision.reply


@pytest.mark.parametrize("answers", [[DOWN], [say(200, {"choices": []})]], ids=["down", "empty"])
def test_after_a_model_that_failed_the_next_may_be_refused(ready: Ready, answers: list[Answer]) -> None:
    """A refusal is the end of it, whoever failed before: nothing changed, and nobody is called."""
    models = ready([OBEYS], answers)
    outcome = models.answer(HARD)
    assert (outcome.source, models.asked()) == ("fallback", (2, 1))
    assert outcome.decision.requires_human is False
    assert UNCHANGED in outcome.decision.reply


@pytest.mark.parametrize("repair", [DOWN, say(200, {"choices": []})], ids=["down", "empty"])
def test_a_repair_that_fails_is_a_failure_of_the_provider(ready: Ready, repair: Answer) -> None:
    """The next model gets the request as it was, and may do what was asked for."""
    models = ready([OBEYS, repair], [says("Agregué 2 leches.", ADD_2)])
    outcome = models.answer(ADD)
    assert (outcome.source, outcome.provider) == ("ai", "gpt")
    assert models.dear.seen[0].body["messages"][0]["content"][0]["text"] == models.systems()[0]


def test_a_hard_message_that_all_failed_goes_to_a_person(ready: Ready) -> None:
    """Nobody else could help."""
    outcome = ready([DOWN], [say(200, {"choices": []})]).answer(HARD)
    assert outcome.decision.requires_human is True


def test_an_easy_message_that_failed_asks_for_another_try(ready: Ready) -> None:
    """Its words were not the matter."""
    outcome = ready([DOWN], [DOWN]).answer(ADD)
    assert outcome.decision.requires_human is False
    assert TRY_AGAIN in outcome.decision.reply


def test_texts_that_mislead_models_open_no_circuit(ready: Ready, redis_client: redis.Redis) -> None:
    """Or one customer could take the models away from all."""
    models = ready([OBEYS], [OBEYS])
    for _ in range(CircuitLimits().failures_in_a_row + 1):
        assert models.answer(ADD).calls == 2
    assert failures(redis_client) == [b"0", None]


def test_unreadable_answers_still_count(ready: Ready, redis_client: redis.Redis) -> None:
    """That is the model's state, not the text's."""
    ready([say(200, {"choices": [{"message": {"content": "hola"}, "finish_reason": "stop"}]})], [DOWN]).answer(ADD)
    assert failures(redis_client) == [b"1", b"1"]


def test_no_number_of_a_refused_operation_is_logged(ready: Ready, capsys: pytest.CaptureFixture[str]) -> None:
    """A model can be talked into naming a phone number as a product."""
    stolen = says("Hecho.", {"op": "add", "product_id": 5491122334455, "quantity": 1})
    assert ready([stolen], [stolen]).answer(ADD).source == "fallback"
    logged = capsys.readouterr()
    assert "provider_failed" in logged.out + logged.err
    assert "5491122334455" not in logged.out + logged.err


def test_an_answer_for_everybody_says_nothing_of_a_cart(ready: Ready) -> None:
    """It changes none; where it says that it did, it would say so to a thousand customers."""
    models = ready([CLAIMS, says("La leche sale $ 1.850.", ADD_1)], [DOWN])
    outcome = models.answer("tenes leche?")
    assert planned(turn_of("tenes leche?"), MILK).planned().shared
    assert outcome.decision.reply == "La leche sale $ 1.850."
    assert outcome.decision.cart_operations == ()
    assert models.asked() == (2, 0)
