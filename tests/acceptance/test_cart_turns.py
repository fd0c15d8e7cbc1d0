"""Labelled cart turns through the whole service, with a model that proposes exactly what is labelled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from helpers.basics import Servers
from helpers.cart_player import Player, play_all, shop_of
from helpers.cart_turns import TURNS, CartTurn, Played, read_turns
from sqlalchemy import Engine

#: Of the order lines so many end with the right cart, and in no more the product is not in the request.
LEAST_RIGHT, MOST_NOT_OFFERED = 0.97, 0.03

pytestmark = pytest.mark.skipif(not TURNS.exists(), reason="the shared test data is not here")


@pytest.fixture(scope="module")
def turns() -> list[CartTurn]:
    """All lines."""
    return read_turns()


@pytest.fixture
def player(servers: Servers, engine: Engine, turns: list[CartTurn]) -> Iterator[Player]:
    """The service on an empty database with what the lines name."""
    with shop_of(servers, servers.directory, turns) as player:
        yield player


def told(played: list[Played]) -> list[tuple[str, str]]:
    """Lines that are not right, and why."""
    return [(each.turn.id, each.outcome) for each in played if each.outcome != "right"]


def test_a_line_of_each_kind(player: Player, turns: list[CartTurn]) -> None:
    """The first line of each kind without fractions is played: what is offered and not refused is in the cart, and
    where nothing may change nothing does.
    """
    firsts = {turn.kind: turn for turn in reversed(turns) if not turn.has_fractions}
    played = play_all(player, firsts.values())
    assert len(played) > 20
    assert [each for each in played if each.outcome == "wrong"] == []
    assert all(each.is_right for each in played if not each.turn.expected), told(played)


@pytest.mark.long
def test_all_lines(player: Player, turns: list[CartTurn]) -> None:
    """So many order lines end with the right cart; where nothing may change, nothing does."""
    played = play_all(player, turns)
    orders = [each for each in played if each.turn.expected]
    assert told([each for each in played if not each.turn.expected]) == []
    assert sum(each.is_right for each in orders) >= LEAST_RIGHT * len(orders), told(orders)
    missing = [each for each in orders if each.missing]
    assert len(missing) <= MOST_NOT_OFFERED * len(orders), told(orders)


@pytest.mark.long
def test_what_a_careless_model_adds_is_told_and_undone(player: Player, turns: list[CartTurn]) -> None:
    """Where nothing may change, and a model adds something all the same, the reply names it and one tap undoes it."""
    played = [player.play_careless(turn) for turn in turns if not turn.expected]
    assert [(each.turn.id, each.outcome) for each in played if each.outcome in ("unsaid", "stuck")] == []
    assert sum(each.outcome == "told" for each in played) > len(played) / 2
