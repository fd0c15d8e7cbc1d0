"""What a reply leaves open, and the bare answers to it that need no model."""

from __future__ import annotations

import pytest
from helpers.conversations import GROCER, Conversation
from helpers.factories import Json
from helpers.turns import CHEESE, MILK, MILK_ITEM, RICE, RICE_ITEM
from msgspec.structs import replace

from worker.language.product_words import USUAL_PRODUCT_WORDS
from worker.messages.reply import Choices, Row
from worker.replies.acts import acts_of
from worker.replies.open_question import bare_answer, count_in, listed, open_question, row_in, without_slips
from worker.session.session import Exchange
from worker.shop.shop import FORMS
from worker.steps.question import Reader

ONE = Choices("Ver", (Row("add:A", "Leche", "Leche: $ 1"),))
TWO = Choices("Ver", (*ONE.rows, Row("add:B", "Pan", "Pan: $ 2")))
WHICH = "1. Leche entera: $ 1.850,00\n2. Arroz largo: $ 1.200,50\n¿Cuál querés?"

SECTIONS = "Tenemos:\n• Lácteos\n• Almacén\n• Limpieza\n¿Qué te gustaría ver?"


@pytest.mark.parametrize(
    ("reply", "choices", "asked"),
    [
        ("Tenemos leche y pan. ¿Cuál querés?", TWO, "which"),
        ("Leche: $ 1, pan: $ 2.", TWO, "which"),
        ("¿Querés que te agregue alguno al carrito?", TWO, "which"),
        ("Leche a $ 1. ¿Cuántas querés?", ONE, "how_many"),
        ("¡Hola! ¿Cómo estás? ¿En qué puedo ayudarte?", None, "what"),
        ("¡Hola, Ana! ¿Qué estás buscando hoy?", None, "what"),
        ("Lo sumé. ¿Algo más?", None, "more"),
        ("Contame qué producto buscás y te digo si hay.", None, "what"),
        ("Perfecto. Cuando quieras, seguimos.", None, "more"),
        ("Contame si es para celíacos.", None, ""),
        ("No tenemos. ¿Te ayudo con otra cosa?", None, "more"),
        ("¿Cuál querés?", ONE, ""),
        ("¿Cuál querés?", None, ""),
        ("¿Cuántas querés?", TWO, ""),
        ("Leche a $ 1. ¿Cuántos gramos querés?", ONE, ""),
        ("¿Cuál querés? ¿Y cuántas?", TWO, ""),
        ("Leche y pan. Si querés, te comunico con una persona.", TWO, ""),
        ("Leche y pan. Decime cuántas querés. ¿Cuál querés?", TWO, ""),
        ("¿Querés que te lo agregue?", ONE, ""),
        ("¿Es para celíacos?", TWO, ""),
        ("¿Para cuántas personas es?", None, ""),
        ("¿Te llegó bien el pedido?", None, ""),
        ("¿Qué talle necesitás?", None, ""),
        ("¿A qué producto te referís?", None, "meant"),
        ("Disculpe, ¿me lo puede decir de otra forma?", None, "meant"),
        ("Esto encontré:\n1. Leche: $ 1\n¿Cuántas unidades querés?", ONE, "own_how_many"),
        ("Listo, cualquier cosa escribime.", None, "nothing"),
    ],
)
def test_what_a_reply_asks(reply: str, choices: Choices | None, asked: str) -> None:
    """One question of known words, and nothing else that a yes could agree to."""
    assert open_question(reply, choices, numbered=choices is TWO) == asked


def test_only_whole_rows_ask_nothing() -> None:
    """A product may be named as a question; what stands beside a row belongs to what is asked."""
    book = Choices("Ver", (*ONE.rows, Row("add:B", "¿Y ahora?", "¿Y ahora?: $ 2")))
    assert open_question("1. Leche: $ 1\n2. ¿Y ahora?: $ 2\n¿Cuál querés?", book, numbered=True) == "which"
    assert open_question("¿Cuántas querés 1. Leche: $ 1?", ONE, numbered=False) == ""


def test_a_list_whose_numbers_mean_something_else_asks_nothing() -> None:
    """A number would take another row."""
    assert open_question("¿Cuál querés?", TWO, numbered=False) == ""


@pytest.mark.parametrize(
    ("text", "row", "count"),
    [
        ("2", 2, 2),
        ("la 2", 2, None),
        ("El segundo", 2, None),
        ("primera", 1, None),
        ("dame el 1", 1, None),
        ("quiero la tercera por favor", 3, None),
        ("quiero 2", None, 2),
        ("mejor 3", None, 3),
        ("dos", None, 2),
        ("la segundaaa", 2, None),
        ("dame 2 unidades, gracias", None, 2),
        ("21", 21, None),
        ("el segundo?", None, None),
        ("el segundo no", None, None),
        ("quiero 2 kg", None, None),
        ("el 2 y el 3", None, None),
        ("la segunda semana", None, None),
    ],
)
def test_numbers(text: str, row: int | None, count: int | None) -> None:
    """A place, or how many; with anything more it is neither."""
    assert (row_in(text), count_in(text)) == (row, count)


def test_plain_answers() -> None:
    """One that may be meant for an order is no plain one."""
    assert [bare_answer(text) for text in ("sí, dale", "no, gracias", "ok 👍")] == ["yes", "no", "yes"]
    assert [bare_answer(text) for text in ("cancelar", "confirmo el pedido", "listo", "no confirmes", "hola")] == [
        ""
    ] * 5


def asked(reply: str, *sold: object, **session: object) -> Conversation:
    """A conversation whose last reply was this one."""
    talk = Conversation(sold=sold or (MILK, RICE), **session)  # type: ignore[arg-type]
    talk.answered("tenes leche?", intent="search_product", reply=reply)
    return talk


@pytest.mark.parametrize("text", ["el segundo", "dame el 2", "2", "la segunda por favor"])
def test_a_row_is_put_into_the_cart(text: str) -> None:
    """By its number or its place."""
    talk = asked(WHICH)
    talk.done(text)
    assert talk.quantities == {"ALM-8": "1"}


@pytest.mark.parametrize("text", ["sí", "dale", "quiero 2"])
def test_what_names_no_row_is_asked_again(text: str) -> None:
    """With the list, of which a number means a row as before; nothing is put into the cart."""
    talk = asked(WHICH)
    decision = talk.done(text)
    assert talk.lines[0] == "¿Cuál querés?"
    assert decision.intent == "search_product"
    assert talk.quantities == {}
    talk.done("2")
    assert talk.quantities == {"ALM-8": "1"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("text", ["esa", "el otro", "dame ese", "los dos", "sí", "quiero 2"])
def test_our_own_list_points_at_none_of_its_rows(form: str, text: str) -> None:
    """So it is asked which, once: whoever says the same again is read by a model."""
    shop = replace(GROCER, form=form)
    talk = Conversation(shop, (MILK, RICE, CHEESE))
    talk.answered("tenes leche?", intent="search_product", reply=listed(shop, talk.sold))
    decision = talk.done(text)
    assert decision.intent == "search_product"
    assert talk.lines[0] == shop.text("products.which")
    assert talk.quantities == {}
    assert text in ("sí", "quiero 2") or talk.act(text) is None


@pytest.mark.parametrize("text", ["el quinto", "la 7", "9"])
def test_our_own_list_has_no_such_row(text: str) -> None:
    """It is shown again."""
    talk = Conversation(sold=(MILK, RICE, CHEESE))
    talk.answered("tenes leche?", intent="search_product", reply=listed(GROCER, talk.sold))
    talk.done(text)
    assert talk.lines[0] == "¿Cuál querés?"
    assert talk.quantities == {}


@pytest.mark.parametrize("text", ["la segunda", "la 2", "el tercero"])
def test_our_own_list_of_one_has_no_other_row(text: str) -> None:
    """So nothing of it is meant; a number without an article is how many."""
    talk = Conversation(sold=(MILK,))
    talk.answered("tenes leche?", intent="search_product", reply=listed(GROCER, talk.sold))
    talk.done(text)
    assert talk.lines == ["¿Qué producto buscás?"]
    assert talk.act("el otro") is None


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("el seguno", "el segundo"),
        ("dlae", "dale"),
        ("Quieo 2", "quiero 2"),
        ("buenno, gracais", "bueno gracias"),
        ("el segundo", ""),
        ("dlae?", ""),
        ("dlae 🙄", ""),
        ("unas", ""),
        ("cuarto", ""),
        ("la naranja", ""),
    ],
)
def test_slips_of_bare_answers(text: str, right: str) -> None:
    """Of their words alone; what is a word by itself is none, and a sign may tell more."""
    assert without_slips(text) == right


def test_a_slip_is_answered_and_confirms_nothing() -> None:
    """It takes a row of a list; a summary is agreed to in plain words."""
    talk = asked(WHICH)
    talk.done("el seguno")
    assert talk.quantities == {"ALM-8": "1"}
    summed = Conversation(cart=(MILK_ITEM,), state="confirming", context={"asking": "confirm", "version": "v"})
    assert summed.act("dlae") is None
    assert summed.act("dale") is not None


@pytest.mark.parametrize("text", ["3", "quiero 2", "la segunda", "los dos", "esa"])
def test_sections_are_no_products(text: str) -> None:
    """Whoever points at one of them is asked what is wanted, once; not with a cart, of which it may be so many more."""
    talk = Conversation(sold=())
    talk.answered("menú", intent="browse_category", reply=SECTIONS)
    talk.done(text)
    assert talk.lines == ["¿Qué producto buscás?"]
    assert talk.act(text) is None
    bought = Conversation(sold=(), cart=(MILK_ITEM,))
    bought.answered("menú", intent="browse_category", reply=SECTIONS)
    assert bought.act(text) is None


def test_who_wants_something_is_shown_what_there_is() -> None:
    """A model that asks which has no operation; the products that it names are a list to tap."""
    talk = Conversation(sold=(MILK, RICE))
    talk.answered("anotame leche o arroz", intent="add_to_cart", reply=WHICH)
    talk.done("el segundo")
    assert talk.quantities == {"ALM-8": "1"}


def test_both_of_two_are_for_a_model() -> None:
    """They are certain; of three it is open which."""
    talk = asked(listed(GROCER, (MILK, RICE)))
    assert talk.act("los dos") is None
    assert talk.act("ambas") is None
    assert talk.act("el otro") is not None


def test_how_many_of_the_only_one() -> None:
    """A number is pieces of it; a yes is asked how many."""
    talk = asked("Leche entera: $ 1.850. ¿Cuántas querés?", MILK)
    talk.done("sí")
    assert talk.lines[0] == "¿Cuántas unidades te agrego de Leche entera Nubelinda 1 L?"
    talk.done("mejor 3")
    assert talk.quantities == {"LAC-7": "3"}


@pytest.mark.parametrize("text", ["esa", "el primero", "quiero ese"])
def test_who_points_at_the_only_one_is_asked_how_many(text: str) -> None:
    """Nothing is put into the cart before that is said."""
    talk = asked("Leche entera: $ 1.850. ¿Cuántas querés?", MILK)
    talk.done(text)
    assert talk.lines[0] == "¿Cuántas unidades te agrego de Leche entera Nubelinda 1 L?"
    assert talk.quantities == {}


@pytest.mark.parametrize("text", ["24", "25 por favor", "el 24", "la 5", "el segundo", "la 2"])
def test_another_row_than_the_only_one_and_many_pieces_are_for_a_model(text: str) -> None:
    """Asking how many again and again would never end."""
    assert asked("Leche entera: $ 1.850. ¿Cuántas querés?", MILK).act(text) is None


@pytest.mark.parametrize(
    ("customer", "reply"),
    [
        ("hola", "Tenemos bebidas, lácteos y limpieza. ¿Qué te gustaría ver?"),
        ("hola", "¡Hola! Hoy llegaron yerba y fideos. ¿En qué puedo ayudarte?"),
        ("hola", "Sí, hacemos envíos o podés retirar. ¿Qué necesitás?"),
        ("hacen envíos o retiro?", "¿Qué necesitás?"),
    ],
)
def test_who_may_point_at_what_was_just_said_is_for_a_model(customer: str, reply: str) -> None:
    """Something stands beside the greeting."""
    talk = Conversation(sold=())
    talk.answered(customer, intent="greeting", reply=reply)
    assert talk.act("la segunda") is None
    assert talk.act("sí") is not None


def test_who_points_at_nothing_twice_is_for_a_model() -> None:
    """Our question has not helped."""
    talk = Conversation(sold=())
    talk.answered("hola", intent="greeting", reply="¡Hola! ¿En qué puedo ayudarte?")
    talk.done("2")
    assert talk.act("2") is None


def test_a_question_of_the_checkout_stays_open_behind_the_only_one() -> None:
    """A number is pieces of it, a word the answer to the question; a model that asks how many of what is not certain
    closes the question.
    """
    for reply, left in (("Leche entera: $ 1.850. ¿Cuántas querés?", "payment"), ("¿Cuántos panes?", "")):
        context = {"asking": "payment", "checkout": {"delivery": "pickup"}}
        talk = Conversation(sold=(MILK,), cart=(RICE_ITEM,), state="checkout", context=context)
        talk.answered("tenes leche?", intent="search_product", reply=reply)
        assert talk.session.context.asking == left
        if left:
            assert [act.verb for act in acts_of(talk.turn("2"))] == ["add_pieces"]
            assert [act.verb for act in acts_of(talk.turn("efectivo"))] == ["named_pay"]


@pytest.mark.parametrize(
    "told",
    [{"cart": (MILK_ITEM,)}, {"context": {"terms": ("leche",)}}, {"context": {"shown": ("LAC-7",)}}],
)
@pytest.mark.parametrize("before", ["", "Para 2 y para 4.", "Frutas\nVerduras"])
def test_who_points_at_something_told_before_is_for_a_model(told: Json, before: str) -> None:
    """A cart, a search, a list, a number, rows: it may be any of them."""
    talk = Conversation(sold=(), **({} if before else told))
    if before:
        talk.answered("es para 2 o para 4?", intent="unknown", reply=before)
    talk.answered("hola", intent="greeting", reply="¡Hola! ¿En qué puedo ayudarte?")
    assert talk.act("el segundo") is None
    assert talk.act("sí") is not None


def test_the_only_one_is_told_with_how_many() -> None:
    """What is weighed, and what has no stock, is not."""
    assert listed(GROCER, (MILK,)).splitlines()[2:] == ["¿Cuántas unidades querés?"]
    assert [listed(GROCER, sold).splitlines()[-1] for sold in ((CHEESE,), (MILK, RICE))] == [
        "Tocá una opción o escribime el número."
    ] * 2


def test_what_is_weighed_is_for_a_model() -> None:
    """ "2" may be kilos or pieces."""
    assert asked("Queso: $ 9.000. ¿Cuántos querés?", CHEESE).act("2") is None


@pytest.mark.parametrize(
    ("reply", "text", "line"),
    [
        ("¡Hola! ¿En qué puedo ayudarte?", "dale", "¿Qué producto buscás?"),
        ("¡Hola! ¿En qué puedo ayudarte?", "no, gracias", "Perfecto. Cuando quieras, seguimos."),
        ("No tenemos. ¿Te ayudo con otra cosa?", "sí", "¿Qué más necesitás?"),
        ("Abrimos todos los días.", "genial, gracias!", "¡De nada! Cuando quieras, seguimos."),
        ("Abrimos todos los días.", "no, gracias", "Perfecto. Cuando quieras, seguimos."),
        ("¡Hola! ¿En qué puedo ayudarte?", "ok gracias", "¡De nada! Cuando quieras, seguimos."),
        ("¡Hola! ¿En qué puedo ayudarte?", "el segundo", "¿Qué producto buscás?"),
        ("¡Hola! ¿En qué puedo ayudarte?", "quiero 2", "¿Qué producto buscás?"),
        ("¡Hola! ¿En qué puedo ayudarte?", "esaaa", "¿Qué producto buscás?"),
        ("Perdón, no te entendí. ¿Me lo decís con otras palabras?", "sí", "¿Qué producto buscás?"),
    ],
)
def test_nothing_was_offered(reply: str, text: str, line: str) -> None:
    """So nothing is meant."""
    talk = Conversation(sold=())
    talk.answered("hola", intent="greeting", reply=reply)
    talk.done(text)
    assert talk.lines == [line]


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("¿Querés que lo agregue?", "sí"),
        (WHICH, "cancelar"),
        (WHICH, "esa"),
        (WHICH, "los dos"),
        (WHICH, "esa no"),
        ("¡Hola! ¿En qué puedo ayudarte?", "el segundo"),
        (WHICH, "7"),
        (WHICH, "el quinto"),
        (WHICH, "sí?"),
        ("¿Querés que lo agregue?", "dale, gracias"),
        ("Leche: $ 1.850. ¿Cuántas querés?", "sí"),
    ],
)
def test_what_a_model_must_read(reply: str, text: str) -> None:
    """Another question, or another answer."""
    assert asked(reply).act(text) is None


def test_what_was_written_before_the_reply_is_no_answer_to_it() -> None:
    """It stood in the stream already."""
    talk = asked(WHICH)
    turn = talk.turn("sí")
    assert acts_of(turn)
    assert not acts_of(type(turn)(**{name: getattr(turn, name) for name in turn.__struct_fields__} | {"waited": True}))


def test_a_question_of_the_checkout_goes_before() -> None:
    """A yes there is none to the list."""
    talk = asked(WHICH, cart=(MILK_ITEM,), state="checkout", context={"asking": "payment"})
    assert talk.act("sí") is None


def test_a_mere_name_at_the_beginning_or_where_we_have_asked_for_one() -> None:
    """It is a question that everybody may ask; elsewhere it may be an answer."""
    talk = Conversation(sold=())
    reader = Reader(USUAL_PRODUCT_WORDS)
    assert reader.question(talk.turn("yerba")).shared_form == "tenes yerba y a que precio"
    assert reader.question(talk.turn("yerba", "y leche")).shared_form is None
    assert reader.question(Conversation(cart=(MILK_ITEM,)).turn("yerba")).shared_form is None
    talk.answered("hola", intent="greeting", reply="¡Hola! ¿Qué estás buscando hoy?")
    assert reader.question(talk.turn("yerba")).shared_form == "tenes yerba y a que precio"
    assert reader.question(talk.turn("dos yerbas")).shared_form is None
    assert reader.question(talk.turn("la más barata")).shared_form is None
    talk.answered("cuántas calorías tiene?", intent="unknown", reply="¿A qué producto te referís?")
    assert reader.question(talk.turn("yerba")).shared_form is None
    talk.answered("y leche?", intent="search_product", reply="¿De qué sabor?")
    assert reader.question(talk.turn("yerba")).shared_form is None


def test_a_person_of_the_shop_closes_the_question() -> None:
    """Their words are the last of the history then, and what a yes answers."""
    talk = asked(WHICH)
    context = talk.session.context
    heard = (*context.history, Exchange("hola?", "Hola, soy Marta. ¿Te lo llevo hoy?"))
    talk.session = replace(talk.session, context=replace(context, history=heard, numbered=False))
    for text in ("sí", "2", "el segundo", "no, gracias"):
        assert talk.act(text) is None
