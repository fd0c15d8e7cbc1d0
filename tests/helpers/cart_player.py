"""Plays labelled cart turns through the whole service, one conversation after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import redis
from sqlalchemy import Engine, text

from db.engine import make_engine
from helpers.basics import Servers
from helpers.cart_model import LabelledModel, goods_in, id_of, write_providers
from helpers.cart_turns import (
    CURRENCIES,
    Careless,
    CartTurn,
    Exchange,
    Goods,
    Operation,
    Played,
    Quantities,
    write_price_list,
)
from helpers.http_provider import serving
from helpers.service import Conversation, forget, says, service_processes, webhook
from worker.catalog.price_list import Writing, import_products, read_products
from worker.devkit.gateway import Gateway
from worker.redisdb.connect import connect_redis

PUT_CART = text("""
    insert into customer_sessions as s (customer_phone, cart_data) values (:phone, cast(:cart as jsonb))
    on conflict (customer_phone) do update
        set cart_data = excluded.cart_data, version = nextval('session_version'), updated_at = now()
""")
#: No burst is waited for: a conversation has one message at a time.
AT_ONCE = {"REPLY_QUIET_S": "0"}


class Player:
    """One shop that sells what all lines name.

    Args:
        model: behind the service, alone.
    """

    def __init__(self, conversation: Conversation, model: LabelledModel) -> None:
        self._conversation = conversation
        self._model = model
        self._sent = 0
        rows = conversation.sql("select id, sku, name from products")
        self._skus = {row.id: row.sku for row in rows}
        self._ids = {row.sku: row.id for row in rows}
        self._names = {row.sku: row.name for row in rows}

    def play(self, turn: CartTurn) -> Played:
        """Plays the history, puts the cart in its place, and sends the message."""
        phone, unknown = self._begun(turn)
        self._model.expect(turn, turn.expected)
        reply = self._say(phone, turn.message)
        calls = self._model.calls
        return Played(
            turn,
            self._cart(phone),
            missing=calls[0].missing if calls else (),
            refusals=tuple(call.refusal for call in calls[1:]),
            unknown=unknown,
            reply=reply,
        )

    def play_careless(self, turn: CartTurn) -> Careless:
        """Plays a message that orders nothing to a model that adds something all the same, and taps on "undo"."""
        phone, _ = self._begun(turn)
        before = self._cart(phone)
        self._model.expect(turn, ())
        self._model.be_careless()
        reply = self._say(phone, turn.message)
        after = self._cart(phone)
        added = tuple(self._names[sku] for sku in after if after[sku] != before.get(sku))
        if not added:
            return Careless(turn, added)
        buttons = [each for each in reply["quick_replies"] if each["id"].startswith("undo:")]
        for button in buttons:
            self._tap(phone, button)
        is_shown = all(name in reply["text"] for name in added)
        return Careless(turn, added, is_shown, self._cart(phone) == before)

    def _begun(self, turn: CartTurn) -> tuple[str, tuple[str, ...]]:
        """Plays what stood before the message. Returns the customer, and what the shop named and no request held."""
        phone = f"54911{self._sent:08}"
        said = [goods for exchange in turn.history for goods in turn.ordered_in(exchange)]
        self._put_cart(phone, turn, [line for line in turn.cart if line not in said])
        unknown = [name for exchange in turn.history for name in self._talk(phone, turn, exchange)]
        self._put_cart(phone, turn, turn.cart)
        return phone, tuple(unknown)

    def _talk(self, phone: str, turn: CartTurn, exchange: Exchange) -> tuple[str, ...]:
        """Plays an earlier exchange. Returns the products that the shop's reply names and the request did not hold."""
        ordered = [Operation("add", line.id, line.quantity) for line in turn.ordered_in(exchange)]
        self._model.expect(turn, ordered, exchange.reply)
        self._say(phone, exchange.customer)
        offered = [each for call in self._model.calls[:1] for each in goods_in(call.context)]
        named = [goods for goods in turn.goods.values() if goods.name in exchange.reply]
        return tuple(goods.name for goods in named if id_of(goods, offered) is None)

    def _say(self, phone: str, words: str) -> dict[str, Any]:
        """Sends a text and waits for its reply."""
        return self._send(says(self._next_id(), phone, words))

    def _tap(self, phone: str, button: dict[str, Any]) -> None:
        """Taps on a button of a reply and waits until that is answered."""
        tapped = {"type": "button_reply", "button_reply": button}
        message = says(self._next_id(), phone, "") | {"type": "interactive", "interactive": tapped}
        self._send({name: value for name, value in message.items() if name != "text"})

    def _next_id(self) -> str:
        self._sent += 1
        return f"wamid.cart.{self._sent}"

    def _send(self, message: dict[str, Any]) -> dict[str, Any]:
        """Nothing is cached: each line is told what its own model says."""
        forget(self._conversation.redis, "ai_response:*", "ai_circuit:*")
        self._conversation.gateway.send(webhook(message))
        self._conversation.wait_until(lambda: self._is_over(message["id"]))
        return self._conversation.replies[-1]

    def _is_over(self, message_id: str) -> bool:
        """Returns whether it is answered, or dead: an apology answers no message."""
        dead = "select from messages where message_id = :id and state = 'dead'"
        return message_id in self._conversation.answered() or bool(self._conversation.sql(dead, id=message_id))

    def _put_cart(self, phone: str, turn: CartTurn, lines: Sequence[Goods]) -> None:
        """Sets the customer's cart, unless it is so already."""
        if self._cart(phone) == {line.id: line.quantity for line in lines}:
            return
        cart = [self._line(line, CURRENCIES[turn.country]) for line in lines]
        with self._conversation.engine.begin() as connection:
            connection.execute(PUT_CART, {"phone": phone, "cart": orjson.dumps(cart).decode()})
        forget(self._conversation.redis, f"session:{phone}")

    def _line(self, line: Goods, currency: str) -> dict[str, Any]:
        quantity = float(line.quantity) if line.quantity % 1 else int(line.quantity)
        unit = self._conversation.sql("select to_jsonb(p) ->> 'unit' from products p where sku = :sku", sku=line.id)
        named = {"id": self._ids[line.id], "name": line.name, "price": float(line.price), "currency": currency}
        return named | {"quantity": quantity} | ({"unit": unit[0][0]} if unit[0][0] else {})

    def _cart(self, phone: str) -> Quantities:
        rows = self._conversation.sql("select cart_data from customer_sessions where customer_phone = :p", p=phone)
        lines = rows[0].cart_data if rows else []
        return {self._skus[line["id"]]: Decimal(str(line["quantity"])) for line in lines}


@contextmanager
def shop_of(servers: Servers, directory: Path, turns: Sequence[CartTurn]) -> Iterator[Player]:
    """The service as real processes, in front of the labelled model, with the catalogue of these lines."""
    model, prices, providers = LabelledModel(), directory / "prices.csv", directory / "providers.toml"
    write_price_list(turns, prices)
    import_products(servers.database_url, read_products(prices, Writing(decimal="point")), lambda _rows: None)
    with serving(model.answer) as server, _engine(servers) as engine, _client(servers) as client:
        write_providers(providers, server.url)
        given = AT_ONCE | {"PROVIDERS_FILE": str(providers)}
        with service_processes(servers, directory, given) as (_, log):
            yield Player(Conversation(engine, client, log, Gateway(client)), model)


@contextmanager
def _engine(servers: Servers) -> Iterator[Engine]:
    engine = make_engine(servers.database_url)
    yield engine
    engine.dispose()


@contextmanager
def _client(servers: Servers) -> Iterator[redis.Redis]:
    with connect_redis(servers.redis_url, timeout_s=5.0) as client:
        yield client


def play_all(
    player: Player, turns: Iterable[CartTurn], told: Callable[[Played], None] = lambda _: None
) -> list[Played]:
    """What became of each line. told: called after each."""
    played = []
    for turn in turns:
        played.append(player.play(turn))
        told(played[-1])
    return played
