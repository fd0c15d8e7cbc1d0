"""Sharing: which messages mean the same in every session, by a grammar over the lexicon.

A message is everybody's if each of its phrases is known, none leans on its conversation, and together they are one of
the questions of `data/frames.toml`, in whatever order Spanish allows. In doubt it is not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from worker.language import lexicon
from worker.language.frames import frames_of
from worker.language.lexicon import SMALL_TALK, Token
from worker.language.name_words import PREPOSITIONS, Leaning, begins_name, is_sold, says_how
from worker.language.normalise import normalised, without_accents
from worker.language.places import SMALL, filled
from worker.language.product_words import USUAL_PRODUCT_WORDS, ProductWords
from worker.language.runs import AND, Run
from worker.language.sizes import in_figures
from worker.language.symbols import may_tell

#: Whoever writes more tells of himself.
MAX_CHARS: Final = 220
#: What may stand around any question.
AROUND: Final = SMALL_TALK | {"ask"}
#: Why a message is not everybody's.
REASONS: Final = ("tells", "too_long", "leans", "unknown", "no_frame")
#: Of what is brought to customers, and depends on where they are.
BROUGHT: Final = frozenset(("sending", "delivers", "deliver", "zones", "how_long", "takes", "free"))
#: Words of reasons.
REASON_WORDS: Final = lexicon.words_of("reasons")
JOINERS: Final = {"y": "y", "e": "y", "o": "o", "u": "o"}
#: Said twice, one of them is of something else.
ONCE: Final = frozenset(("free", "on_arrival", "advise"))
#: Two of these in one message weigh different things.
WEIGHING: Final = frozenset(("cheap", "which_cheap", "weigh", "which_better", "better", "differ", "best"))
#: Two words with a comma between them, as in "leche, pan y huevos".
LISTED: Final = re.compile(r"([a-zñ]+)\s*,\s*(?=([a-zñ]+))")
Listed = frozenset[tuple[str, str]]
#: "No, ¿tendrán leche?" is an answer, "¿no tendrán leche?" is none.
ANSWER: Final = re.compile(r"^\W*(?:no|si|sí)\s*[,.;:!]", re.IGNORECASE)


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


def common_form(text: str, plain: str, product_words: ProductWords = USUAL_PRODUCT_WORDS) -> str | None:
    """Returns the message as every customer could have meant it; None if it leans on its conversation, and in doubt.

    Questions that differ only in greeting, courtesy, order and the verb have one form: "Hola! hay leche?" and "la leche
    a cuánto la tenés" are both "tenes leche y a que precio".

    Args:
        text: as it was written, for signs that normalising leaves out.
        plain: the same, normalised.
        product_words: words for what is sold here.
    """
    return judged(text, plain, product_words).form


def judged(text: str, plain: str, product_words: ProductWords = USUAL_PRODUCT_WORDS) -> Judgement:
    """The same with the reason."""
    stripped = text.strip()
    if len(stripped) > MAX_CHARS:
        return Judgement(None, "too_long")
    if "\n" in stripped or may_tell(lexicon.without_pictures(stripped, plain)):
        return Judgement(None, "tells")
    if answer := ANSWER.match(stripped):
        return Judgement(None, "leans", normalised(answer[0]))
    listed = frozenset(LISTED.findall(without_accents(stripped)))
    said = tuple(lexicon.tokens(in_figures(product_words.mended(plain)).split()))
    try:
        form = _form(said, product_words, listed)
    except Leaning as exc:
        return Judgement(None, exc.reason, exc.word, said)
    return Judgement(form, "" if form else "no_frame", "", said)


def _form(said: Sequence[Token], known: ProductWords, listed: Listed) -> str | None:
    spoken = _settled(said, known)
    concepts = frozenset(token.concept for token in spoken if token.concept)
    counted = Counter(token.concept for token in spoken)
    if any(counted[concept] > 1 for concept in ONCE) or sum(counted[concept] for concept in WEIGHING) > 1:
        return None
    if any((one.concept, other.concept) == ("have", "cheap") for one, other in pairwise(spoken)):
        return None
    if concepts - AROUND or any(not token.concept and token.value not in JOINERS for token in spoken):
        spoken = [token for token in spoken if token.concept not in AROUND]
        concepts -= AROUND
    runs = _runs(spoken, known, listed)
    for frame in frames_of(concepts):
        with suppress(Leaning):
            if (places := filled(frame.places, spoken, runs, known)) is not None:
                return frame.form.format(**places)
    for run in runs:
        name = run.name(known)
        if not name.thing and not says_how(name.more):
            raise Leaning(name.more.split()[0])
    return None


def _settled(said: Sequence[Token], known: ProductWords) -> list[Token]:
    """The phrases that count, each for what it is where it stands."""
    here = next((token.value for token in said if token.concept == "here"), "")
    if here and any(token.concept in BROUGHT for token in said):
        raise Leaning(here.split()[-1])
    spoken: list[Token] = []
    addressed = any(token.concept in ("noise", "address", "ask") for token in said)
    diets = any(token.concept == "diet" for token in said)
    things = diets and any(not token.concept and begins_name([token.value, "x"], known) for token in said)
    for place, token in enumerate(said := _without_reasons(said)):
        following = said[place + 1] if place + 1 < len(said) else None
        if token.concept == "formal":
            if not addressed:
                raise Leaning(token.value)
            token = Token("have", token.value)
        spoken.extend(_in_place(token, spoken, following, things))
    if any(token.concept not in SMALL_TALK for token in spoken if token.concept != "help_me"):
        spoken = [token for token in spoken if token.concept != "help_me"]
    if len({token.concept for token in spoken} - SMALL_TALK) > 1:
        spoken = [each for token in spoken for each in _parted(token)]
    return spoken


def _without_reasons(said: Sequence[Token]) -> list[Token]:
    """Drops "porque", and what a reason is made of behind it."""
    kept: list[Token] = []
    within = False
    for token, following in zip(said, (*said[1:], None), strict=False):
        begins = token.concept == "because" and following is not None and _is_reason(following)
        within = begins or (within and _is_reason(token))
        if not within:
            kept.append(token)
    return kept


def _is_reason(token: Token) -> bool:
    return REASON_WORDS.issuperset(token.value.split())


def _in_place(token: Token, before: Sequence[Token], following: Token | None, things: bool) -> Iterable[Token]:
    concept, value = token
    if concept == "noise" and following is not None and following == Token("", "de"):
        return (Token("", word) for word in value.split())  # "en la tienda de ..." is one of several
    if concept in ("noise", "here") or (concept == "or_not" and following is None):
        return ()
    if concept == "address":
        small = all(each.concept in SMALL_TALK for each in before)
        return () if small else (Token("", word) for word in value.split())
    if concept == "words" or (concept == "diet" and things):
        return (Token("", word) for word in value.split())
    if concept == "which" and " " not in value and (following is None or following.concept not in ("", "diet")):
        return (Token("rel", value),)
    return (token,)


def _parted(token: Token) -> tuple[Token, ...]:
    """ "Que manejan" alone asks for all that is sold; beside a name it says little."""
    if token.concept == "what_sold" and len(token.value.split()) == 2:
        rel, have = token.value.split()
        return Token("rel", rel), Token("have", have)
    return (token,)


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
        elif token.value in JOINERS and not _is_within_name(spoken[place - 1 : place + 2], known):
            runs.append(Run(JOINERS[token.value], token.value))
        else:
            words = runs[-1].words
            if words and (words[-1], token.value) in listed and is_sold([token.value], known):
                runs.append(Run("" if words[0] == "para" else "y"))
            runs[-1].words.append(token.value)
    return [run for run in runs if not SMALL.issuperset(run.words)]


def _is_within_name(around: Sequence[Token], known: ProductWords) -> bool:
    """Returns whether an "y" stands in the name of something sold here: "cereales y semillas"."""
    return " ".join(token.value for token in around) in known.beginnings


def _check_but(following: Sequence[Token], before: Sequence[str]) -> None:
    """Raises Leaning where "pero" does not stand within a name: "manteca, pero sin sal"."""
    within = before and following and not following[0].concept
    if not within or not (
        following[0].value in PREPOSITIONS or following[0].value[0].isdecimal() or says_how(following[0].value)
    ):
        raise Leaning("pero")
