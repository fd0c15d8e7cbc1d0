"""Numbers that a customer may write next: rows of the list that a reply shows, or quantities. Pure: no I/O."""

import re

from worker.language.answers import asks, folded
from worker.messages.reply import Choices, Row

_NUMBERED = re.compile(r"^[^\S\n]*\*?(\d{1,2})[.)\-:][^\S\n]+(.+)$", re.MULTILINE)
_HOW_MANY = re.compile(r"cu[aá]nt", re.IGNORECASE)
_AMOUNT = re.compile(r"\d[\d.,]*\b")
_MONEY = re.compile(r"\$|€|\d[.,]\d\d\b")


def means_rows(reply: str, choices: Choices) -> bool:
    """Returns whether a number written next means the row of that place: the reply asks for no quantity, and numbers
    nothing otherwise than the list does.
    """
    lines = {int(number): line for number, line in _NUMBERED.findall(reply)}
    rows = choices.rows
    return not asks_how_many(reply) and all(
        0 < place <= len(rows) and _is_of(line, rows[place - 1]) for place, line in lines.items()
    )


def asks_how_many(reply: str) -> bool:
    """Returns whether a reply asks for a quantity."""
    return asks(reply) and bool(_HOW_MANY.search(reply))


def _is_of(line: str, row: Row) -> bool:
    """Returns whether a numbered line is about the product of a row: its name, and its price where one is told."""
    if line == row.description:
        return True
    name, _, told = row.description.rpartition(": ")
    words = set(folded(line).split())
    is_named = any(set(folded(one).split()) <= words for one in (row.title, name or row.title))
    # "€ 1,20" and "1,20 €" are one price.
    price = _AMOUNT.search(told)
    return is_named and (not _MONEY.search(line) or price is None or price[0] in _AMOUNT.findall(line))
