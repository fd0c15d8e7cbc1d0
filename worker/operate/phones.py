"""Telephone numbers as an operator writes them, and the ids that WhatsApp has for their lines."""

import re

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat
from sqlalchemy import Connection

from db.customers import known_ids
from worker.messages.fields import customer_id

#: What stands between digits: blanks, hyphens of all kinds, dots, brackets, strokes.
BETWEEN = re.compile(r"[\s\-\u00ad\u2010-\u2015\u2212.()/]+")
#: Spellings of one line, as WhatsApp's ids and telephone books have them: a pattern, and what else it may be called.
#: Argentina: a 9 after 54 for a mobile. Mexico: a 1 after 52, until 2019. Brazil: a 9 before the eight digits of a
#: mobile, everywhere since 2016; older accounts go without. Of 2026-11, as the countries' numbering plans have it.
SPELLINGS = (
    (re.compile(r"54(?!9)(\d{10})"), r"549\1"),
    (re.compile(r"549(\d{10})"), r"54\1"),
    (re.compile(r"52(\d{10})"), r"521\1"),
    (re.compile(r"521(\d{10})"), r"52\1"),
    (re.compile(r"55([1-9]\d)([6-9]\d{7})"), r"55\g<1>9\2"),
    (re.compile(r"55([1-9]\d)9(\d{8})"), r"55\1\2"),
)


def id_of(written: str) -> str:
    """WhatsApp's id of a customer from what an operator has written: digits, also with `+`, blanks and hyphens between
    them, or a business-scoped user id.

    Raises:
        BadPayload: it is neither.
    """
    plain = BETWEEN.sub("", written)
    if not plain.startswith("+"):
        return customer_id(plain if plain.isdigit() else written.strip())
    return customer_id(_national_prefixes_removed(plain) or plain[1:])


def other_spelling(connection: Connection, phone: str) -> str | None:
    """The id under which this line is known, if it is not known under this one; None where it is, or is not at all."""
    others = spellings(phone)
    known = known_ids(connection, [phone, *others]) if others else {phone}
    return None if phone in known else next((other for other in others if other in known), None)


def spellings(phone: str) -> tuple[str, ...]:
    """Other ids that the line may have."""
    mended = _national_prefixes_removed(f"+{phone}") if phone.isdigit() else None
    found = [mended, *(pattern.sub(other, phone) for pattern, other in SPELLINGS if pattern.fullmatch(phone))]
    return tuple(dict.fromkeys(other for other in found if other and other != phone))


def _national_prefixes_removed(international: str) -> str | None:
    """Digits of a number dialled from abroad: `+54 11 15 2233-4455` is 5491122334455. None for an invalid one."""
    try:
        number = phonenumbers.parse(international)
    except NumberParseException:
        return None
    valid = phonenumbers.is_valid_number(number)
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)[1:] if valid else None
