"""Circuits as an operator sees them: read from Redis as `circuit.lua` keeps them, without changing anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import redis

from worker.cache import CIRCUIT, CIRCUIT_SAMPLES
from worker.providers.circuit import Limits


@dataclass(frozen=True, slots=True)
class Circuit:
    """A provider's circuit now. state: closed, open, half_open (one call may try, also where the open time is over) or
    forced_open (until it is closed by hand). calls, failures: in the window of the breaker. trips: how often it has
    opened. open_s: seconds until a call may try again, None where that is not a matter of time.
    """

    provider: str
    state: str
    calls: int = 0
    failures: int = 0
    trips: int = 0
    reason: str = ""
    since: datetime | None = None
    opens_until: datetime | None = None
    open_s: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON: times as ISO texts in UTC."""
        return {
            name: value.isoformat(timespec="seconds").replace("+00:00", "Z") if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
        }


def read_circuits(client: redis.Redis, providers: Sequence[str]) -> list[Circuit]:
    """The circuits of these providers in one round trip, on Redis's own clock. Raises RedisError."""
    with client.pipeline(transaction=False) as pipeline:
        pipeline.time()
        for provider in providers:
            pipeline.hgetall(CIRCUIT.key(provider))
            pipeline.hgetall(CIRCUIT_SAMPLES.key(provider))
        (seconds, micros), *found = pipeline.execute()
    now_ms = seconds * 1000 + micros // 1000
    return [
        _circuit(name, fields, samples, now_ms)
        for name, fields, samples in zip(providers, found[::2], found[1::2], strict=True)
    ]


def _circuit(provider: str, fields: Mapping[bytes, bytes], samples: Mapping[bytes, bytes], now_ms: int) -> Circuit:
    """A circuit that has never heard of a call has no fields."""
    state = fields.get(b"state", b"closed").decode()
    until_ms, since_ms = int(fields.get(b"until_ms", 0)), int(fields.get(b"since_ms", 0))
    waits = state == "open" and until_ms > now_ms
    return Circuit(
        provider=provider,
        state="half_open" if state == "open" and not waits else state,
        calls=_in_window(samples, "calls", now_ms),
        failures=_in_window(samples, "failures", now_ms),
        trips=int(fields.get(b"trips", 0)),
        reason=fields.get(b"reason", b"").decode(),
        since=_moment(since_ms) if since_ms else None,
        opens_until=_moment(until_ms) if waits else None,
        open_s=(until_ms - now_ms) / 1000 if waits else None,
    )


def _in_window(samples: Mapping[bytes, bytes], kind: str, now_ms: int) -> int:
    """The sum of one kind over the buckets that are not older than the window."""
    limits = Limits()
    oldest = now_ms * limits.buckets // limits.window_ms - limits.buckets
    buckets = ((name.decode().partition(":"), int(count)) for name, count in samples.items())
    return sum(count for (bucket, _, what), count in buckets if what == kind and int(bucket) > oldest)


def _moment(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, UTC)
