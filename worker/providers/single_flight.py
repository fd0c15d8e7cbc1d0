"""Single flight per reply cache key, across all processes."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import redis
from msgspec import Struct
from redis.exceptions import RedisError

from worker.log import logger
from worker.redisdb.cache import key_batches
from worker.redisdb.cluster import is_cluster
from worker.redisdb.keys import FLIGHT, PARKED

SCRIPT = Path(__file__).with_name("single_flight.lua").read_text(encoding="utf-8")
FORGET_RESULTS = Path(__file__).with_name("forget_results.lua").read_text(encoding="utf-8")
log = logger(__name__)


class JoinRequest(Struct, frozen=True):
    """A turn that wants an answer for `key`; `payload` is its JSON form, `left_s` the rest of its lease. Without a
    payload nobody waits: it leads or is nothing.
    """

    key: str
    token: str
    payload: bytes
    left_s: float


class EndRequest(Struct, frozen=True):
    """The end of a lead for `key` by `token`, with its result as JSON; None: nothing to keep."""

    key: str
    token: str
    result: bytes | None = None


class JoinResult(Struct, frozen=True):
    """Result of joining: `lead` (ask the provider), `parked` (the leader will go on with it), `result`, or `busy`
    (somebody leads, and nobody waits).
    """

    role: str
    result: bytes | None = None


class SingleFlight:
    """Single flight over the durable Redis. Where Redis does not answer everyone leads: dearer, never silent."""

    def __init__(self, client: redis.Redis, keep_s: float) -> None:
        self._client = client
        self._keep_ms = int(keep_s * 1000)
        self._script = client.register_script(SCRIPT)

    def join(self, turns: Sequence[JoinRequest]) -> list[JoinResult]:
        """Joins each turn's single flight, in one round trip; in order, so that of two with one key the first leads.

        The lead lasts as long as the leader's lease, or until it is held for longer: a turn that the sweep starts again
        finds it free.
        """
        pipeline = self._client.pipeline(transaction=False)
        for turn in turns:
            lead_ms = max(int(turn.left_s * 1000), 1)
            arguments: list[str | bytes | int] = ["join", turn.token, turn.payload, lead_ms, self._keep_ms]
            self._script(keys=_keys(turn.key), args=arguments, client=pipeline)
        try:
            return [JoinResult(role.decode(), *result) for role, *result in pipeline.execute()]
        except RedisError as exc:
            log.warning("flight_unavailable", error=type(exc).__name__, turns=len(turns))
            return [JoinResult("lead")] * len(turns)

    def hold(self, leads: Iterable[tuple[str, str]], left_s: float) -> None:
        """Lets leads, each of a key by a token, end `left_s` seconds from now, in one round trip; not those that are
        another token's by now. Where Redis does not answer they end when they would have.
        """
        pipeline = self._client.pipeline(transaction=False)
        for key, token in leads:
            self._script(keys=_keys(key), args=["hold", token, max(int(left_s * 1000), 1)], client=pipeline)
        try:
            pipeline.execute()
        except RedisError as exc:
            log.warning("flight_unavailable", error=type(exc).__name__, turns=len(pipeline))

    def end(self, endings: Sequence[EndRequest]) -> list[list[bytes]]:
        """Ends these leads in one round trip. A result stays for all who come, whoever leads by now; without one the
        lead ends only if it is still this token's.

        Returns:
            For each, the turns that were parked. None where Redis does not answer: their leases end, and the sweep
            starts them again.
        """
        if not endings:
            return []
        # Keys of one flight lie in one slot of a cluster, those of several do not.
        calls = [[ending] for ending in endings] if is_cluster(self._client) else [endings]
        return [parked for call in calls for parked in self._end(call)]

    def _end(self, endings: Sequence[EndRequest]) -> list[list[bytes]]:
        keys = [name for ending in endings for name in _keys(ending.key)]
        results = [b"" if ending.result is None else b"R" + ending.result for ending in endings]
        pairs = [part for ending, result in zip(endings, results, strict=True) for part in (ending.token, result)]
        try:
            parked: list[list[bytes]] = self._script(keys=keys, args=["end", self._keep_ms, *pairs])
        except RedisError as exc:
            log.warning("flight_unavailable", error=type(exc).__name__, turns=len(endings))
            return [[] for _ in endings]
        return parked


def _keys(key: str) -> list[str]:
    return [FLIGHT.key(key), PARKED.key(key)]


def forget_results(durable: redis.Redis) -> int:
    """Deletes the results that single flights keep for late comers, and no lead that is under way; returns how many.
    Raises RedisError.
    """
    script, forgotten = durable.register_script(FORGET_RESULTS), 0
    for keys in key_batches(durable, FLIGHT):
        with durable.pipeline(transaction=False) as pipeline:
            for key in keys:
                script(keys=[key], client=pipeline)
            forgotten += sum(map(int, pipeline.execute()))
    return forgotten
