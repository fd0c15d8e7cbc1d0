"""Work on what comes from outside is bounded by its size: a longer message takes longer, and never as its square.

Every public function of the modules below that takes a text stands in TEXT_WORK, or in INSIDE with the reason why no
long text gets to it; a test sees to that. What takes something else from outside stands in OTHER_WORK.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module
from typing import Any

import orjson
import pytest
from helpers.bounded import TEXTS, Shapes, Work, check, cpu_s, growth_of, peak_bytes, repeated
from helpers.conversations import GROCER
from helpers.language import complexity
from helpers.turns import (
    CATEGORIES,
    CHEESE,
    MILK,
    MILK_ITEM,
    SHOP,
    closing_row,
    decided,
    decision_of,
    made,
    planned,
    session_of,
    turn_of,
)
from msgspec.structs import replace

from worker.catalog.product import Product
from worker.language import (
    answers,
    catalog_terms,
    classifier,
    lexicon,
    normalise,
    product_words,
    search_terms,
    sharing,
    topics,
)
from worker.messages import fields, formatting, inbound, links, reply, text
from worker.replies import (
    acts,
    cart_changes,
    claims,
    closing,
    decision,
    direct,
    fallback,
    figure_kinds,
    open_question,
    order_status,
    prompt,
    reply_check,
    sentences,
)
from worker.replies.scene import Scene
from worker.session import cart as carts
from worker.session import session, turn
from worker.session.session import HISTORY_CHARS
from worker.shop.shop import DeliveryArea, Shop
from worker.steps import question

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
NOW_S = NOW.timestamp()
IN_PALERMO = Shop("x", areas=(DeliveryArea("Palermo", ("Palermo Soho",)), DeliveryArea("Villa Crespo")))
SOLD = product_words.product_words_of(
    ["Leche entera", "Arroz largo", "Pan lactal", "Coca cola"], ["Lácteos", "Bebidas"]
)
#: WhatsApp's limit, and that of a turn.
LONGEST = text.MAX_TEXT_CHARS
#: Of a product, as a price list may have it (`worker.catalog.price_list`).
LONGEST_NAME = 300
Function = Callable[[Any], object]


def come_in(function: Function) -> Function:
    """The function over a text as it comes in."""
    return lambda written: function(fields.readable(written) or "")


def claim_of(written: str) -> None:
    """Looks for claims in a reply of these words, to the same words, with as much said before."""
    history = [{"customer": written[:400], "reply": written[:400]}] * session.HISTORY_TURNS
    asked = session_of(cart=(MILK_ITEM,), context={"history": history})
    request = prompt.render(SHOP, written, CATEGORIES, [MILK, CHEESE], asked)
    with suppress(decision.RefusedChange):
        claims.check_claims(made(reply=written), claims.facts_of(request.user, request.system), changes=False)


def fallback_of(written: str) -> object:
    """A fallback, where an address was asked for."""
    asked = session_of(cart=(MILK_ITEM,), state="waiting_address", context={"asking": "address"})
    return fallback.fallback_decision(Scene(SHOP, asked, "v", text=written))


def act_of(asking: str) -> Function:
    """What an answer to this question does."""
    asked = session_of(cart=(MILK_ITEM,), state="checkout", context={"asking": asking, "version": "v"})

    def done(written: str) -> None:
        turned = turn_of(written, session=asked)
        found = acts.acts_of(turned)
        direct.decision_of(found, Scene(GROCER, asked, "v", text=written), {})

    return done


def parsed(answer: str) -> None:
    """Reads a model's answer, which may be no decision."""
    with suppress(decision.InvalidDecision):
        decision.parse_decision(answer, {7})


def judged(written: str) -> None:
    """Looks at a reply to the same words."""
    with suppress(decision.InvalidDecision):
        reply_check.check_reply(written, written, written)


#: Links of a shop.
OWN = links.links_in("https://shop.example hola@shop.example")


def titled(title: str) -> object:
    """A reply of three such buttons, and a text of the same words."""
    buttons = tuple(reply.QuickReply(f"{place}{title}", f"{place}{title}") for place in range(3))
    return reply.within_limits(replace(_REPLY, text=title, quick_replies=buttons))


#: Functions of a text that may be as long as WhatsApp allows, by module and name.
TEXT_WORK: dict[str, Function] = {
    "messages.fields.readable": fields.readable,
    "messages.fields.selection": fields.selection,
    "messages.text.mend": text.mend,
    "messages.text.join_surrogates": text.join_surrogates,
    "messages.text.stream_safe": text.stream_safe,
    "messages.text.clip": lambda written: text.clip(written, len(written) - 1),
    "messages.text.clip_at_sentence": lambda written: text.clip_at_sentence(written, len(written) - 1),
    "messages.formatting.whatsapp_text": formatting.whatsapp_text,
    "messages.formatting.plain_title": formatting.plain_title,
    "messages.links.links_in": links.links_in,
    "messages.links.is_own": lambda written: links.is_own(written, OWN),
    "messages.links.without_foreign_links": lambda written: links.without_foreign_links(written, OWN),
    "messages.reply.within_limits": titled,
    "language.normalise.without_accents": come_in(normalise.without_accents),
    "language.normalise.normalised": come_in(normalise.normalised),
    "language.normalise.name_in_full": come_in(normalise.name_in_full),
    "language.normalise.may_tell": come_in(normalise.may_tell),
    "language.sharing.judged": come_in(lambda written: sharing.judged(written, normalise.normalised(written), SOLD)),
    "language.lexicon.is_small_talk": come_in(lexicon.is_small_talk),
    "language.lexicon.asks_for_menu": come_in(lexicon.asks_for_menu),
    "language.classifier.complexity": come_in(complexity),
    "language.classifier.guess_intent": come_in(classifier.guess_intent),
    "language.classifier.words_of": come_in(classifier.words_of),
    "replies.fallback.fallback_decision": come_in(fallback_of),
    "replies.claims.check_claims": claim_of,
    "replies.sentences.asserted": lambda written: list(sentences.asserted(written)),
    "replies.sentences.sentences": lambda written: list(sentences.sentences(written)),
    "replies.figure_kinds.kinds_of": figure_kinds.kinds_of,
    "replies.figure_kinds.figures_of": lambda written: list(figure_kinds.figures_of(written)),
    "replies.open_question.means_rows": lambda written: open_question.means_rows(
        written, reply.Choices("Ver", (reply.Row("add:7", "Leche", "Leche: $ 1.850,00"),))
    ),
    "replies.open_question.open_question": come_in(
        lambda written: open_question.open_question(written, None, numbered=False)
    ),
    "replies.open_question.bare_answer": come_in(open_question.bare_answer),
    "replies.open_question.row_in": come_in(open_question.row_in),
    "replies.open_question.count_in": come_in(open_question.count_in),
    "replies.open_question.points": come_in(open_question.points),
    "replies.open_question.points_among": come_in(open_question.points_among),
    "replies.open_question.points_at_both": come_in(open_question.points_at_both),
    "replies.open_question.without_slips": come_in(open_question.without_slips),
    "replies.open_question.thanks": come_in(open_question.thanks),
    "replies.order_status.asks_for_order": come_in(
        lambda written: order_status.asks_for_order(normalise.normalised(written))
    ),
    "replies.acts.acts_of an address": come_in(act_of("address")),
    "replies.acts.acts_of a payment": come_in(act_of("payment")),
    "replies.acts.acts_of an area": come_in(act_of("area")),
    "replies.acts.acts_of a confirmation": come_in(act_of("confirm")),
    "language.answers.yes_or_no": come_in(answers.yes_or_no),
    "language.answers.row_number": come_in(answers.row_number),
    "language.answers.named_button": come_in(answers.named_button),
    "language.answers.way_of_delivery": come_in(answers.way_of_delivery),
    "language.answers.folded": come_in(answers.folded),
    "language.answers.goes_on": come_in(answers.goes_on),
    "language.answers.says_only": come_in(lambda written: answers.says_only(written, ("a",))),
    "language.answers.speaks_of_pickup": come_in(answers.speaks_of_pickup),
    "language.answers.denies": come_in(answers.denies),
    "language.answers.may_decline": come_in(answers.may_decline),
    "language.answers.spelled_out": come_in(answers.spelled_out),
    "language.answers.asks": come_in(answers.asks),
    "language.topics.speaks_of_goods": come_in(topics.speaks_of_goods),
    "language.topics.is_address": come_in(topics.is_address),
    "replies.decision.parse_decision": parsed,
    "replies.decision.objects_in": decision.objects_in,
    "replies.reply_check.check_reply": come_in(judged),
    "language.product_words.ProductWords.mended": come_in(SOLD.mended),
    "replies.prompt.render": lambda written: prompt.render(SHOP, written, CATEGORIES, [MILK], session_of()),
    "language.search_terms.search_terms": come_in(lambda written: search_terms.search_terms(written, SOLD.mended)),
    "language.lexicon.depends_on_hour": come_in(lexicon.depends_on_hour),
    "shop.shop.Shop.area_of": come_in(IN_PALERMO.area_of),
    "language.catalog_terms.catalog_terms": come_in(
        lambda written: catalog_terms.catalog_terms(search_terms.search_terms(written), SOLD)
    ),
    "language.catalog_terms.terms_before": come_in(
        lambda written: catalog_terms.terms_before((), written, ("leche",), written[:HISTORY_CHARS], SOLD)
    ),
    "language.answers.is_automatic": come_in(answers.is_automatic),
    "language.topics.asks_for_person": come_in(topics.asks_for_person),
    "steps.question.Reader.question": come_in(lambda written: question.Reader(SOLD).question(turn_of(written))),
}
#: Functions of a text to which no long one gets.
INSIDE = {
    "language.patterns.patterns_of": "the name of a file of ours",
    "language.patterns.rules_of": "the name of a file of ours",
    "language.patterns.rewritten": "what search_terms and in_figures are given",
    "language.normalise.in_usual_units": "what in_figures is given",
    "language.name_words.leans": "a word of at most 220 characters",
    "language.name_words.says_how": "at most 220 characters, from sharing",
    "language.name_words.is_usual_use": "at most 220 characters, from sharing",
    "language.name_words.without_usual_packing": "at most 220 characters, from sharing",
    "language.normalise.is_courtesy": "a word of a product's name",
    "language.names.same": "at most 220 characters, from sharing",
    "language.names.size_of": "at most 220 characters, from sharing",
    "language.sizes.in_figures": "at most 220 characters, from sharing",
    "language.answers.telling_words": "a name in the shop's file",
    "messages.fields.is_phone": "an id that customer_id or known_id has bounded; its first sign",
    "messages.fields.read_links": "ids that known_id bounds, a handful of a message",
    "messages.fields.user_links": "ids that known_id bounds, a handful of a message",
    "replies.buttons.options": "a verb of ours",
    "replies.open_question.asked_again": "a verb of ours",
    "replies.checkout.said": "a text of ours",
    "replies.telling.by_mention": "what parse_decision has bounded",
    "replies.buttons.may_offer": "an id that a gateway or the check of a decision has bounded",
    "replies.figures.unfounded_figure": "what check_claims is given",
    "replies.claims.facts_of": "a request of ours; in check_claims",
    "replies.claims.problem_of": "what check_claims is given",
    "replies.figure_kinds.shares_in": "what check_claims is given",
    "replies.figure_kinds.speaks": "what check_claims is given",
    "replies.figure_kinds.unspaced": "what check_claims is given",
    "replies.summary.version_of": "a token of ours",
    "replies.amounts.stems_of": "a name of a product, or a part of a sentence",
    "replies.open_question.asks_how_many": "what means_rows is given",
    "language.answers.says_only_no": "a part of what `denies` is given",
    "language.catalog_terms.names_product": "a search term of at most 12 words",
    "language.catalog_terms.named_in": "a reply of the history, at most 400 characters",
    "language.product_words.is_told": f"a word of at most {normalise.LONGEST_WORD} letters",
    "language.catalog_terms.other_names": "a search term of at most 12 words",
    "language.spelling.is_any": f"a word of at most {normalise.LONGEST_WORD} letters",
    "language.spelling.stem": f"a word of at most {normalise.LONGEST_WORD} letters",
    "language.spelling.stems": "a name in our own list",
    "language.search_terms.is_name": f"a word of at most {normalise.LONGEST_WORD} letters",
    "language.spelling.undoubled": f"a word of at most {normalise.LONGEST_WORD} letters",
    "replies.open_question.marked": "a name of ours",
    "language.spelling.sound_alike": "two words that are a slip of each other",
    "language.classifier.count_features": "a name of ours",
    "language.classifier.word_features": "a word of at most 300 letters, from words_of",
    "language.topics.topics": "what asks_for_order and speaks_of_goods are given",
    "replies.verdict.decide": "what parse_decision and check_reply are given",
    "messages.events.echo": "an id; its words were read by readable",
    "messages.events.change_of": "a name of a type; its words are read by read_content",
    "messages.content.read_content": "a name of a type; its parts are read by readable and selection",
    "messages.content.is_reply_due": "a name of a type",
    "session.session.new_session": "a customer's id",
    "session.turn.decode_turns": "a batch that `send` has encoded",
}
ROOMS = ("messages", "language", "replies", "session")
MODULES = [
    f"{room}.{module.name}"
    for room in ROOMS
    for module in pkgutil.iter_modules(import_module(f"worker.{room}").__path__)
]
_REPLY = closing.reply_of(turn_of(outcome=decided()), "browsing", NOW)


def functions_of_a_text() -> Iterator[str]:
    """Public functions of the modules whose first argument is a text, by module and name."""
    for name in MODULES:
        module = import_module(f"worker.{name}")
        for own, function in inspect.getmembers(module, inspect.isfunction):
            taken = list(inspect.signature(function).parameters.values())
            public = function.__module__ == module.__name__ and not own.startswith("_")
            if (
                public
                and taken
                and inspect.formatannotation(taken[0].annotation).strip("'") in ("str", "str | None", "bytes | str")
            ):
                yield f"{name}.{own}"


def test_every_function_of_a_text_is_measured() -> None:
    """A new one has to be put into one of the tables."""
    found = set(functions_of_a_text())
    assert found - TEXT_WORK.keys() - INSIDE.keys() - OTHER_WORK.keys() == set()
    assert INSIDE.keys() - found == set()
    assert len(found) > 40


@pytest.mark.parametrize("name", TEXT_WORK)
def test_a_text_of_any_shape(name: str) -> None:
    """From an eighth of WhatsApp's longest text to the longest."""
    for shape in TEXTS:
        check(Work(TEXT_WORK[name], TEXTS, LONGEST), shape)


def products(size: int) -> list[Product]:
    """So many products."""
    return [replace(MILK, id=number, name=f"Leche {number}") for number in range(size)]


def cart(size: int) -> carts.Cart:
    """A cart of so many products."""
    return tuple(carts.CartItem(number, f"Leche {number}", Decimal("10.5"), Decimal(2)) for number in range(size))


def changes(size: int) -> list[carts.CartOperation]:
    """Changes to so many products, as the check of a decision lets through at most 20."""
    return [carts.CartOperation("add", number, Decimal(1)) for number in range(min(size, 20))]


def _texts_of(asked: session.Session, sold: list[Product]) -> tuple[str, str]:
    """The user's and the system's part of a request."""
    request = prompt.render(SHOP, "hola", CATEGORIES, sold, asked)
    return request.user, request.system


def operations(size: int) -> list[dict[str, Any]]:
    """Changes to so many products, as a model may name at most 20."""
    return [{"op": "add", "product_id": number, "quantity": 1} for number in range(min(size, 20))]


def answer(**changes: Any) -> str:
    """A model's answer."""
    return orjson.dumps(decision_of(**changes)).decode()


def payload(message: dict[str, Any], many: int = 1, contacts: Any = ()) -> bytes:
    """A webhook body with this message so many times."""
    value = {"contacts": list(contacts), "messages": [message | {"id": f"wamid.{n}"} for n in range(many)]}
    change = {"field": "messages", "value": value}
    return orjson.dumps({"object": "whatsapp_business_account", "entry": [{"changes": [change]}]})


SAID = {"from": "5491100000001", "type": "text", "text": {"body": "hola"}}
CART = {"from": "5491100000001", "type": "order"}
#: By what of them there is most; a size is about the bytes of the body.
PAYLOADS: Shapes = {
    "messages": lambda size: payload(SAID, size // 100),
    "contacts": lambda size: payload(SAID, 1, [{"wa_id": str(n)} for n in range(size // 20)]),
    "messages and contacts": lambda size: payload(SAID, size // 200, [{}] * (size // 6)),
    "contacts of no use": lambda size: payload(SAID, size // 200, [{"wa_id": [n]} for n in range(size // 40)]),
    "broken messages": lambda size: orjson.dumps(
        {
            "object": "whatsapp_business_account",
            "entry": [{"changes": [{"field": "messages", "value": {"messages": [0] * (size // 2)}}]}],
        }
    ),
    "entries": lambda size: orjson.dumps({"object": "whatsapp_business_account", "entry": [{}] * (size // 3)}),
    "items of a cart": lambda size: payload(
        CART | {"order": {"product_items": [{"product_retailer_id": "A-1", "quantity": "2"}] * (size // 50)}}
    ),
    "depth of lists": lambda size: b"[" * size,
    "depth of lists that end": lambda size: b"[" * (size // 2) + b"]" * (size // 2),
    "depth of objects": lambda size: b'{"a":' * (size // 6) + b"1" + b"}" * (size // 6),
    "lists side by side": lambda size: b'{"message_id":[' + b"[]," * (size // 3) + b"0]}",
    "digits": lambda size: b'{"message_id":' + b"7" * size + b"}",
    "digits of a time": lambda size: orjson.dumps(
        {"message_id": "m", "from": "5491100000001", "text": "x", "timestamp": "7" * size}
    ),
    "escapes": lambda size: b'{"message_id":"' + rb"\u0000" * (size // 6) + b'"}',
    "halves of surrogates": lambda size: b'{"message_id":"' + rb"\ud800" * (size // 6) + b'"}',
    "backslashes": lambda size: b'{"message_id":"' + b"\\" * size,
    "bytes that are no text": lambda size: b"\xff" * size,
    "one text": lambda size: payload(SAID | {"text": {"body": "a" * size}}),
    "marks of one letter": lambda size: payload(SAID | {"text": {"body": "a" + "\u0301\u0323" * (size // 4)}}),
    "words of a name": lambda size: payload(
        SAID, 1, [{"wa_id": "5491100000001", "profile": {"name": "a " * (size // 2)}}]
    ),
}
ANSWERS: Shapes = {
    "reply": lambda size: answer(reply="a" * size),
    "depth": lambda size: '{"reply":' + "[" * size,
    "depth that ends": lambda size: '{"reply":"x","entities":{"a":' + "[" * (size // 2) + "]" * (size // 2) + "}}",
    "entities": lambda size: answer(entities={f"e{number}": number for number in range(size // 12)}),
    "buttons": lambda size: answer(quick_replies=[{"id": str(n), "title": str(n)} for n in range(size // 30)]),
    "operations": lambda size: answer(cart_operations=[{"op": "clear"}] * (size // 20)),
    "unoffered": lambda size: answer(cart_operations=operations(size)),
    "digits": lambda size: '{"reply":"x","confidence":' + "7" * size + "}",
    "digits of a product": lambda size: '{"reply":"x","cart_operations":[{"product_id":' + "7" * size + "}]}",
    "fences": lambda size: "```\n" * (size // 4),
    "spaces": repeated(" "),
    "escapes": lambda size: '{"reply":"' + r"\u0000" * (size // 6) + '"}',
}
BUTTONS: Shapes = {
    "buttons": lambda size: [reply.QuickReply(str(n), str(n)) for n in range(size)],
    "the same button": lambda size: [reply.QuickReply("a", "a")] * size,
    "blank buttons": lambda size: [reply.QuickReply("", "")] * size,
    "long ids": lambda size: [reply.QuickReply("a" * size, f"{n}") for n in range(3)],
}


def closed(size: int) -> object:
    """The row of a turn with so many products in the cart, and so many found."""
    before = session_of(cart=cart(size), context={"history": [{"customer": "a" * 400, "reply": "b" * 400}] * 6})
    turned = replace(planned(turn_of("hola", session=before), *products(size)), outcome=decided())
    return closing_row(replace(turned, outcome=decided(cart_operations=operations(size))), NOW)


def many(function: Callable[[int], object], largest: int) -> Work:
    """Work whose input is a number of things."""
    return Work(function, {"many": lambda size: size}, largest)


#: Everything else from outside, with the size of the largest: bytes of a body, characters of an answer, things.
OTHER_WORK: dict[str, Work] = {
    "messages.inbound.parse_payload": Work(
        lambda body: inbound.parse_payload(body, NOW_S), PAYLOADS, min(inbound.MAX_PAYLOAD_BYTES, 262_144)
    ),
    "replies.decision.parse_decision of an answer": Work(parsed, ANSWERS, 65_536),
    "messages.reply.within_limits of buttons": Work(
        lambda buttons: reply.within_limits(replace(_REPLY, quick_replies=tuple(buttons))), BUTTONS, 4_096
    ),
    "replies.claims.check_claims of products": many(
        lambda size: claims.check_claims(
            made(reply="Sale $ 1.850,00."),
            claims.facts_of(*_texts_of(session_of(cart=cart(size)), products(size))),
            changes=False,
        ),
        2_048,
    ),
    "replies.cart_changes.changed": many(
        lambda size: cart_changes.changed(SHOP, cart(size), changes(size), products(size)), 4_096
    ),
    "replies.prompt.render": many(
        lambda size: prompt.render(SHOP, "hola", ["Lácteos"] * size, products(size), session_of(cart=cart(size))),
        4_096,
    ),
    "replies.fallback.fallback_decision of a cart": many(
        lambda size: fallback.fallback_decision(Scene(SHOP, session_of(cart=cart(size)), "v", text="ver mi carrito")),
        4_096,
    ),
    "language.product_words.product_words_of a name": Work(
        lambda name: product_words.product_words_of([name]), TEXTS, LONGEST_NAME
    ),
    "language.product_words.product_words_of names": many(
        lambda size: product_words.product_words_of(f"Leche{n} entera" for n in range(size)), 4_096
    ),
    "session.session.with_exchange": many(
        lambda size: session.with_exchange(session_of(), session.Exchange("a" * size, "b" * size)), 4_096
    ),
    "session.cart.by_currency": many(lambda size: len(carts.by_currency(cart(size))), 4_096),
    "replies.closing.close": many(closed, 2_048),
    "session.turn.decode_turn": many(
        lambda size: turn.decode_turn(turn.encode_turn(turn_of(session=session_of(cart=cart(size))))), 4_096
    ),
}


@pytest.mark.parametrize("name", OTHER_WORK)
def test_what_else_comes_from_outside(name: str) -> None:
    """Bodies of a gateway, answers of a model, carts and catalogues."""
    for shape in OTHER_WORK[name].shapes:
        check(OTHER_WORK[name], shape)


def test_the_measure_tells_a_square_from_a_line() -> None:
    """In time as in memory: a measure that could not fail would prove nothing."""

    def square(size: int) -> int:
        return sum(1 for _ in range(size) for _ in range(size // 8))

    def pairs(size: int) -> list[bytes]:
        return [b"x" * (size + place) for place in range(size)]

    with pytest.raises(AssertionError, match="times as long"):
        check(many(square, 4_096), "many")
    with pytest.raises(AssertionError, match="times the memory"):
        check(many(pairs, 3_000), "many")
    check(many(lambda size: [sum(range(100)) for _ in range(size)], 65_536), "many")
    assert growth_of(lambda size: cpu_s(range, size), 8, 1.0)[1] == 1.0
    assert peak_bytes(bytes, 100_000) > 100_000
