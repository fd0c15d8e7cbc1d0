"""Conversations as WhatsApp sends them, from bodies to requests and replies, through all steps but the model itself."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from threading import Event
from typing import Any

import orjson
import pytest
import redis
from helpers.basics import REPOSITORY
from helpers.factories import product, row, rows
from helpers.turns import decided, turn_from_dict, turn_to_dict
from msgspec.structs import replace
from sqlalchemy import Connection, Engine

from db.customers import resume_customer, waiting
from db.products import put_products
from worker import steps
from worker.intake.intake import Intake
from worker.intake.sweep import Sweep
from worker.redisdb.keys import AI_RESPONSE, CALL_LIMIT, INBOUND, OUTBOUND, REJECTED, REPLY_LIMIT, SESSION
from worker.session.cart import item_of
from worker.session.outcome import Effects
from worker.session.turn import Turn
from worker.steps.services import Services
from worker.telemetry.report import make_report

CASES = REPOSITORY.parent / "shared" / "cases" / "whatsapp.jsonl"
CHECKOUT_CASES = Path(REPOSITORY).resolve().parents[1] / "shared" / "cases" / "whatsapp.jsonl"
FOUND = next((path for path in (CASES, CHECKOUT_CASES) if path.is_file()), None)
needs_cases = pytest.mark.skipif(FOUND is None, reason="the recorded conversations are not on this machine")
ANA = "5491100000001"
ONE, TWO = "100000000000001", "100000000000002"
USER = "AR.1A2B3C4D"


def case(name: str) -> list[Any]:
    """Bodies of a conversation; what is only described there is a text."""
    assert FOUND, "needs_cases"
    lines = map(json.loads, FOUND.read_text("utf-8").splitlines())
    return list(next(line["send"] for line in lines if line["case"] == name))


class Emptied:
    """The chain as intake sees it: keeps what is started, and stops once the stream is empty."""

    def __init__(self, client: redis.Redis) -> None:
        self.stop = Event()
        self.turns: list[Turn] = []
        self._client = client

    def start(self, turns: Sequence[dict[str, Any]]) -> None:
        """Keeps them."""
        self.turns += map(turn_from_dict, turns)

    def waiting(self) -> int:
        """Nothing waits."""
        if not self._client.xlen(INBOUND.pattern):
            self.stop.set()
        return 0


class Conversation:
    """The road with a model that says what it is told to.

    Args:
        says: the model's outcome for a turn.
    """

    def __init__(self, services: Services, says: Callable[[Turn], Any] = lambda _turn: decided()) -> None:
        self.services = services
        self.requests: list[dict[str, Any]] = []
        self.says = says

    def accept(self, *bodies: object) -> list[Turn]:
        """Turns that intake starts for these bodies."""
        for body in bodies:
            self.services.redis.xadd(INBOUND.pattern, {"payload": orjson.dumps(body)})
        chain = Emptied(self.services.redis)
        Intake(self.services, chain, chain.stop).run()
        return chain.turns

    def think(self, turns: Sequence[Turn]) -> list[Turn]:
        """Turns with their outcomes; what the model is asked is kept."""
        fetched = [turn_from_dict(turn_to_dict(turn)) for turn in steps.fetch_session.run(self.services, turns)]
        answered, missed = steps.route_ai.run(self.services, fetched, lambda: True)
        self.requests += [orjson.loads(turn.planned().user) for turn in missed]
        return [*answered, *(replace(turn, outcome=self.says(turn)) for turn in missed)]

    def finish(self, turns: Sequence[Turn]) -> list[dict[str, Any]]:
        """Commits turns and those that follow; the replies that this publishes."""
        before = self.services.redis.xlen(OUTBOUND.pattern)
        while turns:
            closed = steps.update_session.run(self.services, self.think(turns) if not turns[0].outcome else turns)
            steps.record_metrics.run(self.services, closed.turns)
            turns = [turn_from_dict(turn) for turn in closed.next_turns]
        entries: Any = self.services.redis.xrange(OUTBOUND.pattern)
        return [orjson.loads(entry[b"payload"]) for _, entry in entries][before:]

    def say(self, *bodies: object) -> list[dict[str, Any]]:
        """Replies to these bodies."""
        return self.finish(self.accept(*bodies))


@pytest.fixture
def shop(shop_services: Services, engine: Engine) -> Services:
    """A shop that sells what the conversations are about."""
    with engine.begin() as connection:
        skus = {"LAC-001": "Leche entera", "LAC-003": "Yogur natural", "YER-001": "Yerba Monteguay"}
        put_products(connection, [product(sku, name) for sku, name in skus.items()])
    return shop_services


def body(text: str, message_id: str, number: str = ONE, **message: Any) -> dict[str, Any]:
    """A webhook body with one text."""
    sent = {"id": message_id, "from": ANA, "timestamp": str(int(time.time())), "type": "text", "text": {"body": text}}
    value = {"metadata": {"phone_number_id": number}, "messages": [sent | message]}
    return {"object": "whatsapp_business_account", "entry": [{"changes": [{"field": "messages", "value": value}]}]}


def states(connection: Connection) -> dict[str, tuple[str, str | None]]:
    """State and reason of each message."""
    return {m["message_id"]: (m["state"], m["reason"]) for m in rows(connection, "select * from messages")}


@needs_cases
def test_two_numbers(shop: Services) -> None:
    """Each reply leaves from the number that was written to."""
    replies = Conversation(shop).say(*case("two_numbers"))
    assert [(reply["in_reply_to"], reply["channel"]) for reply in replies] == [(["wamid.N1"], ONE), (["wamid.N2"], TWO)]


@needs_cases
def test_a_person_wrote_from_the_phone(shop: Services, connection: Connection) -> None:
    """The AI is silent until `resume`; then its request holds what the person and the customer said."""
    talk = Conversation(shop)
    assert talk.say(*case("person_wrote_from_the_phone")) == []
    assert [one.customer_phone for one in waiting(connection)] == [ANA]
    assert states(connection)["wamid.E2"][0] == "closed"
    resume_customer(connection, ANA)
    assert len(talk.say(body("y tienen leche?", "m9"))) == 1
    assert talk.requests[-1]["session"]["history"] == [
        {"customer": "", "reply": "te la dejo a 2.000 pesos"},
        {"customer": "dale, y a que hora cierran?", "reply": ""},
    ]


@needs_cases
def test_a_person_wrote_while_the_model_thinks(shop: Services, connection: Connection) -> None:
    """Nothing is published, the message is closed, and what the model cost is known."""
    talk = Conversation(shop, lambda _turn: replace(decided(), calls=1, cost_microusd=125))
    thought = talk.think(talk.accept(body("quiero 2 leches y lo de siempre", "m1")))
    echo = case("person_wrote_from_the_phone")[0]
    assert talk.accept(echo) == []
    assert talk.finish(thought) == []
    assert states(connection)["m1"] == ("closed", "answered_by_person")
    assert rows(connection, "select committed, cost_microusd from ai_metrics") == [
        {"committed": False, "cost_microusd": 125}
    ]


@needs_cases
def test_three_days_old(shop: Services, connection: Connection) -> None:
    """No call, no reply, no change; it is closed and counted."""
    (late,) = case("three_days_old")
    late["entry"][0]["changes"][0]["value"]["messages"][0]["timestamp"] = str(int(time.time()) - 3 * 86_400)
    talk = Conversation(shop)
    assert (talk.say(late), talk.requests) == ([], [])
    assert states(connection) == {"wamid.O1": ("closed", "too_late")}
    assert rows(connection, "select from customer_sessions") == []
    assert make_report(connection)["closed"] == {"answered_by_person": 0, "revoked": 0, "too_late": 1}


@needs_cases
def test_an_edit_before_the_answer(shop: Services) -> None:
    """One reply, and the model is asked about what was meant, also where the first was under way."""
    first, second = case("edit_before_the_answer")
    talk = Conversation(shop)
    assert len(talk.say(first, second)) == 1
    assert talk.requests[0]["message"] == "agregá 3 leche entera"


@needs_cases
def test_an_edit_after_the_answer(shop: Services) -> None:
    """Is a message that says what it corrects."""
    talk = Conversation(shop)
    for sent in case("edit_before_the_answer"):
        assert len(talk.say(sent)) == 1
    told = talk.requests[1]
    assert told["message"] == "Corrección de mi mensaje anterior: agregá 3 leche entera"
    assert told["refers_to"] == [{"quoted": "agregá 2 leche entera", "written_by": "customer"}]


@needs_cases
@pytest.mark.parametrize("answered", [True, False])
def test_revoked(shop: Services, connection: Connection, answered: object) -> None:
    """The words stand in no later request, and nowhere else."""
    secret, revocation, question = case("revoked")
    talk = Conversation(shop)
    turns = talk.accept(secret)
    if answered:
        talk.finish(turns)
        key = rows(connection, "select outcome ->> 'reply_key' as key from messages")[0]["key"]
        shop.cache.set_many(AI_RESPONSE, {key: {"reply": "4455"}})
    else:
        talk.think(turns)
    talk.requests.clear()
    assert talk.say(revocation) == []
    keys: Any = shop.redis.keys(SESSION.pattern.format("*")) + shop.redis.keys(AI_RESPONSE.pattern.format("*"))
    assert keys == []
    assert len(talk.say(question, body("y de eso cual es mas barata?", "m9"))) == 1
    assert shop.redis.keys("*4455*") == []
    assert "4455" not in json.dumps(talk.requests)
    assert not rows(connection, "select from messages m where m::text like '%4455%'")
    assert not rows(connection, "select from customer_sessions s where s::text like '%4455%'")
    assert states(connection)["wamid.R1"] == (("answered", None) if answered else ("closed", "revoked"))


@needs_cases
def test_what_was_revoked_is_searched_for_no_more(shop: Services) -> None:
    """The key of a search holds the words."""
    secret, revocation, _ = case("revoked")
    secret["entry"][0]["changes"][0]["value"]["messages"][0]["text"]["body"] = "leche 4455"
    talk = Conversation(shop)
    talk.think(talk.accept(secret))
    assert shop.redis.keys("*4455*")
    talk.say(revocation)
    assert shop.redis.keys("*4455*") == []


@needs_cases
def test_quoted(shop: Services) -> None:
    """The request holds what was quoted: theirs, and ours once a status has told its id."""
    talk = Conversation(shop)
    (reply,) = talk.say(body("tenes leche entera?", "m1"))
    status = {"id": "wamid.S", "status": "sent", "biz_opaque_callback_data": reply["reply_id"]}
    told = body("", "x")
    told["entry"][0]["changes"][0]["value"] = {"statuses": [status]}
    assert talk.say(told) == []
    (quote,) = case("quoted")
    sent = quote["entry"][0]["changes"][0]["value"]["messages"][0]
    for number, (quoted, words, by) in enumerate(
        [("m1", "tenes leche entera?", "customer"), ("wamid.S", reply["text"], "shop")]
    ):
        sent |= {"id": f"wamid.Q{number}", "context": {"id": quoted}}
        assert len(talk.say(quote)) == 1
        assert talk.requests[-1]["refers_to"] == [{"quoted": words, "written_by": by}]


@needs_cases
def test_about_a_product(shop: Services) -> None:
    """It stands in the request, first."""
    talk = Conversation(shop)
    talk.say(*case("about_a_product"))
    assert talk.requests[0]["products"][0]["name"] == "Leche entera"
    assert talk.requests[0]["refers_to"] == [{"product": "Leche entera"}]


@needs_cases
def test_from_an_advertisement(shop: Services) -> None:
    """Its words stand in the request, and are searched."""
    talk = Conversation(shop)
    talk.say(*case("from_an_ad"))
    assert talk.requests[0]["refers_to"] == [{"advertisement": "Yerba Monteguay en oferta. 2 x 1 hasta el domingo"}]
    assert "Yerba Monteguay" in [each["name"] for each in talk.requests[0]["products"]]


@needs_cases
def test_a_form(shop: Services) -> None:
    """Its fields reach the conversation as text, without the token."""
    talk = Conversation(shop)
    talk.say(*case("flow_form"))
    assert talk.requests[0]["message"] == "direccion: Av. Siempreviva 742\npago: efectivo"


@needs_cases
@pytest.mark.parametrize("name", ["interactive_without_its_object", "order_quantity_zero"])
def test_what_cannot_be_read_is_asked_for(shop: Services, name: str) -> None:
    """Politely, without a model."""
    talk = Conversation(shop)
    (reply,) = talk.say(*case(name))
    assert (reply["source"], talk.requests) == ("canned", [])
    assert "?" in reply["text"]
    assert shop.redis.xlen(REJECTED.pattern) == 0


@needs_cases
def test_a_call_permission_needs_no_reply(shop: Services, connection: Connection) -> None:
    """Nothing was said to us."""
    assert Conversation(shop).say(*case("call_permission_reply")) == []
    assert states(connection) == {"wamid.Y1": ("closed", None)}


@needs_cases
def test_an_order_of_the_catalogue(shop: Services) -> None:
    """Still needs no model; what is unknown is named."""
    talk = Conversation(shop)
    (reply,) = talk.say(*case("order_from_the_catalogue"))
    assert talk.requests == []
    assert "NO-SUCH" in reply["text"]


def puts_in(turn: Turn) -> Any:
    """A model that puts in two of the first product that is found."""
    found = turn.planned().products[0]
    outcome = decided()
    effects = Effects(cart=(*turn.fetched().cart, item_of(found, Decimal(2))))
    return replace(outcome, decision=replace(outcome.decision, effects=effects))


def plain(text: str, message_id: str, sender: str, **more: Any) -> dict[str, Any]:
    """A plain message of now."""
    return {"message_id": message_id, "from": sender, "text": text, **more}


def recent(sent: dict[str, Any]) -> dict[str, Any]:
    """A webhook body as if it were of now."""
    sent["entry"][0]["changes"][0]["value"]["messages"][0]["timestamp"] = str(int(time.time()))
    return sent


def customers(connection: Connection) -> list[str]:
    """All of whom anything is known."""
    found = rows(connection, "select customer_phone from messages union select customer_phone from customer_sessions")
    return [one["customer_phone"] for one in found]


@needs_cases
def test_a_business_scoped_id_later(shop: Services, connection: Connection) -> None:
    """One customer, whose cart is there; the reply goes where the last message came from."""
    talk = Conversation(shop, puts_in)
    first, second = case("business_scoped_id_later")
    assert [reply["to"] for reply in talk.say(recent(first))] == [ANA]
    (reply,) = talk.say(recent(second))
    assert (reply["to"], reply["source"]) == (USER, "canned")
    assert "2 × Leche entera" in reply["text"]
    assert customers(connection) == [ANA]


@needs_cases
def test_a_changed_number(shop: Services, connection: Connection) -> None:
    """One customer, whose cart is there; a reply that was still to come goes to the new number."""
    talk = Conversation(shop, puts_in)
    first, notice, third = map(recent, case("changed_number"))
    new = third["entry"][0]["changes"][0]["value"]["messages"][0]["from"]
    talk.say(first)
    assert talk.say(notice) == []
    (reply,) = talk.say(third)
    assert reply["to"] == new
    assert "2 × Yerba" in reply["text"]
    assert customers(connection) == [new]


@needs_cases
def test_a_number_changes_while_the_model_thinks(shop: Services, connection: Connection) -> None:
    """The turn is lost, its call paid for, and its message answered where the customer is now."""
    talk = Conversation(shop, puts_in)
    first, notice, _ = map(recent, case("changed_number"))
    thought = talk.think(talk.accept(first))
    begun = talk.accept(notice)
    assert talk.finish(thought) == []
    (reply,) = talk.finish(begun)
    assert (reply["to"], reply["in_reply_to"]) == (customers(connection)[0], ["wamid.G1"])
    assert rows(connection, "select committed from ai_metrics order by id") == [
        {"committed": False},
        {"committed": True},
    ]


def test_two_carts_of_one_person(shop: Services) -> None:
    """The newer one goes on; the next reply says so, and a yes puts the other one in."""
    talk = Conversation(shop, puts_in)
    talk.say(plain("agregame leche entera", "m1", USER))
    talk.say(plain("agregame leche entera", "m2", ANA))
    (reply,) = talk.say(plain("ver carrito", "m3", ANA, user_id=USER))
    assert "Junté tus dos conversaciones" not in reply["text"], "the same cart twice is one"
    talk.say(plain("agregame yerba", "m4", "AR.77"))
    (reply,) = talk.say(plain("ver carrito", "m5", ANA, user_id="AR.77"))
    assert "Junté tus dos conversaciones" in reply["text"]


def test_limits_follow(shop: Services) -> None:
    """Calls and replies of the hour count on; sessions that are cached are forgotten."""
    talk = Conversation(shop)
    talk.say(plain("tenes leche?", "m1", USER))
    shop.redis.set(CALL_LIMIT.key(USER), 7)
    shop.redis.set(CALL_LIMIT.key(ANA), 2)
    talk.accept(plain("hola", "m2", ANA, user_id=USER))
    assert shop.redis.get(CALL_LIMIT.key(ANA)) == b"9"
    assert shop.redis.get(REPLY_LIMIT.key(ANA)) == b"1"
    gone = (CALL_LIMIT.key(USER), REPLY_LIMIT.key(USER), SESSION.key(USER))
    assert shop.redis.exists(*gone) == 0
    assert 0 < shop.redis.ttl(CALL_LIMIT.key(ANA)) <= CALL_LIMIT.ttl_s


def test_a_burst_over_two_numbers(shop: Services) -> None:
    """Is answered in order, each part from its number, in one conversation."""
    talk = Conversation(shop)
    sent = [body("tenes leche?", "m1"), body("y yerba?", "m2", TWO), body("y yogur?", "m3", TWO)]
    replies = talk.say(*sent)
    assert [(reply["in_reply_to"], reply["channel"]) for reply in replies] == [(["m1"], ONE), (["m2", "m3"], TWO)]
    assert talk.requests[1]["session"]["history"][0]["customer"] == "tenes leche?"
    assert row(shop.engine.connect(), "select count(*) from customer_sessions") == {"count": 1}


def test_a_killed_worker_after_an_echo(shop: Services, connection: Connection) -> None:
    """Leaves nothing that the sweep would start: the turn is closed."""
    talk = Conversation(shop)
    talk.think(talk.accept(body("tenes leche?", "m1")))
    talk.accept({"message_id": "e1", "type": "echo", "to": ANA, "text": "sí, hay"})
    connection.exec_driver_sql("update turns set lease_until = now() - interval '1 minute'")
    started: list[Any] = []
    Sweep(shop, started.extend).once(connection)
    assert started == []
