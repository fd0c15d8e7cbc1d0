"""Acts: what a customer does that has one meaning and needs no model. A tapped button or row, the number of a row, a
plain yes or no, an answer to our open question, a cart of the catalogue. Pure: no I/O.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import takewhile

from msgspec import Struct
from msgspec.structs import replace

from worker.language.answers import (
    NO,
    YES,
    asks,
    goes_on,
    may_decline,
    named_button,
    row_number,
    way_of_delivery,
    yes_or_no,
)
from worker.language.lexicon import asks_for_menu, is_small_talk
from worker.language.normalise import normalised
from worker.language.topics import is_address, speaks_of_goods
from worker.messages.reply import MAX_ROWS
from worker.replies.buttons import CART_VERBS, VERBS
from worker.replies.open_question import (
    AGAIN,
    HOW_MANY,
    NOTHING,
    OWN_HOW_MANY,
    OWN_WHICH,
    WHAT,
    WHICH,
    asks_how_many,
    bare_answer,
    count_in,
    points,
    points_among,
    points_at_both,
    row_in,
    still_open,
    thanks,
    without_slips,
)
from worker.session.handover import BUTTON as PERSON
from worker.session.session import Context, Exchange, Session
from worker.session.turn import Turn
from worker.session.turn_message import TurnMessage

LOCATION = "location"
#: A message that comes so much later than by its own time was written before what we have said meanwhile; less may be
#: the difference of two clocks. What is older than Meta tries to deliver has a time that cannot be true.
LATE_S, OLDEST_S = 600, 7 * 86_400
#: Types of messages whose text is an answer; the caption of a photo speaks of the photo.
TYPED = frozenset({"text", "button", LOCATION})
#: Acts that may stand beside a change of the cart: what they say is still so after it.
BESIDE_CART = frozenset({"note", "checkout", "confirm", "view_cart"})
#: Pieces of the product that was shown: none of one that is weighed.
PIECES_VERB = "add_pieces"
CHANGING = CART_VERBS | {PIECES_VERB}
_QUESTION = re.compile(r"[^.!?]*\?")
_QUANTITY = re.compile(r"(?=.*[1-9])[0-9]{1,4}(?:\.[0-9]{1,3})?")


class Act(Struct, frozen=True):
    """Something a customer does that has one meaning: a verb, and what it is done to."""

    verb: str
    object: str = ""
    quantity: str = ""


def acts_of(turn: Turn) -> tuple[Act, ...]:
    """The acts that a turn consists of; none where a model must read any part of it."""
    context = turn.fetched().context
    found = [_acts(message, context, read=_has_read(turn, message)) for message in turn.messages]
    if not all(found):
        return _in_parts(turn) or _to_open_question(turn)
    acts = [act for some in found for act in some]
    cart_acts = [act for act in acts if act.verb in CART_VERBS]
    others = list(dict.fromkeys(act for act in acts if act.verb not in CART_VERBS))
    # Two different answers at once say nothing plainly.
    is_plain = len(others) <= 1 and (not cart_acts or BESIDE_CART.issuperset(act.verb for act in others))
    return (*cart_acts, *others) if is_plain else ()


def _in_parts(turn: Turn) -> tuple[Act, ...]:
    """The act of one answer that was written in several messages ("sí", "gracias"); none where a part is more."""
    plain = all(message.type == "text" and message.text and not message.quoted for message in turn.messages)
    if len(turn.messages) < 2 or not plain:
        return ()
    whole = replace(turn.messages[-1], text=" ".join(str(message.text) for message in turn.messages))
    return _acts(whole, turn.fetched().context, read=all(_has_read(turn, message) for message in turn.messages))


def _to_open_question(turn: Turn) -> tuple[Act, ...]:
    """A bare answer to what the last reply has asked; none where a model must read it, and where it was written before
    that reply was there.
    """
    context, (message, *others) = turn.fetched().context, turn.messages
    if others or turn.waited or turn.swept or message.quoted or message.type != "text":
        return ()
    left = still_open(context)
    if message.product or message.advertisement or not left:
        return ()
    text = message.text or ""
    act = _bare(left, turn.fetched(), text) or _bare(left, turn.fetched(), without_slips(text))
    # While the checkout has a question of its own, only the pieces that the last reply has asked for are an answer.
    return (act,) if act and (not context.asking or act.verb == PIECES_VERB) else ()


def _bare(left: str, session: Session, text: str) -> Act | None:
    """A yes where several were shown, a number that is none of theirs, and what points at nothing are asked about: they
    change nothing.
    """
    context = session.context
    answer = bare_answer(text)
    again = AGAIN.get(left, left)
    if answer and thanks(text):
        return Act("leave" if answer == NO else "welcome")
    if answer:
        return None if left == NOTHING else Act("leave" if answer == NO else f"ask_{again}")
    if again == WHICH:
        return _of_several(context.shown, text, own=left == OWN_WHICH)
    if again == HOW_MANY and len(context.shown) == 1:
        return _of_one(context.shown[0], text, own=left == OWN_HOW_MANY)
    return Act("ask_what") if left == WHAT and points_among(text) and _has_shown_nothing(session) else None


def _of_several(shown: Sequence[str], text: str, *, own: bool) -> Act | None:
    """A row of a list, or the question which. own: it is our own, which points at none of its rows; where a reply tells
    of one, a model must see whether that is meant.
    """
    row = row_in(text)
    if row is not None and 0 < row <= len(shown):
        return Act("add", shown[row - 1], "1")
    both = len(shown) == 2 and points_at_both(text)
    open_which = not both and points_among(text) if own else row is None and count_in(text)
    return Act("ask_which") if open_which else None


def _of_one(sku: str, text: str, *, own: bool) -> Act | None:
    """So many pieces of the only product, or the question how many. "The first" and "that one" leave it open; where our
    own list has no second row, it is asked what is wanted instead, and elsewhere another row, or 24 pieces, are for a
    model.
    """
    row, count = row_in(text), count_in(text)
    if count:
        return Act(PIECES_VERB, sku, str(count))
    if row in (1, None) and points(text):
        return Act("ask_how_many")
    return Act("ask_what") if own and row is not None and row <= MAX_ROWS else None


def _has_shown_nothing(session: Session) -> bool:
    """Returns whether there is nothing to point at: the last reply told the sections of the shop, or all of this
    conversation are greetings and our question.
    """
    context = session.context
    if session.cart:
        return False
    if _tells_sections(context.history[-1]):
        return True
    return not context.shown and not context.terms and all(map(_is_greeting, context.history))


def _tells_sections(exchange: Exchange) -> bool:
    """Returns whether an exchange is the menu, and what has no figure."""
    return asks_for_menu(normalised(exchange.customer)) and not any(map(str.isdecimal, exchange.reply))


def _is_greeting(exchange: Exchange) -> bool:
    told = (exchange.customer, _QUESTION.sub(" ", exchange.reply))
    return all(is_small_talk(normalised(text)) for text in told)


def _has_read(turn: Turn, message: TurnMessage) -> bool:
    """Returns whether the customer may have read our last summary before writing a message. What the sweep brings has
    been here for a while: its time alone tells.
    """
    early_s = turn.fetched().context.summed_at_s - message.sent_at_s
    return not turn.waited and not (0 if turn.swept else LATE_S) < early_s <= OLDEST_S


def _acts(message: TurnMessage, context: Context, *, read: bool) -> tuple[Act, ...]:
    """The acts of one message; none where a model must read it.

    Args:
        read: the customer may have read our last reply before writing it.
    """
    if message.order or message.selection_id:
        return whole_acts(message)
    act = _quoting(message, context) if message.text and message.type in TYPED else None
    if act and act.verb == "confirm" and context.asking == "confirm" and not read:
        # Nobody agrees to a summary that was not there yet: it is shown, and asked about again.
        act = Act("checkout")
    return (act,) if act else ()


def whole_acts(message: TurnMessage) -> tuple[Act, ...]:
    """The acts of a tap or of a cart of the catalogue, which mean the same whatever stands around them; none where a
    model must read it, and of any other message.
    """
    if message.order:
        items = tuple(Act("order", item.sku.strip(), str(item.quantity)) for item in message.order.items)
        note = message.order.note
        return () if note and speaks_of_goods(note) else items + ((Act("note", note),) if note else ())
    return _tapped(message.selection_id) if message.selection_id else ()


def _tapped(action: str) -> tuple[Act, ...]:
    verb, _, rest = action.partition(":")
    if verb in ("add", "remove") and rest:
        return (Act(verb, rest, "1"),)
    sku, _, count = rest.rpartition(":")
    if verb == "qty" and sku and _QUANTITY.fullmatch(count):
        return (Act(verb, sku, count),)
    return (Act(verb, rest),) if VERBS.get(verb) is bool(rest) else ()


def _quoting(message: TurnMessage, context: Context) -> Act | None:
    """The act of a written message, which may quote another one: a row's number is then one of that list, and a yes
    agrees to our summary of this very cart only where that is quoted.
    """
    if (quoted := message.quoted) is None:
        return _written(message, context)
    if row := row_number(message.text or ""):
        return Act("add", quoted.skus[row - 1], "1") if row <= len(quoted.skus) else None
    agreed = {"confirm": f"confirm:{context.version}", "ordered": f"confirm:{context.ordered}"}.get(context.asking)
    return _written(message, context) if agreed is None or agreed in quoted.actions else None


def _written(message: TurnMessage, context: Context) -> Act | None:
    text = message.text or ""
    if context.asking == "address" and (message.type == LOCATION or (is_address(text) and not speaks_of_goods(text))):
        return Act("address", text)
    if context.numbered and (row := row_number(text)) and row <= len(context.shown):
        return Act("add", context.shown[row - 1], "1")
    if name := named_button(text):
        return Act(name)
    answer = None if may_decline(text) else yes_or_no(text)
    return _answer(context, answer, text) if context.asking else None


def _answer(context: Context, answer: str | None, text: str) -> Act | None:
    """An answer to our open question."""
    match context.asking:
        case "confirm":
            return Act("confirm", context.version) if answer == YES else Act("decline") if answer == NO else None
        case "ordered":
            return Act("confirm", context.ordered) if answer == YES else None
        case "kept_cart":
            answer = answer or goes_on(text)
            return Act("keep_cart") if answer == YES else Act("drop_cart") if answer == NO else None
    if context.history and asks_how_many(context.history[-1].reply) and (row_in(text) or count_in(text)):
        return None  # An answer to that, and not to what was asked before it.
    return Act("decline") if answer == NO else _detail(context.asking, text)


def _detail(asking: str, text: str) -> Act | None:
    """A detail of the order that we have asked for."""
    way = way_of_delivery(text)
    if way == "pickup" or (way and asking == "delivery"):
        return Act("delivery", way)
    verb = {"area": "area", "payment": "pay"}.get(asking)
    if verb and (number := row_number(text)):
        return Act(verb, str(number - 1))
    return Act(f"named_{verb}", text) if verb and not asks(text) else None


def skus_of(acts: Iterable[Act]) -> tuple[str, ...]:
    """Products that must be looked up before the acts are done."""
    return tuple(dict.fromkeys(act.object for act in acts if act.verb in CHANGING))


def leading_part(turn: Turn) -> Turn:
    """The turn, or where a model would have to read taps in it, its first messages that are all taps and carts, or are
    none. The commit that ends it claims the others: they are answered next, in their order.
    """
    # A tap that we know and a cart of the catalogue say all that they mean by themselves.
    whole = [message for message in turn.messages if whole_acts(message)]
    if len(turn.messages) < 2 or not whole or acts_of(turn):
        return turn
    if all(message.selection_id == PERSON for message in whole):
        return turn  # Whoever calls a person is handed over at once, with all that was said.
    first = turn.messages[0] in whole
    part = replace(turn, messages=tuple(takewhile(lambda message: (message in whole) == first, turn.messages)))
    # Several taps that cannot be done at once are done one after the other.
    return part if not first or acts_of(part) else replace(turn, messages=turn.messages[:1])
