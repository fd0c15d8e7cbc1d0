"""What a model answers, read without trust."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import orjson
import pytest
from helpers.turns import decision_of
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import convert, to_builtins

from worker.replies.decision import InvalidDecision, RefusedChange, parse_decision
from worker.session.outcome import Decision

OFFERED = frozenset({7, 8})


def stored(decision: Decision) -> dict[str, Any]:
    """The decision as JSON."""
    return dict(orjson.loads(orjson.dumps(to_builtins(decision))))


def parsed(**changes: Any) -> Decision:
    """The decision read from a model's text that has these changes."""
    return parse_decision(json.dumps(decision_of(**changes)), OFFERED)


def test_a_complete_answer_is_taken_as_it_is() -> None:
    """Every field of the schema comes through."""
    given_fields = {
        "intent": "add_to_cart",
        "confidence": 0.8,
        "entities": {"product": "leche", "quantity": 2, "big": 1.5, "sure": True, "none": None},
        "reply": "Agregué 2 leches.",
        "quick_replies": [{"id": "view_cart", "title": "Ver carrito"}],
        "requires_human": True,
        "next_state": "adding_to_cart",
        "cart_operations": [{"op": "add", "product_id": 7, "quantity": 2}],
    }
    operation = {"op": "add", "product_id": 7, "quantity": "2"}
    ours = {"choices": None, "effects": {}, "human_reason": ""}
    assert stored(parsed(**given_fields)) == given_fields | ours | {"cart_operations": [operation]}


@pytest.mark.parametrize("frame", ["{}", "```json\n{}\n```", "```\n{}\n```", "  \n{}\n ", "\n```json\n{}```"])
def test_code_fences_and_space_are_taken_off(frame: str) -> None:
    """Models like to wrap what they answer."""
    text = frame.replace("{}", json.dumps(decision_of(reply="Hola")))
    assert parse_decision(text, OFFERED).reply == "Hola"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '"hola"',
        "Claro, acá va:",
        "{",
        "```",
        "```json\n```",
        "{}",
        '{"intent": "greeting"}',
        "\ud800",
    ],
)
def test_what_is_no_decision_is_refused(text: str) -> None:
    """Prose, other JSON and halves of an answer; a reply is the one thing that must be there."""
    with pytest.raises(InvalidDecision):
        parse_decision(text, OFFERED)


@pytest.mark.parametrize("reply", ["", "   ", "\n", 7, None, ["hola"], {"text": "hola"}])
def test_a_reply_that_cannot_be_sent_is_refused(reply: object) -> None:
    """Blank, or not a text."""
    with pytest.raises(InvalidDecision, match="reply"):
        parsed(reply=reply)


def test_the_longest_reply_is_taken() -> None:
    """Exactly WhatsApp's limit."""
    assert len(parsed(reply="x" * 4096).reply) == 4096


@pytest.mark.parametrize("sentence", ["Tenemos leche entera. ", "Leche\n", "x"])
def test_a_reply_that_is_too_long_is_cut(sentence: str) -> None:
    """At the end of a sentence where there is one: another call would cost more than the words it brings."""
    reply = parsed(reply=sentence * 1_000 + "x" * 4_096).reply
    assert 3_900 < len(reply) <= 4096
    assert reply.startswith(sentence.strip())
    assert reply.rstrip("…").endswith(sentence.strip())


def test_nul_becomes_the_replacement_character() -> None:
    """PostgreSQL's jsonb refuses NUL, in keys and values alike."""
    decision = parsed(reply="ho\0la", entities={"a\0": "b\0"}, quick_replies=[{"id": "x\0", "title": "y\0"}])
    assert "\\u0000" not in json.dumps(stored(decision))
    assert decision.reply == "ho\ufffdla"


@pytest.mark.parametrize("escape", [r"\ud800", r"\udc00", r"\ud800\ud800", r"\udfff x"])
def test_lone_surrogates_are_replaced(escape: str) -> None:
    """They are no text, and PostgreSQL refuses them; a proper pair is an emoji."""
    text = json.dumps(decision_of(reply="hola @")).replace("@", escape)
    reply = parse_decision(text, OFFERED).reply
    assert reply.startswith("hola \ufffd")
    assert reply.encode()
    whole = json.dumps(decision_of(reply="hola @")).replace("@", r"\ud83d\ude00")
    assert parse_decision(whole, OFFERED).reply == "hola 😀"


@pytest.mark.parametrize(
    "operations",
    [
        [{"op": "add", "product_id": 9, "quantity": 1}],
        [{"op": "add", "product_id": None, "quantity": 1}],
        [{"op": "add", "quantity": 1}],
        [{"op": "set", "product_id": 9, "quantity": 1}],
        [{"op": "remove", "product_id": 9}],
        [{"op": "remove"}],
        [{"op": "add", "product_id": 7, "quantity": 1}, {"op": "remove", "product_id": 9}],
    ],
)
def test_a_product_that_was_not_offered_is_refused(operations: list[dict[str, object]]) -> None:
    """A guessed id would sell something else; one bad operation refuses the whole answer."""
    with pytest.raises(InvalidDecision, match="not offered"):
        parsed(cart_operations=operations)


@pytest.mark.parametrize("op", ["add", "set"])
@pytest.mark.parametrize("quantity", [None, 0, -1, 2**53 + 1, "dos", 0.0004, 1e400])
def test_a_quantity_that_does_not_fit_is_refused(op: str, quantity: object) -> None:
    """Missing, none, negative, no number a computer keeps, a word, less than a gram, endless."""
    with pytest.raises(InvalidDecision):
        parsed(cart_operations=[{"op": op, "product_id": 7, "quantity": quantity}])


@pytest.mark.parametrize("op", ["add", "set"])
def test_more_than_a_cart_may_hold_is_no_mistake_of_the_models(op: str) -> None:
    """Where a customer wants a hundred, `cart_changes` tells what is the most."""
    (change,) = parsed(cart_operations=[{"op": op, "product_id": 7, "quantity": 100}]).cart_operations
    assert change.quantity == 100


@pytest.mark.parametrize(("quantity", "kept"), [(0.5, "0.5"), (0.35, "0.35"), ("1.25", "1.25"), (1.5, "1.5")])
def test_a_fraction_is_exact(quantity: object, kept: str) -> None:
    """Of what is weighed; whether a product is, `cart_changes` knows."""
    (change,) = parsed(cart_operations=[{"op": "add", "product_id": 7, "quantity": quantity}]).cart_operations
    assert change.quantity == Decimal(kept)


def test_the_model_is_told_numbers_and_the_log_none() -> None:
    """A refusal names what was refused, for the model alone: it may hold a telephone number it was talked into."""
    phone = 5491122334455
    with pytest.raises(RefusedChange) as caught:
        parsed(cart_operations=[{"op": "add", "product_id": phone, "quantity": 1.5}, {"op": "clear"}])
    assert caught.value.told == f'{{"op":"add","product_id":{phone},"quantity":1.5}}: product was not offered'
    assert not any(character.isdigit() for character in str(caught.value))


def test_an_operation_that_is_none_is_no_refusal() -> None:
    """A model that does not keep to the schema has not understood it."""
    with pytest.raises(InvalidDecision) as caught:
        parsed(cart_operations=[{"op": "steal"}])
    assert not isinstance(caught.value, RefusedChange)


def test_removing_and_clearing_need_no_quantity() -> None:
    """And clearing needs no product."""
    decision = parsed(cart_operations=[{"op": "remove", "product_id": 8}, {"op": "clear"}])
    assert [change.op for change in decision.cart_operations] == ["remove", "clear"]


@pytest.mark.parametrize("operations", ["clear", {"op": "clear"}, [{"op": "steal"}], [7], [{"op": "clear"}] * 21])
def test_cart_operations_of_another_form_are_refused(operations: object) -> None:
    """Nothing about a cart is guessed."""
    with pytest.raises(InvalidDecision):
        parsed(cart_operations=operations)


@pytest.mark.parametrize(
    ("given_value", "kept"), [(1.7, 1.0), (-3, 0.0), (10**400, 1.0), (float("inf"), 1.0), (float("nan"), 0.0)]
)
def test_a_confidence_out_of_bounds_is_clamped(given_value: float, kept: float) -> None:
    """Between 0 and 1, whatever number it is."""
    assert parsed(confidence=given_value).confidence == kept


def test_entities_that_json_and_postgresql_cannot_hold_are_left_out() -> None:
    """A customer number of thirty digits must not break the batch it is in."""
    bad = {"a": 10**30, "b": float("nan"), "c": float("inf"), "d": -(10**400), "e": [1], "f": {"x": 1}}
    decision = parsed(entities=bad | {"fits": 2**53, "price": 0.5})
    assert decision.entities == {"fits": 2**53, "price": 0.5}
    assert stored(decision)["entities"] == decision.entities


def test_an_error_names_the_field_and_never_its_value() -> None:
    """What a model wrote may be what a customer wrote."""
    with pytest.raises(InvalidDecision) as caught:
        parsed(requires_human="5491122334455", entities={"5491122334455": [1]})
    assert str(caught.value) == "requires_human: bool_parsing"


def test_deep_nesting_is_refused() -> None:
    """A hostile answer costs an error, not a stack."""
    with pytest.raises(InvalidDecision):
        parse_decision('{"reply": "x", "entities": ' + "[" * 100_000 + "]" * 100_000 + "}", OFFERED)


@pytest.mark.parametrize(
    "name", ["confidence", "entities", "quick_replies", "requires_human", "next_state", "cart_operations"]
)
def test_null_stands_for_what_was_left_out(name: str) -> None:
    """Models that must name every field write null where they have nothing to say."""
    without = {key: value for key, value in decision_of().items() if key != name}
    assert parsed(**{name: None}) == parse_decision(json.dumps(without), OFFERED)


@pytest.mark.parametrize("form", [str.upper, str.title, " {} ".format])
def test_names_are_taken_in_any_letter_case(form: Any) -> None:
    """A model's capitals change nothing."""
    change = {"op": form("add"), "product_id": 7, "quantity": 2}
    decision = parsed(intent=form("add_to_cart"), next_state=form("viewing_cart"), cart_operations=[change])
    assert (decision.intent, decision.next_state) == ("add_to_cart", "viewing_cart")
    assert decision.cart_operations[0].op == "add"


@pytest.mark.parametrize(
    "around",
    [
        "Here is the JSON:\n{}\nAnything else?",
        '<think>The customer greets. {{"reply": "no"}}</think>\n{}',
        "<THINKING>hm</THINKING>{}",
        "```json\n{}\n```",
        "```\n{}```",
        "\ufeff{}",
        "{{not this}} {}",
        '{{"plan": "greet"}}\n{}',
        '{}\n{{"note": 1}}',
    ],
)
def test_words_and_thoughts_around_the_object_are_left_out(around: str) -> None:
    """Reading what stands there is cheaper than asking again."""
    assert parse_decision(around.format(json.dumps(decision_of(reply="¡Hola!"))), OFFERED).reply == "¡Hola!"


def test_of_two_decisions_the_last_counts() -> None:
    """A draft may come before it."""
    draft, final = (json.dumps(decision_of(reply=reply)) for reply in ("Borrador", "Final"))
    assert parse_decision(f"{draft}\n{final}", OFFERED).reply == "Final"


@pytest.mark.parametrize("text", ["<think>" + json.dumps(decision_of()), "{" * 100_000, '{"a":' * 50_000])
def test_what_never_comes_to_an_answer_is_refused(text: str) -> None:
    """Thoughts without an end, and braces without one."""
    with pytest.raises(InvalidDecision):
        parse_decision(text, OFFERED)


def test_an_echoed_request_is_no_reply() -> None:
    """It has a `message`, which is none of the reply's names."""
    with pytest.raises(InvalidDecision, match="reply"):
        parse_decision(json.dumps({"products": [], "message": "hola"}), OFFERED)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.dictionaries(st.sampled_from(sorted(decision_of())), JSON, max_size=8))
def test_any_answer_is_refused_or_fits_the_contract(fields: dict[str, Any]) -> None:
    """Whatever stands in the fields, what is taken can be stored, sent and cached."""
    try:
        decision = parse_decision(json.dumps(fields), OFFERED)
    except InvalidDecision:
        return
    assert 1 <= len(decision.reply) <= 4096
    assert 0 <= decision.confidence <= 1
    assert len(decision.quick_replies) <= 3
    assert {change.product_id for change in decision.cart_operations if change.op != "clear"} <= OFFERED
    assert convert(stored(decision), Decision) == decision


def test_an_id_that_no_json_holds_is_refused() -> None:
    """Even beside `clear`, which looks at no id: it would fail the whole batch where it is written."""
    operation = {"op": "clear", "product_id": 10**20}
    answer = json.dumps(decision_of(cart_operations=[operation]), default=to_builtins)
    with pytest.raises(InvalidDecision):
        parse_decision(answer, {7})
