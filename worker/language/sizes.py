"""Sizes in what customers say: "medio kilo", "500 gr", "dos y cuarto", "la docena", in one form each."""

import re
from fractions import Fraction
from typing import Final

from worker.language.normalise import in_usual_units
from worker.language.patterns import patterns_of, rewritten, rules_of
from worker.language.spelling import is_any
from worker.language.vocabulary import BAGGED, DRINKS, LINKS, MEASURES, NUMBERS, PACKINGS

#: "Un" is an article.
_NUMBERS: Final = {word: number for word, number in NUMBERS.items() if word != "un"}
_P: Final = patterns_of(__file__)
_RULES: Final = rules_of(__file__)
#: They stand before the name of a thing.
_NO_HEADS: Final = LINKS | PACKINGS | MEASURES
#: Litres of the largest bottle, and the smallest number that can only be millilitres.
_LARGEST, _SMALLEST_ML = 3, 100


def in_figures(plain: str) -> str:
    """A normalised text with its numbers, parts of a litre or a kilo and counts in figures: "dos litros y medio" is
    "2,5 l", "pack de cuatro" "x 4".
    """
    counted = in_usual_units(" ".join([_NUMBERS.get(word, word) for word in plain.split()]))
    if _P["packed_by"].search(counted):
        counted = rewritten(counted, _RULES["counts"])
    if not _P["big_unit"].search(counted):
        return counted
    return in_usual_units(rewritten(counted, _RULES["parts_of_units"]))


def without_size(words: list[str]) -> tuple[str, list[str]]:
    """The size that words name, and the words without it; empty where they name none, or more than one."""
    plain = " ".join(words)
    # "Dulce de leche de 400" and "galletitas de agua x 3" are no drinks.
    thing = next((word for word in words if word not in _NO_HEADS), "")
    if dozens := _P["dozens"].search(plain):
        pieces = 6 if dozens[1] in ("media", "medio", "1/2") else 12 * int(dozens[1] or 1)
        size, left = f"x {pieces}", _P["dozens"].sub("|", plain)
    elif "huevo" in plain:
        size, left = _of_eggs(plain)
    else:
        size, left = _measured(plain, thing)
    if left.count("|") > 1:
        return "", words
    return size, _P["ties"].sub(" ", left).split()


def _of_eggs(plain: str) -> tuple[str, str]:
    tray, left = _P["trays"].search(plain), _P["trays"].sub("|", plain)
    if counted := _P["pieces"].search(left):
        left = _P["pieces"].sub("", left) if tray else _P["pieces"].sub("|", left)
        return f"x {counted[1] or counted[2]}", left
    return ("x 30", left) if tray else ("", plain)


def _measured(plain: str, thing: str) -> tuple[str, str]:
    if found := _P["measured"].search(plain):
        return _told(_amount(found[1], found[2]), found[2], found[1]), _P["measured"].sub("|", plain)
    if bare := _P["bare"].search(plain):
        number, tied = _amount(bare[2], "l"), bare[1] is not None
        small = tied and number is not None and number <= _LARGEST and not _P["packed"].search(plain)
        if is_any(thing, DRINKS) and number is not None and (small or number.denominator > 1 or number >= _SMALLEST_ML):
            return (_told(number, "ml" if number >= _SMALLEST_ML else "l", bare[2])), _P["bare"].sub("|", plain)
        if is_any(thing, BAGGED) and tied and number is not None and number <= 50:
            return _told(number, "kg", bare[2]), _P["bare"].sub("|", plain)
    if counted := _P["counted"].search(plain):
        return f"x {int(counted[1])}", _P["counted"].sub("|", plain)
    return "", plain


def _amount(figure: str, unit: str) -> Fraction | None:
    """A figure as a number; None where its point may be either of two."""
    if re.fullmatch(r"\d{1,3}[.,]\d{3}", figure):
        return Fraction(re.sub(r"\D", "", figure)) if unit in ("g", "ml", "cc") and "." in figure else None
    if "/" in figure:
        above, below = map(int, figure.split("/"))
        return Fraction(above, below) if below else None
    return Fraction(figure.replace(",", "."))


def _told(amount: Fraction | None, unit: str, figure: str) -> str:
    """An amount in kilos or litres from one on, in grams or millilitres below."""
    if not amount:
        return f"{figure} {unit}"
    if unit.startswith("libra"):
        return f"{_decimal(amount)} libra"
    small, big = {"g": ("g", "kg"), "kg": ("g", "kg")}.get(unit, ("ml", "l"))
    in_small = amount * {"kg": 1000, "l": 1000, "cl": 10}.get(unit, 1)
    return f"{_decimal(in_small / 1000)} {big}" if in_small >= 1000 else f"{_decimal(in_small)} {small}"


def _decimal(number: Fraction) -> str:
    return f"{float(number):.10g}".replace(".", ",")
