"""Planning of a batch: outcomes that need no model, one search of the products for all, and the plan of each other turn
(its rendered request and the key of its cached reply).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from worker.catalog.search import BY_PRICE, MAX_RESULTS, Catalog, Found, distinct
from worker.language.lexicon import depends_on_hour
from worker.replies.acts import skus_of
from worker.replies.direct import decision_of
from worker.replies.fallback import handover_decision, unreadable_decision
from worker.replies.prompt import cache_key, render
from worker.replies.scene import Scene
from worker.session.handover import MACHINE, pressed_for_person, waits_for_person
from worker.session.machine import is_machine
from worker.session.outcome import SILENT, Outcome
from worker.session.session import Session
from worker.session.turn import Plan, Turn
from worker.shop.shop import Shop
from worker.steps.question import Question, sku_term

#: With more searches than this a request holds fewer products of each.
MANY_TERMS, FIRST_OF_MANY = 8, 3


def without_model(turn: Turn, question: Question, shop: Shop, now: datetime) -> Turn:
    """The turn with its outcome where no model is needed: a person answers this customer, or is asked for, a machine
    writes, or nothing can be read as text; otherwise as it is.
    """
    context = turn.fetched().context
    if waits_for_person(context, now) and context.human_told:
        return replace(turn, outcome=Outcome(SILENT, handover_decision(shop)))
    if waits_for_person(context, now) or question.asks_for_person or pressed_for_person(turn):
        return replace(turn, outcome=Outcome("canned", handover_decision(shop)))
    if is_machine(turn, now):
        return replace(turn, outcome=Outcome("canned", handover_decision(shop, "handover.machine", MACHINE)))
    if not turn.text and not question.acts:
        return replace(turn, outcome=Outcome("canned", unreadable_decision(shop, turn.messages[-1].type)))
    return turn


def acted(turn: Turn, question: Question, shop: Shop, found: Found) -> Turn:
    """The turn with the outcome of its acts; otherwise as it is."""
    if not question.acts:
        return turn
    by_sku = {sku: products[0] for sku in skus_of(question.acts) if (products := found.get(sku_term(sku)))}
    shown = [product for term in question.shown for product in found.get(term, ())]
    scene = Scene(shop, turn.fetched(), turn.version, distinct([*by_sku.values(), *shown]), len(by_sku), turn.text)
    decision = decision_of(question.acts, scene, by_sku)
    return replace(turn, outcome=Outcome("canned", decision)) if decision else turn


def search_all(catalog: Catalog, asked: Iterable[tuple[Turn, Question]]) -> Found:
    """Products for all terms of a batch, each searched once, at the newest catalogue version any turn has seen."""
    wanted: dict[str, int] = {}
    for turn, question in asked:
        for term in question.searches:
            wanted[term] = max(wanted.get(term, 0), turn.catalog_version)
    return catalog.search(wanted)


class Planner:
    """Renderer of the requests of one batch; renders what everybody may ask once for all who ask it.

    Args:
        found: products by term.
        now: what depends on the hour, as the shop knows it.
    """

    def __init__(
        self, shop: Shop, categories: Sequence[str], found: Found, now: Mapping[str, Any] | None = None
    ) -> None:
        self._shop = shop
        self._now = now
        self._categories = categories
        self._found = found
        self._shared: dict[str, Plan] = {}

    def planned(self, turn: Turn, question: Question) -> Turn:
        """The turn with its plan."""
        common = question.shared_form
        if common is None:
            names = self._names(turn)
            refers_to = turn.references(names)
            return replace(turn, plan=self._plan(question, turn.transcript(names), turn.fetched(), refers_to))
        if common not in self._shared:
            self._shared[common] = self.shared_plan(question, common)
        plan = replace(self._shared[common], complexity=question.complexity, after=question.after)
        return replace(turn, plan=plan)

    def shared_plan(self, question: Question, form: str) -> Plan:
        """The plan of a question that everybody may ask."""
        return replace(self._plan(question, form, None), form=form)

    def _plan(
        self, question: Question, message: str, session: Session | None, refers_to: Sequence[Mapping[str, Any]] = ()
    ) -> Plan:
        most = MAX_RESULTS if len(question.named) <= MANY_TERMS else FIRST_OF_MANY
        searched = distinct(product for term in question.named for product in self._found[term][:most])
        products = distinct([*searched, *(product for term in question.shown for product in self._found[term])])
        shared = session is None
        now = self._now if not shared or depends_on_hour(message) else None
        request = render(self._shop, message, self._categories, products, session, now, refers_to)
        return Plan(
            question.complexity,
            shared,
            tuple(term.removeprefix(BY_PRICE) for term in question.named),
            products,
            cache_key(request),
            request.system,
            request.user,
            searched=len(searched),
        )

    def _names(self, turn: Turn) -> dict[str, str]:
        """Names of the products that the messages order or are about, by sku."""
        skus = [item.sku for order in turn.orders for item in order.items]
        skus += [message.product for message in turn.messages if message.product]
        found = {sku: self._found.get(sku_term(sku)) for sku in skus}
        return {sku: products[0].full_name for sku, products in found.items() if products}
