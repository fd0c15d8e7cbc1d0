"""Ids of one person, as far as a body names several: a phone and business-scoped ones, and those that have changed.

Whatever of it cannot be used tells nothing, and is never an error: the customer's words stand.
"""

from collections.abc import Iterator

from worker.messages.fields import JsonObject, is_phone, known_id
from worker.messages.message import Link

#: System notices of a changed number; the second is the name of before.
CHANGED_NUMBER = ("user_changed_number", "customer_changed_number")


def user_links(customer: str, *user_ids: object) -> tuple[Link, ...]:
    """Links of business-scoped ids to the customer beside whom they stand."""
    known = dict.fromkeys(filter(None, map(known_id, user_ids)))
    return tuple(Link(alias, customer) for alias in known if alias != customer and not is_phone(alias))


def read_links(customer: str, message: JsonObject, contact: JsonObject) -> tuple[Link, ...]:
    """Links that a message of a webhook body tells.

    Args:
        customer: its sender.
        contact: of its sender, empty where the body has none.
    """
    phone = known_id(contact.get("wa_id"))
    named = phone if phone and is_phone(phone) and not is_phone(customer) else customer
    user_ids = (customer, message.get("from_user_id"), message.get("user_id"), contact.get("user_id"))
    return (*user_links(named, *user_ids), *_changes(named, message))


def _changes(customer: str, message: JsonObject) -> Iterator[Link]:
    """Changes that a system notice tells: the number first, since a changed user id then belongs to the new one."""
    notice = message.get("system")
    if message.get("type") != "system" or not isinstance(notice, dict):
        return
    number = known_id(notice.get("wa_id") or notice.get("new_wa_id"))
    if notice.get("type") in CHANGED_NUMBER and number and number != customer:
        yield Link(customer, number, former=is_phone(customer))
        customer = number
    before, after = known_id(notice.get("previous_user_id")), known_id(notice.get("user_id"))
    if after and after != customer and is_phone(customer):
        yield Link(after, customer)
    if before and after and before != after:
        yield Link(before, after, former=True)
