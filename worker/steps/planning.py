"""Plan of a turn: a canned reply that needs no model, or the rendered request and the key of its cached reply."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from worker.catalog.search import BY_SKU, MAX_RESULTS, Catalog, Found, distinct
from worker.language.catalog_terms import catalog_terms, names_product, terms_before
from worker.language.complexity import complexity
from worker.language.handover_request import asks_for_person
from worker.language.hour_dependent import depends_on_hour
from worker.language.product_words import ProductWords
from worker.language.search_terms import search_terms
from worker.language.sharing import judged
from worker.replies.acts import Act, acts_of, skus_of
from worker.replies.direct import decision_of
from worker.replies.fallback import handover_decision, unreadable_decision
from worker.replies.prompt import cache_key, render
from worker.replies.scene import Scene
from worker.session.handover import MACHINE, pressed_for_person, waits_for_person
from worker.session.machine import is_machine
from worker.session.outcome import SILENT, Outcome
from worker.session.session import Exchange, Session
from worker.session.turn import Plan, Turn
from worker.session.turn_message import TurnMessage
from worker.shop.shop import Shop

ORDER = "order"
#: Products of a catalogue cart that a model is told; WhatsApp's carts hold at most 30.
MAX_ORDERED = 30
#: Characters of a quoted text in which products are looked for.
MAX_QUOTED_SEARCHED = 300
#: With more searches than this a request holds fewer products of each.
MANY_TERMS, FIRST_OF_MANY = 8, 3
#: Farther back nobody means what was spoken of by "that one".
MOST_EXCHANGES = 3
#: Questions that a reader remembers; a shop is asked fewer in a day.
MOST_SHARED = 4_096


class Question(Struct, frozen=True):
    """Meaning of a turn's text.

    Args:
        asks_for_person: the customer wants to talk to somebody, by words.
        shared_form: words for which the request may go without session data, the same for all who mean the same; None
            where the message needs its session. One that could not be read is part of a conversation, and so is a cart.
        terms: product searches for what the message names.
        before: searches for what was spoken of before, where the message names nothing itself ("the second one").
        shown: searches for what the last replies have shown, which stays offered.
        acts: what the customer does, where it needs no model.
        unshared: why a text is not everybody's, where it was looked at and is not; one of `sharing.REASONS`.
    """

    asks_for_person: bool
    complexity: str
    shared_form: str | None
    terms: tuple[str, ...]
    before: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    acts: tuple[Act, ...] = ()
    unshared: str = ""

    @property
    def named(self) -> tuple[str, ...]:
        """Searches for what the message is about."""
        return tuple(dict.fromkeys((*self.terms, *self.before)))

    @property
    def searches(self) -> tuple[str, ...]:
        """All products that may be meant, the message's own first."""
        return (*self.named, *self.shown, *map(_by_sku, skus_of(self.acts)))


class Reader:
    """Reader of customers' texts, by the words for what is sold here.

    Most messages are questions that everybody asks in the same words, and reading one takes longer than all else that
    is done to it: what they mean is remembered, under a digest, so that no text of a customer stays in memory. A text
    that leans on its conversation is read whenever it comes.
    """

    def __init__(self, product_words: ProductWords) -> None:
        self._product_words = product_words
        self._shared: dict[bytes, Question] = {}
        self._searches: dict[str, tuple[str, ...]] = {}

    def question(self, turn: Turn) -> Question:
        """The meaning of a turn's text."""
        if acts := acts_of(turn):
            # Its words are read too: a model must answer where an act turns out to be none.
            return replace(self._read(turn, None), acts=acts)
        if not turn.readable or any(message.type == ORDER or message.refers for message in turn.messages):
            return self._read(turn, None)
        digest = blake2b(turn.text.encode(), digest_size=16).digest()
        if known := self._shared.get(digest):
            return known
        judgement = judged(turn.text, turn.normalised, self._product_words)
        question = self._read(turn, judgement.form)
        if question.shared_form is None:
            return replace(question, unshared=judgement.reason)
        if len(self._shared) == MOST_SHARED:
            self._shared.clear()
            self._searches.clear()
        self._shared[digest] = question
        self._searches[question.shared_form] = question.terms
        return question

    def _read(self, turn: Turn, common: str | None) -> Question:
        plain = turn.normalised
        if common is None:
            return self._in_context(turn, plain)
        if (terms := self._searches.get(common)) is None:
            terms = catalog_terms(search_terms(common), self._product_words)
        return Question(asks_for_person(plain), complexity(plain), common, terms)

    def _in_context(self, turn: Turn, plain: str) -> Question:
        terms = self._terms(turn)
        before = () if any(order.items for order in turn.orders) else self._before(turn, terms)
        shown = tuple(map(_by_sku, turn.fetched().context.shown))
        return Question(asks_for_person(plain), complexity(plain), None, terms, before, shown)

    def _terms(self, turn: Turn) -> tuple[str, ...]:
        ordered = dict.fromkeys(_by_sku(item.sku) for order in turn.orders for item in order.items)
        meant = dict.fromkeys(map(_by_sku, _referred(turn)))
        written = "\n".join(filter(None, (m.order.note if m.order else m.text for m in turn.messages)))
        texts = [written, *(around for message in turn.messages for around in _around(message))]
        named = [term for text in texts for term in self._named(text)]
        return tuple(dict.fromkeys([*meant, *list(ordered)[:MAX_ORDERED], *named]))

    def _before(self, turn: Turn, terms: tuple[str, ...]) -> tuple[str, ...]:
        context = turn.fetched().context
        last_reply = context.history[-1].reply if context.history else ""
        # Nothing was searched for what was said to a person of the shop.
        known = context.terms or self._spoken_of(context.history)
        return terms_before(terms, turn.normalised, known, last_reply, self._product_words)

    def _spoken_of(self, history: Sequence[Exchange]) -> tuple[str, ...]:
        """Terms of the newest of the last exchanges in which the customer named a product."""
        spoken = (self._named(exchange.customer) for exchange in reversed(history[-MOST_EXCHANGES:]))
        return next((terms for terms in spoken if any(names_product(term, self._product_words) for term in terms)), ())

    def _named(self, text: str) -> tuple[str, ...]:
        return catalog_terms(search_terms(text, self._product_words.mended), self._product_words)


def _referred(turn: Turn) -> Iterator[str]:
    """Skus of the products that the messages are about."""
    for message in turn.messages:
        if message.product:
            yield message.product
        if message.quoted and len(message.quoted.skus) == 1:
            yield message.quoted.skus[0]


def _around(message: TurnMessage) -> Iterator[str]:
    """Words around a message in which a product may be named."""
    if message.quoted and message.quoted.text and len(message.quoted.skus) != 1:
        yield message.quoted.text[:MAX_QUOTED_SEARCHED]
    if message.advertisement:
        yield message.advertisement


@lru_cache(maxsize=1)
def reader_of(product_words: ProductWords) -> Reader:
    """The reader of this process, another one when something else is sold."""
    return Reader(product_words)


def _by_sku(sku: str) -> str:
    return f"{BY_SKU}{sku.strip()}"


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
    by_sku = {sku: products[0] for sku in skus_of(question.acts) if (products := found.get(_by_sku(sku)))}
    scene = Scene(shop, turn.fetched(), turn.version, distinct(by_sku.values()), 0, turn.text)
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
            self._shared[common] = self._plan(question, common, None)
        return replace(turn, plan=replace(self._shared[common], complexity=question.complexity))

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
            question.named,
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
        found = {sku: self._found.get(_by_sku(sku)) for sku in skus}
        return {sku: products[0].full_name for sku, products in found.items() if products}
