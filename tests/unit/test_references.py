"""References of a message: quotes, products, advertisements and forms."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from helpers.inbound_bodies import only, parse, plain, webhook, whatsapp
from helpers.turns import MILK, SHOP, message, planned, session_of, turn_of
from msgspec.structs import replace

from worker.language.product_words import USUAL_PRODUCT_WORDS
from worker.messages.message import InboundMessage
from worker.replies.acts import Act, acts_of
from worker.session.turn import Turn
from worker.session.turn_message import Quoted
from worker.steps.planning import Planner
from worker.steps.question import Reader

SKU = replace(MILK, sku="LAC-001")
LIST = Quoted("1. Leche\n2. Pan", ours=True, skus=("LAC-001", "PAN-002"))


def read(**parts: Any) -> InboundMessage:
    """A message of a webhook with these parts."""
    return only(parse(webhook(whatsapp(**parts))))


def test_what_a_message_quotes_is_about_and_comes_from() -> None:
    """Each by its name."""
    assert read(context={"id": "wamid.Z", "from": "1"}).quoted == "wamid.Z"
    assert only(parse(plain(quoted="wamid.Z"))).quoted == "wamid.Z"
    assert read(context={"referred_product": {"product_retailer_id": " LAC-001 "}}).product == "LAC-001"
    advertised = read(referral={"headline": "Yerba en oferta.", "body": "2 x 1 hasta\nel domingo", "source_type": "ad"})
    assert advertised.advertisement == "Yerba en oferta. 2 x 1 hasta el domingo"


@pytest.mark.parametrize("wrong", [None, 5, "", " ", [], {}, "x" * 513, {"id": 5, "referred_product": 5}])
def test_a_reference_that_is_wrong_is_none(wrong: Any) -> None:
    """And costs no message."""
    for found in (
        read(context=wrong),
        read(context={"id": wrong}),
        read(referral=wrong),
        only(parse(plain(quoted=wrong))),
    ):
        assert (found.quoted, found.product, found.advertisement, found.text) == (None, None, None, "hola")


def test_a_tap_quotes_nothing() -> None:
    """WhatsApp names the message whose button it was; what stands on the button is what is meant."""
    tap = {"type": "button_reply", "button_reply": {"id": "view_cart", "title": "Ver carrito"}}
    assert read(type="interactive", text=..., interactive=tap, context={"id": "wamid.Z"}).quoted is None


def form(answers: object) -> InboundMessage:
    """A filled-in form."""
    reply = {"name": "flow", "body": "Sent", "response_json": answers}
    return read(type="interactive", text=..., interactive={"type": "nfm_reply", "nfm_reply": reply})


def test_a_form_is_read_as_its_fields() -> None:
    """In their order, without WhatsApp's own."""
    fields = {"direccion": "Av.\nSiempreviva 742", "pisos": [1, "2"], "timbre": True, "nada": None, "flow_token": "x"}
    assert form(json.dumps(fields)).text == "direccion: Av. Siempreviva 742\npisos: 1, 2\ntimbre: sí"


@pytest.mark.parametrize("answers", [None, 5, "", "{", "[1]", "{}", '{"flow_token": "x"}', {"a": 1}])
def test_a_form_that_says_nothing(answers: object) -> None:
    """Is one that cannot be read."""
    found = form(answers)
    assert (found.text, found.reply_due) == (None, True)


def request_of(turn: Turn) -> dict[str, Any]:
    """What a model is told of a turn; every search finds the milk."""
    question = Reader(USUAL_PRODUCT_WORDS).question(turn)
    plan = Planner(SHOP, (), dict.fromkeys(question.searches, (SKU,))).planned(turn, question).planned()
    assert not plan.shared
    return dict(orjson.loads(plan.user)) | {"terms": plan.terms}


def about(text: str, **reference: Any) -> Turn:
    """A turn of one message with a reference."""
    return turn_of(messages=(message(text, **reference),))


def test_a_quote_stands_in_the_request() -> None:
    """As data, with who wrote it, and what it names is searched."""
    told = request_of(about("de esto quiero 2", quoted=Quoted("Leche entera a $ 1.850", ours=True)))
    assert told["refers_to"] == [{"quoted": "Leche entera a $ 1.850", "written_by": "shop"}]
    assert told["message"] == "de esto quiero 2"
    assert any("leche" in term for term in told["terms"])
    assert [product["id"] for product in told["products"]] == [MILK.id]
    assert request_of(about("esto", quoted=Quoted()))["refers_to"] == [{"quoted": None, "written_by": "customer"}]


def test_the_one_product_of_a_quoted_reply_is_the_product() -> None:
    """Of a list of several none is."""
    assert request_of(about("2 de esto", quoted=Quoted("a", ours=True, skus=("LAC-001",))))["terms"][0] == "#LAC-001"
    assert "#LAC-001" not in request_of(about("2 de esto", quoted=LIST))["terms"]


def test_product_and_advertisement_stand_in_the_request() -> None:
    """By name, and with their words; both are searched."""
    told = request_of(about("cuanto sale?", product="LAC-001"))
    assert (told["refers_to"], told["terms"][0]) == ([{"product": SKU.full_name}], "#LAC-001")
    told = request_of(about("Quiero más información", advertisement="Yerba Monteguay en oferta"))
    assert told["refers_to"] == [{"advertisement": "Yerba Monteguay en oferta"}]
    assert any("yerba" in term for term in told["terms"])


def test_the_message_of_a_burst_that_refers_is_named() -> None:
    """Others refer to nothing."""
    burst = turn_of(messages=(message("hola"), message("esto", 2, quoted=Quoted("Pan"))))
    assert request_of(burst)["refers_to"] == [{"message": "esto", "quoted": "Pan", "written_by": "customer"}]


def test_what_refers_is_never_shared() -> None:
    """The same words without a reference are."""
    assert planned(turn_of("hola")).planned().shared
    for reference in ({"quoted": Quoted()}, {"product": "LAC-001"}, {"advertisement": "Yerba"}):
        assert "session" in request_of(about("hola", **reference))


def test_no_words_around_a_message_travel_on() -> None:
    """To the step that records figures."""
    said = message("hola", quoted=Quoted("mi clave"), product="LAC-001", advertisement="Yerba").without_words()
    assert (said.text, said.quoted, said.advertisement) == (None, None, None)


def test_the_number_of_a_row_in_a_quoted_list() -> None:
    """Is that list's row, whatever was shown since."""
    session = session_of(context={"shown": ["X-1", "X-2"], "numbered": True})
    assert acts_of(replace(about("2", quoted=LIST), session=session)) == (Act("add", "PAN-002", "1"),)
    assert acts_of(replace(about("3", quoted=LIST), session=session)) == ()
    assert acts_of(replace(about("2", quoted=Quoted("hola")), session=session)) == ()


def test_a_yes_beside_another_text_confirms_nothing() -> None:
    """Beside our summary of this very cart it does, as without a quote."""
    session = session_of(context={"asking": "confirm", "version": "v1"}, state="confirming_order")
    confirmed = (Act("confirm", "v1"),)
    assert acts_of(replace(about("sí"), session=session)) == confirmed
    assert (
        acts_of(replace(about("sí", quoted=Quoted("Total", ours=True, actions=("confirm:v1",))), session=session))
        == confirmed
    )
    for other in (Quoted(), Quoted("Total", ours=True, actions=("confirm:v0",)), Quoted("¿traés pan?")):
        assert acts_of(replace(about("sí", quoted=other), session=session)) == ()
