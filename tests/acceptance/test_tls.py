"""The service on servers that let nobody in without TLS and a password: PostgreSQL, Redis, and the broker on it."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from celery import Celery
from helpers.basics import GUARD_S, Servers
from helpers.service import Conversation, begin_anew, says, service_processes, webhook
from helpers.tls import Certificate, certificate, tls_front
from kombu.exceptions import OperationalError
from sqlalchemy import Engine, text
from sqlalchemy.exc import DatabaseError

from db.engine import connect
from worker.app import make_app
from worker.devkit.gateway import Gateway
from worker.devkit.simulator import Simulator
from worker.redisdb.connect import connect_redis
from worker.runtime.embedded.processes import find_process, launch, own_directory, wait_until
from worker.runtime.embedded.processes import run as run_as_owner
from worker.runtime.embedded.server import free_port
from worker.runtime.environment import environment

#: PostgreSQL as Debian packages it knows TLS; the embedded one does not.
DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))


@dataclass(frozen=True, slots=True)
class Secured:
    """URLs that name the certificate to be trusted, and one that nobody has."""

    database_url: str
    redis_url: str
    other: Certificate


@pytest.fixture(scope="module")
def secured(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """The servers of this run behind TLS."""
    directory = tmp_path_factory.mktemp("tls")
    trusted, other = certificate(directory), certificate(directory, "other")
    database, memory = urlsplit(servers.database_url), urlsplit(servers.redis_url)
    with ExitStack() as stack:
        postgres_port = stack.enter_context(tls_front(database.port or 0, trusted, postgres=True))
        redis_port = stack.enter_context(tls_front(memory.port or 0, trusted))
        yield Secured(
            f"postgresql+psycopg2://{database.username}:{database.password}@127.0.0.1:{postgres_port}{database.path}"
            f"?sslmode=verify-full&sslrootcert={trusted.file}",
            f"rediss://:{memory.password}@127.0.0.1:{redis_port}/0?ssl_ca_certs={trusted.file}",
            other,
        )


def test_the_service_works_over_tls(secured: Secured, servers: Servers, shared_engine: Engine, tmp_path: Path) -> None:
    """Every process, the broker and the cache included; a message is answered and recorded."""
    urls = {"DATABASE_URL": secured.database_url, "REDIS_URL": secured.redis_url}
    with (
        Simulator() as simulator,
        connect_redis(servers.redis_url, 5.0) as client,
        service_processes(servers, tmp_path, simulator.base_urls | urls) as (_, log),
    ):
        begin_anew(servers, shared_engine, client)
        conversation = Conversation(shared_engine, client, log, Gateway(client))
        conversation.gateway.send(webhook(says("wamid.tls", "5491122334455", "hola")))
        conversation.wait_until(lambda: "wamid.tls" in conversation.answered())
        names = "select count(*) from pg_stat_activity where application_name = 'chasqui'"
        assert conversation.sql(names)[0][0] >= 3
        assert "Insecure" not in log.read_text()


def distrusting(url: str, secured: Secured) -> str:
    """The URL with a certificate that is not the server's."""
    name = "sslrootcert=" if "sslrootcert" in url else "ssl_ca_certs="
    return url.partition(name)[0] + name + str(secured.other.file)


def test_redis_must_prove_who_it_is(secured: Secured) -> None:
    """One whose certificate is not trusted gets no password."""
    with connect_redis(secured.redis_url, 5.0) as client:
        assert client.ping()
    with (
        connect_redis(distrusting(secured.redis_url, secured), 5.0) as client,
        pytest.raises(redis.ConnectionError, match="certificate verify failed"),
    ):
        client.ping()


def test_the_broker_must_prove_who_it_is(secured: Secured) -> None:
    """Celery's client asks for the same; nothing has to be set besides the URL."""
    with Celery(broker=secured.redis_url, set_as_current=False) as trusting, trusting.connection() as connection:
        connection.ensure_connection(max_retries=1, timeout=GUARD_S)
    url = distrusting(secured.redis_url, secured)
    with (
        Celery(broker=url, set_as_current=False) as wary,
        wary.connection() as connection,
        pytest.raises(OperationalError, match="certificate verify failed"),
    ):
        connection.ensure_connection(max_retries=1, timeout=GUARD_S)


def test_the_broker_must_prove_it_also_where_nothing_is_said(secured: Secured) -> None:
    """A URL without options means the certificates of the system, which do not know this one; kombu would not look."""
    with environment({"BROKER_URL": secured.redis_url.partition("?")[0]}), make_app() as application:
        with application.connection() as connection, pytest.raises(OperationalError, match="certificate verify failed"):
            connection.ensure_connection(max_retries=1, timeout=GUARD_S)
        application.conf.broker_use_ssl = None
        with application.connection() as connection:
            connection.ensure_connection(max_retries=1, timeout=GUARD_S)


def test_postgresql_must_prove_who_it_is(secured: Secured) -> None:
    """By `sslmode=verify-full` and `sslrootcert` in the URL."""
    with connect(secured.database_url) as connection:
        assert connection.execute(text("select 1")).scalar_one() == 1
    with (
        pytest.raises(DatabaseError, match="certificate verify failed"),
        connect(distrusting(secured.database_url, secured)),
    ):
        pytest.fail("it was believed")


@pytest.mark.skipif(not DEBIAN, reason="needs a PostgreSQL that knows TLS: Debian's package postgresql")
def test_a_postgresql_with_ssl_on(tmp_path: Path) -> None:
    """Its own TLS, not one in front of it: the connection is encrypted, and one without encryption is refused."""
    own_directory(home := tmp_path / "postgres")
    trusted, data, port = certificate(tmp_path), home / "data", free_port()
    for file in (trusted.file, trusted.key):
        shutil.copy(file, home)
        shutil.chown(home / file.name, home.stat().st_uid, home.stat().st_gid)
    (home / trusted.key.name).chmod(0o600)
    initdb = DEBIAN[-1].with_name("initdb")
    run_as_owner([str(initdb), "-D", str(data), "--auth=reject", "--username=ana", "--no-sync"], directory=home)
    (data / "pg_hba.conf").write_text("hostssl all ana 127.0.0.1/32 trust\n")
    secure = ("ssl=on", f"ssl_cert_file={home / trusted.file.name}", f"ssl_key_file={home / trusted.key.name}")
    where = (f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=")
    options = [part for setting in (*secure, *where) for part in ("-c", setting)]
    launch([str(DEBIAN[-1]), "-D", str(data), *options], directory=home, log=home / "log")
    url = f"postgresql://ana@127.0.0.1:{port}/postgres?sslmode="
    try:
        assert wait_until(lambda: is_encrypted(f"{url}verify-full&sslrootcert={trusted.file}"), GUARD_S), (
            home / "log"
        ).read_text()
        with pytest.raises(DatabaseError, match="no encryption"), connect(f"{url}disable"):
            pytest.fail("it was let in")
    finally:
        server = find_process(frozenset({"postgres"}), str(data))
        assert server
        server.send_signal(signal.SIGINT)
        assert wait_until(lambda: find_process(frozenset({"postgres"}), str(data)) is None, GUARD_S)


def is_encrypted(url: str) -> bool:
    """Whether the server says so of this connection; False while it does not answer."""
    try:
        with connect(url) as connection:
            return bool(
                connection.execute(text("select ssl from pg_stat_ssl where pid = pg_backend_pid()")).scalar_one()
            )
    except DatabaseError:
        return False
