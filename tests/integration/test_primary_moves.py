"""PostgreSQL's primary dies, is demoted under open connections, or moves: pools follow it by themselves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from helpers.basics import GUARD_S, ends
from helpers.postgres_pair import Member, Pair, pair
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from db import retry
from db.engine import connect, make_engine
from worker.operate.doctor import database
from worker.operate.doctor.finding import State
from worker.runtime.embedded.processes import wait_until

CONNECTIONS = 3
WHERE = text("select inet_server_port()")
WRITE = text("insert into kept values (inet_server_port()) returning port")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two servers with a table in common. Each test leaves the roles as it made them: they are one story."""
    with pair(tmp_path_factory.mktemp("servers")) as found:
        found.one.ask("create table kept (port int)")
        assert wait_until(found.in_step, GUARD_S)
        yield found


@pytest.fixture
def engine(both: Pair) -> Iterator[Engine]:
    """An engine on both, whose pool is full of connections."""
    made = make_engine(both.url, pool_size=CONNECTIONS)
    several = [made.connect() for _ in range(CONNECTIONS)]
    for connection in several:
        connection.close()
    yield made
    made.dispose()


def written(engine: Engine) -> int:
    """The port of the server that has taken a write, as the service makes them."""
    return int(ends(lambda: retry.run(engine, lambda connection: connection.execute(WRITE).scalar_one())))


def read(engine: Engine) -> int:
    """The port of the server that has answered a read."""
    return int(ends(lambda: retry.run(engine, lambda connection: connection.execute(WHERE).scalar_one())))


def read_only(member: Member, state: str) -> None:
    """Lets a server refuse writes, or take them again, also of connections that are open."""
    member.set(default_transaction_read_only=state)
    assert wait_until(lambda: member.ask("show default_transaction_read_only") == state, GUARD_S)


def seen(both: Pair) -> dict[str, tuple[State, str]]:
    """What the doctor says of the servers, by their name or `servers` for both."""
    names = {f"127.0.0.1:{member.port}": member.name for member in (both.one, both.two)}
    words = ((finding.check.split()[-1], finding) for finding in database.examine_servers(both.url))
    return {names.get(word, word): (finding.state, finding.found.split(",")[0]) for word, finding in words}


def test_only_the_primary_is_used(both: Pair, engine: Engine) -> None:
    """Wherever it stands in the URL."""
    turned = both.url.replace(f"{both.one.port},", "x,").replace(str(both.two.port), str(both.one.port))
    turned = turned.replace(":x,", f":{both.two.port},")
    with connect(turned) as connection:
        assert connection.execute(WHERE).scalar_one() == both.one.port
    assert written(engine) == both.one.port
    assert seen(both) == {"one": (State.OK, "primary"), "two": (State.OK, "standby")}
    (alone,) = database.examine_servers(both.url_of(both.two))
    assert "takes no writes" in alone.found
    assert not list(database.examine_servers(both.url_of(both.one)))


def test_a_standby_serves_who_asks_for_it(both: Pair) -> None:
    """A report of a replica; what it refuses to write is an error as ever."""
    with make_engine(both.url_of(both.two)).connect() as connection:
        assert connection.execute(WHERE).scalar_one() == both.two.port
        with pytest.raises(DBAPIError) as refused:
            connection.execute(WRITE)
    assert retry.code_of(refused.value) == retry.READ_ONLY
    assert refused.value.connection_invalidated


def test_who_reads_leaves_a_server_that_takes_no_writes(both: Pair, engine: Engine) -> None:
    """After the one answer of each connection with which it tells; while there is no other, nothing old is read."""
    read_only(both.one, "on")
    try:
        assert {read(engine) for _ in range(CONNECTIONS)} == {both.one.port}
        with pytest.raises(DBAPIError):
            ends(lambda: retry.run(engine, lambda connection: connection.execute(WHERE), give_up_after_s=1.0))
    finally:
        read_only(both.one, "off")
    assert read(engine) == both.one.port


def test_a_write_goes_to_the_new_primary(both: Pair, engine: Engine) -> None:
    """The old one is alive, and refuses it with 25006; no connection to it is left in the pool."""
    held = engine.connect()
    read_only(both.one, "on")
    both.two.promote()
    assert written(engine) == both.two.port
    assert {read(engine) for _ in range(4)} == {both.two.port}
    with pytest.raises(DBAPIError) as refused:
        held.execute(WRITE)
    assert refused.value.connection_invalidated
    held.close()


def test_who_has_followed_stays_with_the_successor(both: Pair, engine: Engine) -> None:
    """When the primary of old takes writes again, nobody having told it: new connections are not made to it."""
    assert written(engine) == both.two.port
    read_only(both.one, "off")
    engine.dispose()
    assert written(engine) == both.two.port
    assert seen(both)["servers"][0] is State.FAILED


def test_a_dead_primary_is_left(both: Pair, engine: Engine) -> None:
    """Killed with connections open, after the other has become its standby: promoted, that one is found."""
    both.one.kill()
    both.follow(both.one, both.two)
    assert written(engine) == both.two.port
    assert wait_until(lambda: both.two.ask("select count(*) from pg_stat_replication") == 1, GUARD_S)
    both.two.kill()
    both.one.promote()
    assert written(engine) == both.one.port
