"""Meaning of a turn's text, read by the words for what is sold here."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b

from msgspec import Struct
from msgspec.structs import replace

from worker.catalog.search import BY_PRICE, BY_SKU
from worker.language.catalog_terms import catalog_terms, names_product, terms_before
from worker.language.classifier import MEDIUM, SIMPLE, complexity
from worker.language.product_words import ProductWords
from worker.language.search_terms import search_terms
from worker.language.sharing import Judgement, judged
from worker.language.topics import asks_for_person
from worker.replies.acts import Act, acts_of, skus_of
from worker.replies.open_question import WHAT, still_open
from worker.replies.own_words import CHEAPEST
from worker.session.session import Exchange
from worker.session.turn import Turn
from worker.session.turn_message import TurnMessage

ORDER = "order"
#: A name alone asks for the thing.
ASKING_FOR = "tenes {}"
#: Products of a catalogue cart that a model is told; WhatsApp's carts hold at most 30.
MAX_ORDERED = 30
#: Characters of a quoted text in which products are looked for.
MAX_QUOTED_SEARCHED = 300
#: Words of an answer that leans on what was said.
BARE_WORDS = 4
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
        after: shared form of what the customer asked before, empty where there is none.
        unshared: why a text is not everybody's, where it was looked at and is not; one of `sharing.REASONS`.
    """

    asks_for_person: bool
    complexity: str
    shared_form: str | None
    terms: tuple[str, ...]
    before: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    acts: tuple[Act, ...] = ()
    after: str = ""
    unshared: str = ""

    @property
    def named(self) -> tuple[str, ...]:
        """Searches for what the message is about."""
        return tuple(dict.fromkeys((*self.terms, *self.before)))

    @property
    def searches(self) -> tuple[str, ...]:
        """All products that may be meant, the message's own first."""
        return (*self.named, *self.shown, *map(sku_term, skus_of(self.acts)))


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
        digest = _digest(turn.text)
        question = self._shared.get(digest)
        if question is None:
            judgement = judged(turn.text, turn.normalised, self._product_words)
            question = self._read(turn, judgement.form or self._bare_name(turn, judgement))
            if judgement.form is None and question.shared_form:
                return question
            if question.shared_form is None:
                return replace(question, unshared=judgement.reason)
            self._remember(digest, question, question.shared_form)
        after = self._after(turn)
        return replace(question, after=after) if after else question

    def _bare_name(self, turn: Turn, judgement: Judgement) -> str | None:
        """The form of a mere name, where a conversation begins with it or we have just asked for one: it is a question
        about that thing.
        """
        context = turn.fetched().context
        begins = not (context.history or turn.fetched().cart or context.asking)
        asked = (begins or still_open(context) == WHAT) and not turn.waited and len(turn.messages) == 1
        # How many of it is an order.
        more = any(token.concept or token.value[0].isdecimal() for token in judgement.tokens)
        if not asked or judgement.reason != "no_frame" or more:
            return None
        return judged(ASKING_FOR.format(turn.text), ASKING_FOR.format(turn.normalised), self._product_words).form

    def of_form(self, form: str) -> Question:
        """The meaning of the common form of a question that everybody may ask."""
        return Question(False, complexity(form), form, self._terms_of_form(form))

    def _terms_of_form(self, form: str) -> tuple[str, ...]:
        terms = catalog_terms(search_terms(form), self._product_words)
        return tuple(f"{BY_PRICE}{term}" for term in terms) if CHEAPEST.fullmatch(form) else terms

    def _remember(self, digest: bytes, question: Question, form: str) -> None:
        if len(self._shared) == MOST_SHARED:
            self._shared.clear()
            self._searches.clear()
        self._shared[digest] = question
        self._searches[form] = question.terms

    def _after(self, turn: Turn) -> str:
        """The shared form of the customer's last words, if this process knows it."""
        history = turn.session.context.history if turn.session else ()
        known = self._shared.get(_digest(history[-1].customer)) if history else None
        return known.shared_form or "" if known else ""

    def _read(self, turn: Turn, common: str | None) -> Question:
        plain = turn.normalised
        if common is None:
            return self._in_context(turn, plain)
        if (terms := self._searches.get(common)) is None:
            terms = self._terms_of_form(common)
        return Question(asks_for_person(plain), complexity(plain), common, terms)

    def _in_context(self, turn: Turn, plain: str) -> Question:
        terms = self._terms(turn)
        before = () if any(order.items for order in turn.orders) else self._before(turn, terms)
        shown = tuple(map(sku_term, turn.fetched().context.shown))
        return Question(asks_for_person(plain), _how_hard(turn, terms), None, terms, before, shown)

    def _terms(self, turn: Turn) -> tuple[str, ...]:
        ordered = dict.fromkeys(sku_term(item.sku) for order in turn.orders for item in order.items)
        meant = dict.fromkeys(map(sku_term, _referred(turn)))
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


def _how_hard(turn: Turn, terms: Sequence[str]) -> str:
    """The complexity of a text in its conversation. The words of a short answer that names nothing are simple, but what
    they mean stands in the history, and they may change the cart.
    """
    found = complexity(turn.normalised)
    is_bare = not terms and len(turn.normalised.split()) <= BARE_WORDS and turn.fetched().context.history
    return MEDIUM if found == SIMPLE and is_bare else found


def _referred(turn: Turn) -> Iterator[str]:
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


def _digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()


def sku_term(sku: str) -> str:
    """The search for the product of this sku."""
    return f"{BY_SKU}{sku.strip()}"
