"""Sentences of a reply: what they assert, without what they ask, and what in them is not denied. Pure: no I/O."""

import re
from collections.abc import Iterable

from worker.language.patterns import patterns_of

_P = patterns_of(__file__)
#: What is denied, and where a clause of a sentence ends.
DENYING, CLAUSE = _P["denying"], _P["end_of_clause"]
#: A denial stands no further before what it denies.
_LOOKED_BACK = 160


def sentences(text: str) -> Iterable[str]:
    """The sentences of a text with the signs that end them; together they are the text."""
    return (sentence for sentence in _P["sentence"].findall(text) if sentence)


def asserted(reply: str) -> Iterable[str]:
    """The sentences of a reply in small letters, without what they ask and without courtesies."""
    for sentence in sentences(_P["asked"].sub(" ", reply.lower())):
        # Who leaves out the first question mark asks with the last words.
        said = sentence.rpartition(",")[0] if sentence.rstrip().endswith("?") else sentence
        if said.strip():
            yield _P["courtesy"].sub(" ", said)


def undenied(pattern: re.Pattern[str], sentence: str) -> Iterable[re.Match[str]]:
    """Matches that are not denied, within their own words or before them in the same part of the sentence."""
    for match in pattern.finditer(sentence):
        before = _P["end_of_part"].split(sentence[max(0, match.start() - _LOOKED_BACK) : match.start()])[-1]
        if not _P["denied"].search(f"{before}{match[0]}"):
            yield match
