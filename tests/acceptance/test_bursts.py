"""Bursts as people write them, through a service that waits for quiet: one reply, one call; kills lose nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial

import pytest
from helpers.basics import GUARD_S, MIGRATED, Servers, new_database
from helpers.service import FLOW_PROCESSES, Service, begin_anew, forget, says, service_processes, supervised, webhook
from test_faults import kill

from db.engine import make_engine
from worker.devkit.gateway import Gateway
from worker.devkit.simulator import Simulator
from worker.redisdb.connect import connect_redis
from worker.runtime.embedded.servers import embedded_servers

#: Longer than the pauses of a burst on a machine that is busy.
QUIET_S = 1.5
#: Seconds after the first part, and what was written: 2 to 6 parts within 4 s.
BURSTS: tuple[tuple[tuple[float, str], ...], ...] = (
    ((0.0, "quiero dos leches enteras"), (0.7, "y una yerba")),
    ((0.0, "te queria preguntar una cosa"), (0.5, "la leche descremada"), (1.2, "es en sachet o en caja?")),
    ((0.0, "agregame arroz"), (0.6, "el largo"), (1.3, "dos paquetes"), (1.9, "porfa")),
    ((0.0, "mira"), (0.6, "necesito para mañana"), (1.2, "harina"), (1.9, "y levadura si hay"), (2.5, "para pizza")),
    (
        (0.0, "sumame 3 mantecas"),
        (0.7, "ah"),
        (1.3, "y queso crema"),
        (2.0, "el mas barato"),
        (2.7, "uno solo"),
        (3.4, "con eso estoy por ahora"),
    ),
)
PLAYS = 2
#: So often is tried what a busy machine may hinder.
TRIES = 8


@pytest.fixture(scope="module")
def quiet_service(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that waits for quiet, on servers of its own; children that die are started again."""
    directory = tmp_path_factory.mktemp("quiet")
    with (
        Simulator() as simulator,
        new_database(servers, MIGRATED) as url,
        embedded_servers(directory, postgres=False) as memory,
    ):
        own = Servers(url, str(memory.redis_url), directory)
        engine = make_engine(url)
        given = simulator.base_urls | {"REPLY_QUIET_S": str(QUIET_S)}
        with (
            service_processes(own, directory, given, FLOW_PROCESSES) as (supervisor, log),
            supervised(supervisor),
            connect_redis(own.redis_url, timeout_s=5.0) as client,
        ):
            begin_anew(own, engine, client)
            yield Service(engine, client, log, Gateway(client), supervisor=supervisor, simulator=simulator)
        engine.dispose()


@pytest.fixture
def service(quiet_service: Service) -> Service:
    """The same with nothing cached and nothing seen."""
    forget(quiet_service.redis, "ai_response:*", "session:*")
    quiet_service.replies.clear()
    quiet_service.simulator.set("all", mode="ok", status=None, error_rate=None, latency_ms=(5, 20))
    quiet_service.simulator.reset()
    return quiet_service


def play(service: Service, run: str) -> dict[str, list[str]]:
    """All bursts side by side, each by a customer of its own, in their time; message ids by customer, those of bursts
    that this machine was too busy to play left out.
    """
    parts = sorted(
        (at_s, number, place, said)
        for number, burst in enumerate(BURSTS * PLAYS)
        for place, (at_s, said) in enumerate(burst)
    )
    sent: dict[str, list[str]] = {}
    last_s: dict[str, float] = {}
    late: set[str] = set()
    began_s = time.monotonic()
    for at_s, number, place, said in parts:
        time.sleep(max(began_s + at_s + number / 50 - time.monotonic(), 0.0))
        phone, message_id = f"54911{run}{number:04}", f"wamid.{run}.{number}.{place}"
        service.gateway.send(webhook(says(message_id, phone, said)))
        late |= {phone} if time.monotonic() - last_s.get(phone, time.monotonic()) > 0.8 * QUIET_S else set()
        last_s[phone] = time.monotonic()
        sent.setdefault(phone, []).append(message_id)
    return {phone: ids for phone, ids in sent.items() if phone not in late}


def told(service: Service, phone: str) -> list[list[str]]:
    """What each reply to a customer answers, a reply that came twice once."""
    replies = {reply["reply_id"]: reply["in_reply_to"] for reply in service.replies if reply["to"] == phone}
    return list(replies.values())


def calls(service: Service) -> int:
    """Calls of all providers."""
    return sum(service.simulator.calls(name) for name in ("openai", "gemini", "deepseek"))


def wait_for_all(service: Service, sent: dict[str, list[str]]) -> None:
    """Returns when every message has its reply."""
    due = {one for ids in sent.values() for one in ids}
    service.wait_until(lambda: due <= set(service.answered()), timeout_s=GUARD_S)


def test_a_burst_gets_one_reply_by_one_call(service: Service) -> None:
    """2 to 6 parts within 4 s, ten customers side by side."""
    for run in range(TRIES):
        service.simulator.reset()
        sent = play(service, f"{1000 + run}")
        wait_for_all(service, sent)
        assert {phone: told(service, phone) for phone in sent} == {phone: [ids] for phone, ids in sent.items()}
        if len(sent) == len(BURSTS) * PLAYS:
            assert calls(service) == len(sent)
            return
    pytest.skip("this machine is too busy to write bursts in their time")


def greeted(service: Service, phone: str) -> int:
    """Milliseconds from a greeting to its reply."""
    began_s = time.perf_counter()
    service.gateway.send(webhook(says(f"wamid.greeting.{phone}", phone, "hola")))
    reply = service.gateway.outcome_of(f"wamid.greeting.{phone}", timeout_s=GUARD_S)
    assert reply is not None
    service.replies.append(reply)
    return round((time.perf_counter() - began_s) * 1000)


def test_a_cached_greeting_waits_for_nobody(service: Service) -> None:
    """The first one waits and asks a model; those of others come from the cache. How long they take is written out."""
    greeted(service, "5491120000000")
    phones = [f"54911200001{number:02}" for number in range(20)]
    sys.stdout.write(f"ms of cached greetings: {sorted(greeted(service, phone) for phone in phones)}\n")
    assert [reply["source"] for reply in service.replies] == ["ai"] + ["cache"] * 20
    assert calls(service) == 1


def test_a_wait_is_in_nobodys_hands(service: Service) -> None:
    """While turns wait nothing is queued, and no model is asked; then all of them go on together."""
    found = (queued_while_all_wait(service, run) for run in range(TRIES))
    assert next((queued for queued in found if queued is not None), None) == (0, 0, 0)
    assert _waiting(service) == 0


def queued_while_all_wait(service: Service, run: int) -> tuple[int, int, int] | None:
    """Lets 20 customers write and be answered; the lengths of the queues and the calls while all of them waited, None
    where this machine was too busy to see them.
    """
    service.simulator.reset()
    sent = {f"549113000{run}1{number:02}": [f"wamid.wait.{run}.{number}"] for number in range(20)}
    service.gateway.send(*(webhook(says(ids[0], phone, f"agregame {phone} leches")) for phone, ids in sent.items()))
    service.wait_until(lambda: _waiting(service) == len(sent) or bool(service.replies))
    found = int(service.redis.llen("flow")), int(service.redis.llen("ai")), calls(service)
    are_waiting = _waiting(service) == len(sent)
    wait_for_all(service, sent)
    service.replies.clear()
    return found if are_waiting else None


def _waiting(service: Service) -> int:
    return int(service.sql("select count(*) from turns where quiet_token = token")[0][0])


@pytest.mark.long
@pytest.mark.parametrize("victims", [["intake"], ["worker", "worker-2"], ["worker-ai"]], ids="+".join)
def test_kills_while_customers_write(service: Service, victims: Sequence[str]) -> None:
    """Killed while turns wait, and when they are about to be claimed anew: every message is answered once, in order."""
    run = {"intake": "41", "worker": "42", "worker-ai": "43"}[victims[0]]
    sent: dict[str, list[str]] = {f"54911{run}{number:05}": [] for number in range(20)}
    for kills, waits_s in enumerate((0.0, QUIET_S)):
        write(service, sent, f"{run}.{kills}.before")
        due = {ids[-1] for ids in sent.values()}
        service.wait_until(lambda due=due: _waiting(service) > 0 or due <= set(service.answered()))
        service.collect(waits_s)
        for victim in victims:
            service.wait_until(partial(kill, service, victim))
        write(service, sent, f"{run}.{kills}.after")
        wait_for_all(service, sent)
    service.collect(1.0)
    assert {phone: [one for ids in told(service, phone) for one in ids] for phone in sent} == sent
    assert service.sql("select count(*) from messages where state <> 'answered'")[0][0] == 0


def write(service: Service, sent: dict[str, list[str]], name: str) -> None:
    """One more message of every customer."""
    for number, (phone, ids) in enumerate(sent.items()):
        ids.append(f"wamid.{name}.{number}")
        service.gateway.send(webhook(says(ids[-1], phone, f"agregame {number % 7 + 1} leches")))
