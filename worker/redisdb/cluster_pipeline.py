"""Pipeline over the nodes of a Redis Cluster: one round trip to each that has a key of it, all at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import redis
from redis.client import Pipeline
from redis.cluster import ClusterNode
from redis.commands.core import Script
from redis.exceptions import AskError, ClusterDownError, MovedError, NoScriptError, RedisError, TryAgainError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeout

from worker.redisdb.cluster_keys import OF_MANY, renamed

#: The server, or the way to it, is gone.
LOST = (RedisConnectionError, RedisTimeout)
Merge = Callable[[list[Any]], Any]


class Cluster(Protocol):
    """Cluster as its pipelines see it."""

    repeats: int

    def node_of(self, commands: Iterable[Sequence[Any]]) -> ClusterNode:
        """Returns the master of the keys of these commands."""

    def refresh(self, failed: ClusterNode | None = None) -> None:
        """Asks for the slots anew."""

    def redirected(self, args: Sequence[Any], options: Mapping[str, Any], error: RedisError) -> Any:
        """Returns the answer to a command that a node has sent elsewhere, or the error it ends with."""

    def load(self, script: Script) -> None:
        """Makes a script known to every master."""


@dataclass(slots=True, eq=False)
class Part:
    """Command to one node, or that part of one that concerns it; its answer is an exception where it fails."""

    args: list[Any]
    options: dict[str, Any]
    answer: Any = field(default=None, init=False)
    node: ClusterNode | None = field(default=None, init=False)


class ClusterPipeline(Pipeline):
    """Pipeline of any keys, or with a transaction of those of one slot."""

    def __init__(self, cluster: Cluster, pool: redis.ConnectionPool, *, transaction: bool) -> None:
        super().__init__(pool, {}, transaction, None)
        self._cluster = cluster
        self._is_transaction = transaction
        self._queue: list[tuple[list[Part], Merge]] = []

    def __len__(self) -> int:
        return len(self._queue)

    def execute_command(self, *args: Any, **options: Any) -> ClusterPipeline:
        """Queues a command."""
        self._queue.append(_split(renamed(args), options))
        return self

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Sends what is queued; returns an answer for each command.

        Raises:
            RedisError: of the first command that failed, unless errors are wanted in its place.
        """
        queue, self._queue = self._queue, []
        parts = [part for of_one, _ in queue for part in of_one]
        if self._is_transaction:
            return self._transact(parts, raise_on_error) if parts else []
        self._send(parts)
        answers = [_merged(of_one, merge) for of_one, merge in queue]
        error = next((answer for answer in answers if isinstance(answer, Exception)), None)
        if error is not None and raise_on_error:
            raise error
        return answers

    def reset(self) -> None:  # type: ignore[override]  # as redis-py's own
        """Forgets what is queued."""
        self._queue = []
        super().reset()

    def _send(self, parts: Sequence[Part]) -> None:
        self._to_nodes(parts)
        for _ in range(self._cluster.repeats):
            if lost := _failed(parts, *LOST):
                self._to_nodes(lost)
        if moved := _failed(parts, MovedError):
            self._refresh()
            self._to_nodes(moved)
        for part in _failed(parts, AskError, TryAgainError):
            part.answer = self._cluster.redirected(part.args, part.options, part.answer)
        if unknown := _failed(parts, NoScriptError) if self.scripts else []:
            for script in self.scripts:
                self._cluster.load(script)
            self._to_nodes(unknown)

    def _to_nodes(self, parts: Sequence[Part]) -> None:
        """Sends parts to the masters of their keys. Where one is lost, the slots are asked for anew."""
        by_node: dict[str, list[Part]] = {}
        for part in parts:
            part.node = self._cluster.node_of([part.args])
            by_node.setdefault(str(part.node.name), []).append(part)
        exchange(list(by_node.values()))
        for failed in {part.node for part in _failed(parts, *LOST, ClusterDownError)}:
            self._refresh(failed)

    def _refresh(self, failed: ClusterNode | None = None) -> None:
        # The error that led here is what counts.
        with suppress(RedisError):
            self._cluster.refresh(failed)

    def _transact(self, parts: Sequence[Part], raise_on_error: bool) -> list[Any]:
        for tries_left in (1, 0):
            node = self._cluster.node_of([part.args for part in parts])
            with client_of(node).pipeline(transaction=True) as pipeline:
                for part in parts:
                    pipeline.execute_command(*part.args, **part.options)
                try:
                    return list(pipeline.execute(raise_on_error))
                except (*LOST, MovedError, ClusterDownError) as exc:
                    self._refresh(node if isinstance(exc, LOST) else None)
                    # What was sent elsewhere has done nothing; what was lost may have.
                    if not tries_left or not (isinstance(exc, MovedError) or self._cluster.repeats):
                        raise
        return []


def client_of(node: ClusterNode) -> Any:
    """Returns redis-py's client of one node."""
    found: redis.Redis | None = node.redis_connection
    if found is None:
        raise RedisConnectionError("the node is gone")
    return found


def exchange(batches: Sequence[Sequence[Part]]) -> None:
    """Sends each batch to the node of its parts, all before the first answer is read."""
    opened = [(batch, *found) for batch in batches if (found := _sent(batch))]
    try:
        for batch, client, connection in opened:
            _read(batch, client, connection)
            client.connection_pool.release(connection)
    except BaseException:
        # Answers that nobody reads would be taken for those of the next who has the connection.
        for _, client, connection in opened:
            connection.disconnect()
            client.connection_pool.release(connection)
        raise


def _sent(batch: Sequence[Part]) -> tuple[Any, Any] | None:
    try:
        client = client_of(batch[0].node)  # type: ignore[arg-type]  # parts of a batch have one
        connection = client.connection_pool.get_connection()
    except LOST as exc:
        _fail(batch, exc)
        return None
    try:
        connection.send_packed_command(connection.pack_commands([part.args for part in batch]))
    except LOST as exc:
        connection.disconnect()
        client.connection_pool.release(connection)
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


def _fail(parts: Iterable[Part], error: Exception) -> None:
    for part in parts:
        part.answer = error


def _failed(parts: Iterable[Part], *errors: type[Exception]) -> list[Part]:
    return [part for part in parts if isinstance(part.answer, errors)]


def _split(args: list[Any], options: dict[str, Any]) -> tuple[list[Part], Merge]:
    """Returns the parts of a command, one for each key where it is of many, and what makes one answer of theirs."""
    command = str(args[0]).upper()
    if command not in OF_MANY:
        return [Part(args, options)], lambda answers: answers[0]
    if command == "MGET":
        return [Part(["GET", key], {}) for key in args[1:]], list
    return [Part([command, key], {}) for key in args[1:]], sum


def _merged(parts: Sequence[Part], merge: Merge) -> Any:
    answers = [part.answer for part in parts]
    return next(_errors(answers), None) or merge(answers)


def _errors(answers: Iterable[Any]) -> Iterator[Exception]:
    return (answer for answer in answers if isinstance(answer, Exception))
