"""A written yes waits for its customer to be quiet before it places an order, since the sentence may go on.

The steps of the chain are called directly.
"""

from __future__ import annotations

from typing import Any

import pytest
from helpers.checkouts import summed_up
from helpers.factories import ANA, accept, answer, inbound, session_row
from helpers.turns import turn_from_dict
from sqlalchemy import Connection
from test_locked_customers import Road
from test_quiet import QUIET_S, pass_time, road, route, waiting

from worker import steps
from worker.session.turn import Turn

__all__ = ("road",)


@pytest.fixture
def version(road: Road, connection: Connection) -> str:
    """Of the summary that the customer has just read."""
    talk = summed_up(road.services.shop)
    stored: dict[str, Any] = talk.session.row()
    answer(connection, "m0", session=session_row(**{name: stored[name] for name in KEPT}))
    return talk.session.context.version


KEPT = ("session_state", "cart_data", "context_data")


def written(connection: Connection, said: str, number: int = 1, **changes: Any) -> list[Turn]:
    """The turn that a message begins, if it does."""
    return [turn_from_dict(turn) for turn in accept(connection, inbound(f"y{number}", text=said, **changes))]


@pytest.mark.parametrize(
    ("parts", "orders"),
    [
        (["sí"], 1),
        (["sí", "gracias"], 1),
        (["dale", "👍", "gracias veci"], 1),
        (["sí", "pero sacá el pan"], 0),
        (["sí", "esperá"], 0),
        (["ok", "cuánto era el envío?"], 0),
        (["sí", "no"], 0),
        (["mmm", "sí"], 0),
    ],
)
@pytest.mark.usefixtures("version")
def test_a_yes_counts_with_all_that_follows_at_once(
    road: Road, connection: Connection, parts: list[str], orders: int
) -> None:
    """Thanks leave it a yes; anything else makes it none."""
    assert route(road, written(connection, parts[0])) == ([], [])
    assert waiting(connection) == {ANA}
    for number, part in enumerate(parts[1:], 2):
        assert written(connection, part, number) == []
    pass_time(connection, QUIET_S + 1)
    answered, missed = route(road, road.take(1))
    placed = [order for turn in answered for order in turn.decided().decision.effects.orders]
    assert (len(placed), len(missed)) == (orders, 1 - orders)


def test_a_tap_places_the_order_at_once(road: Road, connection: Connection, version: str) -> None:
    """It is whole."""
    turns = written(connection, "Confirmar", selection_id=f"confirm:{version}", type="interactive")
    (turn,), _ = route(road, turns)
    assert len(turn.decided().decision.effects.orders) == 1
    assert waiting(connection) == set()


@pytest.mark.usefixtures("version")
def test_a_no_goes_at_once(road: Road, connection: Connection) -> None:
    """Nothing is done that what follows could take back."""
    (turn,), _ = route(road, written(connection, "no"))
    assert turn.decided().decision.effects.orders == ()
    assert waiting(connection) == set()


def test_a_tap_among_words_is_done_apart(road: Road, connection: Connection) -> None:
    """The commit that ends its turn claims the words behind it."""
    messages = [
        inbound("t1", text="Agregar", selection_id="view_cart", type="interactive"),
        inbound("t2", text="y qué me aconsejás para la merienda?"),
    ]
    (turn,), missed = route(road, [turn_from_dict(turn) for turn in accept(connection, *messages)])
    assert ([message.message_id for message in turn.messages], missed) == (["t1"], [])
    closed = steps.update_session.run(road.services, [turn])
    assert [done.committed for done in closed.turns] == [True]
    (following,) = map(turn_from_dict, closed.next_turns)
    assert [message.message_id for message in following.messages] == ["t2"]
