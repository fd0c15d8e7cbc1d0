"""RabbitMQ as the broker, a real one: the service on it, and what it may hold against us."""

from __future__ import annotations

import json
import re
import signal
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
from celery import Celery
from helpers.basics import GUARD_S, REPOSITORY, Servers
from helpers.command_line import QUICK_UP, run, started, urls_of
from helpers.rabbit import Rabbit, needs_rabbitmq, rabbitmq
from helpers.service import Conversation, begin_anew, says, service_processes, webhook
from helpers.tls import certificate, tls_front
from kombu import Connection, Queue
from kombu.exceptions import OperationalError
from sqlalchemy import Engine

from worker.app import QUEUES, make_app
from worker.celery_ext.queues import check_queues
from worker.devkit.gateway import Gateway
from worker.devkit.simulator import Simulator
from worker.redisdb.connect import connect_redis
from worker.runtime.embedded.processes import wait_until
from worker.runtime.embedded.redis import Redis
from worker.runtime.embedded.servers import embedded_servers
from worker.runtime.environment import environment

pytestmark = needs_rabbitmq
GATEWAY = (REPOSITORY / "docs" / "gateway.md").read_text("utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", GATEWAY, re.MULTILINE | re.DOTALL)
(PROGRAM,) = (program for program in PROGRAMS if "from celery" in program)
#: How often a queue hands a message out before it throws it away. In RabbitMQ 4 it is 20, which takes longer to spend.
DELIVERIES = 4


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rabbit]:
    """One for the tests here: it takes a quarter of a minute to start."""
    with rabbitmq(tmp_path_factory.mktemp("broker")) as rabbit:
        limit = json.dumps({"delivery-limit": DELIVERIES})
        rabbit.control("set_policy", "limit", ".*", limit, "--apply-to", "queues")
        yield rabbit


@pytest.fixture
def rabbit(node: Rabbit) -> Rabbit:
    """The node without any queue of ours."""
    node.forget(*QUEUES, "celery")
    return node


@pytest.fixture
def printed_gateway(rabbit: Rabbit, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The names of the Celery program in docs/gateway.md."""
    monkeypatch.setenv("BROKER_URL", rabbit.url)
    names: dict[str, Any] = {}
    exec(compile(PROGRAM, "docs/gateway.md", "exec"), names)
    yield names
    names["celery"].close()


def test_the_service_works_on_rabbitmq(
    rabbit: Rabbit, printed_gateway: dict[str, Any], servers: Servers, shared_engine: Engine, tmp_path: Path
) -> None:
    """What comes through the stream and what the printed gateway sends is answered."""
    with ExitStack() as stack:
        simulator = stack.enter_context(Simulator())
        given = simulator.base_urls | {"BROKER_URL": rabbit.url}
        supervisor, log = stack.enter_context(service_processes(servers, tmp_path, given))
        durable = stack.enter_context(connect_redis(servers.redis_url, 5.0))
        begin_anew(servers, shared_engine, durable)
        conversation = Conversation(shared_engine, durable, log, Gateway(durable))
        conversation.gateway.send(webhook(says("wamid.stream", "5491122334455", "hola")))
        printed_gateway["enqueue_by_celery"](json.loads(webhook(says("wamid.celery", "5491122334466", "hola"))))
        try:
            conversation.wait_until(lambda: {"wamid.stream", "wamid.celery"} <= set(conversation.answered()), 90)
        except AssertionError:
            pytest.fail(f"{rabbit.state()}\n{log.read_text()[-3000:]}")
        assert [child.deaths for child in supervisor.children] == [0] * len(supervisor.children)
        assert "celery_delayed" not in rabbit.control("list_queues", "name")


def test_the_printed_gateway_makes_no_queue(rabbit: Rabbit, printed_gateway: dict[str, Any]) -> None:
    """Neither ours nor one of its own, whether or not ours is there."""
    printed_gateway["enqueue_by_celery"]({"message_id": "m"})
    assert [rabbit.waiting(queue) for queue in (*QUEUES, "celery")] == [None] * 5
    with environment({"BROKER_URL": rabbit.url}), make_app() as application:
        check_queues(application)
    printed_gateway["enqueue_by_celery"]({"message_id": "m"})
    assert wait_until(lambda: rabbit.waiting("inbound") == 1, GUARD_S)
    assert rabbit.waiting("celery") is None


@pytest.mark.parametrize("command", ["up", "intake"])
def test_a_queue_of_another_type_is_told_once(rabbit: Rabbit, servers: Servers, tmp_path: Path, command: str) -> None:
    """One sentence that says what to delete; nothing is started again and again."""
    with Connection(rabbit.url) as connection:
        connection.default_channel.queue_declare("inbound", durable=True, auto_delete=False)
    done = run(tmp_path, command, **urls_of(servers), BROKER_URL=rabbit.url, METRICS_PORT="0")
    assert done.returncode == 1
    assert "rabbitmqctl delete_queue inbound" in done.stderr.splitlines()[-1]
    assert "child_died" not in done.stderr
    told = run(tmp_path, "doctor", "--no-probe", **urls_of(servers), BROKER_URL=rabbit.url).stdout
    assert "rabbitmqctl delete_queue inbound" in told


def test_up_gives_up_where_a_queue_is_changed_under_it(rabbit: Rabbit, servers: Servers, tmp_path: Path) -> None:
    """Its children die of it and would for ever; it ends with the reason, and so do they."""
    with started(QUICK_UP, tmp_path, urls_of(servers) | {"BROKER_URL": rabbit.url}) as up:
        assert up.says("Chasqui is ready"), up.log.read_text()
        children = psutil.Process(up.process.pid).children()
        # Awake they would declare it again as soon as it is gone.
        for child in children:
            child.suspend()
        rabbit.forget("inbound")
        with Connection(rabbit.url) as connection:
            connection.default_channel.queue_declare("inbound", durable=True, auto_delete=False)
        for child in children:
            child.send_signal(signal.SIGKILL)
        assert up.process.wait(90) == 1, up.log.read_text()
    assert "rabbitmqctl delete_queue inbound" in up.log.read_text().splitlines()[-1]


@pytest.mark.long
def test_what_redis_cannot_take_yet_is_never_counted_away(
    rabbit: Rabbit, servers: Servers, shared_engine: Engine, tmp_path: Path
) -> None:
    """Redis is away for more tries than RabbitMQ lets a message have; all arrive when it is back."""
    sent = [f"wamid.kept.{number}" for number in range(3)]
    with ExitStack() as stack:
        embedded = stack.enter_context(embedded_servers(tmp_path / "durable", postgres=False))
        assert embedded.redis_url
        own = Servers(servers.database_url, embedded.redis_url, servers.directory)
        simulator = stack.enter_context(Simulator())
        given = simulator.base_urls | {"BROKER_URL": rabbit.url}
        _, log = stack.enter_context(service_processes(own, tmp_path, given))
        durable = stack.enter_context(connect_redis(own.redis_url, 5.0))
        begin_anew(own, shared_engine, durable)
        redis_server = Redis((tmp_path / "durable").resolve())
        running = redis_server.running()
        assert running
        running.stop()
        celery = stack.enter_context(Celery(broker=rabbit.url, set_as_current=False))
        for number, message in enumerate(sent):
            payload = webhook(says(message, f"549112233440{number}", "hola"))
            celery.send_task("worker.receive", (payload,), queue=Queue("inbound", no_declare=True))
        tries = (DELIVERIES + 2) * len(sent)
        assert wait_until(lambda: log.read_text().count('"receive_postponed"') > tries, 180)
        redis_server.start()
        conversation = Conversation(shared_engine, durable, log, Gateway(durable))
        conversation.wait_until(lambda: set(sent) <= set(conversation.answered()), GUARD_S)


def test_tls_means_that_the_certificate_is_checked(rabbit: Rabbit, tmp_path: Path) -> None:
    """With amqps:// and a file of its own; the system's certificates do not know it, and another host's will not do."""
    trusted = certificate(tmp_path)
    with tls_front(rabbit.port, trusted) as port:
        url = f"amqps://guest:guest@127.0.0.1:{port}//"
        with environment({"BROKER_URL": f"{url}?ssl_ca_certs={trusted.file}"}), make_app() as application:
            with application.connection() as connection:
                connection.ensure_connection(max_retries=1, timeout=GUARD_S)
            application.conf.broker_use_ssl["server_hostname"] = "other.example"
            with application.connection() as connection, pytest.raises(ssl.SSLError, match="Hostname mismatch"):
                connection.connect()
        refused = pytest.raises((OperationalError, ssl.SSLError), match="certificate verify failed")
        with environment({"BROKER_URL": url}), make_app() as wary, wary.connection() as connection, refused:
            connection.ensure_connection(max_retries=1, timeout=GUARD_S)
