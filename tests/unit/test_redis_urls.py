"""URLs of a Redis of several servers: what a client is made of them, and what is told where they do not fit."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.basics import REPOSITORY
from redis.sentinel import SentinelConnectionPool

from worker.celery_ext.broker import broker_of
from worker.errors import ConfigurationError
from worker.operate.doctor.redis_servers import place
from worker.redisdb.connect import connect_cache, connect_durable
from worker.redisdb.sentinel import MasterConnection, SecureMasterConnection
from worker.settings import read_settings

TWO = "sentinel://:hunter2@one:26379;sentinel://:hunter2@two:26380"


def watchers(client: Any) -> list[tuple[str, int, str | None]]:
    """Host, port and password of each Sentinel of a client."""
    assert isinstance(client.connection_pool, SentinelConnectionPool)
    sentinels = client.connection_pool.sentinel_manager.sentinels
    options = [sentinel.connection_pool.connection_kwargs for sentinel in sentinels]
    return [(given["host"], given["port"], given["password"]) for given in options]


def test_sentinels_stand_side_by_side() -> None:
    """The password in the URL is that of Redis; that of the Sentinels is a setting of its own."""
    settings = read_settings({"REDIS_URL": TWO, "REDIS_MASTER_NAME": "shop", "REDIS_SENTINEL_PASSWORD": "own"})
    with connect_durable(settings, 5.0, repeats=0) as client:
        assert watchers(client) == [("one", 26379, "own"), ("two", 26380, "own")]
        options = client.connection_pool.connection_kwargs
        assert (options["password"], options["socket_timeout"], options["socket_connect_timeout"]) == ("hunter2", 3, 2)
        assert client.connection_pool.connection_class is MasterConnection


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sentinel://one", {"db": 0}),
        ("sentinel://one/3", {"db": 3}),
        ("sentinel://one;sentinel://ana:b%40c@two:1/3", {"username": "ana", "password": "b@c", "db": 3}),
        ("rediss+sentinel://one?ssl_ca_certs=/ca.pem", {"ssl_ca_certs": "/ca.pem"}),
    ],
)
def test_the_options_of_a_url(url: str, expected: dict[str, object]) -> None:
    """User, password, database and TLS, wherever they stand; the port of a Sentinel is 26379."""
    with connect_durable(read_settings({"REDIS_URL": url, "REDIS_MASTER_NAME": "shop"})) as client:
        assert watchers(client)[0] == ("one", 26379, None)
        given = client.connection_pool.connection_kwargs
        assert {name: given.get(name, 0) for name in expected} == expected
        secure = client.connection_pool.connection_class is SecureMasterConnection
        assert secure == url.startswith("rediss")


def test_a_role_without_a_url_is_where_the_durable_one_is() -> None:
    """With its Sentinels, their password and its group, or one of its own."""
    durable = {"REDIS_URL": TWO, "REDIS_MASTER_NAME": "shop", "REDIS_SENTINEL_PASSWORD": "own"}
    settings = read_settings(durable)
    assert settings.has_one_redis
    assert broker_of(settings).url == TWO
    assert broker_of(settings).options["master_name"] == "shop"
    assert broker_of(settings).options["sentinel_kwargs"]["password"] == "own"
    with connect_cache(read_settings(durable | {"CACHE_REDIS_MASTER_NAME": "cache"})) as client:
        assert client.connection_pool.service_name == "cache"
        assert len(watchers(client)) == 2
    apart = read_settings(durable | {"CACHE_REDIS_URL": "sentinel://three", "CACHE_REDIS_MASTER_NAME": "cache"})
    assert not apart.has_one_redis
    with connect_cache(apart) as client:
        assert watchers(client) == [("three", 26379, None)]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"REDIS_URL": TWO}, "REDIS_MASTER_NAME"),
        ({"REDIS_URL": "redis://a", "CACHE_REDIS_URL": TWO, "REDIS_MASTER_NAME": "x"}, "CACHE_REDIS_MASTER_NAME"),
        ({"REDIS_URL": "sentinel://", "REDIS_MASTER_NAME": "shop"}, "no URL"),
    ],
)
def test_what_is_missing_is_told_before_anything_connects(given: dict[str, str], named: str) -> None:
    """Without a password."""
    settings = read_settings(given)
    with pytest.raises(ConfigurationError, match=named) as caught:
        connect_durable(settings) if "CACHE_REDIS_URL" not in given else connect_cache(settings)
    assert "hunter2" not in str(caught.value)


def test_a_broker_is_named_beside_a_cluster() -> None:
    """Celery's queues cannot be on one; the way out is told."""
    cluster = {"REDIS_URL": "redis+cluster://:hunter2@one:6379,two:6379"}
    with pytest.raises(ConfigurationError, match=r"BROKER_URL: must be set.*Sentinels or RabbitMQ") as caught:
        broker_of(read_settings(cluster))
    assert "hunter2" not in str(caught.value)
    assert broker_of(read_settings(cluster | {"BROKER_URL": "amqp://guest@rabbit"})).url == "amqp://guest@rabbit"
    with pytest.raises(ConfigurationError, match="BROKER_URL: "):
        read_settings({"BROKER_URL": cluster["REDIS_URL"]})


@pytest.mark.parametrize(
    "url",
    [
        "sentinel://:hunter2@one:26379;sentinel://:hunter2/x@two:26379",
        "redis+cluster://:hunter2@one:6379,two:hunter2",
        "rediss+cluster://:hunter2/x@one:6379",
    ],
)
def test_a_port_that_is_none_is_refused_and_not_shown(url: str) -> None:
    """In each of several hosts: it may be a password that is not percent-encoded."""
    with pytest.raises(ConfigurationError, match=r"CACHE_REDIS_URL: .*port is no port") as caught:
        read_settings({"CACHE_REDIS_URL": url})
    assert "hunter2" not in str(caught.value)


def test_where_it_is_shows_no_password() -> None:
    """Of one server, of several, of a socket."""
    assert place(TWO) == "one:26379, two:26380"
    assert place("redis+cluster://:hunter2@one:7000,two") == "one:7000, two:6379"
    assert place("unix://:hunter2@/run/redis.sock") == "/run/redis.sock"


def test_whoever_needs_a_role_names_it_and_no_url() -> None:
    """A URL alone leaves out the group that Sentinels watch over."""
    users = (REPOSITORY / "worker").rglob("*.py")
    assert [path.name for path in users if "connect_redis(" in path.read_text("utf-8")] == ["connect.py"]
