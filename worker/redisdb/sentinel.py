"""Redis under Sentinels: a client that asks them for the master whenever it connects, and leaves a master that was
demoted or has lost its replicas.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import redis
from pydantic import SecretStr
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
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


#: Where the master of a group was when one was connected to last, by the group and the addresses of its Sentinels.
_LATEST: dict[tuple[str, frozenset[Host]], Host] = {}


class _OfMaster:
    """Connection to a master; where the server takes no writes, it is lost, and the next one asks Sentinel.

    So does one that was lost: redis-py by itself makes it anew to where the master was. What any connection of the
    process learns of another master holds for those that lie idle in whatever pool: each would wait for itself.
    """

    _is_named = False

    def connect(self) -> None:
        """Connects to the master, where it is not connected to the one that is the latest known."""
        mine: Any = self
        if mine._sock and _LATEST.get(self._group, self._address) != self._address:
            mine.disconnect()
        super().connect()  # type: ignore[misc]  # of the connection beside it

    def connect_to(self, address: Host) -> None:
        """Connects to where Sentinel says that the master is."""
        self._is_named = True
        try:
            super().connect_to(address)  # type: ignore[misc]  # of the connection beside it
        finally:
            self._is_named = False
        _LATEST[self._group] = self._address

    def connect_check_health(self, *args: Any, **given: Any) -> None:
        """Connects, where it is not: to the address that was just named, else asks for it."""
        if self._is_named:
            super().connect_check_health(*args, **given)  # type: ignore[misc]  # of the connection beside it
        else:
            self.connect()

    @property
    def _address(self) -> Host:
        mine: Any = self
        return mine.host, mine.port

    @cached_property
    def _group(self) -> tuple[str, frozenset[Host]]:
        mine: Any = self
        places = (one.connection_pool.connection_kwargs for one in mine.connection_pool.sentinel_manager.sentinels)
        return mine.connection_pool.service_name, frozenset((place["host"], place["port"]) for place in places)

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
