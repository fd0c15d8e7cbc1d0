"""Beat's task makes replies ahead in the running service, and customers who come meanwhile share its call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from uuid import uuid4

import pytest
from celery import Celery
from helpers.asked import MILK
from helpers.basics import Servers
from helpers.factories import ANA
from helpers.service import Service, begin_anew, says, service_processes, webhook
from sqlalchemy import Engine

from worker.devkit.gateway import Gateway
from worker.devkit.simulator import Simulator
from worker.redisdb.connect import connect_redis
from worker.runtime.embedded.processes import wait_until
from worker.settings import settings
from worker.telemetry.asked import form_key

QUESTION = "Hola! qué leche me recomiendan?"
BEAT_S = 5.0


@pytest.fixture(scope="module")
def open_service(
    servers: Servers, shared_engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """The service of a shop that lets replies be made ahead, as it does where nothing is set."""
    with ExitStack() as stack:
        simulator = stack.enter_context(Simulator())
        given = {**simulator.base_urls, "PRECACHE_DAILY_USD": None}
        directory = tmp_path_factory.mktemp("service")
        supervisor, log = stack.enter_context(service_processes(servers, directory, given))
        client = stack.enter_context(connect_redis(servers.redis_url, timeout_s=5.0))
        yield Service(shared_engine, client, log, Gateway(client), supervisor=supervisor, simulator=simulator)


@pytest.fixture
def asked(servers: Servers, open_service: Service) -> Service:
    """The same, which was asked for milk yesterday and had a dollar of cost; nobody has heard from it yet."""
    service = replace(open_service, gateway=Gateway(open_service.redis), replies=[])
    begin_anew(servers, service.engine, service.redis)
    service.sql(
        """insert into request_forms (form_key, form, askers) values (:key, :form, 3)
           on conflict (form_key) do update set form = excluded.form returning form_key""",
        key=form_key(MILK),
        form=MILK,
    )
    service.sql(
        """insert into request_hours (hour, form_key, asked)
           values (date_trunc('hour', now(), 'UTC') - interval '1 day', :key, 10) returning hour""",
        key=form_key(MILK),
    )
    service.sql(
        """insert into ai_metrics (reply_id, at, source, cost_microusd)
           values (:id, date_trunc('day', now(), 'UTC') - interval '1 hour', 'ai', 1000000) returning id""",
        id=uuid4(),
    )
    service.simulator.set("all", mode="ok", status=None, error_rate=None, latency_ms=(5, 20))
    service.simulator.reset()
    return service


def begin(service: Service, done: Callable[[], bool]) -> None:
    """Beat's time has come, again and again until something is done: a run does nothing while the last one ends."""
    with Celery(broker=settings().required("redis_url"), set_as_current=False) as beat:

        def sent_and_done() -> bool:
            beat.send_task("worker.precache_replies", queue="periodic")
            return wait_until(done, BEAT_S)

        service.wait_until(lambda: done() or sent_and_done())


def calls(service: Service) -> int:
    """Calls of all providers."""
    return sum(service.simulator.calls(name) for name in ("openai", "gemini", "deepseek"))


def test_the_reply_is_there_before_the_question(asked: Service) -> None:
    """One call, and it is nobody's."""
    begin(asked, lambda: asked.sql("select count(*) from replies_ahead")[0][0] == 1)
    asked.gateway.send(webhook(says("wamid.ahead", ANA, QUESTION)))
    asked.wait_until(lambda: asked.answered() == ["wamid.ahead"])
    assert ([reply["source"] for reply in asked.replies], calls(asked)) == (["cache"], 1)


def test_a_customer_who_comes_meanwhile_is_answered_by_it(asked: Service) -> None:
    """The turn that has waited goes on through the chain."""
    asked.simulator.set("all", latency_ms=(2_000, 2_000))
    begin(asked, lambda: calls(asked) == 1)
    asked.gateway.send(webhook(says("wamid.meanwhile", ANA, QUESTION)))
    asked.wait_until(lambda: asked.answered() == ["wamid.meanwhile"])
    assert ([reply["source"] for reply in asked.replies], calls(asked)) == (["cache"], 1)


def test_where_it_fails_the_customer_is_answered_all_the_same(asked: Service) -> None:
    """By a call of his own."""
    asked.simulator.set("all", latency_ms=(2_000, 2_000), mode="garbage")
    begin(asked, lambda: calls(asked) == 1)
    asked.gateway.send(webhook(says("wamid.failed", ANA, QUESTION)))
    asked.wait_until(lambda: asked.redis.exists(*asked.redis.keys("parked:*") or ["none"]) == 1)
    asked.simulator.set("all", mode="ok", latency_ms=(5, 20))
    asked.wait_until(lambda: asked.answered() == ["wamid.failed"])
    assert [reply["source"] for reply in asked.replies] in (["ai"], ["cache"])
