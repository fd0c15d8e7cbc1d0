"""One statement: plain values go in and come out; JSON is encoded and decoded here."""

from typing import Any

import orjson
from sqlalchemy import Connection, CursorResult

Json = dict[str, Any]


def run(connection: Connection, sql: str, **values: object) -> CursorResult[Any]:
    """Executes one statement with named values (`%(name)s`)."""
    return connection.exec_driver_sql(sql, values)


def rows(found: CursorResult[Any]) -> list[Json]:
    """Rows as dicts by column."""
    return [dict(row) for row in found.mappings()]


def call(connection: Connection, function: str, value: object) -> Any:
    """Calls a function of one JSON argument; returns its one JSON value."""
    sql = f"select {function}(%(value)s::jsonb)::text"
    return orjson.loads(run(connection, sql, value=as_json(value)).scalar_one())


def as_json(value: object) -> str:
    """The value as JSON text, for a parameter cast to `jsonb`."""
    return orjson.dumps(value).decode()
