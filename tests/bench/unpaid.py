"""Messages of a day that nobody was paid for: how many at best, and why the others were paid for. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from bench.verdict import Replied, meaning_key
from bench.workload import Message
from worker.language.normalise import normalised
from worker.language.product_words import ProductWords
from worker.language.sharing import judged
from worker.telemetry.report import percent

#: Nobody has been paid for these.
UNPAID: Final = ("cache", "canned")
#: Each is told by one customer alone, and no shop could answer it by itself.
ONLY_A_MODEL: Final = ("story",)
#: Why a message was paid for that everybody may ask.
FIRST, SPREAD, CHANGED = (
    "asked for the first time",
    "asked before in another form",
    "its facts have changed, or it was lost",
)


def ceilings(messages: Sequence[Message], before: Iterable[Message]) -> dict[str, float]:
    """Shares that could at best be answered without a paid call, in percent, where nothing is answered ahead.

    `cache`: whatever means the same in all conversations was asked before; `with_plain_answers`: bare answers, which
    lean on theirs, are answered by the shop itself too.
    """
    seen = {meaning_key(message) for message in before}
    known, bare = 0, 0
    for message in messages:
        key = meaning_key(message)
        bare += message.kind == "answer"
        known += message.kind not in ONLY_A_MODEL and key is not None and key in seen
        seen.add(key)
    return {
        "cache": percent(known, len(messages)),
        "with_plain_answers": percent(known + bare, len(messages)),
    }


def why_paid(replies: Sequence[Replied], day: Sequence[Message], words: ProductWords) -> dict[str, int]:
    """Paid messages of a day by what they were and why, most first.

    Args:
        replies: of all days, in the order of their messages.
    """
    numbers = {message.number for message in day}
    reasons = Counter(
        f"{reply.message.kind}: {reason}"
        for reply, reason in _reasons(replies, words)
        if reply.message.number in numbers and reply.answer.source not in UNPAID
    )
    return dict(reasons.most_common())


def _reasons(replies: Sequence[Replied], words: ProductWords) -> Iterator[tuple[Replied, str]]:
    forms, meanings = set[str](), set[Any]()
    for reply in replies:
        message = reply.message
        judgement = judged(message.text, normalised(message.text), words)
        form, meaning = judgement.form, meaning_key(message)
        yield reply, _reason(judgement.reason, known=form in forms, meant=meaning in meanings)
        forms.add(form or "")
        meanings.add(meaning)


def _reason(unshared: str, *, known: bool, meant: bool) -> str:
    if unshared:
        return f"not shared ({unshared})"
    return CHANGED if known else SPREAD if meant else FIRST
