"""The standard workload: seeded, with the shares it promises, and a judge of answers that can find them wrong."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from bench import phrases
from bench.noise import noisy, with_typo
from bench.reading import as_read, topic
from bench.verdict import (
    Answer,
    Replied,
    hits_offline,
    meaning_key,
    price_list,
    same_question,
    seed_key,
    untrue,
    wrong,
    wrong_answers,
)
from bench.workload import SHARES, Message, as_typed, called, make_days, make_workload, named, nouns, told_apart

from worker.catalog.price_list import read_products
from worker.devkit.demo import CATALOG

PRODUCTS = read_products(CATALOG)
COUNT = 2_000
MILK: dict[str, Any] = {
    "name": "Leche entera",
    "brand": "Nubelinda",
    "format": "1 L",
    "category": "Lácteos",
    "price": "1850.00",
    "currency": "ARS",
}
SOLD = price_list([MILK, MILK | {"name": "Leche descremada", "price": "1890.00"}])
LISTED = "Esto tenemos:\n1. Leche entera Nubelinda 1 L: $ 1.850,00 (quedan pocas)\n¿Cuántas querés?"
SESSION = "session-of-ana"


@pytest.fixture(scope="module")
def workload() -> tuple[Message, ...]:
    """A day of a tenth of the standard size."""
    return make_workload(PRODUCTS, COUNT, seed=7)


def asks(number: int, text: str, *topics: str, kind: Any = "product", about: str = "product") -> Message:
    """A message of Ana's, typed without slip."""
    things = frozenset(topics)
    return Message(number, "ana", "Ana", kind, text, about, things, things)


TENES = asks(1, "tenés leche?", "lech")
PRECIO = asks(2, "Precio de leche", "lech")
BREAD = asks(3, "tenés pan?", "pan")
YES = asks(4, "si", "si", kind="answer", about="answer")
HELLO = asks(5, "hola", kind="talk", about="greeting")
THANKS = asks(6, "gracias", kind="talk", about="thanks")


def answered(
    message: Message, text: str = LISTED, source: str = "ai", facts: str | None = "f", session: str | None = None
) -> Replied:
    """A message with an answer to its customer, whose session is SESSION."""
    return Replied(message, Answer(message.customer, text, source, "deepseek", facts, session), SESSION)


def test_the_same_seed_writes_the_same_day(workload: tuple[Message, ...]) -> None:
    """To the letter; another seed writes another."""
    assert make_workload(PRODUCTS, COUNT, seed=7) == workload
    assert [m.text for m in make_workload(PRODUCTS, COUNT, seed=8)] != [m.text for m in workload]


@pytest.mark.parametrize("count", [1, 7, 60, COUNT])
def test_as_many_messages_as_asked_for_in_the_shares_promised(count: int) -> None:
    """Exactly so many; of each kind its share, to the rounding."""
    kinds = Counter(message.kind for message in make_workload(PRODUCTS, count, seed=1))
    assert sum(kinds.values()) == count
    for kind, share in SHARES.items():
        assert abs(kinds[kind] - share * count) <= len(SHARES), kind


def test_customers_write_nearly_equally_often(workload: tuple[Message, ...]) -> None:
    """20 messages for every 3 customers: six or seven each."""
    written = Counter(message.customer for message in workload)
    assert len(written) == 300
    assert set(written.values()) == {6, 7}


def test_nobody_begins_with_an_answer_and_who_thanks_does_it_at_the_end(workload: tuple[Message, ...]) -> None:
    """Conversations have an order; the numbers are that of the whole day."""
    assert [message.number for message in workload] == list(range(COUNT))
    for customer in {message.customer for message in workload}:
        said = [message for message in workload if message.customer == customer]
        assert said[0].kind != "answer" or all(message.kind == "answer" for message in said)
        places = [{"greeting": 0, "thanks": 2, "farewell": 3}.get(message.about, 1) for message in said[1:]]
        assert places == sorted(places)


def test_stories_are_never_repeated(workload: tuple[Message, ...]) -> None:
    """Not even but for case and accents."""
    stories = [as_read(message.text) for message in workload if message.kind == "story"]
    assert len(set(stories)) == len(stories) == COUNT * 0.05


def test_a_story_that_was_told_is_written_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where there are few to draw from: 319 here, of which 100 are told."""
    monkeypatch.setattr(phrases, "STORIES", ("somos {few} y vienen {some}",))
    told = [message.topics for message in make_workload(PRODUCTS, COUNT, seed=1) if message.kind == "story"]
    assert len(set(told)) == len(told)


def test_the_first_rank_is_asked_for_most(workload: tuple[Message, ...]) -> None:
    """Products and phrases fall off: the first tenth of what is asked makes up most of the questions."""
    things = Counter(thing for m in workload if m.kind == "product" for thing in m.topics).most_common()
    first = sum(times for _, times in things[: len(things) // 10])
    assert first > sum(times for _, times in things) / 3
    forms = Counter(as_read(m.text).split()[0] for m in workload if m.kind == "product")
    assert forms["tenes"] > forms["venden"] > 0


def test_every_phrase_names_only_places_that_are_filled(workload: tuple[Message, ...]) -> None:
    """No brace is left in a text."""
    assert not [message.text for message in workload if re.search(r"[{}]", message.text)]
    assert len(phrases.QUESTIONS) == len(set(phrases.QUESTIONS)) == 25


@pytest.mark.parametrize(
    ("name", "count", "words"),
    [
        ("Aceite de oliva 0,4º Hacendado", 1, "aceite"),
        ("Aceite de oliva 0,4º Hacendado", 2, "aceite"),
        ("Aceite de oliva 0,4º Hacendado", 3, "aceite de oliva"),
        ("12 Mini saladas", 1, "mini"),
        ("7", 2, "7"),
    ],
)
def test_a_product_is_asked_for_by_its_first_words(name: str, count: int, words: str) -> None:
    """Never by a number alone, and no name ends in "de"."""
    assert named({"name": name}, count) == words


def test_two_things_are_told_apart_by_the_fewest_words() -> None:
    """One each where that is enough."""
    milk, skimmed, bread = {"name": "Leche entera"}, {"name": "Leches descremadas"}, {"name": "Pan lactal"}
    known = nouns([milk, skimmed, bread])
    assert told_apart(milk, bread, known) == ("leche", "pan")
    assert told_apart(milk, skimmed, known) == ("leche entera", "leches descremadas")


def test_nobody_asks_for_a_thing_by_how_it_is() -> None:
    """ "Mini" mostly says how a thing is, so that one more word is said; "pan" is what things are called."""
    names = ("Mini salchichón", "Pan mini", "Pizza mini", "Pan lactal", "Migas de pan")
    known = nouns([{"name": name} for name in names])
    assert [called({"name": name}, 1, known) for name in names] == ["mini salchichón", "pan", "pizza", "pan", "migas"]


def test_days_of_one_shop_have_one_demand_and_no_message_in_common() -> None:
    """What is wanted most is the same every day; numbers go on; stories are never repeated."""
    days = make_days(PRODUCTS, COUNT, seed=7, days=2)
    assert days[0] == make_workload(PRODUCTS, COUNT, seed=7)
    assert [m.number for day in days for m in day] == list(range(2 * COUNT))
    wanted = [Counter(m.topics for m in day if m.kind == "product").most_common(1)[0][0] for day in days]
    assert wanted[0] == wanted[1]
    stories = [[m.text for m in day if m.kind == "story"] for day in days]
    assert not {*stories[0]} & {*stories[1]}
    assert [m.text for m in days[0]] != [m.text for m in days[1]]


def test_noise_never_changes_the_words_but_by_one_slip() -> None:
    """Case, accents, signs, stretched letters and emoji go when the text is read; every kind of noise comes up."""
    rng = Random(1)
    typed = [noisy(rng, "cuánto sale leche?") for _ in range(2_000)]
    slipped = [text for text in typed if as_read(text) != "cuanto sale leche"]
    assert 0.03 < len(slipped) / len(typed) < 0.07
    assert all(len(as_read(text).split()) == 3 for text in typed)
    for pattern in ("^CU", "^Cu", "cuá", "cua", r"\?\?", "¿", "eee", "🙏", "  "):
        assert any(re.search(pattern, text) for text in typed), pattern


def test_a_slip_is_one_letter_in_a_long_word() -> None:
    """Swapped, left out or doubled; short words stay."""
    rng = Random(1)
    assert {with_typo(rng, "el pan") for _ in range(50)} == {"el pan"}
    assert {len(with_typo(rng, "leche")) for _ in range(50)} == {4, 5, 6}
    assert all(with_typo(rng, "leche").startswith("l") for _ in range(50))


def test_the_topics_are_known_as_they_are_typed() -> None:
    """A slip in a topic changes what is typed, not what is meant; a slip elsewhere changes neither."""
    assert as_typed(frozenset({"pasta"}), "tenés pasta?", "TENES PATA") == {"pata"}
    assert as_typed(frozenset({"pasta"}), "tenés pasta?", "tnes pasta") == {"pasta"}


@pytest.mark.parametrize(
    ("one", "other"),
    [("Leches", "leche"), ("aceite de oliva", "ACEITE OLIVA"), ("panes", "pan"), ("Jamón", "jamon")],
)
def test_the_same_thing_in_other_words(one: str, other: str) -> None:
    """Plural, articles, case and accents make no other thing."""
    assert topic(one) == topic(other)


@pytest.mark.parametrize(("one", "other"), [("con sal", "sin sal"), ("piña", "pina"), ("leche 1 l", "leche 2 l")])
def test_another_thing(one: str, other: str) -> None:
    """What changes the thing stays."""
    assert topic(one) != topic(other)


def test_an_answer_may_be_shared_by_those_who_ask_the_same() -> None:
    """In whatever phrase; not by those who ask for another thing, or something else about it."""
    assert same_question(TENES, PRECIO)
    assert not same_question(TENES, BREAD)
    assert not same_question(HELLO, THANKS)
    assert not same_question(TENES, replace(TENES, number=9, kind="advice", about="recipe"))


def test_an_answer_to_yes_is_for_that_message_alone() -> None:
    """Not for another customer's, and not for one's own later one either."""
    assert same_question(YES, YES)
    assert not same_question(YES, replace(YES, number=9))
    assert not same_question(YES, replace(YES, number=9, customer="bruno"))


def test_a_slip_may_be_taken_for_the_word_it_has_become() -> None:
    """Who types "pata" for "pasta" may get the answer to either."""
    slip = replace(asks(7, "tenes pata", "pasta"), typed=frozenset({"pata"}))
    assert same_question(slip, asks(8, "hay pasta?", "pasta"))
    assert same_question(slip, asks(8, "hay pata?", "pata"))
    assert not same_question(asks(9, "hay pasta?", "pasta"), asks(8, "hay pata?", "pata"))


def test_nothing_is_wrong_with_a_right_answer() -> None:
    """From a model, from the cache, with the own session or none; a fallback is none at all."""
    for right in (answered(TENES), answered(PRECIO, source="cache"), answered(YES, session=SESSION)):
        origin = TENES if right.message.kind == "product" else right.message
        assert wrong(right, origin, SOLD) is None
    assert wrong(answered(TENES, "Perdón ...", "fallback", facts=None), TENES, SOLD) is None


@pytest.mark.parametrize(
    ("given", "made_for", "reason"),
    [
        (answered(TENES, facts=None), TENES, "bears no mark"),
        (answered(TENES, session="session-of-bruno"), TENES, "made from another customer's session"),
        (answered(YES, session=None), YES, "made without the session it depends on"),
        (answered(YES, source="cache", session=SESSION), replace(YES, number=9), "made for another question"),
        (answered(BREAD, source="cache"), TENES, "made for another question"),
        (answered(TENES, LISTED.replace("850", "750")), TENES, "names a product or a price the shop does not have"),
        (answered(TENES, LISTED.replace("entera", "rosa")), TENES, "names a product or a price the shop does not have"),
        (answered(BREAD), BREAD, "names products nobody asked for"),
    ],
)
def test_a_wrong_answer_is_found(given: Replied, made_for: Message, reason: str) -> None:
    """Each way in which an answer can be wrong has its name."""
    assert wrong(given, made_for, SOLD) == reason


def test_a_reply_to_somebody_else_is_wrong() -> None:
    """Whatever stands in it."""
    strayed = replace(answered(TENES), answer=replace(answered(TENES).answer, to="bruno"))
    assert wrong(strayed, TENES, SOLD) == "sent to another customer"


def test_an_answer_is_traced_to_the_message_a_model_was_asked_for() -> None:
    """By its mark, wherever that message stands in the order."""
    fair = [answered(PRECIO, source="cache"), answered(TENES), answered(YES, facts="g", session=SESSION)]
    assert wrong_answers(fair, SOLD) == []
    strange = answered(BREAD, "No tenemos.", source="cache")
    for replies in ([strange, *fair], [*fair, strange]):
        assert wrong_answers(replies, SOLD) == [(strange, "made for another question")]


def test_one_product_asked_for_is_enough() -> None:
    """A search may bring more than was asked for, and a section is asked for like a product."""
    more = LISTED.replace("¿", "2. Leche descremada Nubelinda 1 L: $ 1.890,00\n¿")
    assert untrue(asks(9, "hay entera?", "entera"), more, SOLD) is None
    assert untrue(asks(9, "tienen lácteos?", "lacteo"), more, SOLD) is None
    assert untrue(asks(9, "tienen yerba?", "yerba"), more, SOLD) == "names products nobody asked for"


def test_the_seeds_own_key_gives_wrong_answers(workload: tuple[Message, ...]) -> None:
    """MD5 of the lower-cased text: it hits on "si" and "2" of other customers, and every such hit is found wrong."""
    assert seed_key(HELLO) == seed_key(replace(HELLO, text="HOLA")) != seed_key(replace(HELLO, text="hola!"))
    hits = hits_offline(workload, seed_key)
    mistaken = [(asked, made_for) for asked, made_for in hits if not same_question(asked, made_for)]
    assert len(mistaken) > COUNT * 0.05
    assert {asked.kind for asked, _ in mistaken} == {"answer"}


def test_a_key_that_forgets_what_is_asked_for_gives_wrong_answers(workload: tuple[Message, ...]) -> None:
    """The first word alone: products and advice are mixed up, and the judge sees it."""
    hits = hits_offline(workload, lambda message: as_read(message.text).split()[0])
    mistaken = {asked.kind for asked, made_for in hits if not same_question(asked, made_for)}
    assert mistaken >= {"product", "advice", "answer", "story"}


def test_what_is_meant_is_a_key_that_is_never_wrong(workload: tuple[Message, ...]) -> None:
    """And a bound for every other such key: it hits more often than the text as it is typed, answers left out."""
    hits = hits_offline(workload, meaning_key)
    assert all(same_question(asked, made_for) for asked, made_for in hits)
    typed = [hit for hit in hits_offline(workload, seed_key) if hit[0].kind != "answer"]
    assert len(hits) > len(typed)
