"""Circuits for operators: read from Redis as `circuit.lua` keeps them, without changing anything."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import redis

from worker.providers.circuit_rules import LIMITS
from worker.providers.models import Provider
from worker.redisdb.keys import CIRCUIT, CIRCUIT_SAMPLES, MODEL_CIRCUIT

#: That another model answers is no news any more after this time.
FRESH_S = 3_600


@dataclass(frozen=True, slots=True)
class Circuit:
    """A provider's circuit now, or that of one of its models.

    Args:
        state: closed, open, half_open (a call may probe, also where the cooldown is over) or forced_open (until it is
            closed by hand).
        calls, failures: in the window of the breaker.
        trips: how often it has opened.
        open_s: seconds until a call may probe, None where that is not a matter of time.
    """

    provider: str
    state: str
    model: str = ""
    calls: int = 0
    failures: int = 0
    trips: int = 0
    reason: str = ""
    since: datetime | None = None
    opens_until: datetime | None = None
    open_s: float | None = None
    told: str = ""
    answered_by: str = ""

    @property
    def name(self) -> str:
        """PROVIDER or PROVIDER/MODEL, as commands take it."""
        return f"{self.provider}/{self.model}" if self.model else self.provider

    def to_dict(self) -> dict[str, Any]:
        """Fields for JSON, times as ISO texts in UTC."""
        return {
            name: value.isoformat(timespec="seconds").replace("+00:00", "Z") if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
        }


#: A provider's name and the ids of its models.
Named = Sequence[tuple[str, Sequence[str]]]


def named(providers: Iterable[Provider]) -> Named:
    """Names of providers with those of their models, in their order."""
    return [(provider.name, [model.id for model in provider.models]) for provider in providers]


def read_circuits(client: redis.Redis, providers: Named) -> list[Circuit]:
    """Reads the circuits of these providers, each followed by those of its models, in one round trip, on Redis's clock.
    Raises RedisError.
    """
    wanted = [(name, model) for name, models in providers for model in ("", *models)]
    with client.pipeline(transaction=False) as pipeline:
        pipeline.time()
        for provider, model in wanted:
            key = MODEL_CIRCUIT.key(f"{provider}:{model}") if model else CIRCUIT.key(provider)
            pipeline.hgetall(key)
            pipeline.hgetall(CIRCUIT_SAMPLES.key(provider))
        (seconds, micros), *found = pipeline.execute()
    now_ms = seconds * 1000 + micros // 1000
    return [
        _circuit(provider, model, fields, {} if model else samples, now_ms)
        for (provider, model), fields, samples in zip(wanted, found[::2], found[1::2], strict=True)
    ]


def _circuit(
    provider: str, model: str, fields: Mapping[bytes, bytes], samples: Mapping[bytes, bytes], now_ms: int
) -> Circuit:
    """A circuit that has never heard of a call has no fields."""
    rerouted = int(fields.get(b"answered_at", 0)) * 1000 + FRESH_S * 1000 > now_ms
    state = fields.get(b"state", b"closed").decode()
    until_ms, since_ms = int(fields.get(b"until_ms", 0)), int(fields.get(b"since_ms", 0))
    waits = state == "open" and until_ms > now_ms
    return Circuit(
        provider=provider,
        model=model,
        told=fields.get(b"told", b"").decode(),
        answered_by=fields.get(b"answered_by", b"").decode() if rerouted else "",
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
    oldest = now_ms * LIMITS.buckets // LIMITS.window_ms - LIMITS.buckets
    buckets = ((name.decode().partition(":"), int(count)) for name, count in samples.items())
    return sum(count for (bucket, _, what), count in buckets if what == kind and int(bucket) > oldest)


def _moment(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, UTC)
