"""Words by which products are called. Everything is in normalised form."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations

from worker.language import vocabulary
from worker.language.lexicon import PHRASE_WORDS
from worker.language.normalise import LONGEST_WORD, is_courtesy, name_in_full, normalised, without_accents
from worker.language.spelling import Spelling, is_any, sound_alike, stem, undoubled
from worker.language.vocabulary import ASKING, GROCERIES, LINKS, NO_NAMES, SMALL_WORDS

#: Words that are no slip of another word, whatever the shop sells.
USUAL = PHRASE_WORDS | vocabulary.IN_NAMES | vocabulary.OF_EVERY_SENTENCE | vocabulary.TOLD | NO_NAMES
#: Words that may change nothing in a question, and may be a part of a name: brands are called "Valor" and "Buen Día".
SWALLOWED = (PHRASE_WORDS | vocabulary.PACKINGS) - LINKS
#: No brand is called so: "y que", "con que".
OF_ANY_SENTENCE = LINKS | frozenset(("y", "e", "o", "u", "que"))
SHORTEST_NAME = 3
#: Among shorter words a slip makes another word too often; of this length only words of a question are put right.
SHORTEST_SLIP = 4


#: Words of questions, whose slips are put right whatever the shop sells; those of phrases where no other is meant.
ASKED = PHRASE_WORDS | ASKING | SMALL_WORDS
SPELLING = Spelling(ASKING | SMALL_WORDS | GROCERIES)
PHRASE_SPELLING = Spelling(PHRASE_WORDS)
GROCERY_STEMS = frozenset(map(stem, GROCERIES))


@dataclass(frozen=True, slots=True, eq=False)
class ProductWords:
    """Words for what is sold here.

    Args:
        names: trusted to begin the name of something.
        beginnings: the first two and three words of such names.
        words: all their words.
        sections: names of the shop's sections, whole.
        stems: of the words of this shop's own names and sections.
        heads: stems of the words that begin names, of its own products and of what any shop sells.
        firsts: stems of all first words of its own names.
        together: pairs of heads that stand in one name.
        beside: pairs of words of one name ("chocolate valor") of which a question could swallow one.
        unread: words of names that normalising takes for courtesies.
        spelling: of these and of usual words of questions.
    """

    names: frozenset[str] = GROCERIES
    beginnings: frozenset[str] = frozenset()
    words: frozenset[str] = GROCERIES
    sections: frozenset[str] = frozenset()
    stems: frozenset[str] = frozenset()
    heads: frozenset[str] = GROCERY_STEMS
    firsts: frozenset[str] = frozenset()
    together: frozenset[frozenset[str]] = frozenset()
    beside: frozenset[tuple[str, str]] = frozenset()
    unread: frozenset[str] = frozenset()
    spelling: Spelling = SPELLING

    def mended(self, plain: str) -> str:
        """A normalised text with its slips put right, where only one known word can be meant. A word of more than
        30 letters is no slip of any: to try all that it may be would cost memory with the square of its length.
        """
        return " ".join(map(self._mended, plain.split()))

    def _mended(self, word: str) -> str:
        if not SHORTEST_SLIP <= len(word) <= LONGEST_WORD or not word.isalpha():
            return word
        if is_any(word, self.words) or is_any(word, USUAL):
            return word
        spellings = (self.spelling, PHRASE_SPELLING)
        found = (spelling.meant_by(word, lambda meant: _can_mean(word, meant)) for spelling in spellings)
        meant = next(filter(None, found), word)
        return word if meant != word and meant not in ASKED and self._has_rival(word, meant) else meant

    def _has_rival(self, typed: str, meant: str) -> bool:
        """Returns whether another thing may be meant as well: "crea" is "cera" with two letters swapped, and "crema"
        without one.
        """
        return any(other not in ASKED and stem(other) != stem(meant) for other in self.spelling.near(typed))

    def is_name(self, word: str) -> bool:
        """Returns whether a normalised word names something that shops sell, by itself."""
        return not is_told(word) and (stem(word) in self.stems or is_any(word, self.names))


def _can_mean(typed: str, meant: str) -> bool:
    # Of four letters only a swap and a doubled letter are no other word: "caef" and "laaca".
    slip = len(typed) == len(meant) or undoubled(typed) == meant
    if meant in ASKED:
        return max(len(meant), len(typed)) > SHORTEST_SLIP or slip
    return (min(len(typed), len(meant)) > SHORTEST_SLIP or slip) and not sound_alike(typed, meant)


#: What any shop sells.
USUAL_PRODUCT_WORDS = ProductWords()


def product_words_of(names: Iterable[str], sections: Iterable[str] = ()) -> ProductWords:
    """Collects the words by which the products of these names are called: the first word of a name, if names begin with
    it at least as often as they have it elsewhere. What a thing is called comes first in Spanish; a word that mostly
    comes later says how it is.
    """
    names = tuple(names)
    plain = [without_accents(name).split() for name in names]
    split = [words for name in names if (words := name_in_full(name).split())]
    begins = Counter(first for first, *_ in split)
    elsewhere = Counter(word for _, *others in split for word in set(others))
    called = {word for word, count in begins.items() if _can_name(word, count, elsewhere[word])}
    known = {word for word in chain(begins, elsewhere) if len(word) >= SHORTEST_NAME and word.isalpha()}
    beginnings = {" ".join(words[:count]) for words in split for count in (2, 3) if len(words) >= count}
    parts = frozenset(map(normalised, sections))
    stemmed = {word: stem(word) for word in chain(begins, elsewhere, *map(str.split, parts)) if word.isalpha()}
    heads = GROCERY_STEMS | {stemmed[word] for word in called}
    return ProductWords(
        names=GROCERIES | called,
        beginnings=frozenset(beginnings),
        words=GROCERIES | known,
        sections=parts,
        stems=frozenset(stemmed[word] for word in stemmed.keys() - SMALL_WORDS),
        heads=heads,
        firsts=frozenset(stemmed[word] for word in begins if word in stemmed),
        beside=frozenset(chain.from_iterable(map(_pairs_with_swallowed, chain(split, plain)))),
        unread=frozenset(filter(is_courtesy, chain.from_iterable(plain))),
        spelling=Spelling(ASKING | SMALL_WORDS | GROCERIES | known),
        together=frozenset(
            frozenset(pair) for words in split for pair in combinations(heads.intersection(map(stemmed.get, words)), 2)
        ),
    )


def _pairs_with_swallowed(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pairs in the order of a name, and in the other one too: "valor chocolate"; not so of a little word. Two words of
    any sentence ("y que") are no pair.
    """
    for at, own in enumerate(words):
        if own in SWALLOWED:
            pairs = (*((other, own) for other in words[:at]), *((own, other) for other in words[at + 1 :]))
            for one, other in (pair for pair in pairs if not OF_ANY_SENTENCE.issuperset(pair)):
                yield one, other
                if len(own) > SHORTEST_NAME:
                    yield other, one


def _can_name(word: str, begins: int, elsewhere: int) -> bool:
    if len(word) < SHORTEST_NAME or not word.isalpha() or begins < elsewhere:
        return False
    if vocabulary.FORMLESS.fullmatch(word) and elsewhere:
        return False
    leaning = vocabulary.LEANING.fullmatch(word) and word not in vocabulary.NOT_LEANING
    return not leaning and not is_any(word, NO_NAMES)


def is_told(word: str) -> bool:
    """Returns whether a word is said of a product, of how much, or of which one, and is no name by itself."""
    return word in vocabulary.ANSWER_WORDS or is_any(word, NO_NAMES)
