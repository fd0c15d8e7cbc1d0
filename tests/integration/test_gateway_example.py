"""The gateway of `examples/`, between the real Redis and a Graph API that refuses what Meta refuses."""

from __future__ import annotations

import json
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
import redis
import requests
from helpers.basics import GUARD_S, Servers
from helpers.gateway_process import PROGRAM, GatewayProcess, environment_of, gateway_process, wait_until
from helpers.graph_api import APP_SECRET, PHONE_ID, TOKEN, VERIFY_TOKEN, GraphApi, body_of, deliver, graph_api

from worker.messages.inbound import parse_payload
from worker.redisdb.streams import Streams

Json = dict[str, Any]
ANA, BRUNO = "5491100000001", "5491100000002"
INBOUND, OUTBOUND = "whatsapp:inbound", "whatsapp:outbound"


def reply(to: str = ANA, text: str = "Hola", expires_in_s: float = 3_600, **changes: Any) -> Json:
    """A reply as Chasqui publishes it."""
    expires_at = datetime.now(UTC) + timedelta(seconds=expires_in_s)
    given = {"reply_id": str(uuid4()), "to": to, "channel": PHONE_ID, "in_reply_to": ["wamid.A"], "text": text}
    more = {"quick_replies": [], "list": None, "expires_at": expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return given | more | changes


@pytest.fixture
def api() -> Iterator[GraphApi]:
    """Meta's side."""
    with graph_api() as running:
        yield running


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """What the gateway says."""
    return tmp_path / "gateway.log"


@pytest.fixture
def gateway(servers: Servers, redis_client: redis.Redis, api: GraphApi, log: Path) -> Iterator[GatewayProcess]:
    """The running gateway, on an empty Redis."""
    with gateway_process(servers.redis_url, api, log) as running:
        yield running


def texts(messages: list[Json]) -> list[str]:
    """Words of messages that were sent."""
    return [
        message["text"]["body"] if "text" in message else message["interactive"]["body"]["text"] for message in messages
    ]


def is_idle(client: redis.Redis) -> bool:
    """Returns whether all is read and acknowledged."""
    newest = client.xinfo_stream(OUTBOUND)["last-generated-id"]
    read = [group for group in client.xinfo_groups(OUTBOUND) if group["last-delivered-id"] == newest]
    return len(read) == 1 and in_hand(client) == 0


def in_hand(client: redis.Redis) -> int:
    """Replies that are read and not acknowledged."""
    return sum(group["pending"] for group in client.xinfo_groups(OUTBOUND))


def told(client: redis.Redis) -> list[tuple[str, str, int | None]]:
    """What the gateway reports to Chasqui: reply, state, code."""
    bodies = [fields[b"payload"] for _, fields in client.xrange(INBOUND)]
    return [(s.reply_id, s.state, s.code) for body in bodies for s in parse_payload(body, 1.8e9).statuses]


def test_the_challenge_is_answered(gateway: GatewayProcess) -> None:
    """With the token that the shop has chosen, and with no other."""
    asked = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": VERIFY_TOKEN}
    answer = requests.get(gateway.webhook, asked, timeout=GUARD_S)
    assert (answer.status_code, answer.text) == (200, "1158201444")
    for wrong in ({"hub.verify_token": "guess"}, {"hub.verify_token": ""}):
        assert requests.get(gateway.webhook, asked | wrong, timeout=GUARD_S).status_code == 403
    assert requests.get(gateway.webhook.replace("/webhook", "/healthz"), timeout=GUARD_S).text == "ok"
    assert requests.get(gateway.webhook.replace("/webhook", "/"), timeout=GUARD_S).status_code == 404


def test_signed_bodies_are_passed_on_as_they_came(gateway: GatewayProcess, redis_client: redis.Redis) -> None:
    """A body of 3 MB too; what is not signed, or larger, or of no length, goes nowhere."""
    body = body_of(messages=[{"id": "wamid.A", "from": ANA, "type": "text", "text": {"body": "¿Tenés leche? 🥛"}}])
    large = body_of(statuses=[{"id": "x" * 2_900_000}])
    assert deliver(gateway.webhook, body) == 200
    assert deliver(gateway.webhook, large) == 200
    assert deliver(gateway.webhook, body, "another secret") == 401
    assert requests.post(gateway.webhook, json.dumps(body), timeout=GUARD_S).status_code == 401
    too_large = {"Content-Length": str(3 * 2**20 + 1)}
    assert requests.post(gateway.webhook, b"", headers=too_large, timeout=GUARD_S).status_code == 413
    assert requests.post(gateway.webhook, iter([b"x"]), timeout=GUARD_S).status_code == 411
    passed = [json.loads(fields[b"payload"]) for _, fields in redis_client.xrange(INBOUND)]
    assert passed == [body, large]


def test_text_buttons_and_lists_are_sent(gateway: GatewayProcess, api: GraphApi, redis_client: redis.Redis) -> None:
    """From the number that was written to, with the id by which the statuses name the reply."""
    rows = [
        {"id": "add:A", "title": "Leche", "description": "$ 1.850"},
        {"id": "add:B", "title": "Pan", "description": ""},
    ]
    plain, buttons = reply(), reply(text="¿Algo más?", quick_replies=[{"id": "view_cart", "title": "Ver carrito"}])
    choices = reply(text="Elegí:", channel=None, list={"button": "Ver opciones", "rows": rows})
    hidden = reply("AR.1A2B3C", "Hola, quien seas")
    Streams(redis_client).publish([plain, buttons, choices, hidden])
    wait_until(lambda: len(api.sent) == 4, gateway.log)
    first, second, third = api.to(ANA)
    assert first["text"] == {"body": "Hola", "preview_url": False}
    assert second["interactive"] == {
        "type": "button",
        "body": {"text": "¿Algo más?"},
        "action": {"buttons": [{"type": "reply", "reply": {"id": "view_cart", "title": "Ver carrito"}}]},
    }
    shown = [rows[0], {"id": "add:B", "title": "Pan"}]
    assert third["interactive"]["action"] == {"button": "Ver opciones", "sections": [{"rows": shown}]}
    assert {message["from"] for message in api.sent} == {PHONE_ID}
    assert api.to("AR.1A2B3C")[0]["biz_opaque_callback_data"] == hidden["reply_id"]
    sent = [message["biz_opaque_callback_data"] for message in (first, second, third)]
    assert sent == [plain["reply_id"], buttons["reply_id"], choices["reply_id"]]


def test_each_reply_is_sent_once(servers: Servers, redis_client: redis.Redis, api: GraphApi, log: Path) -> None:
    """However often it is published, and however often the gateway is started; in the order of each customer."""
    replies = [reply(to, f"{n}") for n in range(20) for to in (ANA, BRUNO)]
    for _run in range(3):
        for one in replies:
            redis_client.xadd(OUTBOUND, {"payload": json.dumps(one)})
        with gateway_process(servers.redis_url, api, log):
            wait_until(lambda: is_idle(redis_client), log)
    for customer in (ANA, BRUNO):
        assert texts(api.to(customer)) == [str(n) for n in range(20)]


def test_what_has_expired_is_not_sent(gateway: GatewayProcess, api: GraphApi, redis_client: redis.Redis) -> None:
    """WhatsApp would refuse it; Chasqui is told, as if WhatsApp had."""
    late, fine = reply(text="tarde", expires_in_s=-5), reply(text="a tiempo")
    Streams(redis_client).publish([late, fine])
    wait_until(lambda: is_idle(redis_client) and api.sent, gateway.log)
    assert texts(api.sent) == ["a tiempo"]
    assert told(redis_client) == [(late["reply_id"], "failed", 131047)]


def test_a_pair_limit_holds_up_this_customer_alone(
    gateway: GatewayProcess, api: GraphApi, redis_client: redis.Redis
) -> None:
    """Nobody else waits, and what comes behind the refused one waits for it."""
    api.limited[ANA] = 1
    replies = [reply(ANA, "uno"), reply(ANA, "dos"), reply(BRUNO, "hola"), reply(ANA, "tres")]
    Streams(redis_client).publish(replies)
    wait_until(lambda: len(api.sent) == 4, gateway.log)
    assert texts(api.sent)[0] == "hola"
    assert texts(api.to(ANA)) == ["uno", "dos", "tres"]
    first = replies[0]["reply_id"]
    assert api.asked[ANA] == [first, first, replies[1]["reply_id"], replies[3]["reply_id"]]


def test_what_meta_refuses_for_good_stops_nobody(
    gateway: GatewayProcess, api: GraphApi, redis_client: redis.Redis
) -> None:
    """A closed window, content that it does not take, a number that is not ours: told, and the next one is sent."""
    api.closed.add(BRUNO)
    twice = [{"id": "a", "title": "Ver"}, {"id": "b", "title": "Ver"}]
    refused = [
        (reply(BRUNO), 131047),
        (reply(text="x" * 1_025, quick_replies=twice[:1]), 131009),
        (reply(quick_replies=twice), 131009),
        (reply(list={"button": "Ver", "rows": [{"id": f"{n}", "title": f"{n}"} for n in range(11)]}), 131009),
        (reply(channel="999"), 100),
    ]
    Streams(redis_client).publish([*(one for one, _ in refused), reply(text="al fin")])
    wait_until(lambda: is_idle(redis_client) and api.sent, gateway.log)
    assert texts(api.sent) == ["al fin"]
    assert sorted(told(redis_client)) == sorted((one["reply_id"], "failed", code) for one, code in refused)


@pytest.mark.parametrize("code", [0, 1, 131000, 131016, 130429])
def test_what_may_pass_is_tried_again(
    gateway: GatewayProcess, api: GraphApi, redis_client: redis.Redis, code: int
) -> None:
    """A cut connection, an error of Meta's, too many for the number: the same reply once more, in its order."""
    api.failing.append(code)
    Streams(redis_client).publish([reply(text="uno"), reply(text="dos")])
    wait_until(lambda: len(api.sent) == 2, gateway.log)
    assert texts(api.sent) == ["uno", "dos"]
    assert told(redis_client) == []


def test_a_token_that_ran_out_loses_nothing(gateway: GatewayProcess, api: GraphApi, redis_client: redis.Redis) -> None:
    """All wait until somebody has mended it; the log says what is wrong and names nobody."""
    api.tokens.clear()
    Streams(redis_client).publish([reply(ANA, "uno"), reply(BRUNO, "dos")])
    wait_until(lambda: "(code 190)" in gateway.log.read_text(), gateway.log)
    api.tokens.add(TOKEN)
    wait_until(lambda: len(api.sent) == 2, gateway.log)
    wait_until(lambda: is_idle(redis_client), gateway.log)
    said = gateway.log.read_text()
    assert not [word for word in (ANA, BRUNO, "uno", TOKEN, APP_SECRET, VERIFY_TOKEN) if word in said]


def test_a_kill_loses_nothing(servers: Servers, redis_client: redis.Redis, api: GraphApi, log: Path) -> None:
    """Replies in hand are sent by the next run, behind nothing that came later."""
    api.limited[ANA] = 100
    with gateway_process(servers.redis_url, api, log) as killed:
        Streams(redis_client).publish([reply(ANA, "uno"), reply(BRUNO, "hola"), reply(ANA, "dos")])
        # Killed between Meta's answer and its own note of it, it would send Bruno's again.
        wait_until(lambda: api.asked[ANA] and api.to(BRUNO) and in_hand(redis_client) == 2, log)
        killed.process.send_signal(signal.SIGKILL)
        killed.process.wait(GUARD_S)
    api.limited.clear()
    Streams(redis_client).publish([reply(ANA, "tres")])
    with gateway_process(servers.redis_url, api, log):
        wait_until(lambda: len(api.to(ANA)) == 3 and is_idle(redis_client), log)
    assert texts(api.to(ANA)) == ["uno", "dos", "tres"]
    assert texts(api.to(BRUNO)) == ["hola"]


def test_a_redis_that_came_back_empty_is_read_on(
    gateway: GatewayProcess, api: GraphApi, redis_client: redis.Redis
) -> None:
    """The group is made anew; an entry that holds no reply stops nobody."""
    redis_client.flushall()
    redis_client.xadd(OUTBOUND, {"payload": "no JSON"})
    redis_client.xadd(OUTBOUND, {"other": "field"})
    Streams(redis_client).publish([reply(text="hola")])
    wait_until(lambda: api.sent and is_idle(redis_client), gateway.log)
    assert texts(api.sent) == ["hola"]


class Forgetful:
    """Redis that fails to take down what was sent, so many times."""

    def __init__(self, failures: int) -> None:
        self.failures, self.acknowledged = failures, 0

    def exists(self, _key: str) -> int:
        """Nothing was noted."""
        return 0

    def set(self, *_given: object, **_options: object) -> None:
        """Notes it in the end."""
        self.failures -= 1
        if self.failures >= 0:
            raise redis.ConnectionError

    def xack(self, *_given: object) -> None:
        """Counts."""
        self.acknowledged += 1


def test_what_was_sent_while_redis_was_away_is_not_sent_again(api: GraphApi) -> None:
    """It is noted and acknowledged once Redis answers."""
    example = runpy.run_path(str(PROGRAM))
    schedule, client = example["Schedule"](), Forgetful(1)
    schedule.add(example["Entry"]("1-0", reply()))
    sender = Thread(target=example["Sender"](client, schedule).work, args=(example["Graph"](api.url, TOKEN, None),))
    sender.start()
    wait_until(lambda: not len(schedule), PROGRAM)
    schedule.close()
    sender.join(GUARD_S)
    assert (len(api.sent), client.acknowledged) == (1, 1)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    """Exit code 2, with the names of the variables; --help explains them."""
    bare = {name: value for name, value in environment_of("redis://x").items() if not name.startswith("WHATSAPP_")}
    ended = subprocess.run([sys.executable, PROGRAM], env=bare, capture_output=True, text=True, timeout=GUARD_S)
    assert ended.returncode == 2
    assert ended.stderr == "missing in the environment: WHATSAPP_TOKEN, WHATSAPP_APP_SECRET, WHATSAPP_VERIFY_TOKEN\n"
    shown = subprocess.run([sys.executable, PROGRAM, "--help"], capture_output=True, text=True, timeout=GUARD_S)
    assert shown.returncode == 0
    assert all(name in shown.stdout for name in ("REDIS_URL", "WHATSAPP_PHONE_ID", "--graph-url", "--parallel"))
