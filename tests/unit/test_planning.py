"""Plans of a batch: what everybody may ask is rendered once, and everybody gets what he would have got alone."""

from __future__ import annotations

from collections import defaultdict

import pytest
from turns import ANA, BRUNO, CATEGORIES, MILK, SHOP, planned, turn_of

from worker.ai.goods import USUAL_GOODS
from worker.ai.planning import with_plan
from worker.session.turn import Plan, Turn

#: One question in two words, of one complexity or of two; what leans on its conversation; a story.
TEXTS = (
    "tenes leche?",
    "Hola, me decís si tienen leche",
    "tenés algo para una picada",
    "me recomendás algo para una picada?",
    "2",
    "2",
    "mi pedido llegó sin la leche",
)


def together(*turns: Turn) -> list[Turn]:
    """The turns as one batch leaves them."""
    made: dict[str, Plan] = {}
    found = defaultdict(lambda: [MILK])
    return [with_plan(turn, SHOP, CATEGORIES, found, USUAL_GOODS, made) for turn in turns]


@pytest.mark.parametrize("first", [ANA, BRUNO])
def test_a_batch_changes_nothing_for_its_turns(first: str) -> None:
    """Request, key, complexity and products are those of the turn alone."""
    turns = [turn_of(text, first if place % 2 else ANA) for place, text in enumerate(TEXTS)]
    assert together(*turns) == [planned(turn, MILK) for turn in turns]


def test_what_everybody_may_ask_is_rendered_once() -> None:
    """And what leans on a conversation for each."""
    one, same, third, fourth = (turn.planned() for turn in together(*(turn_of(t) for t in (*TEXTS[:2], "2", "2"))))
    assert one.user is same.user
    assert third.user is not fourth.user
