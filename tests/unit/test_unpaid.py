"""What the replay tells of messages that nobody was paid for."""

from __future__ import annotations

from dataclasses import replace

from bench.unpaid import CHANGED, FIRST, SPREAD, ceilings, why_paid
from bench.verdict import Answer, Replied, price_list, wrong
from bench.workload import Kind, Message

from worker.language.product_words import product_words_of

WORDS = product_words_of(("Leche entera",), ("Lácteos",))
MILK = {"name": "Leche entera", "brand": "", "format": "1 L", "category": "Lácteos", "price": "1850", "currency": "ARS"}


def asks(number: int, text: str, kind: Kind = "product", topic: str = "leche") -> Message:
    """A message without noise."""
    return Message(number, "ana", "Ana", kind, text, kind, frozenset({topic}), frozenset({topic}))


DAY = (
    asks(1, "tenés leche?"),
    asks(2, "hay leche?"),
    asks(3, "sí", "answer", "si"),
    asks(4, "vivo en Mitre 123", "story", "mitre"),
    asks(5, "tenés pan?", topic="pan"),
)


def test_the_most_that_can_be_answered_for_nothing() -> None:
    """What was asked before; and bare answers, where the shop answers them itself."""
    assert ceilings(DAY, ()) == {"cache": 20.0, "with_plain_answers": 40.0}
    assert ceilings(DAY, DAY[:1]) == {"cache": 40.0, "with_plain_answers": 60.0}


def test_why_a_message_was_paid_for() -> None:
    """By kind: the first of its meaning, another form of it, the same form, or not shared."""
    sources = ("ai", "ai", "canned", "ai", "cache")
    replies = [
        Replied(message, Answer("ana", "x", source, None, None, None), "s")
        for message, source in zip(DAY, sources, strict=True)
    ]
    assert why_paid(replies, DAY, WORDS) == {
        f"product: {FIRST}": 1,
        f"product: {CHANGED}": 1,
        "story: not shared (unknown)": 1,
    }
    again = replace(replies[0], message=asks(6, "precio de leche descremada"))
    assert why_paid([*replies, again], [again.message], WORDS) == {f"product: {SPREAD}": 1}


def test_our_own_words_are_judged_by_the_price_list() -> None:
    """However the currency is written, and where a name is cut off; another price is wrong, and another thing."""
    sold = price_list([MILK])
    for text, reason in (
        ("Esto encontré:\n1. Leche entera 1 L: ARS 1.850,00", None),
        ("Esto encontré:\n1. Leche ent…: ARS 1.850,00", None),
        ("Esto encontré:\n1. Leche entera 1 L: ARS 1.950,00", "names a product or a price the shop does not have"),
    ):
        told = Replied(DAY[0], Answer("ana", text, "cache", None, None, None), "s")
        assert wrong(told, DAY[1], sold) == reason
    bread = Replied(DAY[4], Answer("ana", "1. Leche entera 1 L: ARS 1.850,00", "cache", None, None, None), "s")
    assert wrong(bread, DAY[4], sold) == "names products nobody asked for"
