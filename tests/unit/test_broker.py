"""What Celery is told of its broker."""

from __future__ import annotations

import ssl

import pytest
from kombu.exceptions import OperationalError
from kombu.utils import functional

from worker.app import make_app
from worker.celery_ext.broker import Broker, broker_of
from worker.errors import ConfigurationError
from worker.runtime.embedded.server import free_port
from worker.runtime.environment import environment
from worker.settings import read_settings


def broker(**environ: str) -> Broker:
    """The broker of this environment."""
    return broker_of(read_settings(environ))


def test_redis_has_time_limits_on_every_socket() -> None:
    """Whichever of its forms the URL has; its own broker where one is named, else the durable Redis."""
    for given in ({"REDIS_URL": "redis://a"}, {"REDIS_URL": "redis://b", "BROKER_URL": "redis://a"}):
        found = broker(**given)
        assert (found.url, found.tls, found.queue_arguments) == ("redis://a", None, None)
        assert {"socket_timeout", "socket_connect_timeout", "visibility_timeout"} <= found.options.keys()


def test_tls_means_that_certificates_are_checked() -> None:
    """Without being told, kombu would take any."""
    assert broker(REDIS_URL="rediss://a").tls == {"ssl_cert_reqs": ssl.CERT_REQUIRED}


def test_sentinels_need_the_name_of_what_they_watch() -> None:
    """It is told before anything connects."""
    urls = "sentinel://:hunter2@a:26379/0;sentinel://:hunter2@b:26379/0"
    found = broker(BROKER_URL=urls, BROKER_MASTER_NAME="chasqui")
    assert (found.url, found.options["master_name"]) == (urls, "chasqui")
    with pytest.raises(ConfigurationError, match="BROKER_MASTER_NAME") as caught:
        broker(BROKER_URL=urls)
    assert "hunter2" not in f"{caught.value}{found}"


def test_a_machine_that_says_nothing_is_left_soon() -> None:
    """A Sentinel that is gone is asked once, for a second, and a Redis that is gone is not waited for."""
    options = broker(REDIS_URL="sentinel://a;sentinel://b", REDIS_MASTER_NAME="chasqui").options
    asked = options["sentinel_kwargs"]
    assert (asked["socket_timeout"], asked["socket_connect_timeout"], asked["retry"].get_retries()) == (1, 1, 0)
    limits = [options[name] for name in ("socket_timeout", "socket_connect_timeout", "health_check_interval")]
    assert limits == [3, 2, 5]


def test_rabbitmq_has_quorum_queues() -> None:
    """All four of them, and none of the options of Redis."""
    with environment({"BROKER_URL": "amqp://guest:guest@127.0.0.1//"}), make_app() as application:
        queues = application.amqp.queues
        assert set(queues) == {"flow", "ai", "inbound", "periodic"}
        assert {queue.queue_arguments["x-queue-type"] for queue in queues.values()} == {"quorum"}
        assert application.conf.broker_transport_options == {}
    with environment({"BROKER_URL": "redis://127.0.0.1/0"}), make_app() as application:
        assert {queue.queue_arguments for queue in application.amqp.queues.values()} == {None}


def test_a_broker_that_was_away_is_found_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long that was: no try is more than two seconds after the one before."""
    slept: list[float] = []
    monkeypatch.setattr(functional, "sleep", slept.append)
    waits: list[float] = []
    with environment({"BROKER_URL": f"amqp://guest:guest@127.0.0.1:{free_port()}//"}), make_app() as application:
        connection = application.connection_for_read().clone()
        with pytest.raises(OperationalError):
            connection.ensure_connection(lambda _exc, wait_s: waits.append(wait_s), 8)
    assert waits == [0.5, 1.0, 1.5, 2.0, 2.0, 2.0, 2.0, 2.0]
    assert sum(slept) == sum(waits)
