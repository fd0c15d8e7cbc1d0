"""A message of any shape is answered on the whole road, with the memory and the time of any other of its length."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import orjson
import psutil
import pytest
import redis
from helpers.basics import Servers
from helpers.bounded import MOST_BYTES, TEXTS, growth_of
from helpers.one_batch import OneBatch
from helpers.service import says, webhook
from helpers.turns import turn_from_dict
from sqlalchemy import Connection, Engine, text

from db.products import search_products
from worker import steps
from worker.catalog.price_list import import_products, read_products
from worker.devkit.demo import CATALOG
from worker.intake.intake import Intake
from worker.messages.text import MAX_TEXT_CHARS
from worker.redisdb.keys import INBOUND, OUTBOUND
from worker.session.turn import Turn
from worker.steps.services import Services

LITTLE_S = 0.2
MOST_S = 5.0
#: What a connection of PostgreSQL may come to hold at most on top of what it holds after any search.
MOST_BACKEND_KIB = 32 * 1024


def accept(services: Services, client: redis.Redis, written: list[str]) -> list[Turn]:
    """The turns of as many customers, each of whom has written one of these."""
    for number, body in enumerate(written):
        client.xadd(INBOUND.pattern, {"payload": webhook(says(f"wamid.{number}", f"54911{number:06d}", body))})
    chain = OneBatch()
    Intake(services, chain, chain.stop).run()
    return [turn_from_dict(turn) for turn in chain.turns]


def answer(services: Services, client: redis.Redis, written: list[str]) -> set[str]:
    """Takes these messages along the whole road; the ids of those that are answered in the outbound stream."""
    turns = steps.fetch_session.run(services, accept(services, client, written))
    answered, missed = steps.route_ai.run(services, turns, lambda: True)
    for dispatched in steps.call_provider.run(services, missed):
        answered += dispatched
    steps.record_metrics.run(services, steps.update_session.run(services, answered).turns)
    replies = [orjson.loads(fields[b"payload"]) for _, fields in client.xrange(OUTBOUND.pattern)]
    return {message_id for reply in replies for message_id in reply["in_reply_to"]}


def peak_bytes(services: Services, client: redis.Redis, written: list[str]) -> int:
    """The most memory that answering them takes at a time; all are answered."""
    tracemalloc.start()
    try:
        assert answer(services, client, written) == {f"wamid.{number}" for number in range(len(written))}
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_one_word_of_4096_letters_is_answered(shop_services: Services, redis_client: redis.Redis) -> None:
    """It once took 497 MiB, and killed the worker; now no more than words of the same length together."""
    word = "".join(chr(ord("a") + place * place % 26) for place in range(MAX_TEXT_CHARS))
    assert peak_bytes(shop_services, redis_client, [word]) < MOST_BYTES


def test_messages_of_every_shape_are_answered_in_one_batch(shop_services: Services, redis_client: redis.Redis) -> None:
    """The longest of each, together: a batch is as large as its messages, and none of them fails."""
    written = [make(MAX_TEXT_CHARS) for make in TEXTS.values()]
    size = sum(len(body.encode()) for body in written)
    assert peak_bytes(shop_services, redis_client, written) < MOST_BYTES + 40 * size


@pytest.fixture
def searched(servers: Servers, engine: Engine, connection: Connection) -> Connection:
    """A connection to the demo's catalogue that has searched it once."""
    import_products(servers.database_url, read_products(CATALOG), lambda _rows: None)
    search_products(connection, ["leche descremda"], 5)
    return connection


def test_a_search_costs_the_same_however_long_its_term(searched: Connection) -> None:
    """The first words of a term are looked at, and of a word the first letters (`term_words`)."""
    backend = psutil.Process(searched.execute(text("select pg_backend_pid()")).scalar_one())
    for shape, make in TEXTS.items():

        def search_s(size: int, make: Callable[[int], str] = make) -> float:
            began = backend.cpu_times()
            search_products(searched, [make(size)], 5)
            ended = backend.cpu_times()
            return ended.user + ended.system - began.user - began.system

        seconds, times = growth_of(search_s, MAX_TEXT_CHARS, LITTLE_S)
        assert seconds < MOST_S, shape
        assert times < 3, shape


def test_a_search_takes_little_memory_of_its_connection(searched: Connection) -> None:
    """Of PostgreSQL's process at its highest, over terms of all shapes."""
    pid = searched.execute(text("select pg_backend_pid()")).scalar_one()
    before = highest_kib(pid)
    for make in TEXTS.values():
        search_products(searched, [make(MAX_TEXT_CHARS)], 5)
    assert highest_kib(pid) - before < MOST_BACKEND_KIB


def test_the_words_of_a_term_are_few_and_short(searched: Connection) -> None:
    """What is compared with the words of the catalogue letter by letter has at most 60 of them."""
    for make in TEXTS.values():
        found = searched.execute(text("select word from term_words(:term)"), {"term": make(MAX_TEXT_CHARS)}).scalars()
        words = list(found)
        assert len(words) <= 12
        assert all(len(word) <= 60 for word in words)


def highest_kib(pid: int) -> int:
    """The most memory that a process has ever had, in KiB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
