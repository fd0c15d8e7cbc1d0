"""Search terms in the catalogue's own words: what a customer calls a thing, as this shop calls it. Pure: no I/O."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from worker.language.goods import FLAVOURS, GROCERIES, NAME_WORDS, NOT_LEANING
from worker.language.product_words import GROCERY_STEMS, ProductWords, is_any, is_told, stem
from worker.language.regional_names import ONE_THING, other_names
from worker.language.search_terms import COUNT, COUNTS, MAX_TERMS, UNIT_WORD, is_name, search_terms
from worker.language.vocabulary import ANSWER_WORDS, COMMON_WORDS, LEANING, MEASURES, QUALITIES

#: Searches of the messages before that a message without a product of its own is about.
MOST_BEFORE = 3
#: "La de 600"; numbers of fewer digits count pieces.
LENGTHS_OF_SIZE = (3, 4)
#: Words that are taken from a message to tell one product of a kind from another.
MOST_TOLD = 4
#: Before one of these no other product begins: "arroz con leche", "agua sin gas".
BOUND = frozenset(("con", "sin", "para", "a", "x"))
#: "Lechita", "paqueticos", "cervecita"; what is left is the beginning of the word that is meant.
DIMINUTIVE = re.compile(r"(\w{2,})i[tc][oa]s?")
#: How that beginning ends in the word that is meant: "juguito", "chiquito", "arrocito", "cafecito", "pancito".
SPELT: Final = (("gu", "g"), ("qu", "c"), ("c", "z"), ("", ""), ("c", ""), ("ec", ""))
#: "Las de queso": what was spoken of before, of a kind that is a name by itself.
ELLIPSIS = re.compile(r"\b(?:el|la|los|las) del? (?=\w)")
BULLET = re.compile(r"^\W*(?:\d+ ?[).x-]+ )?")
PRICE = re.compile(r"(?:[$€]|s/)\s*+\d[\d.,]*+|(?<![\d.,])\d[\d.,]*+\s*+€", re.IGNORECASE)


def catalog_terms(terms: Iterable[str], words: ProductWords) -> tuple[str, ...]:
    """At most `MAX_TERMS` terms for the catalogue: products that stand side by side each for itself ("leche pan
    huevos"), small ones as their names are ("lechita"), and what the shop keeps under another name ("palta") under
    both.
    """
    found: list[str] = []
    for term in terms:
        said = [_without_diminutive(word, words) for word in _without_verbs(term, words).split()]
        said = [word for word in said if word not in COMMON_WORDS or _is_told_or_sold(word, words)]
        if any(map(is_name, said)):
            found.extend(_apart(said, words))
    others = [other for each in found for other in other_names(each, words)]
    return tuple(dict.fromkeys((*found, *others)))[:MAX_TERMS]


def names_product(term: str, words: ProductWords) -> bool:
    """Returns whether a word of it names something that shops sell, and not only how, how much, without what or which
    one.
    """
    said = term.split()
    return any(before != "sin" and words.is_name(word) for before, word in zip(("", *said), said, strict=False))


def terms_before(
    terms: Sequence[str], plain: str, before: Sequence[str], last_reply: str, words: ProductWords
) -> tuple[str, ...]:
    """Terms for what a message is about that names no product itself ("la de litro", "esa", "dale"): what was searched
    for before, also with the quality that it adds, and what the shop has just named. None for other messages.

    Args:
        terms: of the message.
        plain: the message, normalised.
        before: terms of the messages before it.
        last_reply: what the shop said last.
    """
    elliptic = ELLIPSIS.search(plain)
    leans = elliptic is not None and not names_product(plain[: elliptic.start()], words)
    named = any(names_product(term, words) for term in terms)
    if named and not leans:
        return ()
    known = ([term for term in before if names_product(term, words)] or list(before))[:MOST_BEFORE]
    told = " ".join(terms[:1] if named else islice(_told_apart(plain.split(), words), MOST_TOLD))
    more = [f"{term} {told}" for term in known if told]
    # What a reply names was searched for before it; what was not, somebody else has named.
    other = [term for term in named_in(last_reply, words) if not any(_share_name(term, each, words) for each in known)]
    return tuple(dict.fromkeys((*known, *more, *other)))[:MAX_TERMS]


def _share_name(one: str, other: str, words: ProductWords) -> bool:
    named = ({stem(word) for word in term.split() if words.is_name(word)} for term in (one, other))
    return bool(set.intersection(*named))


def named_in(reply: str, words: ProductWords) -> list[str]:
    """Terms for the products that a text of the shop names, a line or an item each, without their prices."""
    lines = "\n".join(BULLET.sub("", PRICE.sub("\n", line)) for line in reply.splitlines())
    terms = (_without_verbs(term, words) for term in search_terms(lines))
    return [term for term in terms if names_product(term, words)]


def _told_apart(said: Sequence[str], words: ProductWords) -> Iterator[str]:
    """Words that tell one product of a kind from another: a size, a quality, a flavour, what it is with or without. A
    small number says how many, or which one of a list.
    """
    counted = [COUNTS.get(word, word) for word in said]
    for before, word, after in zip(("", *counted), counted, (*counted[1:], ""), strict=False):
        if word[0].isdecimal():
            told = bool(UNIT_WORD.fullmatch(after) or (word.isdecimal() and len(word) in LENGTHS_OF_SIZE))
        elif "sin" in (before, word):
            told = True
        else:
            told = (
                bool(UNIT_WORD.fullmatch(word)) or _is_quality(word) or (before == "con" and stem(word) in words.stems)
            )
        if told:
            yield word


def _is_quality(word: str) -> bool:
    return word not in ANSWER_WORDS and any(is_any(word, kind) for kind in (QUALITIES, FLAVOURS, MEASURES))


def _without_verbs(term: str, words: ProductWords) -> str:
    return COUNT.sub("", " ".join([word for word in term.split() if not _is_verb(word, words)]))


def _is_verb(word: str, words: ProductWords) -> bool:
    """Returns whether a word is a verb of an order or a conversation ("cambiame", "llevando"), and nothing sold."""
    sold = stem(word) in words.stems or is_any(word, GROCERIES) or word in NOT_LEANING or word in QUALITIES
    return not sold and bool(LEANING.fullmatch(word))


def _is_told_or_sold(word: str, words: ProductWords) -> bool:
    """Returns whether a frequent word says something of a product here ("noche" where the shop has pads for the night),
    or stands in another name for one ("trapo de piso").
    What says nothing of any would be looked for as a slip of another word: "por todos lados" are no "dados".
    """
    known = is_told(word) or stem(word) in words.stems or is_any(word, GROCERIES) or is_any(word, NAME_WORDS)
    return known or not word.isalpha()


def _without_diminutive(word: str, words: ProductWords) -> str:
    if stem(word) in words.stems or not (found := DIMINUTIVE.fullmatch(word)):
        return word
    beginnings = [found[1].removesuffix(typed) + meant for typed, meant in SPELT if found[1].endswith(typed)]
    meant = [beginning + ending for beginning in beginnings for ending in ("", "a", "o", "e")]
    alike = [each for each in meant if stem(each) in words.stems]
    return next((each for each in alike if each in words.words), alike[0] if alike else word)


def _apart(term: Sequence[str], words: ProductWords) -> Iterator[str]:
    """Splits a term before each word that begins names here, unless a product has it together with the one before."""
    part: list[str] = []
    head = ""
    for word in term:
        begins = stem(word) if _begins_name(word, words) else ""
        bound = bool(part) and part[-1] in BOUND
        pair = frozenset((head, begins))
        if begins and head and not bound and pair not in words.together and pair not in ONE_THING:
            yield " ".join(part)
            part = []
        head = begins or head
        part.append(word)
    yield " ".join(part)


def _begins_name(word: str, words: ProductWords) -> bool:
    return not is_told(word) and (stem(word) in words.heads or stem(word) in GROCERY_STEMS)
