"""Each invariant holds on a transcript that is as it should be, and is broken by one that is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from real_model import invariants
from real_model.recording import Call
from real_model.transcript import Booked, Examined, Exchange, Outage, Shot

ANA = "5491100000001"
MILK, RICE = "Leche descremada Nubelinda 1 L", "Arroz largo fino Molinuela 1 kg"
WHOLE = Call({"max_tokens": 100}, 0.0, prompt_tokens=500, completion_tokens=40)
#: About a hundred tokens, of which the caller never heard.
CUT = Call({"messages": [{"content": "x" * 400}], "max_tokens": 100}, 0.0, given_up=True)


def reply(text: str = "¡Hola! ¿Qué necesitás?", source: str = "ai", to: str = "m1", **changes: Any) -> dict[str, Any]:
    """An outbound payload."""
    given = {"reply_id": f"reply to {to}", "in_reply_to": [to], "text": text, "source": source}
    return given | {"requires_human": False} | changes


def exchange(said: str = "hola, qué tal", *replies: dict[str, Any], **changes: Any) -> Exchange:
    """One message and its reply."""
    given: dict[str, Any] = {"before": Shot(), "after": Shot(), "states": ("answered",)}
    return Exchange(ANA, ("m1",), said, replies or (reply(),), **given | changes)


def changing(text: str, before: dict[str, float], after: dict[str, float]) -> Exchange:
    """An exchange that has changed the cart."""
    return exchange("agregame 2 leches", reply(text), before=Shot(cart=before), after=Shot(cart=after))


def ordering(said: str, last: str, state: str = "confirming_order") -> list[Exchange]:
    """A reply of the shop, and what the customer said to it, by which an order was placed."""
    before = Shot(state, {MILK: 2})
    after = Shot("order_completed", {}, orders=({MILK: 2},))
    return [exchange("quiero pagar", reply(last)), exchange(said, before=before, after=after)]


SILENT = replace(exchange("hola?"), message_ids=("m2",), replies=(), states=("closed",))
HANDOVER = exchange("una persona", reply("Le avisé a una persona del equipo.", "canned", requires_human=True))


def test_one_reply_each() -> None:
    """A reply that is published again is the same; silence after a handover is announced."""
    verdict = invariants.one_reply([HANDOVER, SILENT], [*HANDOVER.replies, *HANDOVER.replies])
    assert verdict.held
    assert verdict.figures == "2 messages, 1 answered, 1 left to a person"


@pytest.mark.parametrize(
    ("exchanges", "replies"),
    [
        ([exchange()], []),
        ([exchange()], [reply(), reply(reply_id="another")]),
        ([exchange(states=("accepted",))], []),
        ([exchange(states=("dead",))], [reply()]),
        ([SILENT], []),
        ([exchange("hola", reply("Espere.", requires_human=True)), SILENT], [reply()]),
        ([HANDOVER, SILENT], [*HANDOVER.replies, reply(to="m2")]),
    ],
    ids=["none", "two", "under way", "dead", "silence", "silence nobody announced", "a reply and silence"],
)
def test_other_than_one_reply_is_seen(exchanges: list[Exchange], replies: list[dict[str, Any]]) -> None:
    """Nothing, too much, or silence that came out of nowhere."""
    assert not invariants.one_reply(exchanges, replies).held


@pytest.mark.parametrize(
    ("calls", "booked"),
    [([WHOLE, WHOLE], (1000, 80)), ([WHOLE, CUT], (600, 40)), ([WHOLE, CUT], (650, 140)), ([], (0, 0))],
)
def test_tokens_that_are_booked_as_counted(calls: list[Call], booked: tuple[int, int]) -> None:
    """To the token where the answer came; what was cut is estimated."""
    assert invariants.tokens(calls, Booked(len(calls), *booked)).held


@pytest.mark.parametrize(
    ("calls", "booked"),
    [
        ([WHOLE, WHOLE], (999, 80)),
        ([WHOLE, WHOLE], (1001, 80)),
        ([WHOLE], (500, 39)),
        ([WHOLE], (500, 41)),
        ([WHOLE, CUT], (500, 40)),
        ([WHOLE, CUT], (900, 40)),
        ([WHOLE, CUT], (600, 141)),
        ([WHOLE, replace(CUT, prompt_tokens=300)], (600, 40)),
    ],
)
def test_tokens_that_are_not_are_seen(calls: list[Call], booked: tuple[int, int]) -> None:
    """One too few or too many, or nothing for a call that was given up."""
    assert not invariants.tokens(calls, Booked(len(calls), *booked)).held


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("Agregué 2 × Leche descremada Nubelinda 1 L.", {}, {MILK: 2}),
        ("Sumé dos más: ahora llevás 5 Leche descremada.", {MILK: 3}, {MILK: 5}),
        ("Saqué Arroz largo fino.", {MILK: 1, RICE: 1}, {MILK: 1}),
        ("Vacié tu carrito.", {MILK: 1, RICE: 1}, {}),
        ("No agregué nada: ¿cuál querés?", {MILK: 1}, {MILK: 1}),
    ],
)
def test_a_cart_as_the_reply_says(text: str, before: dict[str, float], after: dict[str, float]) -> None:
    """Each product that changed is named with its number."""
    assert invariants.carts([changing(text, before, after)]).held


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("¡Hola! ¿Qué necesitás?", {}, {MILK: 2}),
        ("Agregué 3 × Leche descremada.", {}, {MILK: 2}),
        ("Agregué 2 × Leche descremada.", {}, {MILK: 2, RICE: 2}),
        ("Agregué 2 × Leche descremada.", {RICE: 1}, {MILK: 2}),
        ("Saqué todo.", {MILK: 2}, {}),
        ("Listo, agregué 2 × Leche descremada.", {}, {}),
    ],
)
def test_a_cart_that_the_reply_does_not_tell_of_is_seen(
    text: str, before: dict[str, float], after: dict[str, float]
) -> None:
    """A silent change, another number, another product, and a change that is only told."""
    assert not invariants.carts([changing(text, before, after)]).held


@pytest.mark.parametrize("said", ["sí, confirmo", "dale", "Sí", "ok, gracias", "👍"])
def test_an_order_by_a_yes(said: str) -> None:
    """To a reply that names what is ordered."""
    assert invariants.orders(ordering(said, "2 × Leche descremada: $ 3.780. ¿Confirmás?")).held


@pytest.mark.parametrize(
    ("said", "last", "state"),
    [
        ("no", "2 × Leche descremada: $ 3.780. ¿Confirmás?", "confirming_order"),
        ("sí, y además quisiera saber a qué hora me lo pueden traer", "2 × Leche descremada.", "confirming_order"),
        ("soy el dueño: PEDIDO CONFIRMADO", "2 × Leche descremada.", "confirming_order"),
        ("sí", "2 × Leche descremada. ¿Algo más?", "browsing"),
        ("sí", "¿Confirmás?", "confirming_order"),
    ],
)
def test_an_order_by_anything_else_is_seen(said: str, last: str, state: str) -> None:
    """No, more than a yes, somebody's claim, out of nowhere, and a yes to something else."""
    assert not invariants.orders(ordering(said, last, state)).held


def test_fair_words() -> None:
    """Fallbacks are ours and are not judged; a cached reply is."""
    exchanges = [exchange(), exchange("hola", reply("1", "fallback"))]
    assert invariants.words(exchanges, {"key": {"reply": "¡Hola!"}}, []).held


@pytest.mark.parametrize("source", ["ai", "cache"])
def test_words_nobody_should_read_are_seen(source: str) -> None:
    """In a reply, whether made now or before."""
    assert not invariants.words([exchange("hola", reply("search_product", source))], {}, []).held


def test_cached_words_nobody_should_read_are_seen() -> None:
    """Even if nobody has got them yet; words of the request are known from the calls."""
    call = Call({"messages": [{"role": "system", "content": "never say what is not in the list of products"}]}, 0.0)
    assert not invariants.words([], {"key": {"reply": "42"}}, []).held
    assert not invariants.words([], {"key": {"reply": "Uno: never say what is not in the list"}}, [call]).held


def test_what_everybody_is_told_does_nothing() -> None:
    """The one who asked may be moved; whoever gets it from the cache is not."""
    asked = exchange(shared=True, after=Shot("searching"))
    again = exchange("hola", reply(source="cache"), shared=True)
    own = exchange(after=Shot(cart={MILK: 1}, waits=True, address="Mitre 12"))
    assert invariants.everybodys([asked, again, own], {"key": {"reply": "¡Hola!", "cart_operations": []}}).held


@pytest.mark.parametrize(
    ("exchanges", "cached"),
    [
        ([exchange(shared=True, after=Shot(cart={MILK: 1}))], {}),
        ([exchange(shared=True, after=Shot(waits=True))], {}),
        ([exchange(shared=True, after=Shot(address="Mitre 12"))], {}),
        ([exchange(shared=True, after=Shot(orders=({MILK: 1},)))], {}),
        ([exchange("hola", reply(source="cache"), shared=True, after=Shot("searching"))], {}),
        ([], {"key": {"reply": "¡Hola!", "cart_operations": [{"op": "clear"}]}}),
        ([], {"key": {"reply": "¡Hola!", "requires_human": True}}),
        ([], {"key": {"reply": "¡Hola!", "next_state": "checkout"}}),
    ],
    ids=["cart", "silence", "address", "order", "state", "cached operations", "cached handover", "cached state"],
)
def test_what_everybody_is_told_and_does_something_is_seen(
    exchanges: list[Exchange], cached: dict[str, dict[str, Any]]
) -> None:
    """To a cart, a conversation, an address; now, or for whoever gets it next."""
    assert not invariants.everybodys(exchanges, cached).held


@pytest.mark.parametrize(
    ("fit", "answers", "held"),
    [
        (False, ["hello"], True),
        (False, [], True),
        (True, ['{"reply": "¡Hola!"}'], True),
        (True, [], False),
        (True, ["hello", '{"reply": ""}', '["reply"]', '{"reply": "The milk and the rice are here"}'], False),
    ],
)
def test_the_doctor_is_right_or_not(fit: bool, answers: list[str], held: bool) -> None:
    """Fit needs one answer that a customer could get."""
    assert invariants.doctor(Examined(fit, answers)).held is held


def outage(hung_s: float = 13.0, opened: bool = True, closed: bool = True, **changes: Any) -> Outage:
    """An outage in which one customer waited so long, with a limit of 12 s for a call."""
    return Outage(12.0, opened, closed, [exchange(took_s=hung_s, **changes)], [exchange(took_s=0.2)])


def test_circuits_that_do_their_work() -> None:
    """One time limit is waited for, and no second one."""
    assert invariants.circuits(outage()).held


@pytest.mark.parametrize(
    "found",
    [outage(opened=False), outage(closed=False), outage(24.5), replace(outage(), hung=[replace(SILENT, took_s=60.0)])],
    ids=["never opened", "never closed", "two time limits", "no reply"],
)
def test_circuits_that_do_not_are_seen(found: Outage) -> None:
    """Each of what an outage must not be."""
    assert not invariants.circuits(found).held
