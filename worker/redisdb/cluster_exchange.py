"""Exchange with the nodes of a Redis Cluster: one round trip to each that has a part, all of them at the same time."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis
from redis.cluster import ClusterNode
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeout

from worker.redisdb.keys import OF_MANY

#: The server, or the way to it, is gone.
LOST = (RedisConnectionError, RedisTimeout)
Merge = Callable[[list[Any]], Any]


@dataclass(slots=True, eq=False)
class Part:
    """Command to one node, or that part of one that concerns it.

    Args:
        only: the node that it is for, whatever its keys.
        answer: an exception where it fails.
    """

    args: list[Any]
    options: dict[str, Any]
    only: ClusterNode | None = None
    answer: Any = field(default=None, init=False)
    node: ClusterNode | None = field(default=None, init=False)


def split(args: list[Any], options: dict[str, Any]) -> tuple[list[Part], Merge]:
    """Returns the parts of a command, one for each key where it is of many, and what makes one answer of theirs."""
    command = str(args[0]).upper()
    if command not in OF_MANY:
        return [Part(args, options)], lambda answers: answers[0]
    if command == "MGET":
        return [Part(["GET", key], {}) for key in args[1:]], list
    return [Part([command, key], {}) for key in args[1:]], sum


def merged(parts: Sequence[Part], merge: Merge) -> Any:
    """Returns the answer to a command of which these are the parts; the first error where there is any."""
    return next((part.answer for part in failed(parts, Exception)), None) or merge([part.answer for part in parts])


def failed(parts: Iterable[Part], *errors: type[Exception]) -> list[Part]:
    """Returns the parts that have met with one of these errors."""
    return [part for part in parts if isinstance(part.answer, errors)]


def client_of(node: ClusterNode) -> Any:
    """Returns redis-py's client of one node."""
    found: redis.Redis | None = node.redis_connection
    if found is None:
        raise RedisConnectionError("the node is gone")
    return found


def exchange(batches: Iterable[Sequence[Part]]) -> None:
    """Sends each batch to the node of its parts, all before the first answer is read."""
    opened = [(batch, *found) for batch in batches if (found := _sent(batch))]
    try:
        for batch, client, connection in opened:
            _read(batch, client, connection)
            client.connection_pool.release(connection)
    except BaseException:
        # Answers that nobody reads would be taken for those of the next who has the connection.
        for _, client, connection in opened:
            _drop(client, connection)
        raise


def _sent(batch: Sequence[Part]) -> tuple[Any, Any] | None:
    connection = None
    try:
        client = client_of(batch[0].node)  # type: ignore[arg-type]  # parts of a batch have one
        connection = client.connection_pool.get_connection()
        connection.send_packed_command(connection.pack_commands([part.args for part in batch]))
    except LOST as exc:
        if connection is not None:
            _drop(client, connection)
        _fail(batch, exc)
        return None
    return client, connection


def _read(batch: Sequence[Part], client: Any, connection: Any) -> None:
    for number, part in enumerate(batch):
        try:
            part.answer = client.parse_response(connection, part.args[0], **part.options)
        except LOST as exc:
            connection.disconnect()
            _fail(batch[number:], exc)
            return
        except RedisError as exc:
            part.answer = exc


def _drop(client: Any, connection: Any) -> None:
    connection.disconnect()
    client.connection_pool.release(connection)


def _fail(parts: Iterable[Part], error: Exception) -> None:
    for part in parts:
        part.answer = error
