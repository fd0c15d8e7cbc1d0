"""The services of a process: built without connecting, and of use while parts of the world are away."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
import redis
from helpers.basics import Servers
from helpers.turns import MILK, planned, turn_of

from worker.devkit.simulator import Simulator
from worker.errors import ConfigurationError
from worker.redisdb.connect import connect_redis
from worker.redisdb.keys import SESSION
from worker.settings import read_settings
from worker.steps.services import Services, build


@pytest.fixture
def nowhere() -> Iterator[int]:
    """A port on which nobody listens, and nobody else can begin to."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


def built(**environ: str) -> Services:
    """Services of this environment."""
    return build(read_settings(environ))


def test_building_connects_to_nothing(nowhere: int) -> None:
    """A process starts whatever is away; the cache lives on the durable Redis where it has no URL of its own."""
    services = built(DATABASE_URL=f"postgresql://x@127.0.0.1:{nowhere}/x", REDIS_URL=f"redis://127.0.0.1:{nowhere}")
    assert services.cache.get_many(SESSION, ["a"]) == {}
    assert services.settings.cache_url == services.settings.redis_url


@pytest.mark.parametrize("missing", ["DATABASE_URL", "REDIS_URL"])
def test_what_is_missing_is_told(missing: str, nowhere: int) -> None:
    """Before anything is begun."""
    urls = {"DATABASE_URL": f"postgresql://x@127.0.0.1:{nowhere}/x", "REDIS_URL": f"redis://127.0.0.1:{nowhere}"}
    del urls[missing]
    with pytest.raises(ConfigurationError, match=missing):
        built(**urls)


def test_a_url_that_is_none_is_told_without_its_password() -> None:
    """It may be a key in the wrong place."""
    with pytest.raises(ConfigurationError) as caught:
        connect_redis("rediss-hunter2", 1.0)
    assert "hunter2" not in str(caught.value)


def test_a_circuit_that_cannot_be_noted_costs_no_answer(
    servers: Servers, redis_client: redis.Redis, nowhere: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL is away when a circuit opens; the next candidate answers all the same."""
    monkeypatch.setenv("NO_PROXY", "*")
    today = time.gmtime()
    for book in ("%Y-%m", "%Y-%m-%d"):
        redis_client.hset(time.strftime(f"budget:{book}", today), "spent", 0)
    urls = {"DATABASE_URL": f"postgresql://x@127.0.0.1:{nowhere}/x", "REDIS_URL": servers.redis_url}
    with Simulator() as simulator:
        keys = {"GEMINI_API_KEY": "invalid", "DEEPSEEK_API_KEY": "sk-test"}
        dispatcher = built(**urls, **keys, **simulator.base_urls).dispatcher
        turn = planned(turn_of("hola"), MILK)
        answered = [each for part in dispatcher.call([turn], {turn.token: 40.0}, 15.0) for each in part.answered]
    assert [(each.decided().source, each.decided().provider) for each in answered] == [("ai", "deepseek")]
    assert redis_client.hget("ai_circuit:gemini-flash", "state") == b"open"
