"""Playing rounds in a town: customers write, something breaks in the middle, and everything must end as promised."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from faults import records
from faults.checker import Finding, Picture, findings
from faults.gateway import Observer, Sender
from faults.oracle import Oracle, Router
from faults.town import Town, open_town
from faults.workload import CUSTOMERS, Delivery, Workload
from worker.celery_ext.broker import broker_of
from worker.redisdb.connect import connect_durable
from worker.redisdb.keys import INBOUND
from worker.runtime.embedded.processes import wait_until
from worker.steps.services import build

ROUND_MESSAGES: Final = 32
#: Between two messages of a round: all at once, or over about the time in which they can be answered.
PACES_S: Final = (0.0, 0.02)
#: The fault comes within this time of the first message, while some are under way and others still to come.
LEAD_S: Final = 0.4
ROUND_TIMEOUT_S: Final = 60.0
#: A message that kills its worker has six runs of a lease each before it is given up.
SETTLE_TIMEOUT_S: Final = 90.0
LOOK_EVERY_S: Final = 0.2
#: After so long a gateway that speaks Celery sends again what has no reply; the broker may have lost it.
AGAIN_S: Final = 15.0
#: What takes long by its own nature, whatever a fault does: no round waits for the customers who sent it.
SLOW: Final = frozenset({"killer", "hang"})


@dataclass(frozen=True, slots=True)
class Patience:
    """Of a gateway. timeout_s: after which it takes what it has sent for lost; replicas: that must have it."""

    timeout_s: float
    replicas: int = 0


#: Longer than Redis is ever blocked here, so that nothing is sent again that was only slow to be taken.
PATIENT: Final = Patience(30.0)


@dataclass(frozen=True, slots=True)
class Round:
    """What one round brought. recovery_s: from the fault to the end of the last message of the round, which was sent
    before the fault or while it lasted; a fault that lasts counts with its own length.
    """

    messages: int
    recovery_s: float
    late: tuple[str, ...] = ()


#: Messages that provoke, of different customers as a rule.
PROVOKED: Final = 3


@dataclass(slots=True)
class Play:
    """A town with its customers, its gateway and the oracle."""

    town: Town
    workload: Workload
    sender: Sender
    observer: Observer
    oracle: Oracle
    rng: Random
    messages: int = ROUND_MESSAGES
    poisoned: bool = True
    _found: set[Finding] = field(default_factory=set)
    _silent: dict[str, float] = field(default_factory=dict)
    _slow: dict[str, str] = field(default_factory=dict)

    def round(self, inject: Callable[[], float], poison: str | None = None, lasts_s: float = 0.0) -> Round:
        """One round. inject: called while the messages are under way, breaks something and returns when (seconds since
        1970); poison: what the last of them is to be; lasts_s: how long the fault lasts, over which the messages are
        spread. Messages that have not ended after 60 s are late.
        """
        taken = self._take(self.messages, poison)
        slow = set(self._slow.values())
        ids = [each for delivery in taken if delivery.customer not in slow for each in delivery.message_ids]
        self.sender.send(taken, (LEAD_S + lasts_s) / self.messages if lasts_s else self.rng.choice(PACES_S))
        time.sleep(self.rng.uniform(0, LEAD_S))
        at = inject()
        if not wait_until(lambda: not self.waiting(ids), AGAIN_S):
            self._send_again(taken)
            wait_until(lambda: not self.waiting(ids), ROUND_TIMEOUT_S - AGAIN_S)
        ended = [self._ended_at(message_id) for message_id in ids]
        return Round(count(taken), max([0.0, *(end - at for end in ended if end)]), tuple(self.waiting(ids)))

    def waiting(self, message_ids: Sequence[str]) -> list[str]:
        """Those that have not ended."""
        if all(self._ended_at(each) for each in message_ids):
            return []
        time.sleep(LOOK_EVERY_S)
        self._look_for_silent([*message_ids, *self._slow])
        return [each for each in message_ids if not self._ended_at(each)]

    def settle(self, timeout_s: float = SETTLE_TIMEOUT_S) -> bool:
        """Sends the last duplicates and waits until nothing is under way; False where that takes longer."""
        self.sender.send(self.workload.leftovers())
        if wait_until(self._is_at_rest, AGAIN_S):
            return True
        self._send_again(self.sender.sent.deliveries)
        return wait_until(self._is_at_rest, timeout_s)

    def check(self) -> list[Finding]:
        """What is wrong and was not at the last check. Nothing may be under way."""
        records_now = records.read(self.town.engine)
        picture = Picture(
            sent=self.sender.sent,
            records=records_now,
            seen=tuple(self.observer.replies),
            kept=tuple(self.observer.kept()),
            rejected=dict(self.observer.rejected),
            calls=self.town.calls(),
            orders=tuple(self.observer.orders()),
        )
        found = [*findings(picture)]
        found += [Finding("wrong", difference.what) for difference in self.oracle.follow(records_now)]
        new = [finding for finding in found if finding not in self._found]
        self._found.update(new)
        return new

    def _send_again(self, deliveries: Sequence[Delivery]) -> None:
        by_celery = [delivery for delivery in deliveries if delivery.door == "celery"]
        silent = set(self.waiting([each for delivery in by_celery for each in delivery.message_ids]))
        self.sender.send([delivery for delivery in by_celery if silent.intersection(delivery.message_ids)])

    def _take(self, messages: int, poison: str | None) -> list[Delivery]:
        now_s = int(time.time())
        taken = self.workload.take(messages - bool(poison), now_s, harmless=not self.poisoned)
        # The customer of one may have a person by now, or be in a turn that is under way: nothing would be provoked.
        for _ in range(1 if poison in (None, *SLOW) else PROVOKED):
            taken += self.workload.poisoned(poison, now_s) if poison else ()
        for delivery in taken:
            if delivery.poison in SLOW:
                self._slow[delivery.message_ids[0]] = delivery.customer
        return taken

    def _look_for_silent(self, message_ids: Sequence[str]) -> None:
        try:
            self._silent |= records.silent(self.town.engine, message_ids)
        except records.SQLAlchemyError:
            return
        self._slow = {each: customer for each, customer in self._slow.items() if not self._ended_at(each)}

    def _ended_at(self, message_id: str) -> float | None:
        return self.observer.answered_at.get(message_id) or self._silent.get(message_id)

    def _is_at_rest(self) -> bool:
        time.sleep(LOOK_EVERY_S)
        try:
            rests = records.at_rest(self.town.engine, len(self.sender.sent.message_ids))
        except records.SQLAlchemyError:
            return False
        return rests and self.sender.is_idle and not self.town.redis.xlen(INBOUND.pattern)


def count(deliveries: Sequence[Delivery]) -> int:
    """How many messages, good and bad, each once."""
    good = {message_id for delivery in deliveries for message_id in delivery.message_ids}
    return len(good) + sum(delivery.bad for delivery in deliveries)


@contextmanager
def open_play(directory: Path, seed: int, messages: int = ROUND_MESSAGES, customers: int = CUSTOMERS) -> Iterator[Play]:
    """A town with its customers, ready for the first round."""
    workload = Workload(seed, f"wamid.faults{seed}", customers)
    with open_town(directory, seed) as town, playing(town, workload, messages) as play:
        yield play


@contextmanager
def playing(town: Town, workload: Workload, messages: int, patience: Patience = PATIENT) -> Iterator[Play]:
    """Customers, a gateway and the oracle for a town."""
    with ExitStack() as stack:
        services = build(town.direct)
        stack.callback(services.engine.dispose)
        clients = [connect_durable(town.direct, patience.timeout_s, repeats=0) for _ in range(2)]
        sender = stack.enter_context(Sender(clients[0], broker_of(town.direct), patience.replicas))
        observer = stack.enter_context(Observer(clients[1]))
        rng = Random(f"faults:{workload.seed}")
        yield Play(town, workload, sender, observer, Oracle(Router(services)), rng, messages)
