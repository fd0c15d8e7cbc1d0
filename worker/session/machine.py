"""Machines that answer ours, known by how they write: the same text again and again, answers within a second for
minutes, automatic answers. Pure: no I/O.

Taps, carts and answers to our questions are no sign: a customer may tap the same button or write "si" as often as he
likes. What is counted stands in the session, so a machine is known whichever process reads its message; a handover
begins anew.
"""

from datetime import datetime
from hashlib import blake2b

from msgspec.structs import replace

from worker.language.answers import folded, is_automatic, row_number, yes_or_no
from worker.session.session import Pace, Repeated
from worker.session.turn import Turn
from worker.session.turn_message import TurnMessage

#: The same text so often within this time.
TIMES, WITHIN_S = 5, 600
#: Words of a text whose repetition says something: a customer asks "tenes leche?" five times, and writes "si" all day.
REPEATED_WORDS = 6
#: The same text of any length so often within that time, no other between: two machines that say hello to each other.
TIMES_IN_A_ROW = 8
#: Texts that are remembered: what two of them alternate is still the same again and again.
TEXTS = 2
#: Replies in a row that were answered so soon, and how long that must go on. Whoever plays a conversation from a script
#: is as quick, and done in a minute.
QUICK, QUICK_WITHIN_S, QUICK_FOR_S = 6, 1.0, 120
QUICK_WORDS = 3
#: Automatic answers: the telephone of a customer who is out of the office sends one.
AUTOMATIC_TIMES = 2


def is_machine(turn: Turn, now: datetime) -> bool:
    """Returns whether a machine seems to have written this turn."""
    pace, now_s = paced(turn, now), int(now.timestamp())
    return (
        any(len(one.at_s) >= TIMES for one in pace.texts)
        or (pace.row is not None and len(pace.row.at_s) >= TIMES_IN_A_ROW)
        or len(pace.automatic_at_s) >= AUTOMATIC_TIMES
        or (pace.quick >= QUICK and now_s - pace.quick_since_s >= QUICK_FOR_S)
    )


def paced(turn: Turn, now: datetime) -> Pace:
    """The pace of the customer, this turn included."""
    before, now_s = turn.fetched().context.pace, int(now.timestamp())
    # Machines do not misspell: the words are enough, at a fraction of the price of `normalised`.
    said = [message.text or "" for message in turn.messages if _is_typed(message)]
    typed = [folded(text) for text in said]
    pace = _quickened(before, turn, len(typed[0].split()) if typed else 0, now_s)
    for text, words in zip(said, typed, strict=True):
        pace = replace(pace, row=_in_a_row(pace.row, text, words, now_s))
        if is_automatic(words):
            pace = replace(pace, automatic_at_s=_recent((*pace.automatic_at_s, now_s), now_s)[-AUTOMATIC_TIMES:])
        if len(words.split()) >= REPEATED_WORDS:
            pace = replace(pace, texts=_repeated(pace.texts, _digest(words), now_s))
    return pace


def _in_a_row(row: Repeated | None, text: str, words: str, now_s: int) -> Repeated:
    """The text as often as it has come in a row; an answer to a question of ours counts once."""
    # Signs alone ("👍") are a text too.
    digest = _digest(words or text)
    if row is None or row.digest != digest:
        return Repeated(digest, (now_s,))
    if yes_or_no(text) or row_number(text) is not None:
        return row
    return Repeated(digest, _recent((*row.at_s, now_s), now_s)[-TIMES_IN_A_ROW:])


def _is_typed(message: TurnMessage) -> bool:
    return message.type == "text" and bool(message.text) and not message.selection_id and message.order is None


def _digest(words: str) -> str:
    return blake2b(words.encode(), digest_size=8).hexdigest()


def _repeated(texts: tuple[Repeated, ...], digest: str, now_s: int) -> tuple[Repeated, ...]:
    """The texts with one that has come again, or for the first time, as the newest."""
    known = next((one.at_s for one in texts if one.digest == digest), ())
    again = Repeated(digest, _recent((*known, now_s), now_s)[-TIMES:])
    return (*(one for one in texts if one.digest != digest), again)[-TEXTS:]


def _recent(times_s: tuple[int, ...], now_s: int) -> tuple[int, ...]:
    return tuple(at_s for at_s in times_s if at_s > now_s - WITHIN_S)


def _quickened(pace: Pace, turn: Turn, words: int, now_s: int) -> Pace:
    """The pace with one more reply that was answered at once, or at leisure. What waited behind another turn says
    nothing: it was written before our reply. words: of its first message.
    """
    if turn.accepted_at_s is None or turn.waited:
        return pace
    took_s = turn.accepted_at_s - pace.replied_at_s
    if not 0 <= took_s <= QUICK_WITHIN_S or words < QUICK_WORDS:
        return replace(pace, quick=0, quick_since_s=0)
    return replace(pace, quick=pace.quick + 1, quick_since_s=pace.quick_since_s or now_s)
