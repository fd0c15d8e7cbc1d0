"""Refusing words that claim what nothing stands behind: figures that stand in no fact, and things said to be done.

A change, an order, a discount or a delivery is told by us, from what was committed. What is asked, or denied, is no
claim. The words are in `data/claims.toml`. Pure: no I/O.
"""

import re
from decimal import Decimal
from typing import Any

import orjson
from msgspec import Struct
from msgspec.structs import replace

from worker.language.patterns import compiled, patterns_of, read_data
from worker.replies.amounts import OF_CART, stems_of
from worker.replies.decision import RefusedChange
from worker.replies.figure_kinds import values_of
from worker.replies.figures import unfounded_figure
from worker.replies.prompt import FACTS_BEGIN
from worker.replies.sentences import CLAUSE, DENYING, asserted, sentences, undenied
from worker.session.outcome import Decision

_DATA: dict[str, Any] = read_data(__file__, "claims")
_CLAIMS, _WORDS = (compiled(_DATA[table], _DATA["parts"]) for table in ("claims", "words"))
_P = patterns_of(__file__) | compiled(_DATA["delivery"], _DATA["parts"])
#: Letters by which two forms of a word are the same: "confirmado", "confirmada".
_STEM_CHARS = 7


class Facts(Struct, frozen=True):
    """Facts of one request that claims are held against.

    Args:
        request: decoded.
        told: what the shop has told, as it is written.
        products: as JSON, in small letters; they may have an offer in their names.
        names: of the products, in small letters.
        shop: what the shop has told and what holds now, in small letters.
        history: replies before, in small letters.
        cart: its lines; None where the answer is everybody's.
        said: the customer's message.
        ordered: an order was placed just before.
    """

    request: dict[str, Any]
    told: str
    products: str
    names: tuple[str, ...]
    shop: str
    history: tuple[str, ...]
    cart: tuple[dict[str, Any], ...] | None
    said: str
    ordered: bool

    def has_word(self, word: str) -> bool:
        """Returns whether the shop, a product or a reply before has used a word."""
        return any(word in text for text in (self.products, self.shop, *self.history))

    def was_told(self, pattern: re.Pattern[str], found: re.Match[str]) -> bool:
        """Returns whether a reply before has claimed the same: a status of an order is told by us."""
        stem = _stem(found)
        return any(
            _stem(told) == stem
            for reply in self.history
            for sentence in asserted(reply)
            for told in undenied(pattern, sentence)
        )


def _stem(found: re.Match[str]) -> str:
    return found[0].split()[-1][:_STEM_CHARS]


def facts_of(user: str, system: str) -> Facts:
    """The facts of a rendered request."""
    request, shop = orjson.loads(user), system.partition(FACTS_BEGIN)[2]
    session = request.get("session")
    history = [exchange.get("reply", "") for exchange in (session or {}).get("history") or []]
    now = orjson.dumps(request.get("now")).decode()
    return Facts(
        request=request,
        told=shop,
        products=orjson.dumps(request.get("products")).decode().lower(),
        names=tuple(one["name"].lower() for one in request.get("products") or ()),
        shop=f"{shop}\n{now}".lower(),
        history=tuple(reply.lower() for reply in history),
        cart=None if session is None else tuple(session.get("cart") or ()),
        said=str(request.get("message") or ""),
        ordered=(session or {}).get("state") == "order_completed",
    )


def check_claims(decision: Decision, facts: Facts, *, changes: bool) -> None:
    """Raises RefusedChange for words that claim what nothing stands behind.

    Args:
        changes: the decision changes the cart, so that its words may say so.
    """
    problem = problem_of(decision.reply, facts, changes=changes)
    if problem:
        raise RefusedChange(f"reply: {problem}", f"reply: {problem}")


def problem_of(text: str, facts: Facts, *, changes: bool) -> str | None:
    """Kind of the first claim in a text that nothing stands behind; None where it may be said."""
    if kind := unfounded_figure(text, facts.request, facts.told):
        return f"names a figure that stands in no fact ({kind})"
    claiming = (sentence for sentence in asserted(text) if not _lists_product(sentence, facts))
    problems = (_problem(sentence, facts, changes=changes) for sentence in claiming)
    return next(filter(None, problems), None)


def _lists_product(sentence: str, facts: Facts) -> bool:
    """Returns whether there is nothing but a product's name and figures, as in a list."""
    return any(name in sentence and not _P["beyond_figures"].search(sentence.replace(name, "")) for name in facts.names)


def _problem(sentence: str, facts: Facts, *, changes: bool) -> str | None:
    if not changes and (_is_done(sentence) or _misstates_cart(sentence, facts)):
        return "says that the cart has changed"
    if _tells_order(sentence, facts):
        return "says that an order was placed or is on its way"
    if _promises(sentence, facts):
        return "promises a discount that stands in no fact"
    if not _P["no_goods"].search(sentence) and any(
        not _is_delivered(found, facts) for found in undenied(_P["delivered"], sentence)
    ):
        return "promises a time of delivery that stands in no fact"
    if _P["price_in_words"].search(sentence):
        return "names a price in words"
    return None


def _tells_order(sentence: str, facts: Facts) -> bool:
    """Returns whether a sentence says that an order was placed or is on its way, and nobody has said so before."""
    patterns = [_CLAIMS["sent"]] if facts.ordered else [_CLAIMS["placed"], _CLAIMS["sent"]]
    return not _WORDS["before_it_is_so"].search(sentence) and any(
        not facts.was_told(pattern, found) for pattern in patterns for found in undenied(pattern, sentence)
    )


def without_changes(decision: Decision, facts: Facts) -> Decision:
    """A decision without the sentences that tell what it changed, the cart's total or an order: we tell of these."""
    kept = [sentence for sentence in sentences(decision.reply) if not _tells_change(sentence, facts)]
    return replace(decision, reply="".join(kept).strip())


def _tells_change(sentence: str, facts: Facts) -> bool:
    said = list(asserted(sentence))
    cart = any(
        _is_done(one) or OF_CART.search(one) or _P["empty"].search(one) or _P["holds"].search(one) for one in said
    )
    return cart or any(_tells_order(one, facts) for one in said)


def _is_done(sentence: str) -> bool:
    """Returns whether a sentence says that something was put in or taken out. An offer of it holds for its own part of
    the sentence: "avisame si querés más, ya agregué la leche".
    """
    plain = DENYING.sub("", _WORDS["made_of"].sub(" ", sentence))
    offered = _WORDS["offered"]
    if _CLAIMS["doing"].search(plain) and not offered.search(plain):
        return True
    return bool(_CLAIMS["done"].search(" , ".join(part for part in CLAUSE.split(plain) if not offered.search(part))))


def _misstates_cart(sentence: str, facts: Facts) -> bool:
    """Returns whether a sentence says of the cart what is not so: that it is empty, or what is in it."""
    if any(True for _ in undenied(_P["empty"], sentence)):
        return facts.cart is None or bool(facts.cart)
    return any(not _is_held(found[1] or found[2] or "", facts) for found in undenied(_P["holds"], sentence))


def _is_held(named: str, facts: Facts) -> bool:
    """Returns whether the cart holds what is told: something named there, as many as told."""
    cart = facts.cart or ()
    quantities = [Decimal(str(line["quantity"])) for line in cart]
    counted = _P["count"].search(named)
    if counted and Decimal(counted[1]) not in {*quantities, sum(quantities), Decimal(len(cart))}:
        return False
    words = set(stems_of(f"{named} {facts.said}"))
    return any(words.intersection(stems_of(line["name"])) for line in cart) or (bool(counted) and bool(cart))


def _promises(sentence: str, facts: Facts) -> bool:
    """Returns whether a sentence promises an advantage that stands in no fact."""
    sentence = _WORDS["pointed"].sub(" ", _WORDS["gift"].sub(" ", sentence))
    if any(not _is_free(found, facts) for found in undenied(_CLAIMS["free"], sentence)):
        return True
    if _WORDS["asked_elsewhere"].search(sentence):
        return False
    return any(not facts.has_word(found[0]) for found in _CLAIMS["discount"].finditer(sentence) if _is_said(found))


def _is_said(found: re.Match[str]) -> bool:
    """Returns whether a match is not denied; where it denies a charge itself, it is said."""
    if found[0].startswith("no "):
        return True
    return any(one.start() == found.start() for one in undenied(_CLAIMS["discount"], found.string))


def _is_free(found: re.Match[str], facts: Facts) -> bool:
    """Returns whether the shop has told of what is said to be free; a delivery is where the amount is told with it."""
    sentence = found.string
    if _P["sending"].search(sentence) and (_P["free_fee"].search(facts.shop) or _is_free_for(facts)):
        return True
    if _P["sending"].search(sentence) and '"free_from"' in facts.shop:
        return bool(_P["condition"].search(sentence))
    return (bool(_P["fetching"].search(sentence)) and '"pickup":true' in facts.shop) or facts.has_word(found[0])


def _is_free_for(facts: Facts) -> bool:
    """Returns whether the cart costs so much that its delivery is free, in any area."""
    bounds = values_of(found[1] for found in _P["free_from"].finditer(facts.shop))
    total = sum(Decimal(str(line["price"])) * Decimal(str(line["quantity"])) for line in facts.cart or ())
    return any(0 < bound <= total for bound in bounds)


def _is_delivered(found: re.Match[str], facts: Facts) -> bool:
    day = found[1] or found[2]
    today = day in ("hoy", "esta tarde", "esta noche") and re.search(
        r'"delivery_today":(?:true|\{[^}]*true)', facts.shop
    )
    named = re.search(rf"\b{re.escape(day.removeprefix('el '))}\b", facts.shop.partition('"today"')[0])
    return bool(today or named)
