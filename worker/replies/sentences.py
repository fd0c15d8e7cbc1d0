"""Sentences of a reply, and their clauses: what it says, without what it asks or denies. Pure: no I/O."""

import re
from collections.abc import Iterable

_NOT = r"(?:no|ni|nunca|tampoco|ning[uú]n[ao]?|todav[ií]a no|a[uú]n no)"
DENYING = re.compile(rf"\b(?:{_NOT}|sin)(?: (?:te|me|se|l[aoe]s?|he|hemos|ha|han|fue|fueron|qued\w+|está|están))* \w+")
_DENIED = re.compile(rf"\b{_NOT}\b")
#: "No te preocupes" denies nothing.
_COURTESY = re.compile(
    r"\bno (?:hay|es) (?:ning[uú]n )?(?:problema|drama|molestia|apuro)s?|\bno (?:te|se) preocup\w+|\bc[oó]mo no\b"
)
_PART = re.compile(r"[,;:]| pero ")
_CLAUSE = re.compile(r"[,;:](?!\d)| pero ")
#: A denial stands no further before what it denies.
_LOOKED_BACK = 160
_ASKED = re.compile(r"¿[^?]*\?")
#: The point of a figure ends none.
_SENTENCE = re.compile(r"(?:[^.!?\n]|(?<=\d)\.(?=\d))*[.!?\n]?")


def sentences(text: str) -> Iterable[str]:
    """The sentences of a text with the signs that end them; together they are the text."""
    return (sentence for sentence in _SENTENCE.findall(text) if sentence)


def asserted(reply: str) -> Iterable[str]:
    """The sentences of a reply in small letters, without what they ask and without courtesies."""
    for sentence in sentences(_ASKED.sub(" ", reply.lower())):
        # Who leaves out the first question mark asks with the last words.
        said = sentence.rpartition(",")[0] if sentence.rstrip().endswith("?") else sentence
        if said.strip():
            yield _COURTESY.sub(" ", said)


def clauses(sentence: str) -> list[str]:
    """The parts of a sentence between its commas."""
    return _CLAUSE.split(sentence)


def undenied(pattern: re.Pattern[str], sentence: str) -> Iterable[re.Match[str]]:
    """Matches that are not denied, within their own words or before them in the same part of the sentence."""
    for match in pattern.finditer(sentence):
        before = _PART.split(sentence[max(0, match.start() - _LOOKED_BACK) : match.start()])[-1]
        if not _DENIED.search(f"{before}{match[0]}"):
            yield match
