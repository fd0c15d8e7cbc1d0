"""A process that PostgreSQL does not answer, while it may answer others: it leaves the work to them."""

from __future__ import annotations

import os
import subprocess
import sys
from threading import Event

import pytest
import redis
from helpers.away import refusing_port
from helpers.basics import GUARD_S, Servers
from helpers.one_batch import accept
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from db import reachability
from db.engine import make_engine
from db.reachability import Reachability
from worker.app import AI
from worker.session.turn import encode_turns
from worker.steps.services import Services

#: Fails once, which makes it known, and is not tried any more. The log is on standard output, too.
TWICE = """
import sys
from worker.errors import StepFailed
from worker.steps.services import services
from worker.tasks import call_provider
batch = sys.stdin.read()
try:
    call_provider.run(batch, 1)
except StepFailed as exc:
    print("told", exc)
print("told", services().reachability.is_lost)
call_provider.run(batch, 1)
"""


def test_a_batch_goes_back_to_its_queue(servers: Servers, shop_services: Services, redis_client: redis.Redis) -> None:
    """Once after it was tried in vain, once without a try; it is the same batch, and nobody waits for its lease."""
    batch = encode_turns(accept(shop_services, redis_client, 1)).decode()
    before = redis_client.llen(AI)
    with refusing_port() as port:
        given = os.environ | {"REDIS_URL": servers.redis_url, "DATABASE_URL": f"postgresql://x:x@127.0.0.1:{port}/x"}
        program = (sys.executable, "-c", TWICE)
        done = subprocess.run(program, input=batch, env=given, capture_output=True, text=True, timeout=GUARD_S)
    told = [line for line in done.stdout.splitlines() if line.startswith("told")]
    assert told == ["told worker.call_provider: OperationalError", "told True"], done.stderr[-2000:]
    assert redis_client.llen(AI) == before + 2


def test_a_lost_server_is_found_again(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """By looks of its own, however often it was said to be lost; then it can be lost again."""
    monkeypatch.setattr(reachability, "LOOK_EVERY_S", 0.01)
    engine, gone, looked, found = make_engine(servers.database_url), Event(), Event(), Event()
    refuse_while(engine, gone, looked)
    known = Reachability(engine, found.set)
    for _ in range(2):
        gone.set()
        found.clear()
        looked.clear()
        engine.dispose()
        known.lose()
        known.lose()
        assert looked.wait(GUARD_S)
        assert known.is_lost
        gone.clear()
        assert found.wait(GUARD_S)
        assert not known.is_lost
    engine.dispose()


def refuse_while(engine: Engine, gone: Event, looked: Event) -> None:
    """Lets no new connection be made while the server is gone."""

    @event.listens_for(engine, "do_connect")
    def refuse(*_: object) -> None:
        if gone.is_set():
            looked.set()
            raise OperationalError("connect", None, Exception("refused"))
