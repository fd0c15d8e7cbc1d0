"""What the customers of the suite write: drawn from a seed, with duplicates and poison. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Any, Final, Literal

import orjson

from faults.crashing import KILLER, STUMBLE
from faults.provider import GARBAGE, HANG

Door = Literal["stream", "celery"]
CUSTOMERS: Final = 500
#: The n-th customer writes n**-0.5 as often as the first.
ZIPF_EXPONENT: Final = 0.5
DUPLICATES: Final = 0.10
POISON: Final = 0.01
#: How many deliveries later a duplicate may come.
DUPLICATE_WITHIN: Final = 20
BY_CELERY: Final = 0.05
#: Webhook bodies with several messages in them, of one customer.
BURSTS: Final = 0.08
WEBHOOKS: Final = 0.5
HUGE_BYTES: Final = 1_000_000
BAD: Final = ("bad_json", "wrong_types", "huge", "half_bad")
SPOILED: Final = {"hang": HANG, "garbage": GARBAGE, "killer": KILLER, "stumble": STUMBLE}
POISONS: Final = (*BAD, *SPOILED)
#: Most lean on their session and so cost a provider call each; the others are the same for everybody.
TEXTS: Final = (
    *(("agregame {n} leches descremadas",) * 3),
    *(("poneme {n} mantecas",) * 2),
    "sumame {n} arroz integral",
    "quiero {n} harinas de trigo",
    "sacame la manteca",
    "mejor que sean {n} leches",
    "ver carrito",
    "vaciar el carrito",
    "quiero pagar",
    "Calle Sauce {n}{n}4, Lanús",
    "si, confirmo",
    "el {n}",
    "hola",
    "buenas tardes",
    "tenes yerba?",
    "cuanto sale el arroz?",
    "hay fideos?",
    "gracias!",
    "que conviene, manteca o queso?",
)
#: Types without a text, and whether a reply is due.
WORDLESS: Final = ("image", "audio", "reaction")
WORDLESS_SHARE: Final = 0.05
PERSON_SHARE: Final = 0.002
PERSON: Final = "quiero hablar con una persona"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One payload. message_ids: of the good messages in it; bad: rejected entries that are due for it."""

    customer: str
    message_ids: tuple[str, ...]
    payload: bytes
    door: Door = "stream"
    bad: int = 0
    poison: str | None = None


class Workload:
    """An endless supply of deliveries, the same for the same seed. prefix: begins every message id; poisons: kinds that
    come in turn; by_celery: share of the deliveries.
    """

    def __init__(
        self,
        seed: int,
        prefix: str,
        customers: int = CUSTOMERS,
        poisons: Sequence[str] = POISONS,
        by_celery: float = BY_CELERY,
    ) -> None:
        self.seed = seed
        self._rng = Random(f"workload:{seed}")
        self._prefix = prefix
        self._phones = [f"54911{seed % 1_000:03}{number:05}" for number in range(customers)]
        self._cumulative = list(accumulate((rank + 1) ** -ZIPF_EXPONENT for rank in range(customers)))
        self._number = 0
        self._again: deque[tuple[int, Delivery]] = deque()
        self._poisons = deque(poisons)
        self._by_celery = by_celery

    def take(self, messages: int, now_s: int, *, harmless: bool = False) -> list[Delivery]:
        """Deliveries with (at least) so many messages, and the duplicates that fall due. harmless: without poison."""
        taken: list[Delivery] = []
        end = self._number + messages
        while self._number < end:
            delivery = self._next(now_s, harmless=harmless)
            taken.append(delivery)
            if self._rng.random() < DUPLICATES and delivery.message_ids:
                self._again.append((self._number + self._rng.randint(1, DUPLICATE_WITHIN), delivery))
            taken += self._due()
        return taken

    def poisoned(self, kind: str, now_s: int) -> list[Delivery]:
        """One delivery of a kind of poison."""
        return [self._poisoned(kind, now_s)]

    def leftovers(self) -> list[Delivery]:
        """The duplicates that are still to come."""
        left = [delivery for _, delivery in self._again]
        self._again.clear()
        return left

    def _due(self) -> list[Delivery]:
        due = [delivery for at, delivery in self._again if at <= self._number]
        self._again = deque((at, delivery) for at, delivery in self._again if at > self._number)
        return due

    def _next(self, now_s: int, *, harmless: bool) -> Delivery:
        if self._rng.random() < POISON and not harmless:
            self._poisons.rotate(-1)
            return self._poisoned(self._poisons[0], now_s)
        customer = self._customer()
        burst = self._rng.randint(2, 4) if self._rng.random() < BURSTS else 1
        told = [self._message(customer, now_s) for _ in range(burst)]
        door: Door = "celery" if self._rng.random() < self._by_celery else "stream"
        ids = tuple(message["message_id"] for message in told)
        plain = burst == 1 and self._rng.random() >= WEBHOOKS
        return Delivery(customer, ids, orjson.dumps(told[0]) if plain else webhook(told), door)

    def _poisoned(self, kind: str, now_s: int) -> Delivery:
        customer = self._customer()
        told = self._message(customer, now_s, f"{SPOILED.get(kind, 'hola')} {self._number}")
        ids = (told["message_id"],)
        if kind in SPOILED:
            return Delivery(customer, ids, orjson.dumps(told), poison=kind)
        if kind == "half_bad":
            return Delivery(customer, ids, webhook([told, {"type": "text"}]), bad=1, poison=kind)
        return Delivery(customer, (), _broken(kind, told), bad=1, poison=kind)

    def _customer(self) -> str:
        return self._rng.choices(self._phones, cum_weights=self._cumulative)[0]

    def _message(self, customer: str, now_s: int, text: str | None = None) -> dict[str, Any]:
        self._number += 1
        head = {"message_id": f"{self._prefix}.{self._number}", "from": customer, "timestamp": now_s}
        rng = self._rng
        if text is None and rng.random() < WORDLESS_SHARE:
            return head | {"type": rng.choice(WORDLESS)}
        said = PERSON if rng.random() < PERSON_SHARE else rng.choice(TEXTS).format(n=rng.randint(1, 9))
        return head | {"type": "text", "text": said if text is None else text}


def webhook(messages: list[dict[str, Any]]) -> bytes:
    """The messages in one body as Meta sends it."""
    value = {"messaging_product": "whatsapp", "contacts": [], "messages": [_as_meta(told) for told in messages]}
    entry = {"id": "1", "changes": [{"field": "messages", "value": value}]}
    return orjson.dumps({"object": "whatsapp_business_account", "entry": [entry]})


def _as_meta(told: Mapping[str, Any]) -> dict[str, Any]:
    if "message_id" not in told:
        return dict(told)
    head = {"id": told["message_id"], "from": told["from"], "timestamp": str(told["timestamp"]), "type": told["type"]}
    return head | {told["type"]: {"body": told["text"]} if told["type"] == "text" else {"id": "1"}}


def _broken(kind: str, told: dict[str, Any]) -> bytes:
    """A payload of which no message can be taken, different from every other one."""
    if kind == "bad_json":
        return orjson.dumps(told)[:-1]
    if kind == "wrong_types":
        return orjson.dumps(told | {"from": [told["from"]], "text": 5})
    return orjson.dumps(told | {"text": "x" * HUGE_BYTES})
