"""A customer's whole way: Meta's webhook, the gateway of `examples/`, Chasqui, the Graph API, back as statuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from helpers.gateway_process import GatewayProcess, gateway_process
from helpers.graph_api import GraphApi, body_of, deliver, graph_api, status_of
from helpers.service import Service, says

from worker.settings import settings
from worker.telemetry.report import make_report

Json = dict[str, Any]
ANA, BRUNO = "5491100000001", "5491100000002"


def taps(message_id: str, phone: str, shown: Json) -> Json:
    """The tap on the first row of a list, as Meta sends it."""
    row = shown["interactive"]["action"]["sections"][0]["rows"][0]
    choice = {"type": "list_reply", "list_reply": {"id": row["id"], "title": row["title"]}}
    return says(message_id, phone, "") | {"type": "interactive", "interactive": choice}


def write(gateway: GatewayProcess, *messages: Json) -> None:
    """Delivers messages as Meta does; taken at once."""
    contacts = [{"profile": {"name": "Ana"}, "wa_id": ANA}]
    assert deliver(gateway.webhook, body_of(messages=list(messages), contacts=contacts)) == 200


def converse(service: Service, gateway: GatewayProcess, api: GraphApi) -> None:
    """A greeting, a search, a tap on what was found, and somebody else beside it."""
    write(gateway, says("wamid.1", ANA, "hola"), says("wamid.2", BRUNO, "hola"))
    service.wait_until(lambda: len(api.to(ANA)) == len(api.to(BRUNO)) == 1)
    write(gateway, says("wamid.3", ANA, "tenés leche?"))
    service.wait_until(lambda: len(api.to(ANA)) == 2)
    write(gateway, taps("wamid.4", ANA, api.to(ANA)[1]))
    service.wait_until(lambda: len(api.to(ANA)) == 3)


def test_a_customer_buys_through_the_example(service: Service, tmp_path: Path) -> None:
    """Every reply is one that Meta takes, each is sent once, and the report says what became of it."""
    redis_url = settings().required("redis_url")
    with graph_api() as api, gateway_process(redis_url, api, tmp_path / "gateway.log") as gateway:
        converse(service, gateway, api)
        assert api.to(ANA)[1]["interactive"]["type"] == "list"
        cart = api.to(ANA)[2]["interactive"]
        assert cart["type"] == "button"
        assert any(button["reply"]["id"].startswith("undo:") for button in cart["action"]["buttons"])
        one, two, three, other = (*api.to(ANA), api.to(BRUNO)[0])
        reported = [status_of(message, "sent") for message in (one, two, three)]
        reported += [status_of(one, "delivered"), status_of(two, "read"), status_of(one, "sent")]
        reported += [status_of(other, "failed", errors=[{"code": 131026, "title": "Message undeliverable"}])]
        assert deliver(gateway.webhook, body_of(statuses=reported)) == 200
        service.wait_until(lambda: service.sql("select count(*) from deliveries")[0][0] == 4)
    with service.engine.connect() as connection:
        found = make_report(connection)["delivery"]
    assert found == {"sent": 3, "delivered": 1, "read": 1, "failed": {"131026": 1}}
    replies = [str(reply_id) for (reply_id,) in service.sql("select reply_id from messages where reply is not null")]
    assert sorted(replies) == sorted(message["biz_opaque_callback_data"] for message in api.sent)
    assert service.redis.xlen("whatsapp:rejected") == 0
