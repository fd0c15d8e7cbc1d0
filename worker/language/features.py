"""Features of a message by which the classifier judges it: its words and parts of them, their order, and how many.

The names of goods, the parts of a shop and figures are one word each, so that what is learned of one holds of all.
"""

from functools import cache
from itertools import pairwise

from worker.language.goods import GROCERIES, SECTIONS

#: The beginning of a long story says what it is about.
MAX_CHARS = 300
PRODUCT, SECTION, FIGURE = "<product>", "<section>", "<figure>"
#: Goods that are a part of the shop too: "carnes", "bebidas".
RANGE = "<range>"
#: All words together, as something that is counted.
WORDS = "<words>"
#: A text has a feature for each of these numbers that it reaches; 0 gives every text one.
STEPS = {WORDS: (0, 1, 2, 3, 4, 6, 8, 11, 15, 20, 28, 40), PRODUCT: (1, 2, 3, 4), FIGURE: (1, 2, 3)}


def words_of(plain: str) -> list[str]:
    """The words of a normalised text, in which goods, parts of a shop and figures are called by their class."""
    classes = _classes()
    words = plain[:MAX_CHARS].split()
    return [classes.get(word) or (FIGURE if word[0].isdigit() else word) for word in words]


def word_features(word: str) -> list[str]:
    """The word itself and, where it is no class, its runs of three and four letters."""
    if word.startswith("<"):
        return [f"={word}"]
    edged = f"_{word}_"
    threes = [edged[at : at + 3] for at in range(len(edged) - 2)]
    return [f"={word}", *threes, *[edged[at : at + 4] for at in range(len(edged) - 3)]]


def order_features(words: list[str]) -> list[str]:
    """The words two by two, with the ends of the text, and three by three."""
    framed = ["^", *words, "$"]
    pairs = [f"{one} {two}" for one, two in pairwise(framed)]
    return pairs + [f"{one} {two} {three}" for one, two, three in zip(words, words[1:], words[2:], strict=False)]


def counts_of(words: list[str]) -> dict[str, int]:
    """Numbers of all words, of goods and of figures."""
    return {WORDS: len(words), PRODUCT: words.count(PRODUCT), FIGURE: words.count(FIGURE)}


def count_features(name: str, count: int) -> list[str]:
    """The steps that a count reaches."""
    return [f"{name}>={step}" for step in STEPS[name] if count >= step]


@cache
def _classes() -> dict[str, str]:
    """PRODUCT, SECTION or RANGE by word, in the singular and the plural."""
    goods = {form for word in GROCERIES for form in (word, f"{word}s", f"{word}es", f"{word.removesuffix('z')}ces")}
    return dict.fromkeys(goods, PRODUCT) | dict.fromkeys(SECTIONS, SECTION) | dict.fromkeys(goods & SECTIONS, RANGE)
