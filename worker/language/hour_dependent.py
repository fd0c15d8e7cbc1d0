"""Messages whose answer depends on the hour or the day: whether the shop is open, when it opens, what is done today."""

from __future__ import annotations

from worker.language.lexicon import is_small_talk
from worker.language.vocabulary import OF_AN_HOUR


def depends_on_hour(plain: str) -> bool:
    """Returns whether the answer to a normalised text may be another one at another hour. In doubt it may: a request
    that says what time it is costs a few words, and a cached answer about yesterday a customer. A mere greeting
    ("buenas tardes") never does.
    """
    return not OF_AN_HOUR.isdisjoint(plain.split()) and not is_small_talk(plain)
