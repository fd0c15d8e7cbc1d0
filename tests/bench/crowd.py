"""Who writes what in each workload of the benchmark, as webhook bodies. Drawn from a seed, pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle
from random import Random
from typing import Final

import orjson

from bench.noise import noisy
from bench.workload import Kind, Message, Product, Writer, Zipf

#: Kinds of message that others may have asked before.
ASKED_BEFORE: Final[tuple[Kind, ...]] = ("talk", "product")
#: Regulars write in turn, so many that the service has long answered whoever writes again: what somebody writes while
#: a message of theirs waits is answered together with it, and that is another workload.
REGULARS: Final = 5_000
QUESTION_EXPONENT: Final = 1.0
MOST_DRAWS: Final = 50


@dataclass(frozen=True, slots=True)
class Written:
    """One message as a customer writes it. `id` is WhatsApp's, `customer` the phone."""

    id: str
    customer: str
    name: str
    text: str

    def body(self, now_s: int) -> bytes:
        """The webhook body in which Meta delivers it (docs/gateway.md)."""
        message = {"from": self.customer, "id": self.id, "timestamp": str(now_s), "type": "text"}
        value = {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "5491155550000", "phone_number_id": "106540352242922"},
            "contacts": [{"profile": {"name": self.name}, "wa_id": self.customer}],
            "messages": [message | {"text": {"body": self.text}}],
        }
        entry = {"id": "102290129340398", "changes": [{"field": "messages", "value": value}]}
        return orjson.dumps({"object": "whatsapp_business_account", "entry": [entry]})


class Crowd:
    """Makes messages whose ids never repeat, however often it is asked."""

    def __init__(self, products: Sequence[Product], seed: int) -> None:
        self._rng = Random(seed)
        self._writer = Writer(self._rng, products)
        self._runs = 0
        self._regulars = cycle(range(REGULARS))
        self._last: dict[int, str] = {}
        #: Runs of different seeds write to no common customer.
        self._prefix = f"54{seed % 1_000:03d}"

    def questions(self, count: int) -> list[str]:
        """Different questions that anybody may ask, the most usual first."""
        asked: Counter[str] = Counter()
        for _ in range(50 * count):
            if len(asked) == count:
                break
            asked[noisy(self._rng, self._writer.draft(self._rng.choice(ASKED_BEFORE)).text)] += 1
        return [text for text, _ in asked.most_common()]

    def asking(self, questions: Sequence[str], count: int) -> list[Written]:
        """`count` messages of regular customers, drawn from these questions."""
        popular = Zipf(questions, QUESTION_EXPONENT)
        self._runs += 1
        return [self._asked(place, next(self._regulars), popular) for place in range(count)]

    def _asked(self, place: int, customer: int, popular: Zipf[str]) -> Written:
        """A question that is not this customer's last one: who writes the same in a row is taken for a machine, and
        gets no reply.
        """
        drawn = (popular.draw(self._rng) for _ in range(MOST_DRAWS))
        text = next((text for text in drawn if text.casefold() != self._last.get(customer)), popular.draw(self._rng))
        self._last[customer] = text.casefold()
        return self._written(place, 0, customer, "Ana", text)

    def each_once(self, questions: Iterable[str]) -> list[Written]:
        """Every question once, each by a customer who writes nothing else."""
        return self._by_many((place, "Ana", text) for place, text in enumerate(questions))

    def never_asked(self, count: int) -> list[Written]:
        """`count` texts that nobody wrote before, each by a customer who writes nothing else."""
        return self.each_once(self._writer.draft("story").text for _ in range(count))

    def day(self, messages: Sequence[Message], count: int) -> list[Written]:
        """Whole conversations of a day of the standard workload, about `count` messages. A customer's messages keep
        their order and are spread evenly: a day that is over in seconds would make one burst of each conversation.
        """
        share = min(1.0, count / max(1, len(messages)))
        conversations = [c for c in _conversations(messages) if self._rng.random() < share]
        places: list[tuple[float, int, Message]] = []
        for number, conversation in enumerate(conversations):
            phase = self._rng.random()
            places += [((k + phase) / len(conversation), number, m) for k, m in enumerate(conversation)]
        places.sort(key=lambda place: place[:2])
        return self._by_many((number, message.name, message.text) for _, number, message in places)

    def _by_many(self, said: Iterable[tuple[int, str, str]]) -> list[Written]:
        """Messages from (customer's number, name, text), by customers who write in no other run."""
        self._runs += 1
        return [self._written(place, self._runs, *told) for place, told in enumerate(said)]

    def _written(self, place: int, group: int, customer: int, name: str, text: str) -> Written:
        phone = f"{self._prefix}{group:03d}{customer:06d}"
        return Written(f"wamid.bench.{self._prefix}.{self._runs}.{place}", phone, name, text)


def _conversations(messages: Sequence[Message]) -> list[list[Message]]:
    by_customer: dict[str, list[Message]] = {}
    for message in messages:
        by_customer.setdefault(message.customer, []).append(message)
    return list(by_customer.values())
