"""What must hold with any model, however poor its answers: eight invariants over what came of a trial."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from real_model.prose import faults, words_of
from real_model.recording import Call
from real_model.transcript import Booked, Examined, Exchange, Outage

#: Sources of words that a model has written.
MODELS: Final = ("ai", "cache")
CHECKOUT: Final = frozenset({"checkout", "waiting_address", "confirming_order"})
YES: Final = re.compile(
    r"\W*(?:s[ií]+|dale|ok|okey|listo|confirmo|confirmado|de acuerdo|perfecto|bueno|va|👍)\b[^?]{0,40}|\W*👍\W*",
    re.IGNORECASE,
)
ANNOUNCED: Final = re.compile(r"persona|equipo|alguien", re.IGNORECASE)
CLAIMED: Final = re.compile(r"\b(?:agregué|sumé|añadí|anoté|saqué|quité|eliminé|vacié|cambié|puse)\b", re.IGNORECASE)
DENIED: Final = re.compile(r"\b(?:no|ni|sin)\b[^.!\n]*", re.IGNORECASE)
EMPTIED: Final = re.compile(r"vac[ií]", re.IGNORECASE)
FIGURES: Final = {
    1: "un uno una",
    2: "dos par",
    3: "tres",
    4: "cuatro",
    5: "cinco",
    6: "seis",
    10: "diez",
    12: "docena",
}
#: An estimate is right if it is not off by more than this factor: SmolLM2 needs more tokens for Spanish than others.
ESTIMATE_LEAST, ESTIMATE_MOST = 0.5, 2.5
CHARS_PER_TOKEN: Final = 4
#: A customer who waited for one call that was cut waited so many times its limit at most.
ONE_TIMEOUT: Final = 1.7


@dataclass(frozen=True, slots=True)
class Verdict:
    """One invariant. figures: what was looked at; broken: what spoke against it, a sentence each."""

    number: int
    name: str
    figures: str
    broken: tuple[str, ...] = ()

    @property
    def held(self) -> bool:
        """Whether nothing spoke against it."""
        return not self.broken


def one_reply(exchanges: Sequence[Exchange], replies: Sequence[Mapping[str, Any]]) -> Verdict:
    """1. replies: all that were published, also again."""
    by_message: dict[str, set[str]] = {}
    for reply in replies:
        for message_id in reply["in_reply_to"]:
            by_message.setdefault(message_id, set()).add(reply["reply_id"])
    told: set[str] = set()
    broken, silent = [], 0
    for exchange in exchanges:
        announced = exchange.customer in told
        for message_id, state in zip(exchange.message_ids, exchange.states, strict=True):
            found = len(by_message.get(message_id, ()))
            silent += state == "closed"
            if found != (0 if state == "closed" else 1) or state not in ("answered", "closed"):
                broken.append(f"{message_id} is {state} with {found} replies")
            elif state == "closed" and not announced:
                broken.append(f"{message_id} was met with silence that nobody had announced")
        if any(reply["requires_human"] and ANNOUNCED.search(reply["text"]) for reply in exchange.replies):
            told.add(exchange.customer)
    messages = sum(len(exchange.message_ids) for exchange in exchanges)
    figures = f"{messages} messages, {len(by_message)} answered, {silent} left to a person"
    return Verdict(1, "one reply to each message, or a silence that was announced", figures, tuple(broken))


def tokens(calls: Sequence[Call], booked: Booked) -> Verdict:
    """2. Of a call that was given up its caller cannot know the tokens; booked must be about what they were."""
    whole = [call for call in calls if not call.given_up]
    lost = [call for call in calls if call.given_up]
    prompt, completion = sum(c.prompt_tokens for c in whole), sum(c.completion_tokens for c in whole)
    guess = sum(call.prompt_tokens or call.asked_chars / CHARS_PER_TOKEN for call in lost)
    limit = sum(_output_limit(call) for call in lost)
    broken = []
    if not prompt + guess * ESTIMATE_LEAST <= booked.prompt_tokens <= prompt + guess * ESTIMATE_MOST:
        broken.append(f"{booked.prompt_tokens} prompt tokens are booked; {prompt} were counted, about {guess:.0f} cut")
    if not completion <= booked.completion_tokens <= completion + limit:
        broken.append(f"{booked.completion_tokens} completion tokens are booked; {completion} were counted")
    figures = (
        f"{len(calls)} calls, {len(lost)} given up; counted {prompt} + {completion} tokens, "
        f"booked {booked.prompt_tokens} + {booked.completion_tokens}"
    )
    return Verdict(2, "tokens booked are those the server counted", figures, tuple(broken))


def _output_limit(call: Call) -> int:
    return max(int(call.body.get(name) or 0) for name in ("max_tokens", "max_completion_tokens"))


def carts(exchanges: Sequence[Exchange]) -> Verdict:
    """3. An order empties the cart: that is the next invariant's."""
    changed = [e for e in exchanges if e.before.quantities != e.after.quantities and not _ordered(e)]
    broken = [f"{e.said[:60]!r}: {what}" for e in changed for what in _untold(e)]
    unchanged = [e for e in exchanges if e.before.quantities == e.after.quantities and not _ordered(e)]
    broken += [f"{e.said[:60]!r}: says that the cart has changed: {e.told[:80]!r}" for e in unchanged if _claims(e)]
    figures = f"{len(changed)} of {len(exchanges)} exchanges changed a cart"
    return Verdict(3, "a cart differs only as the reply says", figures, tuple(broken))


def _untold(exchange: Exchange) -> Iterator[str]:
    before, after = exchange.before.quantities, exchange.after.quantities
    if not after and EMPTIED.search(exchange.told):
        return
    words = set(words_of(exchange.told))
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name, 0), after.get(name, 0)
        if was != now and not _named(name, words):
            yield f"{name} went from {was:g} to {now:g} and is not named in the reply"
        elif was != now and now and not _counted(words, {now, abs(now - was)}):
            yield f"{name} went from {was:g} to {now:g} and the reply says another number"


def _named(name: str, words: set[str]) -> bool:
    """Whether the first two words of a product's name are among these."""
    return set(words_of(name)[:2]) <= words


def _counted(words: set[str], numbers: set[float]) -> bool:
    return any({f"{number:g}", *FIGURES.get(int(number), "").split()} & words for number in numbers)


def _claims(exchange: Exchange) -> bool:
    return exchange.source in MODELS and bool(CLAIMED.search(DENIED.sub("", exchange.told)))


def _ordered(exchange: Exchange) -> bool:
    return len(exchange.after.orders) > len(exchange.before.orders)


def orders(exchanges: Sequence[Exchange]) -> Verdict:
    """4. The yes is an answer to a reply that names all that is ordered."""
    broken, placed = [], 0
    for customer, found in groupby(sorted(exchanges, key=lambda e: e.customer), key=lambda e: e.customer):
        last = ""
        for exchange in found:
            for order in exchange.after.orders[len(exchange.before.orders) :]:
                placed += 1
                if not YES.fullmatch(exchange.said) or exchange.before.state not in CHECKOUT:
                    broken.append(f"{customer} ordered by {exchange.said[:60]!r} in state {exchange.before.state}")
                elif not all(_named(name, set(words_of(last))) for name in order):
                    broken.append(f"{customer} said yes to a reply that does not name what was ordered")
            last = exchange.told or last
    return Verdict(4, "no order without the customer's yes", f"{placed} orders", tuple(broken))


def words(exchanges: Sequence[Exchange], cached: Mapping[str, Mapping[str, Any]], calls: Sequence[Call]) -> Verdict:
    """5. cached: decisions in the reply cache, by key."""
    instructions = max((call.system for call in calls), key=len, default="")
    written = [e for e in exchanges if e.source in MODELS]
    broken = [
        f"{e.source} to {e.said[:40]!r}: {' and '.join(found)}: {e.told[:80]!r}"
        for e in written
        if (found := faults(e.told, e.said, instructions))
    ]
    broken += [
        f"cached: {' and '.join(found)}: {decision['reply'][:80]!r}"
        for decision in cached.values()
        if (found := faults(decision["reply"], instructions=instructions))
    ]
    figures = f"{len(written)} replies of the model, {len(cached)} cached"
    return Verdict(5, "no echo, English, loop, label, figure, JSON or prompt; none cached", figures, tuple(broken))


def everybodys(exchanges: Sequence[Exchange], cached: Mapping[str, Mapping[str, Any]]) -> Verdict:
    """6. cached: only what every customer may get."""
    shared = [e for e in exchanges if e.shared]
    broken = [f"{e.source} to {e.said[:40]!r}: {what}" for e in shared for what in _done_by(e)]
    for decision in cached.values():
        held = [name for name in ("cart_operations", "requires_human", "next_state") if decision.get(name)]
        broken += [f"cached with {' and '.join(held)}: {decision['reply'][:60]!r}"] if held else []
    from_cache = sum(e.source == "cache" for e in shared)
    figures = f"{len(shared)} answers for everybody, {from_cache} of them from the cache; {len(cached)} cached"
    return Verdict(6, "what everybody is told moves, silences or fills nobody", figures, tuple(broken))


def _done_by(exchange: Exchange) -> Iterator[str]:
    before, after = exchange.before, exchange.after
    if before.quantities != after.quantities or _ordered(exchange):
        yield "changed a cart"
    if after.waits and not before.waits:
        yield "silenced the customer"
    if before.address != after.address:
        yield "filled in an address"
    if exchange.source == "cache" and before.state != after.state:
        yield f"moved the customer from {before.state} to {after.state}"


def doctor(examined: Examined) -> Verdict:
    """7."""
    usable = sum(is_usable(answer) for answer in examined.answers)
    said = "fit" if examined.fit else "unfit"
    figures = f"asked without a schema: {len(examined.answers)} answers, {usable} usable; the doctor says {said}"
    broken = ("no answer was usable, and the doctor says fit",) if examined.fit and not usable else ()
    return Verdict(7, "the doctor says unfit where no answer is usable", figures, broken)


def is_usable(answer: str) -> bool:
    """Whether a model's text is a JSON object with words for a customer."""
    try:
        decision = json.loads(answer)
    except ValueError:
        return False
    reply = decision.get("reply") if isinstance(decision, dict) else None
    return isinstance(reply, str) and bool(reply.strip()) and not faults(reply)


def circuits(outage: Outage) -> Verdict:
    """8."""
    broken = [] if outage.opened else ["no circuit opened while the provider hung"]
    broken += [] if outage.closed else ["the circuit did not close when the provider answered again"]
    bound = outage.timeout_s * ONE_TIMEOUT
    exchanges = (*outage.hung, *outage.while_open)
    broken += [f"{e.customer} waited {e.took_s:.1f} s" for e in exchanges if not e.replies or e.took_s > bound]
    waited = max((e.took_s for e in exchanges), default=0.0)
    figures = (
        f"opened: {outage.opened}, closed: {outage.closed}; {len(exchanges)} customers while it hung, the longest "
        f"wait {waited:.1f} s, one time limit {outage.timeout_s:g} s"
    )
    return Verdict(8, "circuits open and close; nobody waits for two time limits", figures, tuple(broken))
