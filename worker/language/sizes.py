"""Sizes in what customers say: "medio kilo", "500 gr", "dos y cuarto", "la docena", in one form each."""

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Final

from worker.language.goods import BAGGED, DRINKS
from worker.language.normalise import UNIT
from worker.language.vocabulary import LINKS, NUMBERS, PACKINGS, UNITS

#: "Un" is an article.
_NUMBERS: Final = {word: number for word, number in NUMBERS.items() if word != "un"}
_FIGURE: Final = r"(?<![\d.,/])\d{1,6}(?:[.,/]\d{1,6})?(?![\d.,/%])"
_BIG: Final = r"(?:kilos?|kg|litros?|l|libras?)"
_LITRE, _KILO = "l", "kg"
#: Parts of a unit in words, and a number behind which one stands.
_PARTS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...]] = (
    (re.compile(rf"\b(?:un |una |1 )?({_BIG}) y medi[oa]\b"), lambda found: f"1,5 {_unit(found[1])}"),
    (re.compile(rf"\b(\d+) ({_BIG}) y medi[oa]\b"), lambda found: f"{found[1]},5 {_unit(found[2])}"),
    (
        re.compile(rf"\b(\d+) (?:{_BIG} )?y (?:1/4|un cuarto|cuarto)(?: (?:de )?(?:litros?|l))?\b"),
        lambda found: f"{found[1]},25 l",
    ),
    (re.compile(rf"(?<![\d/] )\b(?:3/4|tres cuartos)(?: de)? ({_BIG})\b"), lambda found: f"0,75 {_unit(found[1])}"),
    (re.compile(rf"(?<![\d/] )\b(?:1/4|un cuarto|cuarto)(?: de)? ({_BIG})\b"), lambda found: f"0,25 {_unit(found[1])}"),
    (re.compile(rf"(?<![\d/] )\b(?:medio|media|1/2) ({_BIG})\b"), lambda found: f"0,5 {_unit(found[1])}"),
    (re.compile(r"(?<!\d )\b(kilo|litro|libra)\b(?! y)"), lambda found: f"1 {_unit(found[1])}"),
)
_MEASURED: Final = re.compile(rf"({_FIGURE}) (kg|g|l|ml|cc|cl|libras?)\b(?!/)")
_DOZENS: Final = re.compile(r"\b(?:(media|medio|1/2|\d{1,4}) )?docenas?\b")
_TRAYS: Final = re.compile(r"\b(?:maple|panal|cubeta|carton|bandeja|cono|cartera)s?\b")
_PIECES: Final = re.compile(
    r"(?:\b(?:x|por|de) )?(?<![\d.,/])(\d{1,4})(?: unidades)?(?= de huevo| huevo)"
    r"|\b(?:x|por|de) (\d{1,4})(?: unidades)?$"
)
_BARE: Final = re.compile(r"(?:\b(de|x) )?(?<![\d.,/])(\d{1,6}(?:[.,]\d{1,6})?)$")
#: What tied a size to a name.
_TIES: Final = re.compile(r"(?:\b(?:de|del|x|por|en|a|un|una|que viene) )*\|(?: (?:de|del)\b)*")
_PACKED: Final = re.compile(r"\b(?:packs?|cajas?|cajon|six|sixpack)\b")
#: Litres of the largest bottle, and the smallest number that can only be millilitres.
_LARGEST, _SMALLEST_ML = 3, 100


def in_figures(plain: str) -> str:
    """A normalised text with its numbers and parts of a litre or a kilo in figures: "dos litros y medio" is "2,5 l"."""
    plain = UNIT.sub(
        lambda found: f" {UNITS[found[1]]}", " ".join([_NUMBERS.get(word, word) for word in plain.split()])
    )
    for part, said in _PARTS:
        plain = part.sub(said, plain)
    return plain


def without_size(words: list[str]) -> tuple[str, list[str]]:
    """The size that words name, and the words without it; empty where they name none, or more than one."""
    plain = " ".join(words)
    # "Dulce de leche de 400" is no drink.
    told = [word for word in words if word not in LINKS | PACKINGS][:2]
    things = {form for word in told for form in (word, word.removesuffix("s"))}
    if "huevo" in plain:
        size, left = _of_eggs(plain)
    elif dozens := _DOZENS.search(plain):
        size, left = f"x {_pieces(dozens[1])}", _DOZENS.sub("|", plain)
    else:
        size, left = _measured(plain, things)
    if left.count("|") > 1:
        return "", words
    return size, _TIES.sub(" ", left).split()


def _of_eggs(plain: str) -> tuple[str, str]:
    if dozens := _DOZENS.search(plain):
        return f"x {_pieces(dozens[1])}", _DOZENS.sub("|", plain)
    tray, left = _TRAYS.search(plain), _TRAYS.sub("|", plain)
    if counted := _PIECES.search(left):
        left = _PIECES.sub("", left) if tray else _PIECES.sub("|", left)
        return f"x {counted[1] or counted[2]}", left
    return ("x 30", left) if tray else ("", plain)


def _pieces(dozens: str | None) -> int:
    return 6 if dozens in ("media", "medio", "1/2") else 12 * int(dozens or 1)


def _measured(plain: str, things: set[str]) -> tuple[str, str]:
    if found := _MEASURED.search(plain):
        return _told(_amount(found[1], found[2]), found[2], found[1]), _MEASURED.sub("|", plain)
    if bare := _BARE.search(plain):
        number, tied = _amount(bare[2], "l"), bare[1] is not None
        small = tied and number is not None and number <= _LARGEST and not _PACKED.search(plain)
        if things & DRINKS and number is not None and (small or number.denominator > 1 or number >= _SMALLEST_ML):
            return (_told(number, "ml" if number >= _SMALLEST_ML else "l", bare[2])), _BARE.sub("|", plain)
        if things & BAGGED and tied and number is not None and number <= 50:
            return _told(number, "kg", bare[2]), _BARE.sub("|", plain)
    return "", plain


def _unit(word: str) -> str:
    return "libra" if word.startswith("lib") else _KILO if word[0] == "k" else _LITRE


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
    if amount is None:
        return f"{figure} {unit}"
    if unit.startswith("libra"):
        return f"{_decimal(amount)} libra"
    small, big = {"g": ("g", "kg"), "kg": ("g", "kg")}.get(unit, ("ml", "l"))
    in_small = amount * {"kg": 1000, "l": 1000, "cl": 10}.get(unit, 1)
    if in_small >= 1000:
        return f"{_decimal(in_small / 1000)} {big}"
    return f"{_decimal(in_small)} {small}"


def _decimal(number: Fraction) -> str:
    return f"{float(number):.10g}".replace(".", ",")
