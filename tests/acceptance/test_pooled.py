"""The service with a pooler in front of PostgreSQL that keeps sessions, as it must."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path

from helpers.basics import GUARD_S, Servers
from helpers.poolers import needs_pgbouncer, pooled
from helpers.service import Conversation, begin_anew, says, service_processes, webhook
from sqlalchemy import Engine

from db.locks import ADVISORY
from worker.devkit.gateway import Gateway
from worker.devkit.simulator import Simulator
from worker.redisdb.connect import connect_redis


@needs_pgbouncer
def test_the_service_works_through_sessions(servers: Servers, shared_engine: Engine, tmp_path: Path) -> None:
    """Every process; an intake that is killed leaves its lock to the next."""
    with ExitStack() as stack:
        simulator = stack.enter_context(Simulator())
        url = stack.enter_context(pooled(servers, tmp_path, "session"))
        given = simulator.base_urls | {"DATABASE_URL": url}
        supervisor, log = stack.enter_context(service_processes(servers, tmp_path, given))
        client = stack.enter_context(connect_redis(servers.redis_url, 5.0))
        begin_anew(servers, shared_engine, client)
        conversation = Conversation(shared_engine, client, log, Gateway(client))
        child = next(child for child in supervisor.children if child.program.name == "intake")

        def has_answer(message: str) -> bool:
            supervisor.restart_dead()
            return message in conversation.answered()

        for number in range(2):
            conversation.gateway.send(webhook(says(f"wamid.pooled.{number}", "5491122334455", "hola")))
            conversation.wait_until(partial(has_answer, f"wamid.pooled.{number}"), GUARD_S)
            child.process.kill()
            child.process.wait()
        held = f"select count(*) from pg_locks where {ADVISORY}"
        conversation.wait_until(lambda: conversation.sql(held)[0][0] == 0)
