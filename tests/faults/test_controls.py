"""Negative controls: with one guard switched off, here and not in production, the suite's checker must report it.

Each control provokes, by a crash or a stop at a named point, what its guard is there for. A suite that passed here
would prove nothing.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import orjson
import pytest
from sqlalchemy import text

from faults.checker import Finding, Kind
from faults.crashing import PUBLISH_ONCE, SWEEP
from faults.play import Play
from faults.points import Crash
from faults.workload import Delivery, webhook
from worker.runtime.embedded.processes import wait_until

pytestmark = pytest.mark.long

TIMEOUT_S = 20.0
#: Long enough for what the sweep would have done.
WITHOUT_SWEEP_S = 5.0
COMMIT = "update_session_cache(jsonb)"
CLAIM = "claim_turns(text[], double precision, integer, integer, boolean)"
ACCEPT = "accept_messages(jsonb)"
#: What makes the fence of the commit: the token, the messages' state, and no older message that waits.
HOLDS_TOKEN = " and (select held.token from turns held where held.customer_phone = phone) = token"
IS_OLDEST = "count(*) = cardinality(ids) and "
ARE_UNANSWERED = "count(*) filter (where m.id = any (ids)) = cardinality(ids)"
UNPUBLISHED = "customer_phone = any (phones) and reply is not null and published_at is null"
NUMBERS = iter(range(10_000))


def says(customer: str, *texts: str) -> Delivery:
    """One body with these messages of a customer."""
    ids = [f"wamid.control.{next(NUMBERS)}" for _ in texts]
    told = [
        {"message_id": message_id, "from": customer, "timestamp": int(time.time()), "type": "text", "text": said}
        for message_id, said in zip(ids, texts, strict=True)
    ]
    return Delivery(customer, tuple(ids), webhook(told) if len(told) > 1 else orjson.dumps(told[0]))


@contextmanager
def changed(play: Play, function: str, *changes: tuple[str, str]) -> Iterator[None]:
    """The database function with other text, as it was again afterwards. Each part to be changed stands in it once."""
    with play.town.engine.connect() as connection:
        sql = str(
            connection.execute(
                text("select pg_get_functiondef(cast(:f as regprocedure))"), {"f": function}
            ).scalar_one()
        )
        careless = sql
        for old, new in changes:
            assert careless.count(old) == 1, f"{function} has changed: this control switches nothing off: {old}"
            careless = careless.replace(old, new)
        connection.exec_driver_sql(careless.replace("%", "%%"))
        try:
            yield
        finally:
            connection.exec_driver_sql(sql.replace("%", "%%"))


@contextmanager
def off(play: Play, guard: str) -> Iterator[None]:
    """All processes without this guard."""
    play.town.switches.turn_off(guard)
    try:
        yield
    finally:
        play.town.switches.turn_on(guard)


def wait(condition: Callable[[], bool]) -> None:
    """Fails where the condition does not come true."""
    assert wait_until(condition, TIMEOUT_S)


def crash_at(play: Play, point: str, delivery: Delivery, action: str = "SIGKILL") -> Crash:
    """Sends the delivery; whoever passes the point with it gets the signal."""
    known = len(play.town.switches.crashes())
    play.town.switches.arm(point, action)
    play.sender.send([delivery])
    wait(lambda: len(play.town.switches.crashes()) > known)
    return play.town.switches.crashes()[-1]


def answered(play: Play, *deliveries: Delivery) -> Callable[[], bool]:
    """Whether there is a reply to each of the messages."""
    return lambda: all(each in play.observer.answered_at for d in deliveries for each in d.message_ids)


def kinds(findings: list[Finding]) -> set[Kind]:
    """What sorts of promises were broken."""
    return {finding.kind for finding in findings}


@pytest.fixture(autouse=True)
def begun_at_rest(play: Play) -> None:
    """Whatever the control before has broken is known and over."""
    assert play.settle()
    play.check()


def test_with_all_guards_the_provocations_do_no_harm(play: Play) -> None:
    """The same crashes and the same stop, nothing switched off: the checker has nothing to say."""
    stopped = stop_before_commit(play)
    lost = says("5491100070001", "agregame 2 leches descremadas", "hola", "agregame 3 leches descremadas")
    for point in ("update_session_cache.before", "publish.before", "record_metrics.before"):
        crash_at(play, point, lost)
        wait(answered(play, lost))
        lost = says("5491100070001", f"agregame 2 mantecas {point}")
    play.sender.send([lost, lost])
    go_on(stopped)
    assert play.settle()
    assert play.check() == []


def stop_before_commit(play: Play, customer: str = "5491100070002") -> Crash:
    """A process that holds a turn which the sweep has meanwhile had answered by another."""
    delivery = says(customer, "agregame 2 leches descremadas")
    stopped = crash_at(play, "update_session_cache.before", delivery, "SIGSTOP")
    wait(answered(play, delivery))
    return stopped


def go_on(stopped: Crash) -> None:
    """The stopped process wakes up and knows nothing of what happened."""
    os.kill(stopped.pid, signal.SIGCONT)


def test_without_the_commit_fence_an_answer_is_doubled(play: Play) -> None:
    """A worker that slept past its lease commits its turn, which another has answered, a second time. Token, state of
    the messages, and that they are published all stand in its way, so all are taken out.
    """
    fence = ((HOLDS_TOKEN, ""), (IS_OLDEST, ""), (ARE_UNANSWERED, "true or count(*) = 0"))
    published = (UNPUBLISHED, "customer_phone = any (phones) and reply is not null")
    with changed(play, COMMIT, *fence, published):
        before = len(play.observer.replies)
        go_on(stop_before_commit(play, "5491100070003"))
        wait(lambda: len(play.observer.replies) >= before + 2)
        assert play.settle()
        assert "doubled" in kinds(play.check())


def test_without_the_sweep_a_message_is_lost(play: Play) -> None:
    """A worker dies with a turn, and nobody looks for it."""
    with off(play, SWEEP):
        crash_at(play, "update_session_cache.before", says("5491100070004", "agregame 2 leches descremadas"))
        assert not play.settle(WITHOUT_SWEEP_S)
        assert "lost" in kinds(play.check())


def test_without_publish_once_a_reply_is_doubled(play: Play) -> None:
    """A worker dies after publishing and before it could note that; the sweep publishes again."""
    with off(play, PUBLISH_ONCE):
        crash_at(play, "record_metrics.before", says("5491100070005", "agregame 2 leches descremadas"))
        assert play.settle()
        assert "doubled" in kinds(play.check())


def test_without_oldest_first_publication_replies_change_places(play: Play) -> None:
    """A worker dies before publishing; the customer's next reply does not bring the older one with it."""
    own = "batch @> jsonb_build_array(jsonb_build_object('token', reply_id))"
    with changed(play, COMMIT, (UNPUBLISHED, f"{UNPUBLISHED} and {own}")):
        first, second = (says("5491100070006", said) for said in ("agregame 2 leches descremadas", "ver carrito"))
        crash_at(play, "publish.before", first)
        play.sender.send([second])
        wait(answered(play, second))
        assert play.settle()
        assert "out_of_order" in kinds(play.check())


def test_without_oldest_first_turns_replies_change_places(play: Play) -> None:
    """The sweep starts the newest message of a burst, and the commit does not mind the older ones."""
    newest = ("order by m.id limit max_messages", "order by m.id desc limit max_messages")
    with changed(play, CLAIM, newest), changed(play, COMMIT, (IS_OLDEST, "")):
        burst = says("5491100070007", "agregame 2 leches descremadas", "sacame la leche", "ver carrito")
        crash_at(play, "update_session_cache.before", burst)
        wait(answered(play, burst))
        assert play.settle()
        assert "out_of_order" in kinds(play.check())


def test_a_session_that_is_not_the_serial_one_is_found(play: Play) -> None:
    """Somebody changes a cart behind the service's back."""
    delivery = says("5491100070008", "agregame 2 leches descremadas")
    play.sender.send([delivery])
    wait(answered(play, delivery))
    assert play.settle()
    with play.town.engine.connect() as connection:
        forget = text("update customer_sessions set cart_data = '[]' where customer_phone = :phone")
        assert connection.execute(forget, {"phone": delivery.customer}).rowcount == 1
    assert kinds(play.check()) == {"wrong"}


def test_without_the_unique_key_a_duplicate_is_answered(play: Play) -> None:
    """The gateway delivers twice; both are accepted. The last control: it leaves the table without its key."""
    with changed(play, ACCEPT, ("on conflict (message_id) do nothing", "")), play.town.engine.connect() as connection:
        connection.execute(text("alter table messages drop constraint messages_message_id_key"))
        delivery = says("5491100070009", "hola")
        play.sender.send([delivery, delivery])
        wait(
            lambda: (
                connection.execute(text("select count(*) - count(distinct message_id) from messages")).scalar_one() == 1
            )
        )
        assert play.settle()
        assert "doubled" in kinds(play.check())
