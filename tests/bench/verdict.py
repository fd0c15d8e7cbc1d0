"""What makes an answer wrong, and how often a cache of a given key would have answered. Pure.

Nothing here knows Chasqui's cache key. An answer is judged by who asked what (the workload knows, free of noise), by
the mark the simulated provider left in it (`worker.devkit.assistant.marked`), and by the shop's own price list.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from bench.reading import as_read, stem
from bench.workload import Message
from worker.devkit.spanish import money

#: A line of a list of products in a reply: number, name, price, and what is said of the stock.
LISTED: Final = re.compile(r"^\d+\. (.+): (\S.*?)(?: \([^()]*\))?$", re.MULTILINE)
#: How the shop's own words name the cheapest, and what asks for it.
LEAST: Final = "El de menor precio: "
PRICE_ASKED: Final = ("cheaper", "cheapest")
#: So many letters in common make two words one: "leche" and "lechera", not "pan" and "pantalla".
SAME_BEGINNING: Final = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply as it came back. provider: who made it, None where nobody did. facts: the mark of the request it was made
    from, None where it has none; session: id of the session that stood in that request, None where none did.
    """

    to: str
    text: str
    source: str
    provider: str | None
    facts: str | None
    session: str | None


@dataclass(frozen=True, slots=True)
class PriceList:
    """What the shop sells, by name as replies name it: prices as replies write them (products of one name may have
    several), and sections, in words.
    """

    prices: Mapping[str, Collection[str]]
    sections: Mapping[str, str]
    _cut: dict[str, list[str]] = field(default_factory=dict, compare=False)

    def named(self, name: str) -> list[str]:
        """Products of a name, which may be cut off: "Leche ent…"."""
        if not name.endswith("…"):
            return [name] if name in self.prices else []
        if name not in self._cut:
            self._cut[name] = [one for one in self.prices if one.startswith(name[:-1].rstrip())]
        return self._cut[name]

    def has(self, name: str, price: str) -> bool:
        """Whether a product of this name has this price, however the currency is written."""
        return any(figure(price) in map(figure, self.prices[one]) for one in self.named(name))


@dataclass(frozen=True, slots=True)
class Replied:
    """A message, its answer, and the id of the session of who wrote it."""

    message: Message
    answer: Answer
    own_session: str


def same_question(asked: Message, made_for: Message) -> bool:
    """Whether an answer made for one message is right for the other. "Si" and "2" mean what the conversation says: no
    other message is the same, not even one of the same customer. The rest is the same if it asks the same of the same
    things, in whatever words; a slip may also be taken for the word it has become.
    """
    if asked.number == made_for.number:
        return True
    if "answer" in (asked.kind, made_for.kind):
        return False
    same_things = asked.topics == made_for.topics or asked.typed == made_for.typed
    return same_things and asked.about == made_for.about


def wrong(replied: Replied, made_for: Message, sold: PriceList) -> str | None:
    """What is wrong with an answer, None where nothing is. made_for: the message that a model was asked for it."""
    message, answer = replied.message, replied.answer
    if answer.to != message.customer:
        return "sent to another customer"
    if answer.provider is None and message.kind in ("product", "advice"):
        return untrue(message, answer.text, sold)  # the shop's own words
    if answer.source not in ("ai", "cache"):
        return None
    if answer.facts is None:
        return "bears no mark"
    if answer.session not in (None, replied.own_session):
        return "made from another customer's session"
    if message.kind == "answer" and answer.session is None:
        return "made without the session it depends on"
    if not same_question(message, made_for):
        return "made for another question"
    return untrue(message, answer.text, sold)


def untrue(message: Message, text: str, sold: PriceList) -> str | None:
    """Whether a reply's list of products is false, or has nothing to do with a question that was typed without slip."""
    listed: list[tuple[str, str]] = LISTED.findall(text)
    if not all(sold.has(name, price) for name, price in listed):
        return "names a product or a price the shop does not have"
    clear = message.typed == message.topics
    told = [f"{one} {sold.sections[one]}" for name, _ in listed for one in sold.named(name)]
    if clear and message.kind == "product" and listed and not any(about(message.topics, words) for words in told):
        return "names products nobody asked for"
    if LEAST in text and message.about not in PRICE_ASKED:
        return "tells what is cheapest where nobody asked"
    if clear and LEAST in text and not all(any(about([topic], words) for words in told) for topic in message.topics):
        return "compares with something else"
    return None


def figure(price: str) -> str:
    """The figure of a price."""
    return re.sub(r"[^\d.,]", "", price)


def about(topics: Iterable[str], words_of_product: str) -> bool:
    """Whether a product's name or section shares a word with what is asked about."""
    words = {stem(word) for word in as_read(words_of_product).split()}
    wanted = [word for topic in topics for word in topic.split()]
    return any(word in words or _begins_alike(word, words) for word in wanted)


def _begins_alike(word: str, words: Iterable[str]) -> bool:
    return len(word) >= SAME_BEGINNING and any(other[:SAME_BEGINNING] == word[:SAME_BEGINNING] for other in words)


def price_list(products: Iterable[Mapping[str, Any]]) -> PriceList:
    """From rows with name, brand, format, category, price and currency."""
    prices: dict[str, set[str]] = {}
    sections: dict[str, str] = {}
    for product in products:
        name = " ".join(filter(None, (product["name"], product["brand"], product["format"])))
        prices.setdefault(name, set()).add(money(Decimal(product["price"]), product["currency"]))
        sections[name] = f"{sections.get(name, '')} {product['category']}"
    return PriceList(prices, sections)


def wrong_answers(replies: Sequence[Replied], sold: PriceList) -> list[tuple[Replied, str]]:
    """The wrong answers with what is wrong. An answer was made for the message that a model was asked for: of those
    that bear its mark, the one that did not come from the cache. Where there is none any of them will do: they must
    all be one question.
    """
    made_for = {reply.answer.facts: reply.message for reply in replies}
    made_for |= {reply.answer.facts: reply.message for reply in replies if reply.answer.source == "ai"}
    judged = []
    for reply in replies:
        origin = reply.message if reply.answer.source == "ai" else made_for[reply.answer.facts]
        judged.append((reply, wrong(reply, origin, sold)))
    return [(reply, reason) for reply, reason in judged if reason is not None]


def hits_offline(messages: Iterable[Message], key: Callable[[Message], object]) -> list[tuple[Message, Message]]:
    """The workload through a cache that keeps the first answer to each key: every hit with the message that the answer
    was made for. A message whose key is None is not looked up.
    """
    first: dict[object, Message] = {}
    hits = []
    for message in messages:
        if (found := key(message)) is None:
            continue
        made_for = first.setdefault(found, message)
        if made_for is not message:
            hits.append((message, made_for))
    return hits


def seed_key(message: Message) -> str:
    """The key of the flow that Chasqui replaces: the MD5 of the lower-cased text and nothing else."""
    return hashlib.md5(message.text.lower().encode(), usedforsecurity=False).hexdigest()


def meaning_key(message: Message) -> object:
    """What is asked, free of noise: no cache that is never wrong can do better by recognising questions."""
    return None if message.kind == "answer" else (message.about, message.topics)
