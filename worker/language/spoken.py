"""Phrases of a message as they count: without courtesies and reasons, each for what it is where it stands."""

from collections.abc import Iterable, Sequence, Set
from typing import Final

from worker.language.lexicon import SMALL_TALK, Token
from worker.language.name_words import Leaning, begins_name
from worker.language.product_words import ProductWords
from worker.language.spelling import is_any
from worker.language.vocabulary import ARTICLES, REASONS, WITHIN

#: Of what is brought to customers, and depends on where they are.
BROUGHT: Final = frozenset(("sending", "delivers", "deliver", "zones", "how_long", "takes", "free"))
#: "Trabajan quesos" has them, "trabajan los domingos" is open.
WORK: Final = Token("open", "trabajan")
#: One thing is weighed against another.
WEIGHING: Final = frozenset(("weigh", "worth", "which_better", "better", "advise"))
#: Beside a question for a thing it is a reason what will be made of it, unless it is asked for that.
ASKING: Final = frozenset(("have", "price"))
COOKING: Final = frozenset(
    ("something", "ingredients", "recipe", "cook_with", "advise", "which", "how_much", "goes_with")
)
#: Where one of these stands, somebody is spoken to; the others may ask about a thing that was shown.
ADDRESSING: Final = frozenset(("noise", "address", "ask", "hello"))
PERHAPS_ADDRESSING: Final = frozenset(("price", "thanks"))


def as_they_count(said: Sequence[Token], known: ProductWords) -> list[Token]:
    """Phrases of a message without those that change nothing, each for what it is where it stands. Raises Leaning
    where something is brought here, since it depends on where the customer is.
    """
    here = next((token.value for token in said if token.concept == "here"), "")
    if here and any(token.concept in BROUGHT for token in said):
        raise Leaning(here.split()[-1])
    kept = _as_meant(_without_reasons(said))
    # A diet that is named may be said of a thing.
    diets = any(token.concept == "diet" for token in kept)
    counted = any(token.concept == "diners" for token in kept)
    things = diets and any(not token.concept and begins_name([token.value, "x"], known) for token in kept)
    spoken: list[Token] = []
    for token, following in zip(kept, (*kept[1:], None), strict=False):
        spoken.extend(_in_place(_counting(token, following) if counted else token, spoken, following, things))
    return _beside_others(spoken)


def _without_reasons(said: Sequence[Token]) -> list[Token]:
    """Drops "porque", and what a reason is made of behind it."""
    concepts = {token.concept for token in said}
    begins_reason = {"because"}
    if not ASKING.isdisjoint(concepts) and COOKING.isdisjoint(concepts):
        begins_reason.add("to_make")
    kept: list[Token] = []
    reason: list[Token] = []
    for token, following in zip(said, (*said[1:], None), strict=False):
        begins = (
            token.concept in begins_reason
            and not token.value.startswith("para")
            and following is not None
            and _is_reason(following)
        )
        if begins or (reason and _is_reason(token)):
            reason.append(token)
            continue
        # "Voy a hacer fideos, salsa de soja tenés?": a word may be the last of the reason, or the first of a name.
        kept += [*reason, token] if not token.concept else [token]
        reason = []
    return kept


def _is_reason(token: Token) -> bool:
    return REASONS.issuperset(token.value.split())


def _as_meant(said: Sequence[Token]) -> list[Token]:
    """Reads "tiene" as a question to a shopkeeper, and "para hacer una torta" as a use where two things are weighed,
    and no dish is asked for. Raises Leaning where nobody was spoken to.
    """
    concepts = {token.concept for token in said}
    formal = next((token for token in said if token.concept == "formal"), None)
    if formal and not _addresses(concepts, said):
        raise Leaning(formal.value)
    weighs = "to_make" in concepts and not WEIGHING.isdisjoint(concepts)
    if not formal and not weighs:
        return list(said)
    return [_meant(token, weighs) for token in said]


def _addresses(concepts: Set[str], said: Sequence[Token]) -> bool:
    """Returns whether a message speaks to somebody: beside a price it may ask what is in a thing."""
    if not ADDRESSING.isdisjoint(concepts):
        return True
    return not PERHAPS_ADDRESSING.isdisjoint(concepts) and not any(is_any(token.value, WITHIN) for token in said)


def _meant(token: Token, weighs: bool) -> Token:
    if token.concept == "formal":
        return Token("have", token.value)
    return Token("", "para") if weighs and token.concept == "to_make" and token.value.startswith("para") else token


def _counting(token: Token, following: Token | None) -> Token:
    """Reads "cuánto asado para 10" as a question for an amount; "cuánto la torta para 10" stays one for a price."""
    amount = token == Token("price", "cuanto") and following is not None and following.value not in ARTICLES
    return Token("how_much", token.value) if amount else token


def _in_place(token: Token, before: Sequence[Token], following: Token | None, things: bool) -> Iterable[Token]:
    concept, value = token
    match concept:
        case "noise":
            # "en la tienda de ..." is one of several
            return _words(value) if following == Token("", "de") else ()
        case "here":
            return ()
        case "wanted":
            return _words(value) if before and before[-1].concept in ("which", "rel") else ()
        case "or_not" if following is None:
            return ()
        case "address":
            return () if all(each.concept in SMALL_TALK for each in before) else _words(value)
        case "words":
            return _words(value)
        case "diet" if things:
            return _words(value)
        case "open" if token == WORK and _has_things(before, following):
            return (Token("have", value),)
        case "which" if " " not in value and (following is None or following.concept not in ("", "diet")):
            return (Token("rel", value),)
    return (token,)


def _has_things(before: Sequence[Token], following: Token | None) -> bool:
    """Returns whether "trabajan" stands before a thing, or behind the "que" of one."""
    if following is None:
        return bool(before) and before[-1].concept == "rel"
    return not following.concept and following.value != "o"


def _words(value: str) -> list[Token]:
    return [Token("", word) for word in value.split()]


def _beside_others(spoken: Sequence[Token]) -> list[Token]:
    """ "Ayuda" alone asks for it, and "que manejan" for all that is sold; beside others they say little."""
    asked = {token.concept for token in spoken} - SMALL_TALK
    told = [token for token in spoken if token.concept != "help_me" or asked == {"help_me"}]
    if len({token.concept for token in told} - SMALL_TALK) == 1:
        return told
    return [each for token in told for each in _parted(token)]


def _parted(token: Token) -> tuple[Token, ...]:
    if token.concept != "what_sold" or len(token.value.split()) != 2:
        return (token,)
    rel, have = token.value.split()
    return Token("rel", rel), Token("have", have)
