"""Acts: each tapped button, row and plain word does what it says, without a model, and nothing else."""

from __future__ import annotations

import pytest
from helpers.conversations import Conversation, cart_of, tap
from helpers.turns import CHEESE, CHEESE_ITEM, MILK, MILK_ITEM, RICE, RICE_ITEM, message, session_of, turn_of
from msgspec.structs import replace

from worker.replies.acts import Act, acts_of
from worker.replies.buttons import CART_VERBS, VERBS, may_offer
from worker.session.session import Undo


@pytest.mark.parametrize(
    ("action", "quantities"),
    [
        ("add:LAC-7", {"LAC-7": "3"}),
        ("add:ALM-8", {"LAC-7": "2", "ALM-8": "1"}),
        ("remove:LAC-7", {}),
        ("qty:LAC-7:5", {"LAC-7": "5"}),
        ("qty:FIA-9:0.25", {"LAC-7": "2", "FIA-9": "0.25"}),
    ],
)
def test_a_change_of_the_cart(action: str, quantities: dict[str, str]) -> None:
    """Told with the new quantity and the total, and a way back."""
    talk = Conversation(cart=(MILK_ITEM,))
    made = talk.done(tap(action))
    assert talk.quantities == quantities
    assert talk.lines[0] == ("Cambios en tu carrito:" if quantities else "Tu carrito está vacío.")
    assert talk.offers[0] == "undo:token1"
    assert (made.effects.proposed, made.effects.refused) == (1, 0)


@pytest.mark.parametrize(
    "action",
    [
        "add:",
        "remove:",
        "qty:LAC-7",
        "qty:LAC-7:0",
        "qty:LAC-7:-1",
        "qty:LAC-7:NaN",
        "qty:LAC-7:1e9999999",
        "qty:LAC-7:0.0001",
        "qty:LAC-7:0.000",
        "confirm:",
        "undo",
        "view_cart:1",
        "keep_cart:x",
        "of_tomorrow",
        "of_tomorrow:1",
        ":",
        "menu",
        "confirm",
    ],
)
def test_an_id_that_is_none_of_ours_is_for_a_model(action: str) -> None:
    """Its title is read, and nothing is guessed from its id."""
    assert acts_of(Conversation().turn(tap(action, "x"))) == ()


def test_an_sku_may_hold_a_colon() -> None:
    """The quantity stands behind the last one."""
    assert acts_of(Conversation().turn(tap("qty:A:7:2"))) == (Act("qty", "A:7", "2"),)
    assert acts_of(Conversation().turn(tap("add:A:7"))) == (Act("add", "A:7", "1"),)


def test_every_verb_is_done() -> None:
    """None stands in the table alone; a model may offer only those that change nothing."""
    talk = Conversation(
        cart=(MILK_ITEM,), context={"undo": {"version": "v", "cart": []}, "kept": [RICE_ITEM.row()], "version": "v"}
    )
    objects = {"delivery": "pickup", "area": "0", "pay": "0", "undo": "v", "confirm": "v"}
    for verb, has_object in VERBS.items():
        again = Conversation()
        again.session = talk.session
        assert again.act(tap(f"{verb}:{objects[verb]}" if has_object else verb)) is not None, verb
    offered = {verb for verb in VERBS if may_offer(verb)}
    assert offered == {"view_cart", "checkout"}
    assert not any(may_offer(f"{verb}:x") for verb in (*CART_VERBS, *VERBS))


def test_what_is_unknown_is_named_and_the_rest_is_done() -> None:
    """Of a catalogue's cart, also where something else of it could not be done."""
    talk = Conversation(sold=(MILK, replace(RICE, stock=None)))
    talk.done(cart_of(("LAC-7", 2), ("T-0001", 1), ("T-0002", 1)))
    assert talk.quantities == {"LAC-7": "2"}
    assert talk.lines[0] == "De lo que elegiste no encontré: T-0001, T-0002."
    talk.done(cart_of(("T-0001", 1), ("ALM-8", 99), ("LAC-7", 99)))
    assert talk.lines[:2] == [
        "De lo que elegiste no encontré: T-0001.",
        "De Leche entera Nubelinda 1 L podés llevar hasta 99 por pedido: no cambié nada de eso.",
    ]
    assert talk.quantities == {"LAC-7": "2", "ALM-8": "99"}
    talk = Conversation()
    talk.done(tap("add:T-0001"))
    assert talk.lines[0] == "De lo que elegiste no encontré: T-0001."
    assert talk.session.cart == ()


def test_a_wish_written_beside_a_catalogues_cart_is_kept_for_the_shop() -> None:
    """One that asks for goods, or asks anything, is for a model."""
    talk = Conversation()
    talk.done(cart_of(("LAC-7", 2), note="sin bolsa"))
    assert talk.session.context.checkout.note == "sin bolsa"
    for note in ("¿tienen pan?", "agregame también una yerba y 2 leches", "2 panes más"):
        assert acts_of(talk.turn(cart_of(("LAC-7", 1), note=note))) == ()


def test_several_acts_in_one_turn() -> None:
    """Changes are made in their order; one thing more may stand beside them if it is still so afterwards."""
    talk = Conversation()
    talk.done(tap("add:LAC-7"), tap("add:LAC-7", number=2), tap("add:ALM-8", number=3), tap("remove:ALM-8", number=4))
    assert talk.quantities == {"LAC-7": "2"}
    talk.done(tap("add:ALM-8"), "ver carrito")
    assert talk.quantities == {"LAC-7": "2", "ALM-8": "1"}
    assert talk.session.context.asking == ""
    talk.done(tap("add:ALM-8"), "finalizar compra")
    assert talk.session.context.asking == "delivery"


@pytest.mark.parametrize("other", ["undo:token1", "delivery:pickup", "change", "drop_cart", "pay:1"])
def test_two_things_that_do_not_go_together_are_for_a_model(other: str) -> None:
    """Else one of them would be lost without a word."""
    talk = Conversation()
    assert talk.act(tap("add:LAC-7"), tap(other, number=2)) is None
    assert talk.act(tap("view_cart"), tap(other, number=2)) is None


def test_an_address_beside_a_change_is_not_lost() -> None:
    """A model reads both."""
    talk = Conversation(cart=(MILK_ITEM,), context={"asking": "address"}, state="waiting_address")
    assert talk.act("Av. Corrientes 1234", tap("add:ALM-8", number=2)) is None


def test_one_message_that_a_model_must_read_is_enough() -> None:
    """Nothing of the turn is done before."""
    talk = Conversation()
    assert talk.act(tap("add:LAC-7"), "tenés pan?") is None
    assert talk.act(tap("add:LAC-7"), message(None, 2, type="audio")) is None


def test_what_is_shown_is_the_cart() -> None:
    """Each line with its price, and the sum."""
    talk = Conversation(cart=(MILK_ITEM, CHEESE_ITEM))
    talk.done("mi carrito")
    assert talk.lines == [
        "En tu carrito:",
        "• 2 × Leche entera Nubelinda 1 L: $ 3.700,00",
        "• 500 g de Queso cremoso: $ 4.500,00",
        "Total: $ 8.200,00",
    ]
    assert talk.offers == ["checkout", "human"]
    empty = Conversation()
    empty.done(tap("view_cart"))
    assert (empty.lines, empty.offers) == (["Tu carrito está vacío."], ["human"])


def test_a_change_is_undone_once() -> None:
    """The same button again does nothing; the way back has its own."""
    talk = Conversation(cart=(MILK_ITEM,))
    talk.done(tap("remove:LAC-7"))
    undo = talk.offers[0]
    made = talk.done(tap(undo))
    assert made.effects.undone
    assert talk.session.cart == (MILK_ITEM,)
    assert talk.lines[0] == "Deshice el último cambio."
    redo = talk.offers[0]
    talk.done(tap(undo))
    assert talk.lines[0] == "Ese cambio ya no se puede deshacer: el carrito ya es otro."
    assert talk.session.cart == (MILK_ITEM,)
    talk.done(tap(redo))
    assert talk.session.cart == ()


def test_only_the_last_change_is_undone() -> None:
    """An older one would take away what came after it."""
    talk = Conversation()
    talk.done(tap("add:LAC-7"))
    first = talk.offers[0]
    talk.done(tap("add:ALM-8"))
    talk.done(tap(first))
    assert talk.quantities == {"LAC-7": "1", "ALM-8": "1"}


def test_an_order_is_not_undone() -> None:
    """It stands at the shop."""
    talk = Conversation(cart=(MILK_ITEM,), context={"checkout": {"delivery": "pickup", "payment": "efectivo"}})
    talk.done(tap("add:ALM-8"))
    undo = talk.offers[0]
    talk.done("finalizar")
    talk.done("sí")
    talk.done(tap(undo))
    assert talk.session.cart == ()
    assert talk.lines[0] == "Ese cambio ya no se puede deshacer: el carrito ya es otro."


def kept(**session: object) -> Conversation:
    """A customer who comes back to a cart that was left."""
    talk = Conversation(context={"kept": [MILK_ITEM.row()]}, **session)
    talk.answered("buenas, cómo va?", intent="greeting", reply="¡Hola!")
    return talk


def test_a_cart_that_was_left_is_offered_once() -> None:
    """With the first reply."""
    talk = kept()
    assert talk.lines == [
        "¡Hola!",
        "",
        "Dejaste un carrito sin terminar:",
        "• 2 × Leche entera Nubelinda 1 L: $ 3.700,00",
        "Total: $ 3.700,00",
        "¿Seguimos con ese?",
    ]
    assert talk.offers == ["keep_cart", "drop_cart"]
    talk.answered("qué precio tiene el arroz", intent="unknown", reply="Sale $ 1.200,50.")
    assert talk.lines == ["Sale $ 1.200,50."]
    assert talk.act("sí") is None


@pytest.mark.parametrize("said", ["sí", tap("keep_cart"), "Sí, seguir", "dale sigamos con ese", "seguimos"])
def test_it_is_brought_back(said: str) -> None:
    """Beside what is in the cart already, and once."""
    talk = kept()
    talk.done(said)
    assert talk.quantities == {"LAC-7": "2"}
    assert talk.session.context.kept == ()
    assert talk.lines[0] == "Listo, seguimos con ese carrito."
    talk.done(tap("keep_cart"))
    assert talk.lines == ["Ese carrito de antes ya no está."]
    assert talk.quantities == {"LAC-7": "2"}


@pytest.mark.parametrize(
    "said", ["seguimos?", "no, ese no", "seguir después", "ese arroz", "sigue lloviendo", "cero azúcar", "no, dale"]
)
def test_neither_is_for_a_model(said: str) -> None:
    """A question, a denial, or more than an answer: the cart of before waits."""
    talk = kept()
    assert talk.act(said) is None


def test_what_was_put_in_since_stays() -> None:
    """Of a product in both, as it is now."""
    talk = kept(cart=(replace(MILK_ITEM, quantity=MILK_ITEM.quantity + 1), RICE_ITEM))
    talk.done(tap("keep_cart"))
    assert talk.quantities == {"LAC-7": "3", "ALM-8": "1"}


@pytest.mark.parametrize("said", ["no", tap("drop_cart"), "No, empezar de cero", "mejor arranquemos de cero"])
def test_it_is_left_behind(said: str) -> None:
    """The cart of now stays."""
    talk = kept(cart=(RICE_ITEM,))
    talk.done(said)
    assert talk.session.context.kept == ()
    assert talk.quantities == {"ALM-8": "1"}
    assert talk.lines == ["Bien, sigue tu carrito como estaba."]


def test_nothing_is_left_then() -> None:
    """Where there is no cart now either."""
    talk = kept()
    talk.done("no")
    assert talk.quantities == {}
    assert talk.lines == ["Bien, empezamos de cero. ¿Qué necesitás?"]


def test_the_number_of_a_row_is_one_of_the_list() -> None:
    """Of the last list alone, and only while it is the last reply."""
    talk = Conversation(context={"shown": ["OLD-1", "OLD-2", "OLD-3"]})
    talk.answered("tenés lácteos?", intent="search_product", reply="Hay leche entera y arroz.")
    assert talk.offers[:2] == ["add:LAC-7", "add:ALM-8"]
    assert talk.act("4") is None
    assert talk.act("0") is None
    talk.done("la 2")
    assert talk.quantities == {"ALM-8": "1"}
    assert talk.act("2") is None


def test_a_removed_product_may_be_sold_no_more() -> None:
    """What is in the cart is known by its line."""
    talk = Conversation(sold=(), cart=(MILK_ITEM,))
    talk.done(tap("remove:LAC-7"))
    assert talk.session.cart == ()


def test_a_tap_that_changes_nothing_is_answered_with_the_cart() -> None:
    """Never with an empty text."""
    talk = Conversation(cart=(MILK_ITEM,))
    for action in ("remove:ALM-8", "qty:LAC-7:2"):
        talk.done(tap(action))
        assert talk.lines[0] == "En tu carrito:"
    assert talk.session.context.undo is None
    empty = Conversation()
    empty.done(tap("remove:LAC-7"))
    assert empty.lines == ["Tu carrito está vacío."]


def test_a_way_back_needs_its_version() -> None:
    """A made up one is none."""
    talk = Conversation(cart=(MILK_ITEM,))
    talk.session = replace(talk.session, context=replace(talk.session.context, undo=Undo("v1", ())))
    talk.done(tap("undo:v2"))
    assert talk.session.cart == (MILK_ITEM,)
    talk.done(tap("undo:v1"))
    assert talk.session.cart == ()


def test_weights_are_tapped_in_their_steps() -> None:
    """A tap adds one whole unit."""
    talk = Conversation(sold=(CHEESE,))
    talk.done(tap("qty:FIA-9:0.07"))
    assert talk.lines[0] == "Queso cremoso se vende de a 50 g: no cambié nada de eso."
    talk.done(tap("add:FIA-9"))
    assert talk.quantities == {"FIA-9": "1"}


@pytest.mark.parametrize("kind", ["image", "document", "video"])
def test_the_caption_of_a_photo_is_no_answer(kind: str) -> None:
    """ "Listo" below a receipt places no order."""
    asked = session_of(cart=(MILK_ITEM,), state="confirming_order", context={"asking": "confirm", "version": "v"})
    turn = turn_of("listo", session=asked)
    assert acts_of(turn) == (Act("confirm", "v"),)
    assert acts_of(replace(turn, messages=(message("listo", type=kind),))) == ()
