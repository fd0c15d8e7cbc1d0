"""What each turn of a batch needs: nothing (a canned reply), a reply from the cache, or a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from worker.catalog.facts import product_facts
from worker.catalog.search import Catalog, distinct, search_terms
from worker.language.complexity import complexity
from worker.language.product_words import USUAL_GOODS, Goods
from worker.language.sharing import common_form
from worker.replies.catalog_orders import note_of, ordered_terms, with_names
from worker.replies.fallback import handover_decision, unreadable_decision
from worker.replies.prompt import cache_key, render
from worker.session.handover import waits_for_person, wants_person, was_told
from worker.session.session import Session
from worker.session.turn import SILENT, Outcome, Plan, Turn

ORDER = "order"


def without_model(turn: Turn, now: datetime) -> Turn:
    """The turn with its outcome where no model is needed: a person answers this customer, or is asked for, or nothing
    can be read as text; otherwise as it is.
    """
    context = turn.fetched().context
    if waits_for_person(context, now) and was_told(context):
        return replace(turn, outcome=Outcome(SILENT, handover_decision()))
    if waits_for_person(context, now) or wants_person(turn):
        return replace(turn, outcome=Outcome("canned", handover_decision()))
    if not turn.text:
        return replace(turn, outcome=Outcome("canned", unreadable_decision(turn.messages[-1].type)))
    return turn


def terms_of(turn: Turn, goods: Goods) -> tuple[str, ...]:
    """What to search for: what the message names, or else what was last searched for ("the second one")."""
    common = shared_form(turn, goods)
    if common is not None:
        return search_terms(common)
    carts = [message.text or "" for message in turn.messages if message.type == ORDER]
    written = "\n".join(note_of(m.text) if m.type == ORDER else m.text for m in turn.messages if m.text)
    ordered = [term for cart in carts for term in ordered_terms(cart)]
    terms = tuple(dict.fromkeys([*ordered, *search_terms(written, goods.mended)]))
    return terms or tuple(turn.fetched().context.get("terms", ()))


def shared_form(turn: Turn, goods: Goods) -> str | None:
    """The words for which the request may go without session data, the same for all who mean the same; None where the
    message needs its session. One that could not be read is part of a conversation, and so is a cart.
    """
    return common_form(turn.text, goods) if turn.readable and not _has_order(turn) else None


def _has_order(turn: Turn) -> bool:
    return any(message.type == ORDER for message in turn.messages)


def _told(turn: Turn, terms: Iterable[str], found: Mapping[str, list[dict[str, Any]]]) -> str:
    """What the customer has written, with the products of a cart by their names."""
    if not _has_order(turn):
        return turn.transcript
    names = {term: product_facts(rows[0])["name"] for term in terms if (rows := found[term])}
    return replace(
        turn,
        messages=tuple(
            replace(message, text=with_names(message.text or "", names)) if message.type == ORDER else message
            for message in turn.messages
        ),
    ).transcript


def search_all(catalog: Catalog, turns: Iterable[Turn], goods: Goods) -> dict[str, list[dict[str, Any]]]:
    """The products of all terms of a batch, each searched once, at the newest catalogue version any turn has seen."""
    wanted: dict[str, int] = {}
    for turn in turns:
        for term in terms_of(turn, goods):
            wanted[term] = max(wanted.get(term, 0), turn.catalog_version)
    return catalog.search(wanted)


def with_plan(
    turn: Turn,
    shop: str,
    categories: Sequence[str],
    found: Mapping[str, list[dict[str, Any]]],
    goods: Goods = USUAL_GOODS,
    made: dict[str, Plan] | None = None,
) -> Turn:
    """The turn with its rendered request and cache key. goods: what is sold here. made: plans with the same arguments,
    by what everybody may ask; this one is added.
    """
    common = shared_form(turn, goods)
    if common is not None and made and common in made:
        return replace(turn, plan=replace(made[common], complexity=complexity(turn.text)))
    session: Session | None = turn.fetched() if common is None else None
    terms = terms_of(turn, goods)
    products = distinct(product for term in terms for product in found[term])
    request = render(shop, _told(turn, terms, found) if common is None else common, categories, products, session)
    plan = Plan(
        complexity=complexity(turn.text),
        shared=common is not None,
        terms=terms,
        products=products,
        key=cache_key(request),
        system=request.system,
        user=request.user,
    )
    if common is not None and made is not None:
        made[common] = plan
    return replace(turn, plan=plan)
