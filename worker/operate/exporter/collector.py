"""Metrics of the service, made of a snapshot for each scrape; `families.toml` tells what each is.

The values of every label are few and known beforehand. Counters begin at zero, because Prometheus does not see the
first increase of one that appears with it.
"""

import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, time
from decimal import Decimal
from itertools import accumulate
from pathlib import Path
from typing import Any

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from db.monitoring import REPLY_BUCKETS_MS
from db.report import CLOSED_BECAUSE
from worker import __version__
from worker.language.sharing import REASONS
from worker.messages.delivery import FAILURES as FAILED_DELIVERIES
from worker.messages.delivery import OTHER, STATES
from worker.operate.snapshot import CacheUse, DatabaseState, LiveCounters, RedisState, Snapshot
from worker.providers.models import Provider
from worker.telemetry.recording import ANSWERED, CALL_BUCKETS_MS, FAILURES
from worker.units import usd

KINDS: dict[str, Any] = {
    "gauge": GaugeMetricFamily,
    "counter": CounterMetricFamily,
    "histogram": HistogramMetricFamily,
}
_FILE = tomllib.loads(Path(__file__).with_name("families.toml").read_text(encoding="utf-8"))
#: Kind, text and labels of each family.
FAMILIES = {name: (KINDS[kind], told, labels) for kind, own in _FILE.items() for name, (told, *labels) in own.items()}
#: Upper bounds of the buckets of histograms, in milliseconds.
BUCKETS_MS = {"reply_latency_seconds": REPLY_BUCKETS_MS, "provider_latency_seconds": CALL_BUCKETS_MS}
#: Sources of replies, and how messages end.
REPLY_SOURCES = ("ai", "cache", "fallback", "canned")
ENDINGS = (
    *((source, "answered") for source in REPLY_SOURCES),
    *((why, "closed") for why in ("closed", *CLOSED_BECAUSE)),
    ("canned", "dead"),
)
OUTCOMES = (ANSWERED, *FAILURES)
CIRCUIT_STATES = ("closed", "half_open", "open", "forced_open")
#: By name of the family: one value without labels, or values by that of their one label, or by the tuple of those of
#: several. A value of a histogram: how many lie in each bucket and beyond the last, and their sum in milliseconds.
Samples = dict[str, Any]


def family(name: str, samples: Any) -> Metric:
    """Returns a family filled with its samples."""
    kind, told, labels = FAMILIES[name]
    made = kind(f"chasqui_{name}", told, labels=labels)
    for given, value in samples.items() if isinstance(samples, Mapping) else [((), samples)]:
        values = [given] if isinstance(given, str) else given
        if name in BUCKETS_MS:
            bounds = [*(str(bound / 1000) for bound in BUCKETS_MS[name]), "+Inf"]
            made.add_metric(values, list(zip(bounds, accumulate(value[0]), strict=True)), value[1] / 1000)
        else:
            made.add_metric(values, value)
    filled: Metric = made
    return filled


class Exporter(Collector):
    """Collector that reads a snapshot whenever Prometheus asks. budgets_usd: by period, where there are any."""

    def __init__(
        self, read: Callable[[], Snapshot], providers: Sequence[Provider], budgets_usd: Mapping[str, Decimal]
    ) -> None:
        self._read = read
        self._providers = providers
        self._budgets_usd = budgets_usd
        self._models = {(provider.name, model.id): model for provider in providers for model in provider.models}

    def collect(self) -> Iterator[Metric]:
        """Yields all families, without those of a server that is away."""
        for name, samples in self._samples(self._read()).items():
            yield family(name, samples)

    def _samples(self, snapshot: Snapshot) -> Samples:
        servers = {name: getattr(snapshot, name) for name in ("postgresql", "redis", "cache", "broker")}
        ages: dict[str, float] = {}
        samples: Samples = {
            "build_info": {__version__: 1},
            "up": {name: float(part is not None) for name, part in servers.items()},
            "oldest_waiting_seconds": ages,
        }
        if snapshot.postgresql is not None:
            ages["database"] = snapshot.postgresql.unfinished.oldest_waiting_s
            samples |= _unfinished(snapshot.postgresql) | self._totals(snapshot.postgresql)
        if snapshot.redis is not None:
            ages["stream"] = snapshot.redis.streams.oldest_inbound_s or 0.0
            samples |= self._redis(snapshot.redis)
        if snapshot.cache is not None:
            samples |= _cache(snapshot.cache)
        if snapshot.broker is not None:
            samples["queue_tasks"] = snapshot.broker
        return samples

    def _totals(self, part: DatabaseState) -> Samples:
        """Returns the sums that the database keeps (`count_metrics_v4.sql`)."""
        sums: dict[str, dict[tuple[str, ...], int]] = defaultdict(dict)
        for total in part.totals:
            sums[total.name][tuple(str(total.labels[name]) for name in sorted(total.labels))] = total.value
        # The codes of failures that are known here, and the others.
        codes = (*map(str, FAILED_DELIVERIES), OTHER)
        return {
            "messages_ended": dict.fromkeys(ENDINGS, 0) | sums["messages_ended"],
            "reply_latency_seconds": _reply_latency(sums["reply_latency"], sums["reply_latency_ms"]),
            "cost_dollars": dollars({(each.name,): 0 for each in self._providers} | sums["cost_microusd"]),
            "model_cost_dollars": dollars(sums["model_cost_microusd"]),
            "model_tokens": sums["model_tokens"],
            "deliveries": {(state,): 0 for state in STATES} | sums["deliveries"],
            "delivery_failures": {(code,): 0 for code in codes} | sums["delivery_failures"],
            "channel_messages": sums["channel_messages"],
            "precache_replies": sums["precache_replies"].get((), 0),
            "precache_hits": sums["precache_hits"].get((), 0),
            "precache_cost_dollars": usd(sums["precache_cost_microusd"].get((), 0)),
            "baseline_cost_dollars": usd(sums["baseline_microusd"].get((), 0)),
        }

    def _redis(self, part: RedisState) -> Samples:
        circuits = part.providers
        return {
            "circuit_state": {(c.provider, state): state == c.state for c in circuits for state in CIRCUIT_STATES},
            "circuit_trips": {circuit.provider: circuit.trips for circuit in circuits},
            **self._calls(part.counters.calls),
            **self._model_states(part),
            **self._budgets(part.counters),
            "stream_entries": {name: getattr(part.streams, name) for name in ("inbound", "outbound", "rejected")},
            "locked_customers": part.counters.locked_customers,
            "last_cleanup_timestamp_seconds": part.counters.last_cleanup_at_s or 0,
        }

    def _calls(self, calls: Mapping[str, int]) -> Samples:
        """Returns calls of this UTC day; at midnight the counters begin again, as those of a restarted process do."""
        bounds = (*CALL_BUCKETS_MS, "inf")
        return {
            "provider_calls": {
                (*name, kind): calls.get(f"{'/'.join(name)}:{kind}", 0) for name in self._models for kind in OUTCOMES
            },
            "provider_latency_seconds": {
                each.name: (
                    [calls.get(f"{each.name}:le:{bound}", 0) for bound in bounds],
                    calls.get(f"{each.name}:ms", 0),
                )
                for each in self._providers
            },
        }

    def _model_states(self, part: RedisState) -> Samples:
        """Returns circuits and probes of the models that were probed, called today, or have a circuit that has changed;
        and the announced ends of all.
        """
        probes = {name: probe for probe in part.probes if (name := (probe.provider, probe.model)) in self._models}
        circuits = {
            name: circuit
            for circuit in part.models
            if (name := (circuit.provider, circuit.model)) in probes
            or circuit.since is not None
            or any(part.counters.calls.get(f"{circuit.name}:{kind}") for kind in OUTCOMES)
        }
        probed_otherwise = {name for name, probe in probes.items() if probe.answered_by}
        return {
            "model_state": {
                (*name, state): state == each.state for name, each in circuits.items() for state in CIRCUIT_STATES
            },
            "model_rerouted": {
                name: bool(each.answered_by) or name in probed_otherwise for name, each in circuits.items()
            },
            "model_probe_outcome": {
                (*name, kind): probe.outcome == kind for name, probe in probes.items() for kind in OUTCOMES
            },
            "model_probe_timestamp_seconds": {name: probe.at_s for name, probe in probes.items()},
            "model_end_timestamp_seconds": {
                name: datetime.combine(model.ends, time(), UTC).timestamp()
                for name, model in self._models.items()
                if model.ends
            },
        }

    def _budgets(self, counters: LiveCounters) -> Samples:
        """Returns money by period (UTC): spent always, the others where there is a budget."""
        spent = dollars(counters.spent_microusd)
        limits = {period: float(limit) for period, limit in self._budgets_usd.items()}
        left = {period: limit - spent[period] for period, limit in limits.items()}
        return {"budget_spent_dollars": spent, "budget_limit_dollars": limits, "budget_left_dollars": left}


def dollars(sums: Mapping[Any, int]) -> dict[Any, float]:
    """Returns sums of micro-dollars as dollars."""
    return {labels: usd(amount) for labels, amount in sums.items()}


def _unfinished(part: DatabaseState) -> Samples:
    now = part.unfinished
    return {
        "messages_waiting": now.waiting,
        "dead_letters": now.dead,
        "unpublished_replies": now.unpublished,
        "oldest_unpublished_seconds": now.oldest_unpublished_s,
        "turns": {"under_way": now.turns_under_way, "overdue": now.turns_overdue},
        "active_sessions": now.active_sessions,
        "people_waiting": now.people_waiting,
        "people_waiting_oldest_seconds": now.oldest_person_s,
        "people_unattended": now.people_unattended,
        "orders_unattended": now.orders_unattended,
        "orders_unattended_oldest_seconds": now.oldest_unattended_s,
        "lock_seconds": part.locked_s,
        "intake_active": now.intake_active,
    }


def _reply_latency(counts: Mapping[tuple[str, ...], int], sums_ms: Mapping[tuple[str, ...], int]) -> Samples:
    """Returns replies by source and time; the counts are by bound in ms (None: beyond the last) and source."""
    bounds = [str(bound) for bound in (*REPLY_BUCKETS_MS, None)]
    sources = sorted({*REPLY_SOURCES, *(source for _, source in counts)})
    return {
        source: ([counts.get((bound, source), 0) for bound in bounds], sums_ms.get((source,), 0)) for source in sources
    }


def _cache(part: CacheUse) -> Samples:
    """Returns hits and misses of this UTC day by layer, and what else the cache Redis counts."""
    hits = {(layer.name, "hit"): layer.hits for layer in part.layers}
    misses = {(layer.name, "miss"): layer.misses for layer in part.layers}
    return {
        "cache_requests": hits | misses,
        "replies_limited": part.limited_customers,
        "unshared": {reason: part.unshared.get(reason, 0) for reason in REASONS},
    }
