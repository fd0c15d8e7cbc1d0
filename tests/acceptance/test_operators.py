"""What an operator does while the service works: dead letters are answered after all, a customer is forgotten."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import Any

from celery import Celery
from helpers.basics import GUARD_S, REPOSITORY
from helpers.command_line import run_in
from helpers.factories import snapshot
from helpers.service import Service, says, webhook

from worker.operate.commands.customers import erase_everywhere
from worker.settings import settings

PHONE, OTHER, NAME, WORD = "5491166554433", "5491166554434", "Zenobia", "zorzalito"


def chasqui(*words: str) -> str:
    """What a command prints; it must succeed."""
    done = run_in(os.environ, REPOSITORY, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def wait_until_asked(service: Service, phone: str) -> None:
    """Returns when a provider is being asked for this customer."""
    find = "select token::text from turns where customer_phone = :phone and token is not null"

    def asked() -> bool:
        leads = {f"L{row.token}".encode() for row in service.sql(find, phone=phone)}
        return any(service.redis.get(key) in leads for key in service.redis.scan_iter("flight:*"))

    service.wait_until(asked)


def let_die(service: Service, message_id: str, phone: str) -> None:
    """Lets the sweep bury a message whose call is under way and which counts as tried five times."""
    service.simulator.set("all", latency_ms=(4_000, 4_000))
    service.gateway.send(webhook(says(message_id, phone, f"agregame 2 leches {message_id}")))
    wait_until_asked(service, phone)
    with service.engine.connect() as connection:
        connection.exec_driver_sql("update messages set attempts = 5 where message_id = %s", (message_id,))
    dead = "select from messages where message_id = :id and state = 'dead'"

    def has_died() -> bool:
        # Its process renews the lease for as long as it lives.
        with service.engine.connect() as connection:
            connection.exec_driver_sql("update turns set lease_until = now() where customer_phone = %s", (phone,))
        return bool(service.sql(dead, id=message_id))

    service.wait_until(has_died)
    service.simulator.set("all", latency_ms=(5, 20))


def test_a_dead_letter_is_answered_after_all(service: Service) -> None:
    """Once, and after what was answered while it was dead; it is gone from the list."""
    let_die(service, "wamid.dead.1", PHONE)
    service.gateway.send(webhook(says("wamid.dead.2", PHONE, "hola")))
    service.wait_until(lambda: "wamid.dead.2" in service.answered())
    (letter,) = json.loads(chasqui("dead", "list", "--json"))
    assert (letter["message_id"], letter["reason"]) == ("wamid.dead.1", "given up after 5 attempts")
    chasqui("dead", "replay", str(letter["id"]))
    service.wait_until(lambda: "wamid.dead.1" in service.answered())
    service.collect(1.5)
    assert service.answered() == ["wamid.dead.2", "wamid.dead.1"]
    assert [reply["source"] for reply in service.replies].count("canned") == 1
    assert json.loads(chasqui("dead", "list", "--json")) == []
    service.wait_until(lambda: not service.sql("select from messages where published_at is null"))


def test_all_dead_letters_are_answered_among_the_living(service: Service) -> None:
    """While their customers go on writing: every message in exactly one reply."""
    phones = [f"549116655{number:04}" for number in range(4)]
    for number, phone in enumerate(phones):
        let_die(service, f"wamid.all.{number}", phone)
    for number, phone in enumerate(phones * 3):
        service.gateway.send(webhook(says(f"wamid.more.{number}", phone, f"agregame {number % 5 + 1} leches")))
    assert chasqui("dead", "replay", "--all").startswith("4 messages")
    due = {f"wamid.all.{number}" for number in range(4)} | {f"wamid.more.{number}" for number in range(12)}
    service.wait_until(lambda: due <= set(service.answered()), timeout_s=GUARD_S)
    service.collect(1.0)
    assert Counter(service.answered()) == Counter(due)
    assert service.sql("select distinct state from messages") == [("answered",)]


def introduce(message_id: str, phone: str, body: str) -> str:
    """A webhook body that tells the customer's name."""
    body_json = json.loads(webhook(says(message_id, phone, body)))
    profile: dict[str, Any] = {"profile": {"name": NAME}, "wa_id": phone}
    body_json["entry"][0]["changes"][0]["value"]["contacts"] = [profile]
    return json.dumps(body_json)


def traces(service: Service) -> list[str]:
    """Rows and keys that hold the number, the name, or what was written; cached searches aside, which say nobody's
    name and last 15 minutes.
    """
    with service.engine.connect() as connection:
        found = [line for lines in snapshot(connection).values() for line in lines]
    client: Any = service.redis
    readers = {"string": client.get, "list": lambda key: client.lrange(key, 0, -1), "stream": client.xrange}
    readers |= {"hash": client.hgetall, "zset": lambda key: client.zrange(key, 0, -1), "set": client.smembers}
    for key in {*client.scan_iter(count=1_000)} - {*client.scan_iter("product_search:*", count=1_000)}:
        kind = client.type(key).decode()
        found.append(f"{key!r} {readers[kind](key) if kind in readers else ''!r}")
    return [line for line in found if any(word in line for word in (PHONE, NAME, WORD))]


def test_a_customer_is_forgotten_while_being_answered(service: Service) -> None:
    """Nothing of theirs is left once the call under way has ended, nor written back; others do not notice."""
    service.gateway.send(introduce("wamid.e.1", PHONE, f"agregame 2 leches de {WORD}"))
    service.wait_until(lambda: "wamid.e.1" in service.answered())
    service.simulator.set("all", latency_ms=(4_000, 4_000))
    for number in (2, 3):
        service.gateway.send(introduce(f"wamid.e.{number}", PHONE, f"y {number} panes de {WORD}"))
        wait_until_asked(service, PHONE)
    service.gateway.send(webhook(says("wamid.o.1", OTHER, "agregame 3 leches")))
    service.gateway.send("{" + PHONE)
    service.wait_until(lambda: len(service.rejections) == 1)
    assert len(traces(service)) > 5
    ((lost,),) = service.sql("select token from turns where customer_phone = :phone", phone=PHONE)
    # Not as a process of its own: the call must still be under way when it begins.
    counted = erase_everywhere(PHONE)
    assert (counted["messages"], counted["customers"], counted["rejected"]) == (3, 1, 1)
    assert counted["unanswered"] == 2
    assert counted["outbound"] >= 1
    assert traces(service) == []
    service.wait_until(lambda: "wamid.o.1" in service.answered())
    service.wait_until(lambda: not service.sql("select from turns where token is not null"))
    service.collect(1.0)
    assert traces(service) == []
    assert PHONE not in service.log.read_text()
    find = "select committed from ai_metrics where reply_id = :token"
    service.wait_until(lambda: [tuple(row) for row in service.sql(find, token=lost)] == [(False,)])
    assert service.sql("select count(*) from ai_metrics where committed") == [(2,)]


def test_a_forgotten_customer_is_a_new_one(service: Service) -> None:
    """What WhatsApp delivers again changes nothing; what the customer writes next is answered."""
    service.gateway.send(introduce("wamid.f.1", PHONE, "hola"))
    service.wait_until(lambda: "wamid.f.1" in service.answered())
    chasqui("erase", PHONE)
    service.gateway.send(introduce("wamid.f.1", PHONE, "hola"))
    service.gateway.send(webhook(says("wamid.f.2", PHONE, "buenas")))
    service.wait_until(lambda: "wamid.f.2" in service.answered())
    service.collect(1.0)
    assert service.answered() == ["wamid.f.1", "wamid.f.2"]
    assert service.sql("select name from customers") == [(None,)]
    assert service.sql("select count(*) from messages") == [(2,)]


def test_the_retention_runs_beside_the_work(service: Service) -> None:
    """The task, as beat sends it: what is old is erased, who has just written is answered."""
    for number, phone in enumerate((PHONE, OTHER)):
        service.gateway.send(introduce(f"wamid.r.{number}", phone, "hola"))
    service.wait_until(
        lambda: not service.sql("select from messages where published_at is null") and len(service.replies) > 1
    )
    with service.engine.connect() as connection:
        old = "now() - interval '91 days' where customer_phone"
        connection.exec_driver_sql(f"update messages set accepted_at = {old} = %s", (PHONE,))
        connection.exec_driver_sql(f"update customers set last_seen_at = {old} = %s", (PHONE,))
        connection.exec_driver_sql("update customer_sessions set expires_at = now()")
    with Celery(broker=settings().required("redis_url"), set_as_current=False) as operator:
        operator.send_task("worker.apply_retention", queue="periodic")
    service.gateway.send(webhook(says("wamid.r.2", OTHER, "hola de nuevo")))
    service.wait_until(
        lambda: [tuple(row) for row in service.sql("select customer_phone from customers")] == [(OTHER,)]
    )
    service.wait_until(lambda: "wamid.r.2" in service.answered())
    with service.engine.connect() as connection:
        assert not [line for lines in snapshot(connection).values() for line in lines if PHONE in line]
