"""Client of a Redis Cluster that is used like that of one Redis, with its pipeline: it finds the node of each key, and
follows slots that move and replicas that take over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from threading import Lock
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    NoScriptError,
    RedisClusterException,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from worker.redisdb.cluster_exchange import LOST, Merge, Part, client_of, exchange, failed, merged, split
from worker.redisdb.keys import OF_ALL, off_cluster, renamed, slots_of
from worker.redisdb.sentinel import CONNECT_TIMEOUT_S, Host

Answer = TypeVar("Answer")
#: Redirections of one command, before it is given up; pauses between them, while the keys of a slot move.
MOST_MOVES, MOVE_PAUSE_S = 10, 0.02


class ClusterRedis(redis.Redis):
    """Client of a cluster. Connects when it is first used; keys of one script or transaction must lie in one slot.

    Args:
        options: of the connections to each node.
        repeats: how often a command is repeated on a lost connection, by what is known of the cluster then.
    """

    def __init__(self, hosts: Sequence[Host], options: Mapping[str, Any], repeats: int) -> None:
        # It answers for the methods of redis-py; no connection is ever taken from its pool.
        super().__init__(connection_pool=redis.ConnectionPool())
        self._hosts = hosts
        limit_s = min(options["socket_connect_timeout"], CONNECT_TIMEOUT_S)
        self._options = {**options, "socket_connect_timeout": limit_s, "retry": Retry(NoBackoff(), 0)}
        self.repeats = repeats
        self._cluster: RedisCluster | None = None
        self._connecting = Lock()

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Returns the answer of one command. Raises RedisError, a ConnectionError also where no node answers."""
        pipeline: Any = self.pipeline(transaction=False)
        with pipeline:
            pipeline.execute_command(*args, **options)
            (answer,) = pipeline.execute()
        return answer

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> ClusterPipeline:  # noqa: ARG002  redis-py's
        """Returns a pipeline: without a transaction of any keys, with one of those of one slot."""
        return ClusterPipeline(self, self.connection_pool, transaction=transaction)

    def scan_iter(self, *args: Any, **given: Any) -> Iterator[Any]:
        """Yields the keys of all nodes, by their usual names."""
        for node in self.primaries():
            for name in client_of(node).scan_iter(*args, **given):
                yield off_cluster(name)

    def close(self) -> None:
        """Closes the connections to all nodes."""
        super().close()
        self._forget()

    def primaries(self) -> list[ClusterNode]:
        """Returns the masters."""
        return self._guarded(lambda cluster: sorted(cluster.get_primaries(), key=lambda node: str(node.name)))

    def node_of(self, commands: Iterable[Sequence[Any]]) -> ClusterNode:
        """Returns the master of the keys of these commands, any where they have no key. Raises ResponseError where the
        keys lie in several slots.
        """
        slots = {slot for args in commands for slot in slots_of(args)}
        if len(slots) > 1:
            raise ResponseError("CROSSSLOT keys of one script or transaction lie in several slots")
        if not slots:
            return self.primaries()[0]
        slot = next(iter(slots))
        node: ClusterNode = self._guarded(lambda cluster: cluster.nodes_manager.get_node_from_slot(slot))
        return node

    def refresh(self, failed: ClusterNode | None = None) -> None:
        """Asks for the slots anew, the node that has just failed last."""
        name = failed.name if failed else None
        self._guarded(lambda cluster: cluster.nodes_manager.initialize(last_failed_node_name=name))

    def redirected(self, args: Sequence[Any], options: Mapping[str, Any], error: RedisError) -> Any:
        """Returns the answer to a command that a node has sent elsewhere, or the error it ends with."""
        for _ in range(MOST_MOVES):
            try:
                return self._sent_elsewhere(args, options, error)
            except (AskError, TryAgainError) as exc:
                error = exc
                time.sleep(MOVE_PAUSE_S)
            except RedisError as exc:
                return exc
        return error

    def _sent_elsewhere(self, args: Sequence[Any], options: Mapping[str, Any], error: Any) -> Any:
        """Sends a command where a node has said; while a key is just moving, with a word that it is expected there."""
        if isinstance(error, MovedError):
            self._guarded(lambda cluster: cluster.nodes_manager.move_slot(error))
        if isinstance(error, MovedError | TryAgainError):
            return client_of(self.node_of([args])).execute_command(*args, **options)
        place = error.host, error.port
        node = self._guarded(lambda cluster: cluster.get_node(*place))
        if node is None:
            self.refresh()
            raise error
        with client_of(node).pipeline(transaction=False) as pipeline:
            pipeline.execute_command("ASKING")
            pipeline.execute_command(*args, **options)
            return pipeline.execute()[1]

    def _guarded(self, ask: Callable[[Any], Answer]) -> Answer:
        """Returns what is asked of redis-py's client; errors of its own are lost connections."""
        try:
            return ask(self._connected())
        except RedisClusterException as exc:
            # It may have forgotten the hosts that it was given for others, which are gone.
            self._forget()
            if isinstance(exc.__cause__, RedisError):
                raise exc.__cause__ from exc
            raise RedisConnectionError(f"the cluster does not answer: {exc}") from exc

    def _connected(self) -> RedisCluster:
        with self._connecting:
            if self._cluster is None:
                nodes = [ClusterNode(host, port) for host, port in self._hosts]  # type: ignore[no-untyped-call]
                self._cluster = RedisCluster(startup_nodes=nodes, require_full_coverage=False, **self._options)
            return self._cluster

    def _forget(self) -> None:
        cluster, self._cluster = self._cluster, None
        if cluster is not None:
            cluster.close()


class ClusterPipeline(Pipeline):
    """Pipeline of any keys, one round trip to each node that has one of them, or a transaction of those of one slot."""

    def __init__(self, cluster: ClusterRedis, pool: redis.ConnectionPool, *, transaction: bool) -> None:
        super().__init__(pool, {}, transaction, None)
        self._cluster = cluster
        self._is_transaction = transaction
        self._queue: list[tuple[list[Part], Merge]] = []

    def __len__(self) -> int:
        return len(self._queue)

    def execute_command(self, *args: Any, **options: Any) -> ClusterPipeline:
        """Queues a command."""
        if str(args[0]).upper() in OF_ALL:
            parts = [Part(list(args), dict(options), node) for node in self._cluster.primaries()]
            self._queue.append((parts, lambda answers: answers[-1]))
        else:
            self._queue.append(split(renamed(args), options))
        return self

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Sends what is queued; returns an answer for each command. Raises the first error, unless errors are wanted in
        their places.
        """
        queue, self._queue = self._queue, []
        parts = [part for of_one, _ in queue for part in of_one]
        if self._is_transaction:
            return self._transact(parts, raise_on_error) if parts else []
        self._send(parts)
        answers = [merged(of_one, merge) for of_one, merge in queue]
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
            if lost := failed(parts, *LOST):
                self._to_nodes(lost)
        if moved := failed(parts, MovedError):
            self._refresh()
            self._to_nodes(moved)
        for part in failed(parts, AskError, TryAgainError):
            part.answer = self._cluster.redirected(part.args, part.options, part.answer)
        if unknown := failed(parts, NoScriptError) if self.scripts else []:
            for script in self.scripts:
                self._cluster.script_load(script.script)
            self._to_nodes(unknown)

    def _to_nodes(self, parts: Sequence[Part]) -> None:
        """Sends parts to the masters of their keys. Where one is lost, the slots are asked for anew."""
        by_node: dict[str, list[Part]] = {}
        for part in parts:
            part.node = part.only or self._cluster.node_of([part.args])
            by_node.setdefault(str(part.node.name), []).append(part)
        exchange(by_node.values())
        for node in {part.node for part in failed(parts, *LOST, ClusterDownError)}:
            self._refresh(node)

    def _refresh(self, lost: ClusterNode | None = None) -> None:
        # The error that led here is what counts.
        with suppress(RedisError):
            self._cluster.refresh(lost)

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


def is_cluster(client: redis.Redis) -> bool:
    """Returns whether a client is one of a cluster, whose scripts may touch the keys of one slot alone."""
    return isinstance(getattr(client, "over", client), ClusterRedis)
