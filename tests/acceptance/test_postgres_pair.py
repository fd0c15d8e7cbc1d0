"""The service on a PostgreSQL primary and its standby, with messages flowing: what a failover costs and loses."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import pytest
from helpers.basics import GUARD_S, Servers
from helpers.postgres_pair import Member, Pair, pair
from helpers.service import Conversation, says, service_processes, webhook
from sqlalchemy import text

from db import migrations, retry
from db.engine import make_engine
from db.locks import ADVISORY, INTAKE_LOCK
from worker.catalog.price_list import import_products, read_products
from worker.devkit.demo import CATALOG
from worker.devkit.gateway import Gateway
from worker.devkit.simulator import Simulator
from worker.operate.doctor import database
from worker.operate.doctor.finding import State
from worker.redisdb.connect import connect_redis
from worker.redisdb.keys import INBOUND
from worker.runtime.embedded.processes import wait_until
from worker.runtime.supervisor import Supervisor

pytestmark = pytest.mark.long
#: Until whoever watches over the servers has noticed a death and promotes the standby.
NOTICED_AFTER_S = 1.0
PACE_S = 0.1
INTAKES = f"select count(*) from pg_locks where {ADVISORY} and objid = {INTAKE_LOCK}"
WAITING = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'"
UNFINISHED = "select message_id from messages where state = 'accepted' or reply is not null and published_at is null"


@dataclass(slots=True)
class Shop:
    """The service on a pair, and customers who write without a pause, each once."""

    both: Pair
    supervisor: Supervisor
    conversation: Conversation
    sent: list[str] = field(default_factory=list)

    def say(self) -> None:
        """One more customer writes."""
        message_id = f"wamid.pair.{len(self.sent)}"
        self.conversation.gateway.send(webhook(says(message_id, f"54911444{len(self.sent):05}", "hola")))
        self.sent.append(message_id)

    @contextmanager
    def talking(self) -> Iterator[None]:
        """Customers write for the length of the block."""
        stop = Event()

        def talk() -> None:
            while not stop.wait(PACE_S):
                self.say()

        talker = Thread(target=talk)
        talker.start()
        try:
            yield
        finally:
            stop.set()
            talker.join()

    def answers_again(self) -> float:
        """Seconds until a message that is written from now on is answered."""
        began, first = time.monotonic(), len(self.sent)
        self.conversation.wait_until(lambda: not set(self.sent[first:]).isdisjoint(self.conversation.answered()))
        return time.monotonic() - began

    def settle(self) -> None:
        """Returns when nothing is under way any more."""
        self.conversation.wait_until(lambda: self.conversation.redis.xlen(INBOUND.pattern) == 0, GUARD_S)
        self.conversation.wait_until(lambda: not self.rows(UNFINISHED), GUARD_S)
        self.conversation.collect(1.0)

    def lost(self) -> set[str]:
        """Messages of which the primary knows no answer, or that have none."""
        answered = self.rows("select message_id from messages where state = 'answered'")
        return set(self.sent) - (answered & set(self.conversation.answered()))

    def rows(self, statement: str) -> set[str]:
        """First values of what the primary answers, whichever it is."""
        engine = self.conversation.engine
        return retry.run(engine, lambda connection: set(connection.execute(text(statement)).scalars()))

    def doubled(self) -> list[str]:
        """Messages that stand in more than one reply."""
        replies = {reply["reply_id"]: reply["in_reply_to"] for reply in self.conversation.replies}
        found = Counter(message_id for message_ids in replies.values() for message_id in message_ids)
        return [message_id for message_id, count in found.items() if count > 1]


@contextmanager
def shop(both: Pair, servers: Servers, directory: Path, **given: str) -> Iterator[Shop]:
    """A shop whose customers are being answered."""
    migrations.upgrade(both.url)
    import_products(both.url, read_products(CATALOG), lambda _rows: None)
    with ExitStack() as stack:
        simulator = stack.enter_context(Simulator())
        client = stack.enter_context(connect_redis(servers.redis_url, 5.0))
        client.flushall()
        engine = make_engine(both.url)
        stack.callback(engine.dispose)
        given = simulator.base_urls | {"DATABASE_URL": both.url} | given
        supervisor, log = stack.enter_context(service_processes(servers, directory, given))
        yield Shop(both, supervisor, Conversation(engine, client, log, Gateway(client)))
        assert [child.deaths for child in supervisor.children] == [0] * len(supervisor.children)


def fail_over(found: Shop, primary: Member, standby: Member) -> float:
    """Kills the primary and promotes its standby; seconds from the death until somebody is answered again."""
    began = time.monotonic()
    primary.kill()
    time.sleep(NOTICED_AFTER_S)
    standby.promote()
    found.answers_again()
    return time.monotonic() - began


def test_nothing_is_lost_with_a_synchronous_standby(servers: Servers, tmp_path: Path) -> None:
    """The primary is killed under load, and so is its successor after the first has come back as its standby."""
    with pair(tmp_path, synchronous=True) as both, shop(both, servers, tmp_path) as found:
        with found.talking():
            found.answers_again()
            paused_s = [fail_over(found, both.one, both.two)]
            both.follow(both.one, both.two)
            both.two.wait_for_standby()
            paused_s.append(fail_over(found, both.two, both.one))
        found.settle()
        assert (found.lost(), found.doubled()) == (set(), [])
        # The bound of the contract; what a busy machine adds to it stays far below.
        assert max(paused_s) < 30, paused_s


def test_a_primary_that_is_demoted_alive_is_left(servers: Servers, tmp_path: Path) -> None:
    """It refuses every write with 25006 and keeps all its connections: the same as its standby takes its place."""
    with pair(tmp_path) as both, shop(both, servers, tmp_path) as found:
        with found.talking():
            found.answers_again()
            both.one.set(default_transaction_read_only="on")
            assert wait_until(lambda: both.one.ask("show default_transaction_read_only") == "on", GUARD_S)
            assert wait_until(both.in_step, GUARD_S)
            both.two.promote()
            found.answers_again()
        found.settle()
        assert (found.lost(), found.doubled()) == (set(), [])
        assert both.two.ask("select count(*) from messages") == len(found.sent)
        # The intake has noticed, too: the lock it held on the old one went with its connection.
        assert [member.ask(INTAKES) for member in (both.one, both.two)] == [0, 1]


def test_commits_wait_for_a_synchronous_standby_that_is_away(servers: Servers, tmp_path: Path) -> None:
    """The doctor says why nobody is answered; once it is back all goes on, and nothing was done twice."""
    with pair(tmp_path, synchronous=True) as both, shop(both, servers, tmp_path) as found:
        with found.talking():
            found.answers_again()
            both.two.kill()
            assert wait_until(lambda: both.one.ask(WAITING) >= 1, GUARD_S)
            (primary,) = (line for line in database.examine_servers(both.url) if line.state is State.FAILED)
            assert "commits wait for one" in primary.found
            both.two.start()
            found.answers_again()
        found.settle()
        assert (found.lost(), found.doubled()) == (set(), [])


def test_an_asynchronous_standby_that_was_away_loses(servers: Servers, tmp_path: Path) -> None:
    """What the primary had accepted and its standby had not got is gone: else this test could see no loss at all."""
    with pair(tmp_path) as both, shop(both, servers, tmp_path) as found:
        with found.talking():
            found.answers_again()
        found.settle()
        before = len(found.sent)
        worker = next(child.process for child in found.supervisor.children if child.program.name == "worker")
        worker.send_signal(signal.SIGSTOP)
        # A standby that only stands still gets from the kernel, afterwards, what its primary has sent it meanwhile.
        both.two.kill()
        for _ in range(5):
            found.say()
        found.conversation.wait_until(lambda: both.one.ask("select count(*) from messages") == len(found.sent))
        found.conversation.wait_until(lambda: found.conversation.redis.xlen(INBOUND.pattern) == 0)
        both.one.kill()
        both.two.start()
        both.two.promote()
        worker.send_signal(signal.SIGCONT)
        with found.talking():
            found.answers_again()
        found.settle()
        assert found.lost() == set(found.sent[before : before + 5])
        assert found.doubled() == []
