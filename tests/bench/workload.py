"""The standard workload: what the customers of a shop write in a day, drawn from a seed. Pure.

Nobody has published the messages of a supermarket's WhatsApp, so the shares of the kinds are those the project has set
itself, and everything within a kind falls off with its rank, as words, searches and sales do. The numbers below say
what was assumed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, dropwhile
from random import Random
from typing import Any, Final, Generic, Literal, TypeVar

from bench import phrases
from bench.noise import noisy
from bench.reading import as_read, stem, topic

Kind = Literal["talk", "product", "answer", "advice", "story"]
Product = Mapping[str, Any]
Thing = TypeVar("Thing")
#: Greetings, thanks and menu; product questions; yes, no and numbers; comparisons and advice; never-repeated text.
SHARES: Final[Mapping[Kind, float]] = {"talk": 0.30, "product": 0.45, "answer": 0.10, "advice": 0.10, "story": 0.05}
#: A day of the workload, and how many write in it.
DAY_MESSAGES: Final = 20_000
MESSAGES_PER_CUSTOMER: Final = DAY_MESSAGES / 3_000
#: How much rarer the next rank is: the n-th is asked for n**-exponent as often as the first. Zipf's law for words is
#: an exponent of 1. For goods 1.2, the upper end of the 1.0 to 1.2 within which demand over a long list is usually put,
#: since a chat is for the things everybody needs. At 1.1 the replay's hit rate is lower by one percentage point.
PRODUCT_EXPONENT: Final = 1.2
PHRASE_EXPONENT: Final = 1.0
#: How many words of a product's name people say, 1 to 3: in the Spanish shopping list sentences of the repository
#: botframework-skills three quarters name a thing by one word.
WORDS_SAID: Final = (0.75, 0.20, 0.05)
MOST_WORDS: Final = len(WORDS_SAID)
#: Of "comparisons and advice", neither is known to be the more usual.
COMPARISONS: Final = 0.5
#: What of the product questions is about a promotion, on a day that has some; and what of them is worded as by another
#: hand, where there are such phrases.
ABOUT_PROMOTIONS: Final = 0.05
OTHER_HAND: Final = 0.5
#: Mean time from one message of a customer to the next; days, as all times here.
GAP_DAYS: Final = 0.01
DANGLING: Final = frozenset(
    ("a", "al", "con", "de", "del", "e", "el", "en", "la", "los", "o", "para", "por", "sin", "x", "y")
)
PHONE: Final = "549115{:07d}"


@dataclass(frozen=True, slots=True)
class Message:
    """One message. number: its place in the order. about, topics: what is asked, and about which things, free of
    noise; two messages that agree in both ask the same. typed: the topics as the text spells them, slip included.
    """

    number: int
    customer: str
    name: str
    kind: Kind
    text: str
    about: str
    topics: frozenset[str]
    typed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Draft:
    """What is said, before it is known when and by whom."""

    kind: Kind
    text: str
    about: str
    topics: frozenset[str]


class Zipf(Generic[Thing]):
    """Draws things by rank, the first most often."""

    def __init__(self, things: Sequence[Thing], exponent: float) -> None:
        self._things = things
        self._cumulative = list(accumulate(rank**-exponent for rank in range(1, len(things) + 1)))

    def draw(self, rng: Random) -> Thing:
        """One of the things."""
        return rng.choices(self._things, cum_weights=self._cumulative)[0]


def make_days(
    products: Sequence[Product],
    messages: int,
    seed: int,
    days: int,
    promoted: Sequence[Sequence[Product]] = (),
    other_hand: Sequence[str] = (),
) -> tuple[tuple[Message, ...], ...]:
    """Days of one shop, each of `messages` messages in the order in which they are written: what is wanted much one day
    is wanted much the next, and nothing else connects them.

    Customers write nearly equally often and in conversations: who greets does it first, who thanks does it last, and
    nobody begins with an answer.

    Args:
        products: rows with `name` and `category`.
        promoted: such rows by day, which are asked for more than others.
        other_hand: more ways to ask for a `{product}`.
    """
    rng = Random(seed)
    writer = Writer(rng, products, other_hand)
    found = []
    for day in range(days):
        writer.promoted = promoted[day] if promoted else ()
        found.append(_day(rng, writer, messages, day * messages))
    return tuple(found)


def make_workload(products: Sequence[Product], messages: int, seed: int) -> tuple[Message, ...]:
    """The first of those days."""
    return make_days(products, messages, seed, 1)[0]


def _day(rng: Random, writer: Writer, messages: int, first: int) -> tuple[Message, ...]:
    kinds = [kind for kind, share in SHARES.items() for _ in range(round(share * messages))]
    kinds = (kinds + ["product"] * messages)[:messages]
    rng.shuffle(kinds)
    customers = max(1, round(messages / MESSAGES_PER_CUSTOMER))
    written = [
        (at, customer, draft)
        for customer in range(customers)
        for at, draft in _timed(rng, conversation([writer.draft(kind) for kind in kinds[customer::customers]]))
    ]
    written.sort(key=lambda entry: entry[:2])
    return tuple(_message(rng, number, customer, draft) for number, (_, customer, draft) in enumerate(written, first))


def conversation(drafts: list[Draft]) -> list[Draft]:
    """The drafts of one customer in an order that makes sense."""
    ordered = sorted(drafts, key=_place)
    first = next((draft for draft in ordered if draft.kind != "answer"), ordered[0])
    return [first, *(draft for draft in ordered if draft is not first)]


def _place(draft: Draft) -> int:
    return {"greeting": 0, "thanks": 2, "farewell": 3}.get(draft.about, 1)


def _timed(rng: Random, drafts: Sequence[Draft]) -> list[tuple[float, Draft]]:
    gaps = (rng.expovariate(1 / GAP_DAYS) for _ in drafts[1:])
    return list(zip(accumulate(gaps, initial=rng.random()), drafts, strict=True))


def _message(rng: Random, number: int, customer: int, draft: Draft) -> Message:
    text = noisy(rng, draft.text)
    name = phrases.NAMES[customer % len(phrases.NAMES)]
    typed = as_typed(draft.topics, draft.text, text)
    return Message(number, PHONE.format(customer), name, draft.kind, text, draft.about, draft.topics, typed)


def as_typed(topics: frozenset[str], meant: str, text: str) -> frozenset[str]:
    """The topics of what was meant with the slip that is in the text: noise never adds or takes away a word."""
    words = zip(as_read(meant).split(), as_read(text).split(), strict=True)
    spelled = {stem(clean): stem(typed) for clean, typed in words}
    return frozenset(" ".join(spelled.get(word, word) for word in topic.split()) for topic in topics)


class Writer:
    """Writes messages of each kind about the products of one shop, whose popularity is drawn with them. promoted: what
    is on promotion today. other_hand: as for `make_days`.
    """

    def __init__(self, rng: Random, products: Sequence[Product], other_hand: Sequence[str] = ()) -> None:
        self.promoted: Sequence[Product] = ()
        self._rng = rng
        self._other_hand = other_hand
        self._nouns = nouns(products)
        ranked = list(products)
        rng.shuffle(ranked)
        self._products = Zipf(ranked, PRODUCT_EXPONENT)
        sections = dict.fromkeys(product["category"] for product in ranked)
        self._sections = Zipf(list(sections), PRODUCT_EXPONENT)
        self._within = {
            section: Zipf([p for p in ranked if p["category"] == section], PRODUCT_EXPONENT) for section in sections
        }
        self._talk = Zipf(phrases.GREETINGS, PHRASE_EXPONENT)
        self._questions = Zipf(phrases.QUESTIONS, PHRASE_EXPONENT)
        self._answers = Zipf(phrases.ANSWERS, PHRASE_EXPONENT)
        self._comparisons = Zipf(phrases.COMPARISONS, PHRASE_EXPONENT)
        self._advice = Zipf(phrases.ADVICE, PHRASE_EXPONENT)
        self._occasions = Zipf(phrases.OCCASIONS, PHRASE_EXPONENT)
        self._told: set[str] = set()

    def draft(self, kind: Kind) -> Draft:
        """A new message of this kind."""
        writers: Mapping[Kind, Callable[[], Draft]] = {
            "talk": self._talk_draft,
            "product": self._product_draft,
            "answer": self._answer_draft,
            "advice": self._advice_draft,
            "story": self._story_draft,
        }
        return writers[kind]()

    def _talk_draft(self) -> Draft:
        about, text = self._talk.draw(self._rng)
        return Draft("talk", text, about, frozenset())

    def _product_draft(self) -> Draft:
        promotion = self.promoted and self._rng.random() < ABOUT_PROMOTIONS
        product = self._said(self._rng.choice(self.promoted) if promotion else self._products.draw(self._rng))
        text = self._question().format(product=product)
        return Draft("product", text, "product", frozenset({topic(product)}))

    def _question(self) -> str:
        if self._other_hand and self._rng.random() < OTHER_HAND:
            return self._rng.choice(self._other_hand)
        return self._questions.draw(self._rng)

    def _answer_draft(self) -> Draft:
        text = self._answers.draw(self._rng)
        return Draft("answer", text, "answer", frozenset({topic(text)}))

    def _advice_draft(self) -> Draft:
        """A comparison of two things of one section, or advice about one thing, one section or one occasion."""
        product = self._products.draw(self._rng)
        section = self._sections.draw(self._rng).lower()
        occasion = self._occasions.draw(self._rng)
        if self._rng.random() < COMPARISONS:
            about, form = self._comparisons.draw(self._rng)
            things = told_apart(product, self._rival(product), self._nouns)
            return Draft(
                "advice", form.format(product=things[0], other=things[1]), about, frozenset(map(topic, things))
            )
        about, form = self._advice.draw(self._rng)
        thing = self._said(product)
        named = section if about == "section" else occasion if about == "occasion" else thing
        text = form.format(product=thing, section=section, occasion=occasion)
        return Draft("advice", text, about, frozenset({topic(named)}))

    def _rival(self, product: Product) -> Product:
        """Another thing of the same section; of the whole shop where the section has no other."""
        for zipf in (*[self._within[product["category"]]] * 20, *[self._products] * 1_000):
            other = zipf.draw(self._rng)
            if named(other, MOST_WORDS) != named(product, MOST_WORDS):
                return other
        return product

    def _said(self, product: Product) -> str:
        """The words by which somebody asks for a product."""
        count = self._rng.choices(range(1, MOST_WORDS + 1), weights=WORDS_SAID)[0]
        return called(product, count, self._nouns)

    def _story_draft(self) -> Draft:
        """A text nobody has written before."""
        while True:
            text = self._rng.choice(phrases.STORIES).format(**self._details())
            if text not in self._told:
                self._told.add(text)
                return Draft("story", text, "story", frozenset({text}))

    def _details(self) -> dict[str, object]:
        rng = self._rng
        return {
            "street": rng.choice(phrases.STREETS),
            "name": rng.choice(phrases.NAMES),
            "day": rng.choice(phrases.DAYS),
            "letter": rng.choice("abcdefgh"),
            "n": rng.randint(100, 9_999),
            "amount": rng.randint(1_000, 99_999),
            "few": rng.randint(2, 12),
            "some": rng.randint(2, 30),
            "product": self._said(self._products.draw(rng)),
            "other": self._said(self._products.draw(rng)),
        }


def nouns(products: Sequence[Product]) -> frozenset[str]:
    """The first words of names that stand there at least as often as elsewhere: "leche" is what a thing is called,
    "mini" says how it is, and nobody asks for it alone.
    """
    split = [words for product in products if (words := as_read(product["name"]).split())]
    first = Counter(words[0] for words in split)
    later = Counter(word for words in split for word in set(words[1:]))
    return frozenset(word for word, count in first.items() if count >= later[word])


def told_apart(product: Product, other: Product, known: frozenset[str]) -> tuple[str, str]:
    """Both by the fewest words that tell them apart: "leche" and "queso", but "queso fresco" and "queso rallado"."""
    pairs = [(called(product, count, known), called(other, count, known)) for count in range(1, MOST_WORDS + 1)]
    return next((pair for pair in pairs if topic(pair[0]) != topic(pair[1])), pairs[-1])


def called(product: Product, count: int, known: frozenset[str]) -> str:
    """The first `count` words of a product's name, or more where one says only how it is. known: the nouns."""
    name = named(product, count)
    longer = (named(product, more) for more in range(count + 1, MOST_WORDS + 2))
    return name if " " in name or as_read(name) in known else next((more for more in longer if " " in more), name)


def named(product: Product, count: int) -> str:
    """The first `count` words of a product's name, without a number at their beginning or a "de" at their end."""
    split = (word.strip(".,;:()+\"'") for word in product["name"].lower().split())
    words = list(dropwhile(lambda word: not word.isalpha(), split))[:count]
    while len(words) > 1 and words[-1] in DANGLING:
        words.pop()
    return " ".join(words) or product["name"].lower()
