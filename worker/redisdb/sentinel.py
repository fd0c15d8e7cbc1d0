"""Redis under Sentinels: a client that asks them for the master whenever it connects and every few seconds, and leaves
a master that was demoted, has lost its replicas or is not the one that they name.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import redis
from pydantic import SecretStr
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeout
from redis.retry import Retry
from redis.sentinel import (
    MasterNotFoundError,
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)

#: For a Sentinel to answer, before the next one is asked.
SENTINEL_TIMEOUT_S = 1.0
#: For a connection to be made: a machine that is dead says nothing, and a new master is named within seconds.
CONNECT_TIMEOUT_S = 2.0
#: For an answer of the master. When its machine is gone a process waits so long for one connection after the other, and
#: replies stop for all of them together.
ANSWER_TIMEOUT_S = 3.0
#: From one look at what a Sentinel says to the next. A master that was silent for a moment wakes up as a second one,
#: for 10 seconds and more: whoever asked it nothing meanwhile would go on with it.
LOOK_EVERY_S = 5.0
#: What stands in the refusal of a server that is no master (any more), also where a script has met with it; or of one
#: that its replicas have left, perhaps for another that the Sentinels name by now (`min-replicas-to-write`).
DEMOTED = ("READONLY", "MASTERDOWN", "UNBLOCKED", "NOREPLICAS")
Host = tuple[str, int]


class Sentinels(Sentinel):
    """Sentinels that many threads ask: the one that has answered last is asked first."""

    def discover_master(self, service_name: str) -> Host:
        """Returns where the master is. Raises MasterNotFoundError where none answers, or knows of one that lives."""
        errors: list[str] = []
        for asked in tuple(self.sentinels):
            try:
                masters: Any = asked.sentinel_masters()
            except (RedisConnectionError, RedisTimeout) as exc:
                errors.append(repr(exc))
                continue
            state = masters.get(service_name)
            if state and self.check_master_state(state, service_name):  # type: ignore[no-untyped-call]  # redis-py's
                # A new list: redis-py swaps places in the one that all threads share, and so may lose one.
                self.sentinels = sorted(self.sentinels, key=lambda other: other is not asked)
                return str(state["ip"]), int(state["port"])
        raise MasterNotFoundError(f"No master found for {service_name!r}: {', '.join(errors)}")


@dataclass(slots=True)
class KnownMaster:
    """Master of a group as a process knows it.

    Args:
        epoch: number of the failover that made it the master; -1 until a look tells it.
        look_at_s: when to look next, on the monotonic clock; asks: looks so far, each at the next Sentinel.
    """

    address: Host | None = None
    epoch: int = -1
    look_at_s: float = 0.0
    asks: int = 0


#: By the group and the addresses of its Sentinels.
_KNOWN: dict[tuple[str, frozenset[Host]], KnownMaster] = {}


class _OfMaster:
    """Connection to a master; where the server takes no writes, it is lost, and the next one asks Sentinel.

    So does one that was lost: redis-py by itself makes it anew to where the master was. What any connection of the
    process learns of another master holds for those that lie idle in whatever pool: each would wait for itself.
    """

    _is_named = False

    def connect(self) -> None:
        """Connects to the master, where it is not connected to the one that is the latest known."""
        mine: Any = self
        if mine._sock:
            self._look()
            if self._is_left:
                mine.disconnect()
        super().connect()  # type: ignore[misc]  # of the connection beside it

    def send_packed_command(self, *args: Any, **given: Any) -> None:
        """Sends; raises ConnectionError where another master is known: one that waits for a task is never given back
        to its pool, and asks the same server again and again.
        """
        mine: Any = self
        if mine._sock and self._is_left and not self._is_named:
            mine.disconnect()
            raise RedisConnectionError("the Sentinels name another master")
        super().send_packed_command(*args, **given)  # type: ignore[misc]  # of the connection beside it

    def connect_to(self, address: Host) -> None:
        """Connects to where a Sentinel says that the master is; where others may know better, as all of them say."""
        known, epoch = self._known, -1
        if known.address not in (None, address):
            sentinels = self._pool.sentinel_manager.sentinels
            told = (each for asked in sentinels for each in self._told_by(asked))
            epoch, address = max(told, default=(epoch, address))
        self._is_named = True
        try:
            super().connect_to(address)  # type: ignore[misc]  # of the connection beside it
        finally:
            self._is_named = False
        if self._is_left:
            known.address, known.epoch = address, epoch

    def connect_check_health(self, *args: Any, **given: Any) -> None:
        """Connects, where it is not: to the address that was just named, else asks for it."""
        if self._is_named:
            super().connect_check_health(*args, **given)  # type: ignore[misc]  # of the connection beside it
        else:
            self.connect()

    def _look(self) -> None:
        """Asks the next Sentinel, now and then, for a master of a later failover than the known one."""
        known, now_s = self._known, time.monotonic()
        if now_s < known.look_at_s:
            return
        known.look_at_s, known.asks = now_s + LOOK_EVERY_S, known.asks + 1
        sentinels = self._pool.sentinel_manager.sentinels
        for epoch, address in self._told_by(sentinels[known.asks % len(sentinels)]):
            # Sentinels that were installed anew count from 0.
            if epoch > known.epoch or address == known.address:
                known.address, known.epoch = address, epoch

    def _told_by(self, asked: redis.Redis) -> Iterator[tuple[int, Host]]:
        """Epoch and address of the master that a Sentinel names, unless it is dead or about to be replaced."""
        manager, name = self._pool.sentinel_manager, self._pool.service_name
        with suppress(RedisError):
            masters: Any = asked.sentinel_masters()
            state = masters.get(name)
            # While a failover goes on it names the old master under the new epoch.
            if state and "failover_in_progress" not in state["flags"] and manager.check_master_state(state, name):
                yield state["config-epoch"], (str(state["ip"]), int(state["port"]))

    @property
    def _pool(self) -> Any:
        return self.connection_pool  # type: ignore[attr-defined]  # of the connection beside it

    @property
    def _address(self) -> Host:
        mine: Any = self
        return mine.host, mine.port

    @property
    def _is_left(self) -> bool:
        """Tells that another server is the master, as far as the process knows."""
        return self._known.address != self._address

    @cached_property
    def _known(self) -> KnownMaster:
        places = (one.connection_pool.connection_kwargs for one in self._pool.sentinel_manager.sentinels)
        group = self._pool.service_name, frozenset((place["host"], place["port"]) for place in places)
        return _KNOWN.setdefault(group, KnownMaster())

    def read_response(self, *args: Any, **given: Any) -> Any:
        """Returns an answer; raises ConnectionError where the server takes no writes: the pool then connects anew."""
        try:
            return super().read_response(*args, **given)  # type: ignore[misc]  # of the connection beside it
        except ResponseError as exc:
            if sign := next((sign for sign in DEMOTED if sign in str(exc)), None):
                self.disconnect()  # type: ignore[attr-defined]  # of the connection beside it
                raise RedisConnectionError(f"the master takes no writes ({sign})") from exc
            raise


class MasterConnection(_OfMaster, SentinelManagedConnection):
    """Connection to the master that Sentinel names."""


class SecureMasterConnection(_OfMaster, SentinelManagedSSLConnection):
    """The same by TLS."""


def sentinel_redis(
    hosts: Sequence[Host],
    master_name: str,
    sentinel_password: SecretStr | None,
    options: Mapping[str, Any],
) -> redis.Redis:
    """Makes a client of the master of a group. Connects nothing yet.

    Args:
        options: of the connections to Redis; those that limit times and those of TLS hold for the Sentinels too.
    """
    secured = {name: value for name, value in options.items() if name.startswith("ssl")}
    limit_s = min(options["socket_timeout"], SENTINEL_TIMEOUT_S)
    watch = {**secured, "socket_timeout": limit_s, "socket_connect_timeout": limit_s, "retry": Retry(NoBackoff(), 0)}
    watch["password"] = sentinel_password.get_secret_value() if sentinel_password else None
    sentinels = Sentinels(hosts, sentinel_kwargs=watch)  # type: ignore[no-untyped-call]  # redis-py's
    kind = SecureMasterConnection if secured else MasterConnection
    given = {name: value for name, value in options.items() if name != "ssl"}
    given["socket_connect_timeout"] = min(options["socket_connect_timeout"], CONNECT_TIMEOUT_S)
    given["socket_timeout"] = min(options["socket_timeout"], ANSWER_TIMEOUT_S)
    pool = SentinelConnectionPool(master_name, sentinels, connection_class=kind, **given)  # type: ignore[no-untyped-call]
    return redis.Redis.from_pool(pool)
