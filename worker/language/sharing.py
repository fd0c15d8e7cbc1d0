"""Sharing: which messages mean the same in every session, by a grammar over the lexicon.

A message is everybody's if each of its phrases is known, none leans on its conversation, and together they are one of
the questions of `data/frames.toml`, in whatever order Spanish allows. In doubt it is not.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from worker.language import lexicon
from worker.language.lexicon import SMALL_TALK, Token, frames_of
from worker.language.name_words import Leaning, is_sold, says_how
from worker.language.names import AND, Run, is_elliptic
from worker.language.normalise import may_tell, normalised, without_accents
from worker.language.patterns import patterns_of
from worker.language.places import filled
from worker.language.product_words import USUAL_PRODUCT_WORDS, ProductWords
from worker.language.sizes import in_figures
from worker.language.spoken import as_they_count
from worker.language.vocabulary import FILLERS, LINKS, PACKINGS, PREPOSITIONS

#: Whoever writes more tells of himself.
MAX_CHARS: Final = 220
#: What may stand around any question.
AROUND: Final = SMALL_TALK | {"ask"}
LEAVING: Final = SMALL_TALK - {"hello"}
#: Why a message is not everybody's.
REASONS: Final = ("tells", "too_long", "leans", "unknown", "no_frame")
JOINERS: Final = {"y": "y", "e": "y", "o": "o", "u": "o"}
#: Said twice, one of them is of something else.
ONCE: Final = frozenset(("free", "on_arrival", "advise"))
#: Two of these in one message weigh different things.
WEIGHING: Final = frozenset(("cheap", "which_cheap", "weigh", "worth", "which_better", "better", "differ", "best"))
_P: Final = patterns_of(__file__)
Listed = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Judgement:
    """Answer to whether a message is everybody's.

    Args:
        form: as every customer could have meant it; None where it is not everybody's.
        reason: why it is not: `tells`, `too_long`, `leans`, `unknown` or `no_frame`; empty where it is.
        word: the word that leans or is unknown.
        tokens: its phrases with their concepts.
    """

    form: str | None
    reason: str = ""
    word: str = ""
    tokens: tuple[Token, ...] = ()


def judged(text: str, plain: str, product_words: ProductWords = USUAL_PRODUCT_WORDS) -> Judgement:
    """Judges whether a message is everybody's. Questions that differ only in greeting, courtesy, order and verb have
    one form: "Hola! hay leche?" and "la leche a cuánto la tenés" are both "tenes leche y a que precio".

    Args:
        text: as it was written, for signs that normalising leaves out.
        plain: the same, normalised.
        product_words: words for what is sold here.
    """
    stripped = text.strip()
    if len(stripped) > MAX_CHARS:
        return Judgement(None, "too_long")
    if "\n" in stripped or may_tell(stripped, plain):
        return Judgement(None, "tells")
    if answer := _P["answer"].match(stripped):
        return Judgement(None, "leans", normalised(answer[0]))
    listed = frozenset(_P["listed"].findall(without_accents(stripped)))
    read = list(lexicon.phrases(in_figures(product_words.mended(plain)).split()))
    said = tuple(token for token, _ in read)
    if _P["asks"].search(stripped) and {token.concept for token in said} - AROUND - {"noise"} == {"offer_word"}:
        said = tuple(Token("offers", token.value) if token.concept == "offer_word" else token for token in said)
    if (word := _word_of_name(stripped, read, product_words, listed)) is not None:
        return Judgement(None, "unknown", word, said)
    try:
        form = _form(said, product_words, listed)
    except Leaning as exc:
        return Judgement(None, exc.reason, exc.word, said)
    return Judgement(form, "" if form else "no_frame", "", said)


def _word_of_name(
    text: str, read: Sequence[tuple[Token, Sequence[str]]], known: ProductWords, listed: Listed
) -> str | None:
    """A word that a phrase swallows, or normalising does, although it stands beside words with which a name of a
    product here has it: "chocolate valor". A comma behind the phrase ends it: "qué conviene más, agua o vino".
    """
    around = [("",), *(own for _, own in read), ("",)]
    for before, (token, own), after in zip(around, read, around[2:], strict=False):
        # What is told without something stands in every form.
        if (token.concept and token.concept != "diet") or own[0] in PACKINGS:
            first = next((word for word in own if word not in LINKS), own[0])
            behind = (own[-1], after[0])
            for word, pair in ((first, (before[-1], first)), (own[-1], () if behind in listed else behind)):
                if pair in known.beside and word not in LINKS:
                    return word
    return next((word for word in _P["word"].findall(without_accents(text)) if word in known.unread), None)


def _form(said: Sequence[Token], known: ProductWords, listed: Listed) -> str | None:
    """The form of the question that phrases are. Raises Leaning for the first word that names nothing."""
    spoken = as_they_count(said, known)
    if _asks_two_things(spoken):
        return None
    if any(token.concept not in AROUND and token.value not in JOINERS for token in spoken):
        spoken = _without_around(spoken)
    runs = _runs(spoken, known, listed)
    for frame in frames_of(frozenset(token.concept for token in spoken if token.concept)):
        with suppress(Leaning):
            if (places := filled(frame.places, spoken, runs, known)) is not None:
                return frame.form.format(**places)
    for name in (run.name(known) for run in runs):
        if not name.thing and not says_how(name.more):
            raise Leaning(name.more.split()[0])
    return None


def _without_around(spoken: Sequence[Token]) -> list[Token]:
    """Drops what stands around a question, and the "y" of "gracias y buen finde"."""
    following = (*spoken[1:], None)
    return [
        token
        for token, after in zip(spoken, following, strict=False)
        if token.concept not in AROUND and not (token.value in JOINERS and after and after.concept in LEAVING)
    ]


def _asks_two_things(spoken: Sequence[Token]) -> bool:
    counted = Counter(token.concept for token in spoken)
    twice = any(counted[concept] > 1 for concept in ONCE) or sum(counted[concept] for concept in WEIGHING) > 1
    return twice or any((one.concept, other.concept) == ("have", "cheap") for one, other in pairwise(spoken))


def _runs(spoken: Sequence[Token], known: ProductWords, listed: Listed) -> list[Run]:
    """Words that stand between the phrases, without those that say nothing."""
    runs = [Run()]
    for place, token in enumerate(spoken):
        if token.concept:
            # "Cuánto la leche y cuánto el pan": two things; "leche y a cuánto": one.
            runs.append(Run(AND if runs[-1].joiner and not runs[-1].words else ""))
        elif token.value == "pero":
            _check_but(spoken[place + 1 : place + 2], runs[-1].words)
        elif place in (0, len(spoken) - 1) and token.value in JOINERS:
            raise Leaning(token.value)
        elif token.value in JOINERS and _words(spoken[place - 1 : place + 2]) not in known.beginnings:
            # No "y" within the name of something sold here: "cereales y semillas".
            runs.append(Run(JOINERS[token.value], token.value))
        else:
            words = runs[-1].words
            if words and (words[-1], token.value) in listed and is_sold([token.value], known):
                if is_elliptic(words):
                    words.append(words[0])
                else:
                    runs.append(Run("" if words[0] == "para" else "y"))
            runs[-1].words.append(token.value)
    return [run for run in runs if not FILLERS.issuperset(run.words)]


def _words(tokens: Sequence[Token]) -> str:
    return " ".join(token.value for token in tokens)


def _check_but(following: Sequence[Token], before: Sequence[str]) -> None:
    """Raises Leaning where "pero" does not stand within a name: "manteca, pero sin sal"."""
    word = following[0].value if before and following and not following[0].concept else ""
    if not word or not (word in PREPOSITIONS or word[0].isdecimal() or says_how(word)):
        raise Leaning("pero")
