"""Servers that one URL names: one, or several of which one is the primary and the others are its standbys.

libpq tries them one after the other and keeps the first that suits `target_session_attrs`. Who has connected once tries
the server of that time first: a machine that is gone would cost each new connection its whole time limit, and a primary
of old that comes back must not get those who have followed its successor. What role a server has, and how far it is,
may be asked by anybody who can log in.
"""

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import InvalidatePoolError

from db.retry import READ_ONLY, code_of

PORT = 5432
#: What is asked of a session, as libpq names it.
WANTED = "target_session_attrs"
#: What must not be on where such a session is asked for. A server reports a change by itself, with its next answer
#: (PostgreSQL 14 and newer).
UNFIT = {"read-write": ("in_hot_standby", "default_transaction_read_only"), "primary": ("in_hot_standby",)}
#: A URL whose authority names several: what is before, `one:5432,two:5432`, what is behind.
_SEVERAL = re.compile(r"(?P<before>[^:]+://(?:[^@]*@)?)(?P<places>[^/?@]*,[^/?@]*)(?P<behind>(?:[/?].*)?)", re.DOTALL)
STATE = text("""
    select pg_is_in_recovery() as is_standby,
           current_setting('default_transaction_read_only')::boolean as is_read_only,
           pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end,
                           '0/0')::bigint as position_b,
           extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp())::float8 as replayed_s,
           current_setting('synchronous_standby_names') as waits_for,
           current_setting('synchronous_commit') as synchronous_commit,
           (select count(*) from pg_stat_replication) as standbys
""")
_PLACE = re.compile(r"(?:\[(?P<address>[0-9A-Fa-f:.]+)\]|(?P<host>[^\[\]:]+))(?::(?P<port>[0-9]{1,5}))?")


def normalised(given: str) -> URL:
    """Returns a URL as SQLAlchemy takes it: it names the driver, psycopg2, as a plain `postgresql://` means another one
    since SQLAlchemy 2.1; several servers stand in its query, as libpq's own lists.

    Unless the URL says otherwise, one of several must take writes.

    Raises:
        ArgumentError, ValueError: it cannot be read.
    """
    found = _SEVERAL.fullmatch(given)
    url = make_url(found["before"] + found["behind"] if found else given)
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg2")
    if found is None:
        return url
    places = [_place(place) for place in found["places"].split(",")]
    hosts, ports = (",".join(part) for part in zip(*places, strict=True))
    return url.update_query_dict({WANTED: "read-write"} | dict(url.query) | {"host": hosts, "port": ports})


def _place(given: str) -> tuple[str, str]:
    found = _PLACE.fullmatch(given)
    if found is None or not 0 < int(found["port"] or PORT) < 65_536:
        raise ValueError("a server in the URL is no host:port")
    return found["address"] or found["host"], found["port"] or str(PORT)


def places(url: URL) -> list[tuple[str, int]]:
    """Returns host and port of each server that a URL names, in its order."""
    _, given = url.get_dialect()().create_connect_args(url)
    hosts, ports = str(given.get("host") or "localhost").split(","), str(given.get("port") or PORT).split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    return [(host or "localhost", int(port or PORT)) for host, port in zip(hosts, ports, strict=True)]


def apart(given: str) -> list[tuple[tuple[str, int], str]]:
    """Returns the place of each server that a URL names, with a URL of it alone, whatever it is at the moment."""
    url = normalised(given)
    shared = url.set(host=None, port=None).difference_update_query(("host", "port", WANTED))
    alone = ((place, shared.update_query_dict({"host": place[0], "port": str(place[1])})) for place in places(url))
    return [(place, own.render_as_string(hide_password=False)) for place, own in alone]


def shown(place: tuple[str, int]) -> str:
    """Returns a server as people write it."""
    return f"[{place[0]}]:{place[1]}" if ":" in place[0] else f"{place[0]}:{place[1]}"


def follow_primary(engine: Engine) -> Engine:
    """Lets an engine leave a server that takes no writes any more, with all connections of its pool.

    A write that such a server refuses counts as a lost connection. Where the URL asks for a primary, a connection that
    its server has reported as read-only is not handed out either: what is read there would be old for ever.
    """

    @event.listens_for(engine, "handle_error")
    def leave(context: Any) -> None:
        if context.sqlalchemy_exception is not None and code_of(context.sqlalchemy_exception) == READ_ONLY:
            context.is_disconnect = True

    if unfit := UNFIT.get(str(engine.url.query.get(WANTED))):

        @event.listens_for(engine, "checkout")
        def look(made: Any, _record: object, _proxy: object) -> None:
            if any(made.info.parameter_status(state) == "on" for state in unfit):
                raise InvalidatePoolError("the server takes no writes any more")

    return _stay(engine) if len(places(engine.url)) > 1 else engine


def _stay(engine: Engine) -> Engine:
    """Lets new connections try the server first to which the latest one was made."""
    order = places(engine.url)

    @event.listens_for(engine, "do_connect")
    def arrange(_dialect: object, _record: object, _arguments: object, given: dict[str, Any]) -> None:
        hosts, ports = zip(*order, strict=True)
        given |= {"host": ",".join(hosts), "port": ",".join(map(str, ports))}

    @event.listens_for(engine, "connect")
    def remember(made: Any, _record: object) -> None:
        latest = (made.info.host, made.info.port)
        # Sorting keeps the order of the others; a list that another thread reads meanwhile is whole at any time.
        order[:] = sorted(places(engine.url), key=lambda place: place != latest)

    return engine


@dataclass(frozen=True, slots=True)
class Replication:
    """State of a server among those that follow each other.

    Args:
        position_b: byte of the log that it has written, or, as a standby, replayed.
        replayed_s: age of the latest transaction that a standby has replayed; None where there is none.
        waits_for: `synchronous_standby_names`; empty: a commit waits for no standby.
        standbys: how many servers get its log now.
    """

    is_standby: bool
    is_read_only: bool
    position_b: int
    replayed_s: float | None
    waits_for: str
    synchronous_commit: str
    standbys: int

    @property
    def takes_writes(self) -> bool:
        """Primary that is not set to read-only."""
        return not (self.is_standby or self.is_read_only)


def replication(connection: Connection) -> Replication:
    """Returns the state of the server at the other end."""
    return Replication(**connection.execute(STATE).mappings().one())
