"""Display of numbers, names and circuits, as commands and the dashboard show them."""

from datetime import datetime
from decimal import Decimal

from worker.providers.circuit_states import Circuit
from worker.session.handover import ASKED, FAILED, LIMIT, MACHINE, MODEL, WROTE

#: Stands where there is no number.
NONE = "–"
#: Why a customer waits for a person.
WHY_PERSON = {
    ASKED: "asked",
    MODEL: "the model gave up",
    LIMIT: "too many messages",
    FAILED: "no model answered",
    WROTE: "a person is writing",
    MACHINE: "a machine, it seems",
}


def count(number: int, noun: str) -> str:
    """Returns a count like `no messages`, `1 message`, `2,000 messages`."""
    return f"{f'{number:,}' if number else 'no'} {noun}{'' if number == 1 else 's'}"


def number(value: float | None) -> str:
    """1,234,567"""
    return NONE if value is None else f"{value:,.0f}"


def rate(percentage: float | None) -> str:
    """78.0 %"""
    return NONE if percentage is None else f"{percentage:.1f} %"


def milliseconds(value: float | None) -> str:
    """240 ms, 1.24 s, 3 min"""
    if value is None:
        return NONE
    if value < 1_000:
        return f"{value:.0f} ms"
    return f"{value / 1_000:.2f} s" if value < 60_000 else duration(value / 1_000)


def duration(seconds: float | None) -> str:
    """40 s, 1.5 min, 2.5 h, 365 d"""
    if seconds is None:
        return NONE
    for size_s, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size_s:
            return f"{_short(seconds / size_s)} {unit}"
    return f"{seconds:.0f} s"


def waited(seconds: float) -> str:
    """under a minute, 12 min, 3.5 h: without seconds, which would change at every look"""
    return duration(seconds // 60 * 60) if seconds >= 60 else "under a minute"


def oldest(what: str, number: int, oldest_s: float) -> str:
    """Returns a backlog like `3 messages unanswered, the oldest for 40 s`."""
    return f"{what}, the oldest for {duration(oldest_s)}" if number else what


def size(byte_count: float) -> str:
    """512 B, 1.5 MB"""
    for unit in ("B", "kB", "MB"):
        if byte_count < 1024:
            return f"{_short(byte_count)} {unit}"
        byte_count /= 1024
    return f"{_short(byte_count)} GB"


def _short(number: float) -> str:
    """Returns a number with a decimal only where it says something."""
    return f"{number:.1f}".removesuffix(".0") if number < 9.95 else f"{number:,.0f}"


def money(amount: Decimal, currency: str) -> str:
    """4,200.00 ARS"""
    return f"{amount:,.2f} {currency}"


def dollars(amount: float) -> str:
    """$1,234.56; below a dollar with as many decimals as it takes to see something."""
    if amount == 0 or abs(amount) >= 1:
        return f"${amount:,.2f}"
    return f"${amount:.4f}" if abs(amount) >= 0.001 else f"${amount:.6f}"


def spoken(name: str) -> str:
    """`adding_to_cart` as "adding to cart"."""
    return name.replace("_", " ")


def why_person(reason: str) -> str:
    """Returns a reason of `worker.session.handover` in words; one of the shop's own as it is, a dash for none."""
    return WHY_PERSON.get(reason, reason) or "-"


def standing(circuit: Circuit, now: datetime) -> str:
    """A circuit in a few words: for how long, why, and how it ends."""
    if circuit.state == "closed" and circuit.model:
        return f"answered by {circuit.answered_by}" if circuit.answered_by else "may be asked"
    if circuit.state == "closed":
        failures = f" · {circuit.failures} of the last {circuit.calls} failed" if circuit.failures else ""
        return f"calls go through{failures}"
    since = f"for {duration((now - circuit.since).total_seconds())}" if circuit.since else ""
    reason = f"({spoken(circuit.reason)})" if circuit.reason else ""
    way_back = "the next call is a try" if circuit.open_s is None else f"next try in {duration(circuit.open_s)}"
    if circuit.state == "forced_open":
        way_back = "until somebody closes it"
    told = f"· “{circuit.told}”" if circuit.told else ""
    return " ".join(part for part in (since, reason, f"· {way_back}", told) if part)
