"""Numbers as people read them. Pure thought."""

from __future__ import annotations

from worker.operate import wording

#: Stands where there is no number.
NONE = "–"


def count(number: float) -> str:
    """1,234,567"""
    return f"{number:,.0f}"


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
    return NONE if seconds is None else wording.duration(seconds)


def dollars(amount: float) -> str:
    """$1,234.56; below a dollar with as many decimals as it takes to see something."""
    if amount == 0 or abs(amount) >= 1:
        return f"${amount:,.2f}"
    return f"${amount:.4f}" if abs(amount) >= 0.001 else f"${amount:.6f}"


def per_minute(messages: float, seconds: float) -> str:
    """12.3 per minute"""
    return f"{messages * 60 / max(seconds, 1):,.1f} per minute"


def spoken(name: str) -> str:
    """`adding_to_cart` as "adding to cart"."""
    return name.replace("_", " ")
