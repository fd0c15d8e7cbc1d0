"""Shop assistant that the simulated models play: answers a request from its own context, as `assistant.toml` says."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from worker.devkit import spanish
from worker.devkit.spanish import COUNTS, ORDER, ORDINALS, PATTERNS, Item, count, matches, money, plain, stems, term

Decision = dict[str, Any]
#: Products of a numbered list at most.
LISTED_MAX: Final = 8


class Reply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Scripted reply; its texts have places for attributes of the request."""

    intent: str
    text: str
    state: str | None = None
    buttons: list[str] = []
    confidence: float = 0.93
    entities: dict[str, str] = {}
    operations: list[Item] = []
    requires_human: bool = False
    when: list[str] = []
    unless: list[str] = []
    states: list[str] = []


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Content of `assistant.toml`. rules: pattern, and the replies to try in order; lines: of a reply to an order."""

    rules: list[tuple[str, list[str]]]
    buttons: dict[str, str]
    lines: dict[str, str]
    replies: dict[str, Reply]


SCRIPT: Final = msgspec.toml.decode(Path(__file__).with_suffix(".toml").read_bytes(), type=Script)
_RULES: Final = [(re.compile(pattern % PATTERNS), replies) for pattern, replies in SCRIPT.rules]


class Ask:
    """Request context, read: what replies depend on and may quote."""

    def __init__(self, context: Mapping[str, Any]) -> None:
        session = context.get("session") or {}
        self.message = str(context.get("message") or "").strip()
        self.words = plain(self.message)
        self.term = term(self.words)
        self.found: list[Item] = context.get("products") or []
        self.several = len(self.found) > 1
        self.listed = _numbered(self.found)
        self.known = "session" in context
        self.name: str | None = session.get("name")
        self.state: str = session.get("state") or "browsing"
        self.is_checkout = self.state in ("checkout", "waiting_address")
        self.cart: list[Item] = session.get("cart") or []
        self.previous: Mapping[str, str] = (session.get("history") or [{}])[-1]
        self.offered: list[str] = re.findall(r"^\d+\. (.+?): ", self.previous.get("reply", ""), re.MULTILINE)
        self.is_removal = bool(re.search(PATTERNS["remove"], self.words))
        self.is_order = bool(ORDER.search(self.words))
        self.is_address = bool(re.search(r"\d", self.message) and re.search(r"[a-z]{3}", self.words))
        self.categories: list[str] = context.get("categories") or []
        self.category_lines = "\n".join(f"• {category}" for category in self.categories)
        shop: Mapping[str, Any] = context.get("shop") or {}
        self.hours = spanish.opening_hours(shop, context.get("now") or {})
        self.addresses = spanish.addresses(shop)
        self.deliveries = spanish.deliveries(shop, self.words)
        self.payments = ", ".join(shop.get("payments") or ())
        self.returns: str | None = shop.get("returns")
        wanted = stems(self.term)
        self.category = next((each for each in self.categories if stems(term(plain(each))) == wanted), None)


def answer(context: Mapping[str, Any]) -> Decision:
    """Answers a request context (the user text's JSON) with a decision in the form that the prompt asks for."""
    ask = Ask(context)
    tried = (name for pattern, replies in _RULES if pattern.search(ask.words) for name in replies)
    return next(decision for name in tried if (decision := _try(ask, name)))


def marked(decision: Decision, context: Mapping[str, Any]) -> Decision:
    """Adds a mark of what it was made from to a decision's entities; customers do not see it.

    `facts` is a hash of the request context (16 hexadecimal digits of the SHA-256 of what Python's `json.dumps` makes
    of it, keys sorted), `session` the id of the session in it, if any.
    """
    facts = hashlib.sha256(json.dumps(context, sort_keys=True).encode()).hexdigest()[:16]
    session = context.get("session")
    mark = {"facts": facts} | ({"session": str(session.get("id"))} if isinstance(session, dict) else {})
    return decision | {"entities": decision["entities"] | mark}


def _try(ask: Ask, name: str) -> Decision | None:
    if name in ACTIONS:
        return ACTIONS[name](ask)
    reply = SCRIPT.replies[name]
    holds = all(getattr(ask, each) for each in reply.when) and not any(getattr(ask, each) for each in reply.unless)
    return _say(ask, name) if holds and (not reply.states or ask.state in reply.states) else None


def _say(ask: Ask, name: str, /, *operations: Item, state: str | None = None, **places: str | int) -> Decision:
    """Fills in a scripted reply; places that are numbers are entities too."""
    reply = SCRIPT.replies[name]
    entities = {key: text.format(ask=ask, **places) for key, text in reply.entities.items()}
    return {
        "intent": reply.intent,
        "confidence": reply.confidence,
        "entities": entities | {key: place for key, place in places.items() if isinstance(place, int)},
        "reply": reply.text.format(ask=ask, **places),
        "quick_replies": [{"id": key, "title": SCRIPT.buttons[key]} for key in reply.buttons],
        "requires_human": reply.requires_human,
        "next_state": state or reply.state,
        "cart_operations": [*reply.operations, *operations],
    }


def _compare(ask: Ask) -> Decision | None:
    if not ask.several or len({_currency(item) for item in ask.found}) > 1:
        return None
    ranked = sorted(ask.found, key=lambda item: Decimal(item["price"]))
    best = next((item for item in ranked if item.get("availability") != "none"), ranked[0])
    saving = money(Decimal(ranked[-1]["price"]) - Decimal(best["price"]), _currency(best))
    return _say(ask, "compared", list=_numbered(ranked), name=best["name"], saving=saving)


def _add(ask: Ask) -> Decision | None:
    clauses = [plain(part) for part in re.split(r"\n|,(?!\d)|;|\+| [yY] ", ask.message)]
    wanted = [(clause, matches(clause, ask.found)) for clause in clauses if term(clause)]
    if len(wanted) == 1 and not wanted[0][1]:  # the search forgave a typo that comparing words cannot see
        wanted = [(wanted[0][0], ask.found)]
    chosen = [(found[0], count(clause) or 1) for clause, found in wanted if len(found) == 1]
    unclear = next((found for _, found in wanted if len(found) > 1), [])
    missing = [term(clause) for clause, found in wanted if not found]
    if chosen or unclear:
        return _put(ask, chosen, unclear, missing)
    return _say(ask, "missing_order", product=", ".join(missing)) if missing else None


def _put(
    ask: Ask, chosen: Sequence[tuple[Item, int]], unclear: Sequence[Item] = (), missing: Sequence[str] = ()
) -> Decision:
    taken = [(item, quantity) for item, quantity in chosen if item.get("availability") != "none"]
    operations = [{"op": "add", "product_id": item["id"], "quantity": quantity} for item, quantity in taken]
    said = [("added", {"quantity": n, "name": item["name"], "price": _price(item)}) for item, n in taken]
    said += [("sold_out", {"name": item["name"]}) for item, _ in chosen if item.get("availability") == "none"]
    said += [("missing", {"name": name}) for name in missing]
    said += [("which", {"list": _numbered(unclear)})] if unclear else []
    said += [("more", {})] if ask.known and taken else []
    lines = "\n".join(SCRIPT.lines[name].format(**places) for name, places in said)
    state = "searching" if unclear else "adding_to_cart" if taken else "browsing"
    decision = _say(ask, "order", *operations, state=state, lines=lines)
    about = {"product": taken[0][0]["name"], "quantity": taken[0][1]} if taken else {}
    return decision | {"entities": about}


def _pick(ask: Ask) -> Decision | None:
    """Adds one of several offered products, or so many of the only one."""
    word = ask.words.split()[-1]
    number = ORDINALS.get(word) or COUNTS.get(word) or (int(word) if word.isdecimal() else None)
    if ask.is_checkout or number == 0:
        return None
    if len(ask.offered) == 1 and word not in ORDINALS:
        name, quantity = ask.offered[0], number or 1
    elif number and number <= len(ask.offered):
        name, quantity = ask.offered[number - 1], count(plain(ask.previous["customer"])) or 1
    else:
        return None
    item = next((item for item in (*ask.found, *ask.cart) if item["name"] == name), None)
    # Without the item its id is not in this request, and guessing one would sell something else.
    return _put(ask, [(item, quantity)]) if item else _say(ask, "name_it", product=name)


def _edit(ask: Ask) -> Decision | None:
    """Sets the quantity of the named cart item, the latest where none is named ("sacalo"), or takes it out."""
    found = matches(ask.words, ask.cart) if ask.term else ask.cart[-1:]
    number = count(ask.words)
    if not found or not (number or ask.is_removal):
        return None
    item = found[0]
    left = (int(item["quantity"]) - number if number else 0) if ask.is_removal else number or 0
    quantity = {"quantity": left} if left > 0 else {}
    operation = {"op": "set" if quantity else "remove", "product_id": item["id"], **quantity}
    places = {"product": item["name"], **quantity}
    return _say(ask, "changed" if quantity else "removed", operation, **places)


def _currency(item: Item) -> str:
    return str(item.get("currency", "ARS"))


def _price(item: Item) -> str:
    return money(Decimal(item["price"]), _currency(item))


def _numbered(items: Sequence[Item]) -> str:
    """Lists products with prices and stock; a later "2" picks from it."""
    notes = {"few": " (quedan pocas)", "none": " (sin stock)"}
    shown = enumerate(items[:LISTED_MAX], 1)
    return "\n".join(f"{n}. {i['name']}: {_price(i)}{notes.get(str(i.get('availability')), '')}" for n, i in shown)


ACTIONS: Final[Mapping[str, Callable[[Ask], Decision | None]]] = {
    "pick": _pick,
    "compare": _compare,
    "add": _add,
    "edit": _edit,
}
