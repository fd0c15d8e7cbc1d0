"""Metric families for Prometheus, made of a snapshot; `docs/monitoring.md` explains every one.

The values of every label are few and known beforehand. Counters begin at zero, because Prometheus does not see the
first increase of one that appears with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from itertools import accumulate
from typing import Any

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from db.monitoring import REPLY_BUCKETS_MS, Total
from worker import __version__
from worker.operate.snapshot import CacheUse, Database, Durable, LiveCounters, ModelStates, Snapshot, SnapshotReader
from worker.providers.models import Model, Provider
from worker.providers.pricing import BASELINE_MODEL
from worker.telemetry.recording import ANSWERED, CALL_BUCKETS_MS, FAILURES
from worker.units import usd

#: Sources of replies, and how messages end.
REPLY_SOURCES = ("ai", "cache", "fallback", "canned")
#: Why messages are closed without a reply: none is due, or a person was there, it was revoked, it came too late.
CLOSED = ("closed", "answered_by_person", "revoked", "too_late")
ENDINGS = (
    *((source, "answered") for source in REPLY_SOURCES),
    *((why, "closed") for why in CLOSED),
    ("canned", "dead"),
)
OUTCOMES = (ANSWERED, *FAILURES)
CIRCUIT_STATES = ("closed", "half_open", "open", "forced_open")
#: One value without labels, or values by that of their one label, or by the tuple of those of several.
Samples = float | Mapping[Any, float]


@dataclass(frozen=True, slots=True)
class Known:
    """Configuration that the metrics name without asking a server; budgets are by period, where there are any."""

    providers: tuple[Provider, ...]
    budgets_usd: Mapping[str, Decimal]

    @property
    def models(self) -> list[tuple[Provider, Model]]:
        """All models, each with its provider."""
        return [(provider, model) for provider in self.providers for model in provider.models]


class Exporter(Collector):
    """Collector that reads a snapshot whenever Prometheus asks."""

    def __init__(self, reader: SnapshotReader, known: Known) -> None:
        self._reader = reader
        self._known = known

    def collect(self) -> Iterator[Metric]:
        """Yields all families of which something is known now."""
        return families(self._reader.read(), self._known)


def families(snapshot: Snapshot, known: Known) -> Iterator[Metric]:
    """Yields the snapshot as metric families, without those of a server that is away."""
    yield gauge("build_info", "Version of the exporter; always 1.", {__version__: 1}, "version")
    servers = {name: getattr(snapshot, name) for name in ("postgresql", "redis", "cache", "broker")}
    up = {name: float(part is not None) for name, part in servers.items()}
    yield gauge("up", "Whether the server answered this scrape.", up, "what")
    ages = dict(_oldest_waiting_s(snapshot))
    yield gauge("oldest_waiting_seconds", "Age of the oldest message that nobody has answered.", ages, "place")
    if snapshot.postgresql is not None:
        yield from database_families(snapshot.postgresql, known)
    if snapshot.redis is not None:
        yield from durable_families(snapshot.redis, known)
    if snapshot.cache is not None:
        yield from cache_families(snapshot.cache)
    if snapshot.broker is not None:
        told = "Tasks that wait on the queue; on flow and ai each is a batch of turns."
        yield gauge("queue_tasks", told, snapshot.broker, "queue")


def _oldest_waiting_s(snapshot: Snapshot) -> Iterator[tuple[str, float]]:
    """Yields the age by place: still in the inbound stream, or accepted into PostgreSQL."""
    if snapshot.redis is not None:
        yield "stream", snapshot.redis.streams.oldest_inbound_s or 0.0
    if snapshot.postgresql is not None:
        yield "database", snapshot.postgresql.unfinished.oldest_waiting_s


def database_families(part: Database, known: Known) -> Iterator[Metric]:
    """Yields what PostgreSQL knows: what is unfinished now, and what was counted since ever."""
    now = part.unfinished
    yield gauge("messages_waiting", "Messages accepted into PostgreSQL and not answered yet.", now.waiting)
    yield gauge("dead_letters", "Messages given up and neither replayed nor discarded.", now.dead)
    yield gauge("unpublished_replies", "Replies committed and not recorded as published.", now.unpublished)
    yield gauge("oldest_unpublished_seconds", "Age of the oldest of them.", now.oldest_unpublished_s)
    leases = {"under_way": now.turns_under_way, "overdue": now.turns_overdue}
    yield gauge("turns", "Turns being answered, and those whose lease has ended.", leases, "lease")
    yield gauge("active_sessions", "Sessions that have not expired.", now.active_sessions)
    yield gauge("people_waiting", "Customers who wait for a person of the shop.", now.people_waiting)
    yield gauge("people_waiting_oldest_seconds", "How long the first of them has waited.", now.oldest_person_s)
    left = "Customers whose wait has ended within a day without anybody resuming it."
    yield gauge("people_unattended", left, now.people_unattended)
    yield gauge(
        "lock_seconds", "How long the oldest open transaction has held rows of ours; 0 for none.", part.locked_s
    )
    yield gauge("intake_active", "Whether an intake holds the lock and reads the inbound stream.", now.intake_active)
    yield from total_families(part.totals, known)


def total_families(totals: Iterable[Total], known: Known) -> Iterator[Metric]:
    """Yields the sums that the database keeps (`count_metrics_v4.sql`)."""
    sums: dict[str, dict[tuple[str, ...], int]] = defaultdict(dict)
    for total in totals:
        sums[total.name][tuple(str(total.labels[name]) for name in sorted(total.labels))] = total.value
    ended = dict.fromkeys(ENDINGS, 0) | sums["messages_ended"]
    yield counter(
        "messages_ended", "Messages by how they ended and where the reply came from.", ended, "source", "state"
    )
    yield reply_latency(sums["reply_latency"], sums["reply_latency_ms"])
    cost = dollars(dict.fromkeys(((provider.name,) for provider in known.providers), 0) | sums["cost_microusd"])
    yield counter("cost_dollars", "What calls have cost.", cost, "provider")
    of_models = dollars(sums["model_cost_microusd"])
    yield counter("model_cost_dollars", "Cost of a model's calls.", of_models, "model", "provider")
    yield counter(
        "model_tokens",
        "Tokens billed by model; cached: the part of prompt that the provider had in its prompt cache.",
        sums["model_tokens"],
        *("kind", "model", "provider"),
    )
    told = "Messages of ended turns by the business number that they came to; other: beyond the first 20."
    yield counter("channel_messages", told, sums["channel_messages"], "channel")
    baseline = usd(sums["baseline_microusd"].get((), 0))
    yield counter("baseline_cost_dollars", f"Cost of the same messages with {BASELINE_MODEL}, uncached.", baseline)


def reply_latency(counts: Mapping[tuple[str, ...], int], sums_ms: Mapping[tuple[str, ...], int]) -> Metric:
    """Returns replies by source and time; the counts are by bound in ms (None: beyond the last) and source."""
    family = HistogramMetricFamily(
        "chasqui_reply_latency_seconds",
        "From acceptance of a turn's oldest message to publication.",
        labels=["source"],
    )
    for source in sorted({*REPLY_SOURCES, *(source for _, source in counts)}):
        numbers = [counts.get((str(bound), source), 0) for bound in (*REPLY_BUCKETS_MS, None)]
        family.add_metric([source], buckets(REPLY_BUCKETS_MS, numbers), sums_ms.get((source,), 0) / 1000)
    return family


def durable_families(part: Durable, known: Known) -> Iterator[Metric]:
    """Yields what the durable Redis knows."""
    circuits = part.states.providers
    states = {(each.provider, state): float(state == each.state) for each in circuits for state in CIRCUIT_STATES}
    yield gauge("circuit_state", "1 for the state that the provider's circuit is in.", states, "provider", "state")
    trips = {circuit.provider: circuit.trips for circuit in circuits}
    yield counter("circuit_trips", "How often the circuit has opened.", trips, "provider")
    yield from call_families(part.counters.calls, known)
    yield from model_families(part.states, part.counters.calls, known)
    yield from budget_families(part.counters, known)
    streams = part.streams
    lengths = {name: getattr(streams, name) for name in ("inbound", "outbound", "rejected")}
    yield gauge("stream_entries", "Entries in the stream; in inbound: not accepted yet.", lengths, "stream")
    locked = part.counters.locked_customers
    yield gauge("locked_customers", "Customers who wait because somebody else holds rows of theirs.", locked)
    cleanup_at_s = part.counters.last_cleanup_at_s or 0
    yield gauge("last_cleanup_timestamp_seconds", "When beat last had sessions cleaned up.", cleanup_at_s)


def call_families(calls: Mapping[str, int], known: Known) -> Iterator[Metric]:
    """Yields calls of this UTC day; at midnight the counters begin again, as those of a restarted process do."""
    outcomes = {
        (provider.name, model.id, kind): calls.get(f"{provider.name}/{model.id}:{kind}", 0)
        for provider, model in known.models
        for kind in OUTCOMES
    }
    yield counter("provider_calls", "Calls by model and outcome.", outcomes, "provider", "model", "outcome")
    family = HistogramMetricFamily(
        "chasqui_provider_latency_seconds", "How long calls took that brought an answer.", labels=["provider"]
    )
    for name in (provider.name for provider in known.providers):
        numbers = [calls.get(f"{name}:le:{bound}", 0) for bound in (*CALL_BUCKETS_MS, "inf")]
        family.add_metric([name], buckets(CALL_BUCKETS_MS, numbers), calls.get(f"{name}:ms", 0) / 1000)
    yield family


def model_families(seen: ModelStates, calls: Mapping[str, int], known: Known) -> Iterator[Metric]:
    """Yields circuits and probes of the models that were probed, called today, or have a circuit that has changed; and
    the announced ends of all.
    """
    names = {(provider.name, model.id) for provider, model in known.models}
    probes = {name: probe for probe in seen.probes if (name := (probe.provider, probe.model)) in names}
    circuits = {
        name: circuit
        for circuit in seen.models
        if (name := (circuit.provider, circuit.model)) in probes
        or circuit.since is not None
        or any(calls.get(f"{circuit.name}:{kind}") for kind in OUTCOMES)
    }
    states = {(*name, state): float(state == each.state) for name, each in circuits.items() for state in CIRCUIT_STATES}
    yield gauge("model_state", "1 for the state of the model's circuit.", states, "provider", "model", "state")
    rerouted = {
        name: float(bool(circuit.answered_by or (name in probes and probes[name].answered_by)))
        for name, circuit in circuits.items()
    }
    told = "Whether another model than the one that is asked has answered within the hour, or the latest probe."
    yield gauge("model_rerouted", told, rerouted, "provider", "model")
    results = {(*name, kind): float(probe.outcome == kind) for name, probe in probes.items() for kind in OUTCOMES}
    yield gauge("model_probe_outcome", "1 for how the latest probe ended.", results, "provider", "model", "outcome")
    times = {name: probe.at_s for name, probe in probes.items()}
    yield gauge("model_probe_timestamp_seconds", "When the model was last probed.", times, "provider", "model")
    ends = {
        (provider.name, model.id): datetime.combine(model.ends, time(), UTC).timestamp()
        for provider, model in known.models
        if model.ends
    }
    yield gauge("model_end_timestamp_seconds", "When the model will be withdrawn.", ends, "provider", "model")


def budget_families(counters: LiveCounters, known: Known) -> Iterator[Metric]:
    """Yields money by period (UTC): spent always, the others where there is a budget."""
    spent = {period: usd(amount) for period, amount in counters.spent_microusd.items()}
    limits = {period: float(limit) for period, limit in known.budgets_usd.items()}
    yield gauge("budget_spent_dollars", "Spent in this period.", spent, "period")
    yield gauge("budget_limit_dollars", "The budget of this period.", limits, "period")
    left = {period: limit - spent[period] for period, limit in limits.items()}
    yield gauge("budget_left_dollars", "What is left of it.", left, "period")


def cache_families(part: CacheUse) -> Iterator[Metric]:
    """Yields hits and misses of this UTC day by layer."""
    hits = {(layer.name, "hit"): layer.hits for layer in part.layers}
    misses = {(layer.name, "miss"): layer.misses for layer in part.layers}
    yield counter("cache_requests", "Keys asked for by layer and result.", hits | misses, "layer", "result")
    told = "Customers who were told that they have had all replies of an hour."
    yield counter("replies_limited", told, part.limited_customers)


def gauge(name: str, told: str, samples: Samples, *labels: str) -> Metric:
    """Returns a family of gauges."""
    return _filled(GaugeMetricFamily(f"chasqui_{name}", told, labels=labels), samples)


def counter(name: str, told: str, samples: Samples, *labels: str) -> Metric:
    """Returns a family of counters; the library adds `_total` to the name."""
    return _filled(CounterMetricFamily(f"chasqui_{name}", told, labels=labels), samples)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, samples: Samples) -> Metric:
    for labels, value in samples.items() if isinstance(samples, Mapping) else [((), samples)]:
        family.add_metric([labels] if isinstance(labels, str) else labels, value)
    return family


def buckets(bounds_ms: Sequence[int], numbers: Sequence[int]) -> list[tuple[str, float]]:
    """Returns cumulative buckets, with bounds in seconds; the last number lies beyond the last bound."""
    bounds = [*(str(bound / 1000) for bound in bounds_ms), "+Inf"]
    return list(zip(bounds, accumulate(numbers), strict=True))


def dollars(sums: Mapping[Any, int]) -> Samples:
    """Returns sums of micro-dollars as dollars."""
    return {labels: usd(amount) for labels, amount in sums.items()}
