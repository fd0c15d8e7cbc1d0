"""Buttons and lists of ours: what stands on them is what they do, within WhatsApp's limits."""

from __future__ import annotations

from decimal import Decimal

import pytest
from helpers.conversations import GROCER, Conversation, add, tap
from helpers.turns import CHEESE, MILK, MILK_ITEM, RICE, SHOP
from msgspec.structs import replace

from worker.messages.reply import MAX_ROW_DESCRIPTION_CHARS, MAX_ROWS, MAX_TITLE_CHARS
from worker.replies import buttons
from worker.replies.acts import Act, acts_of
from worker.shop.shop import FORMS


@pytest.mark.parametrize("form", FORMS)
def test_every_title_fits(form: str) -> None:
    """In each form of address, and no two are alike."""
    shop = replace(SHOP, form=form)
    names = ("view_cart", "checkout", "undo", "confirm", "change", "person", "delivery", "pickup", "keep", "drop")
    titles = [buttons.button(shop, "x", name).title for name in names]
    assert all(0 < len(title) <= MAX_TITLE_CHARS for title in titles)
    assert len(set(titles)) == len(titles)


def test_every_button_of_ours_is_an_act() -> None:
    """With the version that it is about."""
    turn = Conversation().turn
    made = buttons.buttons(SHOP, "view_cart", "checkout", "undo:v", "confirm:v", "change")
    assert [acts_of(turn(tap(button.id))) for button in made] == [
        (Act("view_cart"),),
        (Act("checkout"),),
        (Act("undo", "v"),),
        (Act("confirm", "v"),),
        (Act("change"),),
    ]


def test_products_to_choose_from() -> None:
    """A row each, with the price; what cannot be bought is left out."""
    sold_out = replace(RICE, stock=Decimal(0))
    choices = buttons.product_choices(SHOP, [MILK, sold_out, replace(RICE, sku=""), CHEESE])
    assert choices is not None
    assert choices.button == "Ver opciones"
    assert [(row.id, row.title, row.description) for row in choices.rows] == [
        ("add:LAC-7", "Leche entera", "Leche entera Nubelinda 1 L: $ 1.850,00"),
        ("add:FIA-9", "Queso cremoso", "Queso cremoso: $ 9.000,00"),
    ]
    assert buttons.product_choices(SHOP, [sold_out]) is None
    assert buttons.product_choices(SHOP, []) is None


def test_a_long_name_never_hides_the_price() -> None:
    """And there are no more rows than WhatsApp shows."""
    long = [replace(MILK, id=number, name="x" * 300, sku=f"S-{number}") for number in range(30)]
    choices = buttons.product_choices(SHOP, long)
    assert choices is not None
    assert len(choices.rows) == MAX_ROWS
    assert all(len(row.description) <= MAX_ROW_DESCRIPTION_CHARS for row in choices.rows)
    assert all(row.description.endswith(": $ 1.850,00") for row in choices.rows)


def test_rows_that_stand_for_their_place() -> None:
    """From 0."""
    assert [(row.id, row.title) for row in buttons.options("pay", ["efectivo", "débito"])] == [
        ("pay:0", "efectivo"),
        ("pay:1", "débito"),
    ]


@pytest.mark.parametrize(
    "action", ["add:LAC-7", " confirm:v", "undo:v", "drop_cart", "change", "qty:a:2", "view_cart:x"]
)
def test_a_model_may_not_put_words_of_its_own_on_an_act(action: str) -> None:
    """ "Ver ofertas" must not empty a cart."""
    assert not buttons.may_offer(action)


@pytest.mark.parametrize("action", ["view_cart", "checkout", "human", "menu", "ver_ofertas", "2"])
def test_a_model_may_offer_what_changes_nothing(action: str) -> None:
    """Its other ids are words that it will read itself."""
    assert buttons.may_offer(action)


PAYMENTS = ("efectivo", "débito", "crédito", "QR", "transferencia", "cheque", "vale", "Mercado Pago", "PayPal", "Bizum")


@pytest.mark.parametrize(
    ("payments", "last"), [(PAYMENTS[:2], "undo"), (PAYMENTS[:3], "undo"), (PAYMENTS[:9], "undo"), (PAYMENTS, "pay")]
)
def test_a_change_beside_a_question_is_undone_by_a_tap(payments: tuple[str, ...], last: str) -> None:
    """All answers stay: what does not fit beside them as a button is a row, as long as a list has room for it."""
    context = {"checkout": {"delivery": "pickup"}}
    talk = Conversation(replace(GROCER, payments=payments), cart=(MILK_ITEM,), context=context)
    talk.done("finalizar")
    talk.answered("sumale un arroz", intent="add_to_cart", reply="Va.", cart_operations=[add(RICE)])
    assert [one.partition(":")[0] for one in talk.offers] == [*["pay"] * len(payments), "undo"][: len(talk.offers)]
    assert talk.offers[-1].startswith(last)
    talk.done(tap(talk.offers[-1]))
    assert talk.quantities == ({"LAC-7": "2"} if last == "undo" else {"LAC-7": "2", "ALM-8": "1"})
