"""Numbers as the doctor says them."""

from __future__ import annotations


def count(number: int, noun: str) -> str:
    """`no message`, `1 message`, `2,000 messages`."""
    return f"{number or 'no':,} {noun}{'' if number == 1 else 's'}" if number else f"no {noun}"


def duration(seconds: float) -> str:
    """`40 s`, `3 min`, `2.5 h`, `3 d`."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.0f} s"


def size(byte_count: float) -> str:
    """`512 B`, `1.5 MB`."""
    for unit in ("B", "kB", "MB"):
        if byte_count < 1024:
            return f"{byte_count:.3g} {unit}"
        byte_count /= 1024
    return f"{byte_count:.3g} GB"


def ages(what: str, number: int, oldest_s: float) -> str:
    """`3 messages unanswered, the oldest for 40 s`."""
    return f"{what}, the oldest for {duration(oldest_s)}" if number else what
