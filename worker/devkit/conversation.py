"""The demo's conversation: what a gateway delivers while a few customers shop, a few odd bodies among it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, Literal

Json = dict[str, Any]
Expected = Literal["answered", "closed", "duplicate", "rejected", "nothing"]

SHOP_PHONE: Final = "5491155500000"
CUSTOMERS: Final = {
    "Ana": "5491155500001",
    "Bruno": "5491155500002",
    "Carla": "5491155500003",
    "Diego": "5491155500004",
}
GATEWAY: Final = "WhatsApp"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One payload for the inbound stream.

    wait_for: message ids whose replies are awaited before the next delivery of the same customer. expected: what
    becomes of its messages; "nothing" for a body without any. customer: a name to print; shows: what was written.
    """

    payload: str
    wait_for: tuple[str, ...]
    expected: Expected
    customer: str
    shows: str


@dataclass(frozen=True, slots=True)
class _Content:
    """The part of a message that depends on its type, as Meta sends it, and how to print it."""

    fields: Json
    shows: str


def demo_conversation(run_id: str, now_s: int) -> tuple[Delivery, ...]:
    """The deliveries in order. run_id: makes the message ids new (`wamid.{run_id}.NN`). now_s: Unix time of all."""
    script = _Script(run_id, now_s)
    script.says("Ana", _text("Hola!!"))
    script.says("Ana", _text("tenés leche descremada?"))
    script.says("Carla", _text("buenas, q conviene mas el aceite de girasol o el de oliva??"))
    script.says("Ana", _text("agregame 2 leches descremadas porfa"))
    greeting = script.says("Bruno", _text("hola"))
    script.says("Diego", _audio())
    script.says("Bruno", _text("TENES LECHE DESCREMADA"))
    script.says("Ana", _button_reply("view_cart", "Ver carrito"))
    script.says("Carla", _image("tienen este? arroz largo fino"))
    script.repeats("Bruno", greeting)
    script.says("Bruno", _text("quiero 1 yerba suave"), _text("y 2 fideos tirabuzon"), _text("ah y una lavandina"))
    script.says("Diego", _text("che q tienen de limpieza"))
    script.delivers(_broken(), "rejected", "(un cuerpo JSON cortado)")
    script.says("Carla", _list_reply("category:limpieza", "Limpieza"))
    script.says("Ana", _text("listo, quiero pagar"))
    script.says("Diego", _quick_reply("Ver categorías"))
    script.says("Ana", _text("si"))
    script.delivers(script.status(), "nothing", "(un aviso de entrega)")
    script.says("Carla", _text("saben si tienen helado de dulce de leche?"))
    script.says("Ana", _text("Av. Corrientes 1234, 3ro B, Caballito"))
    script.says("Diego", _location())
    script.says("Bruno", _text("cuánto llevo hasta ahora?"))
    script.says("Ana", _text("Sí, confirmo"))
    script.says("Diego", _text("ok muchas gracias!!"))
    script.says("Ana", _reaction(f"wamid.{run_id}.00"), expected="closed")
    return tuple(script.deliveries)


class _Script:
    """Collects deliveries and numbers their messages."""

    def __init__(self, run_id: str, now_s: int) -> None:
        self.deliveries: list[Delivery] = []
        self._run_id = run_id
        self._now_s = now_s
        self._messages = 0

    def says(self, customer: str, *contents: _Content, expected: Expected = "answered") -> Delivery:
        """One body with a message for each content."""
        messages = [self._message(CUSTOMERS[customer], content) for content in contents]
        contact = {"profile": {"name": customer}, "wa_id": CUSTOMERS[customer]}
        payload = _body(contacts=[contact], messages=messages)
        awaited = tuple(message["id"] for message in messages) if expected == "answered" else ()
        shows = " / ".join(content.shows for content in contents)
        self.deliveries.append(Delivery(payload, awaited, expected, customer, shows))
        return self.deliveries[-1]

    def repeats(self, customer: str, earlier: Delivery) -> None:
        """The same body once more, as WhatsApp does when it has missed the acknowledgement."""
        self.deliveries.append(Delivery(earlier.payload, (), "duplicate", customer, f"{earlier.shows} (otra vez)"))

    def delivers(self, payload: str, expected: Expected, shows: str) -> None:
        """A body that no customer wrote."""
        self.deliveries.append(Delivery(payload, (), expected, GATEWAY, shows))

    def status(self) -> str:
        """A body that only tells of the delivery of a reply."""
        told = {"id": f"wamid.{self._run_id}.00", "status": "delivered", "timestamp": str(self._now_s)}
        return _body(statuses=[{**told, "recipient_id": CUSTOMERS["Ana"]}])

    def _message(self, phone: str, content: _Content) -> Json:
        self._messages += 1
        numbered = {"from": phone, "id": f"wamid.{self._run_id}.{self._messages:02}", "timestamp": str(self._now_s)}
        return {**numbered, **content.fields}


def _body(**parts: list[Json]) -> str:
    metadata = {"display_phone_number": SHOP_PHONE, "phone_number_id": "100000000000001"}
    value = {"messaging_product": "whatsapp", "metadata": metadata, **parts}
    entry = {"id": "200000000000001", "changes": [{"value": value, "field": "messages"}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}, ensure_ascii=False)


def _broken() -> str:
    return '{"object":"whatsapp_business_account","entry":[{"id":"200000000000001","changes":[{"value":'


def _text(body: str) -> _Content:
    return _Content({"type": "text", "text": {"body": body}}, body)


def _button_reply(key: str, title: str) -> _Content:
    pressed = {"type": "button_reply", "button_reply": {"id": key, "title": title}}
    return _Content({"type": "interactive", "interactive": pressed, "context": _of_the_shop()}, f"[{title}]")


def _list_reply(key: str, title: str) -> _Content:
    chosen = {"type": "list_reply", "list_reply": {"id": key, "title": title, "description": "Ver la sección"}}
    return _Content({"type": "interactive", "interactive": chosen, "context": _of_the_shop()}, f"[lista: {title}]")


def _quick_reply(text: str) -> _Content:
    pressed = {"payload": "menu", "text": text}
    return _Content({"type": "button", "button": pressed, "context": _of_the_shop()}, f"[{text}]")


def _image(caption: str) -> _Content:
    image = {
        "caption": caption,
        "mime_type": "image/jpeg",
        "sha256": "q83vEjRWeJCrze8SNFZ4kA==",
        "id": "300000000000001",
    }
    return _Content({"type": "image", "image": {"caption": caption, **image}}, f"[foto] {caption}")


def _audio() -> _Content:
    heard = {"mime_type": "audio/ogg; codecs=opus", "sha256": "EjRWeJCrze8SNFZ4kKvN7w==", "id": "300000000000002"}
    return _Content({"type": "audio", "audio": {**heard, "voice": True}}, "[nota de voz]")


def _location() -> _Content:
    place = {"latitude": -34.6186, "longitude": -58.4424, "name": "Parque Rivadavia", "address": "Av. Rivadavia 4800"}
    return _Content({"type": "location", "location": place}, "[ubicación] Parque Rivadavia")


def _reaction(message_id: str) -> _Content:
    return _Content({"type": "reaction", "reaction": {"message_id": message_id, "emoji": "👍"}}, "[reacción] 👍")


def _of_the_shop() -> Json:
    """The context of a pressed button: the reply of the shop that carried it."""
    return {"from": SHOP_PHONE, "id": "wamid.shop"}
