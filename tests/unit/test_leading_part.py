"""Leading part of a turn: taps and carts in a burst do what they say, whatever is written around them."""

from __future__ import annotations

import pytest
from helpers.conversations import Conversation, cart_of, tap
from helpers.turns import MILK_ITEM, message

from worker.replies.acts import leading_part
from worker.session.turn_message import TurnMessage

WORDS = "y qué me aconsejás para la merienda?"
ADD, UNDO, PERSON = tap("add:ALM-8", number=2), tap("undo:v9", number=3), tap("human", number=3)


def part_of(*given: TurnMessage | str) -> int:
    """How many of the messages are answered first."""
    talk = Conversation(cart=(MILK_ITEM,))
    return len(leading_part(talk.turn(*given)).messages)


@pytest.mark.parametrize(
    ("given", "first"),
    [
        ((WORDS, ADD), 1),
        ((WORDS, "perdón, para la cena", ADD), 2),
        ((ADD, WORDS), 1),
        ((ADD, tap("add:LAC-7"), WORDS), 2),
        ((cart_of(("LAC-7", 2)), WORDS), 1),
        ((message(None, type="audio"), cart_of(("LAC-7", 2)), WORDS), 1),
        ((ADD, UNDO), 1),
        ((tap("confirm:v1"), tap("change"), WORDS), 1),
        ((ADD, PERSON), 1),
        ((WORDS, ADD, PERSON), 1),
    ],
)
def test_taps_and_words_are_answered_apart(given: tuple[TurnMessage | str, ...], first: int) -> None:
    """In their order; taps that cannot be done together are done one by one."""
    assert part_of(*given) == first


@pytest.mark.parametrize(
    "given",
    [
        (ADD,),
        (WORDS, "para la cena"),
        (ADD, tap("add:LAC-7")),
        (ADD, tap("view_cart")),
        (WORDS, PERSON),
        (WORDS, tap("menu", "Ver el menú")),
        (WORDS, cart_of(("LAC-7", 2), note="y agregá un arroz")),
    ],
)
def test_what_belongs_together_stays(given: tuple[TurnMessage | str, ...]) -> None:
    """Words alone, acts that go together, a tap that is no act of ours, a call for a person."""
    assert part_of(*given) == len(given)


def test_a_tap_beside_words_is_done() -> None:
    """By its id, not by a model that reads its title."""
    talk = Conversation(cart=(MILK_ITEM,))
    assert talk.act(ADD, WORDS) is None
    talk.done(*leading_part(talk.turn(ADD, WORDS)).messages)
    assert talk.quantities == {"LAC-7": "2", "ALM-8": "1"}
