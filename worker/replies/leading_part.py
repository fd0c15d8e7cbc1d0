"""Leading part of a turn that mixes taps or carts with words for a model: what a tap does is never left to a model."""

from itertools import takewhile

from msgspec.structs import replace

from worker.replies.acts import acts_of, whole_acts
from worker.session.handover import BUTTON as PERSON
from worker.session.turn import Turn
from worker.session.turn_message import TurnMessage


def leading_part(turn: Turn) -> Turn:
    """The turn, or where a model would have to read taps in it, its first messages that are all taps and carts, or are
    none. The commit that ends it claims the others: they are answered next, in their order.
    """
    whole = [message for message in turn.messages if _is_whole(message)]
    if len(turn.messages) < 2 or not whole or acts_of(turn):
        return turn
    if all(message.selection_id == PERSON for message in whole):
        return turn  # Whoever calls a person is handed over at once, with all that was said.
    first = _is_whole(turn.messages[0])
    part = _with(turn, tuple(takewhile(lambda message: _is_whole(message) == first, turn.messages)))
    # Several taps that cannot be done at once are done one after the other.
    return part if not first or acts_of(part) else _with(turn, turn.messages[:1])


def _is_whole(message: TurnMessage) -> bool:
    """Returns whether a message says all that it means by itself: a tap that we know, a cart of the catalogue."""
    return bool(whole_acts(message))


def _with(turn: Turn, messages: tuple[TurnMessage, ...]) -> Turn:
    return turn if len(messages) == len(turn.messages) else replace(turn, messages=messages)
