"""Search terms in the catalogue's own words: what a customer calls a thing, as this shop calls it, and its other names:
of other countries, short ones, brands that stand for the thing. Pure: no I/O.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, islice
from typing import Final

from worker.language import vocabulary
from worker.language.patterns import patterns_of
from worker.language.product_words import ProductWords, is_told
from worker.language.search_terms import COUNT, COUNTS, MAX_TERMS, UNIT_WORD, is_name, search_terms
from worker.language.spelling import is_any, stem, stems

#: Searches of the messages before that a message without a product of its own is about.
MOST_BEFORE = 3
#: "La de 600"; numbers of fewer digits count pieces.
LENGTHS_OF_SIZE = (3, 4)
#: Words that are taken from a message to tell one product of a kind from another.
MOST_TOLD = 4
#: Before one of these no other product begins: "arroz con leche", "agua sin gas".
BOUND = frozenset(("con", "sin", "para", "a", "x"))
#: How the beginning of a diminutive ends in the word that is meant: "juguito", "chiquito", "arrocito", "cafecito",
#: "pancito".
SPELT: Final = (("gu", "g"), ("qu", "c"), ("c", "z"), ("", ""), ("c", ""), ("ec", ""))
#: Other names that are tried for one that the shop does not use.
MAX_OTHERS = 2
#: Letters of a word by which another one of the same beginning is taken for it.
SHORTEST_BEGINNING = 5
#: What tells one product of a kind from another.
TOLD_APART: Final = vocabulary.QUALITIES | vocabulary.FLAVOURS | vocabulary.MEASURES
_NO_VERBS: Final = vocabulary.NOT_LEANING | vocabulary.QUALITIES
_NAMED: Final = vocabulary.GROCERIES | vocabulary.NAME_WORDS
_P: Final = patterns_of(__file__)
#: Names of what belongs to a kind, by the stem of each word for the kind.
MEMBERS: Final = {stem(kind): members for kinds, members in vocabulary.KINDS.items() for kind in kinds}


def _by_first_stem() -> dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]]:
    """Each name by the stem of its first word, the longest first: its stems, and its group, the name itself first."""
    found: dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]] = defaultdict(list)
    for group in vocabulary.GROUPS:
        for name in group:
            words = stems(name)
            found[words[0]].append((words, (name, *(other for other in group if other != name))))
    return {first: sorted(names, key=lambda each: -len(each[0])) for first, names in found.items()}


_OTHER_NAMES: Final = _by_first_stem()
#: Words that make one name together: "pan" and "molde".
ONE_THING: Final = frozenset(
    frozenset(pair) for group in vocabulary.GROUPS for name in group for pair in combinations(stems(name), 2)
)


def catalog_terms(terms: Iterable[str], words: ProductWords) -> tuple[str, ...]:
    """At most `MAX_TERMS` terms for the catalogue: products that stand side by side each for itself ("leche pan
    huevos"), small ones as their names are ("lechita"), and what the shop keeps under another name ("palta") under
    both.
    """
    found: list[str] = []
    for term in terms:
        said = [_without_diminutive(word, words) for word in _without_verbs(term, words).split()]
        said = [word for word in said if word not in vocabulary.COMMON_WORDS or _is_told_or_sold(word, words)]
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
    elliptic = _P["ellipsis"].search(plain)
    leans = elliptic is not None and not names_product(plain[: elliptic.start()], words)
    named = any(names_product(term, words) for term in terms)
    if named and not leans:
        return ()
    known = ([term for term in before if names_product(term, words)] or list(before))[:MOST_BEFORE]
    told = " ".join(terms[:1] if named else islice(_told_apart(plain.split(), words), MOST_TOLD))
    more = [f"{term} {told}" for term in known if told]
    # What a reply names was searched for before it; what was not, somebody else has named.
    spoken_of = _stems_of_names(known, words)
    other = [term for term in named_in(last_reply, words) if spoken_of.isdisjoint(_stems_of_names([term], words))]
    return tuple(dict.fromkeys((*known, *more, *other)))[:MAX_TERMS]


def _stems_of_names(terms: Iterable[str], words: ProductWords) -> set[str]:
    return {stem(word) for term in terms for word in term.split() if words.is_name(word)}


def named_in(reply: str, words: ProductWords) -> list[str]:
    """Terms for the products that a text of the shop names, a line or an item each, without their prices."""
    lines = "\n".join(_P["bullet"].sub("", _P["price"].sub("\n", line)) for line in reply.splitlines())
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
            quality = word not in vocabulary.ANSWER_WORDS and is_any(word, TOLD_APART)
            told = quality or bool(UNIT_WORD.fullmatch(word)) or (before == "con" and stem(word) in words.stems)
        if told:
            yield word


def _without_verbs(term: str, words: ProductWords) -> str:
    return COUNT.sub("", " ".join([word for word in term.split() if not _is_verb(word, words)]))


def _is_verb(word: str, words: ProductWords) -> bool:
    """Returns whether a word is a verb of an order or a conversation ("cambiame", "llevando"), and nothing sold."""
    sold = stem(word) in words.stems or is_any(word, vocabulary.GROCERIES) or word in _NO_VERBS
    return not sold and bool(vocabulary.LEANING.fullmatch(word))


def _is_told_or_sold(word: str, words: ProductWords) -> bool:
    """Returns whether a frequent word says something of a product here ("noche" where the shop has pads for the night),
    or stands in another name for one ("trapo de piso").
    What says nothing of any would be looked for as a slip of another word: "por todos lados" are no "dados".
    """
    return is_told(word) or stem(word) in words.stems or is_any(word, _NAMED) or not word.isalpha()


def _without_diminutive(word: str, words: ProductWords) -> str:
    if stem(word) in words.stems or not (found := _P["diminutive"].fullmatch(word)):
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
        begins = stem(word) if stem(word) in words.heads and not is_told(word) else ""
        bound = bool(part) and part[-1] in BOUND
        pair = frozenset((head, begins))
        if begins and head and not bound and pair not in words.together and pair not in ONE_THING:
            yield " ".join(part)
            part = []
        head = begins or head
        part.append(word)
    yield " ".join(part)


def other_names(term: str, words: ProductWords) -> list[str]:
    """The same term with other names for a thing that the shop does not call so; with what belongs to a kind; and for a
    word that the shop does not know with one that it begins with: "salamin" with "salame".
    """
    said = term.split()
    if kind := _kind_in(said, words):
        members = [name for name in MEMBERS[stem(kind)] if _is_called(name, words)][:MAX_OTHERS]
        return [" ".join(name if word == kind else word for word in said) for name in members]
    found = [stem(word) for word in said]
    for place, first in enumerate(found):
        for name, group in _OTHER_NAMES.get(first, ()):
            before, meant, behind = said[:place], said[place : place + len(name)], said[place + len(name) :]
            if tuple(found[place : place + len(name)]) != name or _is_known(before, meant, group[0], words):
                continue
            if sold := _sold(group, words):
                return [" ".join((*before, other, *behind)) for other in sold]
    shorter = [_shortened(word, words) for word in said]
    return [" ".join(shorter)] if shorter != said else []


def _kind_in(said: Sequence[str], words: ProductWords) -> str | None:
    """Word for a kind that the shop uses itself, where a term says beside it only how much."""
    named = [word for word in said if not (word[0].isdecimal() or is_any(word, vocabulary.MEASURES))]
    return named[0] if len(named) == 1 and stem(named[0]) in MEMBERS and _is_called(named[0], words) else None


def _is_known(before: Sequence[str], meant: Sequence[str], name: str, words: ProductWords) -> bool:
    """Returns whether this shop calls a thing so. Behind another name ("queso fresco") its words are enough."""
    if not words.stems.issuperset(map(stem, meant)):
        return False
    qualifies = any(words.is_name(word) for word in before)
    return qualifies or _is_called(" ".join(meant), words) or _is_called(name, words)


def _is_called(name: str, words: ProductWords) -> bool:
    return name in words.beginnings or stem(name) in words.firsts


def _sold(group: Sequence[str], words: ProductWords) -> list[str]:
    """Other names of a group that products here have, those that begin so first."""
    own = stems(group[0])
    sold = [other for other in group[1:] if words.stems.issuperset(stems(other)) and stems(other) != own]
    return sorted(sold, key=lambda other: not _is_called(other, words))[:MAX_OTHERS]


def _shortened(word: str, words: ProductWords) -> str:
    if stem(word) in words.stems:
        return word
    beginnings = (word[:length] for length in range(len(word) - 1, SHORTEST_BEGINNING - 1, -1))
    return next((each for each in beginnings if each in words.stems or f"{each}o" in words.stems), word)
