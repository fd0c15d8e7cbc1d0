"""From the inbound queue to the outbound stream, with real processes: once, in order, and with a reason where not."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from celery import Celery
from helpers.basics import SHARED_DATA
from helpers.service import Service, says, webhook

from worker.settings import settings

NO_REPLY = {"reaction"}


def real_bodies() -> list[tuple[str, dict[str, Any]]]:
    """Recorded webhook bodies, each with ids and customers of its own."""
    bodies = []
    for number, file in enumerate(sorted((SHARED_DATA / "whatsapp").glob("*.json"))):
        body = json.loads(file.read_text())
        for change in (change for entry in body["entry"] for change in entry["changes"]):
            for place, message in enumerate(change["value"].get("messages", ())):
                message["id"] = f"wamid.{number}.{place}"
                message["from"] = f"54911000{number:05}"
        bodies.append((file.name, body))
    return bodies


def messages_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    """All that Meta calls a message in a body."""
    changes = [change for entry in body["entry"] for change in entry["changes"]]
    return [message for change in changes for message in change["value"].get("messages", ())]


@pytest.mark.skipif(not (SHARED_DATA / "whatsapp").is_dir(), reason="the recorded webhook bodies are not here")
def test_every_recorded_message_is_answered_once(service: Service) -> None:
    """Half of the bodies by XADD, half through worker.receive, each five times: one reply per message, none more."""
    bodies = [body for _, body in real_bodies()]
    celery_producer = Celery(broker=settings().required("redis_url"), set_as_current=False)
    for _ in range(5):
        for number, body in enumerate(bodies):
            if number % 2:
                service.gateway.send(json.dumps(body))
            else:
                celery_producer.send_task("worker.receive", (json.dumps(body),), queue="inbound")
    due = {m["id"] for body in bodies for m in messages_of(body) if m["type"] not in NO_REPLY}
    closed = {m["id"] for body in bodies for m in messages_of(body) if m["type"] in NO_REPLY}
    service.wait_until(lambda: due <= set(service.answered()))
    for body in bodies:
        service.gateway.send(json.dumps(body))
    service.wait_until(lambda: service.redis.xlen("whatsapp:inbound") == 0)
    service.collect(1.0)
    celery_producer.close()
    assert Counter(service.answered()) == Counter(due)
    assert service.rejections == []
    states = dict(service.sql("select message_id, state from messages"))
    assert states == dict.fromkeys(due, "answered") | dict.fromkeys(closed, "closed")


def test_what_cannot_be_read_has_one_reason_each(service: Service) -> None:
    """Broken payloads, and broken messages in a good body, go to whatsapp:rejected; the good message is answered."""
    mixed = webhook(says("wamid.good", "5491100000001", "hola"), {"id": "wamid.bad", "type": "text"})
    for payload in ("{", '{"a":1}', "[]", "x" * 70_000, mixed):
        service.gateway.send(payload)
    service.redis.xadd("whatsapp:inbound", {"other": "field"})
    service.wait_until(lambda: len(service.rejections) >= 6 and "wamid.good" in service.answered())
    service.collect(0.5)
    assert len(service.rejections) == 6
    assert all(rejection["reason"] for rejection in service.rejections)
    assert {r["payload"] for r in service.rejections} >= {"{", '{"a":1}', "[]", "x" * 70_000, mixed}
    assert service.answered() == ["wamid.good"]


def test_a_customers_messages_are_answered_in_order(service: Service) -> None:
    """Thirty messages of three customers, sent at once: replies come in the order of acceptance, in bursts."""
    service.simulator.set("all", latency_ms=(20, 200))
    sent: dict[str, list[str]] = {f"549110000010{n}": [] for n in range(3)}
    for number in range(30):
        phone = f"549110000010{number % 3}"
        sent[phone].append(f"wamid.order.{number}")
        service.gateway.send(webhook(says(f"wamid.order.{number}", phone, f"agregame {number % 5 + 1} leches")))
    service.wait_until(lambda: len(service.answered()) >= 30)
    for phone, ids in sent.items():
        replies = [reply for reply in service.replies if reply["to"] == phone]
        assert [message_id for reply in replies for message_id in reply["in_reply_to"]] == ids
        assert all(len(reply["in_reply_to"]) <= 10 for reply in replies)
    assert len({reply["reply_id"] for reply in service.replies}) == len(service.replies)


def test_session_metrics_and_caches_are_kept(service: Service) -> None:
    """After an answer: session in PostgreSQL and in Redis under one version, a metrics row, published_at, counters."""
    phone = "5491100000200"
    service.gateway.send(webhook(says("wamid.kept.1", phone, "agregame 2 leches descremadas")))
    service.wait_until(lambda: "wamid.kept.1" in service.answered())
    find = "select * from ai_metrics where reply_id = cast(:id as uuid)"
    service.wait_until(lambda: bool(service.sql(find, id=service.replies[-1]["reply_id"])))
    session = service.sql("select * from get_session_optimized(:phone)", phone=phone)[0]
    cached = json.loads(service.redis.get(f"session:{phone}"))
    assert cached["version"] == session.version
    assert cached["cart_data"] == session.cart_data
    assert session.cart_data[0]["quantity"] == 2
    assert 7_100 < service.redis.ttl(f"session:{phone}") <= 7_200
    metric = service.sql(find, id=service.replies[-1]["reply_id"])[0]
    assert (metric.source, metric.messages, metric.committed) == ("ai", 1, True)
    assert metric.cost_microusd > 0
    assert metric.baseline_microusd > 0
    assert service.sql("select published_at from messages")[0][0] is not None


def test_the_same_question_of_another_customer_comes_from_the_cache(service: Service) -> None:
    """Spelling apart, one provider call serves both; a message that leans on its session never does."""
    for number, body in enumerate(("Hola!!", "hola", "HOLAAA", "2", "2")):
        message_id = f"wamid.same.{number}"
        service.gateway.send(webhook(says(message_id, f"549110000030{number}", body)))
        service.wait_until(lambda wanted=message_id: wanted in service.answered())
    assert [reply["source"] for reply in service.replies] == ["ai", "cache", "cache", "ai", "ai"]


def test_providers_that_fail_end_in_a_fallback_reply(service: Service) -> None:
    """Every provider answers 500: the customer still hears something, it is marked, and nothing is cached."""
    service.simulator.set("all", status=500)
    service.gateway.send(webhook(says("wamid.fallback.1", "5491100000400", "hola")))
    service.wait_until(lambda: "wamid.fallback.1" in service.answered())
    assert service.replies[-1]["source"] == "fallback"
    assert service.replies[-1]["provider"] is None
    assert not list(service.redis.scan_iter("ai_response:*"))


def test_nul_and_lone_surrogates_are_mended(service: Service) -> None:
    """Texts that PostgreSQL would refuse are answered like others."""
    body = webhook(says("wamid.nul.1", "5491100000500", "hola"))
    service.gateway.send(body.replace("hola", "hola \\u0000 \\ud83d"))
    service.wait_until(lambda: "wamid.nul.1" in service.answered())
    assert service.rejections == []
