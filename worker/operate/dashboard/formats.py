"""Numbers, names and circuits as people read them."""

from datetime import datetime
from decimal import Decimal

from worker.operate import display
from worker.providers.circuit_states import Circuit

#: Stands where there is no number.
NONE = "–"


def count(number: float | None) -> str:
    """1,234,567"""
    return NONE if number is None else f"{number:,.0f}"


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
    """45 s, 12 min, 3.5 h, 12 d"""
    return NONE if seconds is None else display.duration(seconds)


def waited(seconds: float) -> str:
    """under a minute, 12 min, 3.5 h: without seconds, which would change at every look"""
    return duration(seconds // 60 * 60) if seconds >= 60 else "under a minute"


def money(amount: Decimal, currency: str) -> str:
    """4,200.00 ARS"""
    return f"{amount:,.2f} {currency}"


def why_person(reason: str) -> str:
    """`failed` as "no model answered"."""
    return display.why_person(reason)


def dollars(amount: float) -> str:
    """$1,234.56; below a dollar with as many decimals as it takes to see something."""
    if amount == 0 or abs(amount) >= 1:
        return f"${amount:,.2f}"
    return f"${amount:.4f}" if abs(amount) >= 0.001 else f"${amount:.6f}"


def spoken(name: str) -> str:
    """`adding_to_cart` as "adding to cart"."""
    return name.replace("_", " ")


def standing(circuit: Circuit, now: datetime) -> str:
    """A circuit in a few words: for how long, why, and how it ends."""
    if circuit.state == "closed" and circuit.model:
        return f"answered by {circuit.answered_by}" if circuit.answered_by else "may be asked"
    if circuit.state == "closed":
        failures = f" · {circuit.failures} of the last {circuit.calls} failed" if circuit.failures else ""
        return f"calls go through{failures}"
    since = f"for {duration((now - circuit.since).total_seconds())}" if circuit.since else ""
    reason = f"({spoken(circuit.reason)})" if circuit.reason else ""
    told = f"· “{circuit.told}”" if circuit.told else ""
    return " ".join(part for part in (since, reason, f"· {_way_back(circuit)}", told) if part)


def _way_back(circuit: Circuit) -> str:
    if circuit.state == "forced_open":
        return "until somebody closes it"
    return "the next call is a try" if circuit.open_s is None else f"next try in {duration(circuit.open_s)}"
