"""Display of numbers and names, as commands and the dashboard show them."""

from worker.session.handover import ASKED, FAILED, LIMIT, MACHINE, MODEL, WROTE

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


def duration(seconds: float) -> str:
    """Returns a length of time like `40 s`, `1.5 min`, `2.5 h`, `365 d`."""
    for size_s, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size_s:
            return f"{_short(seconds / size_s)} {unit}"
    return f"{seconds:.0f} s"


def size(byte_count: float) -> str:
    """Returns a size like `512 B`, `1.5 MB`."""
    for unit in ("B", "kB", "MB"):
        if byte_count < 1024:
            return f"{_short(byte_count)} {unit}"
        byte_count /= 1024
    return f"{_short(byte_count)} GB"


def oldest(what: str, number: int, oldest_s: float) -> str:
    """Returns a backlog like `3 messages unanswered, the oldest for 40 s`."""
    return f"{what}, the oldest for {duration(oldest_s)}" if number else what


def _short(number: float) -> str:
    """Returns a number with a decimal only where it says something."""
    return f"{number:.1f}".removesuffix(".0") if number < 9.95 else f"{number:,.0f}"


def why_person(reason: str) -> str:
    """Returns a reason of `worker.session.handover` in words; one of the shop's own as it is, a dash for none."""
    return WHY_PERSON.get(reason, reason) or "-"
