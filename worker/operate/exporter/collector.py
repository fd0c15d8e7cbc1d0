"""Metrics of the service, made of a snapshot for each scrape; `docs/monitoring.md` explains every one.

The values of every label are few and known beforehand. Counters begin at zero, because Prometheus does not see the
first increase of one that appears with it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

from prometheus_client import Metric
from prometheus_client.registry import Collector

from db.monitoring import REPLY_BUCKETS_MS, Total
from worker import __version__
from worker.language.sharing import REASONS
from worker.messages.delivery import FAILURES as FAILED_DELIVERIES
from worker.messages.delivery import OTHER, STATES
from worker.operate.exporter.family import counter, dollars, gauge, histogram
from worker.operate.snapshot import CacheUse, DatabaseState, LiveCounters, RedisState, Snapshot
from worker.providers.models import Provider
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


class Exporter(Collector):
    """Collector that reads a snapshot whenever Prometheus asks.

    Args:
        budgets_usd: by period, where there are any.
    """

    def __init__(
        self, read: Callable[[], Snapshot], providers: Sequence[Provider], budgets_usd: Mapping[str, Decimal]
    ) -> None:
        self._read = read
        self._providers = providers
        self._budgets_usd = budgets_usd
        self._models = {(provider.name, model.id): model for provider in providers for model in provider.models}

    def collect(self) -> Iterator[Metric]:
        """Yields all families, without those of a server that is away."""
        snapshot = self._read()
        yield gauge("build_info", "Version of the exporter; always 1.", {__version__: 1}, "version")
        servers = {name: getattr(snapshot, name) for name in ("postgresql", "redis", "cache", "broker")}
        up = {name: float(part is not None) for name, part in servers.items()}
        yield gauge("up", "Whether the server answered this scrape.", up, "what")
        ages = {}
        if snapshot.redis is not None:
            ages["stream"] = snapshot.redis.streams.oldest_inbound_s or 0.0
        if snapshot.postgresql is not None:
            ages["database"] = snapshot.postgresql.unfinished.oldest_waiting_s
        yield gauge("oldest_waiting_seconds", "Age of the oldest message that nobody has answered.", ages, "place")
        if snapshot.postgresql is not None:
            yield from self._database(snapshot.postgresql)
        if snapshot.redis is not None:
            yield from self._redis(snapshot.redis)
        if snapshot.cache is not None:
            yield from cache_families(snapshot.cache)
        if snapshot.broker is not None:
            told = "Tasks that wait on the queue; on flow and ai each is a batch of turns."
            yield gauge("queue_tasks", told, snapshot.broker, "queue")

    def _database(self, part: DatabaseState) -> Iterator[Metric]:
        """Yields what PostgreSQL knows: what is unfinished now, and what was counted since ever."""
        now = part.unfinished
        yield gauge("messages_waiting", "Messages accepted into PostgreSQL and not answered yet.", now.waiting)
        yield gauge("dead_letters", "Messages given up and neither replayed nor discarded.", now.dead)
        told = "Replies and events of orders committed and not recorded as published."
        yield gauge("unpublished_replies", told, now.unpublished)
        yield gauge("oldest_unpublished_seconds", "Age of the oldest of them.", now.oldest_unpublished_s)
        leases = {"under_way": now.turns_under_way, "overdue": now.turns_overdue}
        yield gauge("turns", "Turns being answered, and those whose lease has ended.", leases, "lease")
        yield gauge("active_sessions", "Sessions that have not expired.", now.active_sessions)
        yield gauge("people_waiting", "Customers who wait for a person of the shop.", now.people_waiting)
        yield gauge("people_waiting_oldest_seconds", "How long the first of them has waited.", now.oldest_person_s)
        left = "Customers whose wait has ended within a day without anybody resuming it."
        yield gauge("people_unattended", left, now.people_unattended)
        told = "Orders that nobody of the shop has moved on from received."
        yield gauge("orders_unattended", told, now.orders_unattended)
        yield gauge("orders_unattended_oldest_seconds", "Age of the oldest of them.", now.oldest_unattended_s)
        told = "How long the oldest open transaction has held rows of ours; 0 for none."
        yield gauge("lock_seconds", told, part.locked_s)
        told = "Whether an intake holds the lock and reads the inbound stream."
        yield gauge("intake_active", told, now.intake_active)
        yield from self._totals(part.totals)

    def _totals(self, totals: Iterable[Total]) -> Iterator[Metric]:
        """Yields the sums that the database keeps (`count_metrics_v4.sql`)."""
        sums: dict[str, dict[tuple[str, ...], int]] = defaultdict(dict)
        for total in totals:
            sums[total.name][tuple(str(total.labels[name]) for name in sorted(total.labels))] = total.value
        ended = dict.fromkeys(ENDINGS, 0) | sums["messages_ended"]
        told = "Messages by how they ended and where the reply came from."
        yield counter("messages_ended", told, ended, "source", "state")
        yield reply_latency(sums["reply_latency"], sums["reply_latency_ms"])
        cost = dict.fromkeys(((provider.name,) for provider in self._providers), 0) | sums["cost_microusd"]
        yield counter("cost_dollars", "What calls have cost.", dollars(cost), "provider")
        of_models = dollars(sums["model_cost_microusd"])
        yield counter("model_cost_dollars", "Cost of a model's calls.", of_models, "model", "provider")
        told = "Tokens billed by model; cached: the part of prompt that the provider had in its prompt cache."
        yield counter("model_tokens", told, sums["model_tokens"], "kind", "model", "provider")
        yield from delivery_families(sums["deliveries"], sums["delivery_failures"])
        told = "Messages of ended turns by the business number that they came to; other: beyond the first 20."
        yield counter("channel_messages", told, sums["channel_messages"], "channel")
        yield from precache_families({name: by_label.get((), 0) for name, by_label in sums.items()})
        baseline = usd(sums["baseline_microusd"].get((), 0))
        yield counter("baseline_cost_dollars", f"Cost of the same messages with {BASELINE_MODEL}, uncached.", baseline)

    def _redis(self, part: RedisState) -> Iterator[Metric]:
        """Yields what the durable Redis knows."""
        circuits, counters = part.providers, part.counters
        states = {(each.provider, state): float(state == each.state) for each in circuits for state in CIRCUIT_STATES}
        yield gauge("circuit_state", "1 for the state that the provider's circuit is in.", states, "provider", "state")
        trips = {circuit.provider: circuit.trips for circuit in circuits}
        yield counter("circuit_trips", "How often the circuit has opened.", trips, "provider")
        yield from self._calls(counters.calls)
        yield from self._model_states(part)
        yield from self._budgets(counters)
        lengths = {name: getattr(part.streams, name) for name in ("inbound", "outbound", "rejected")}
        yield gauge("stream_entries", "Entries in the stream; in inbound: not accepted yet.", lengths, "stream")
        told = "Customers who wait because somebody else holds rows of theirs."
        yield gauge("locked_customers", told, counters.locked_customers)
        cleanup_at_s = counters.last_cleanup_at_s or 0
        yield gauge("last_cleanup_timestamp_seconds", "When beat last had sessions cleaned up.", cleanup_at_s)

    def _calls(self, calls: Mapping[str, int]) -> Iterator[Metric]:
        """Yields calls of this UTC day; at midnight the counters begin again, as those of a restarted process do."""
        outcomes = {
            (*name, kind): calls.get(f"{'/'.join(name)}:{kind}", 0) for name in self._models for kind in OUTCOMES
        }
        yield counter("provider_calls", "Calls by model and outcome.", outcomes, "provider", "model", "outcome")
        bounds = (*CALL_BUCKETS_MS, "inf")
        times = {
            each.name: ([calls.get(f"{each.name}:le:{bound}", 0) for bound in bounds], calls.get(f"{each.name}:ms", 0))
            for each in self._providers
        }
        told = "How long calls took that brought an answer."
        yield histogram("provider_latency_seconds", told, CALL_BUCKETS_MS, times, "provider")

    def _model_states(self, part: RedisState) -> Iterator[Metric]:
        """Yields circuits and probes of the models that were probed, called today, or have a circuit that has changed;
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
        states = {
            (*name, state): float(state == each.state) for name, each in circuits.items() for state in CIRCUIT_STATES
        }
        yield gauge("model_state", "1 for the state of the model's circuit.", states, "provider", "model", "state")
        probed_otherwise = {name for name, probe in probes.items() if probe.answered_by}
        rerouted = {name: float(bool(each.answered_by) or name in probed_otherwise) for name, each in circuits.items()}
        told = "Whether another model than the one that is asked has answered within the hour, or the latest probe."
        yield gauge("model_rerouted", told, rerouted, "provider", "model")
        results = {(*name, kind): float(probe.outcome == kind) for name, probe in probes.items() for kind in OUTCOMES}
        yield gauge("model_probe_outcome", "1 for how the latest probe ended.", results, "provider", "model", "outcome")
        times = {name: probe.at_s for name, probe in probes.items()}
        yield gauge("model_probe_timestamp_seconds", "When the model was last probed.", times, "provider", "model")
        ends = {
            name: datetime.combine(model.ends, time(), UTC).timestamp()
            for name, model in self._models.items()
            if model.ends
        }
        yield gauge("model_end_timestamp_seconds", "When the model will be withdrawn.", ends, "provider", "model")

    def _budgets(self, counters: LiveCounters) -> Iterator[Metric]:
        """Yields money by period (UTC): spent always, the others where there is a budget."""
        spent = dollars(counters.spent_microusd)
        limits = {period: float(limit) for period, limit in self._budgets_usd.items()}
        yield gauge("budget_spent_dollars", "Spent in this period.", spent, "period")
        yield gauge("budget_limit_dollars", "The budget of this period.", limits, "period")
        left = {period: limit - spent[period] for period, limit in limits.items()}
        yield gauge("budget_left_dollars", "What is left of it.", left, "period")


def delivery_families(states: Mapping[Any, float], failures: Mapping[Any, float]) -> Iterator[Metric]:
    """Yields replies by what WhatsApp reports of them; the codes of failures that are known here, and the others."""
    told = "Replies that WhatsApp has reported as sent, delivered, read, failed."
    yield counter("deliveries", told, dict.fromkeys(((state,) for state in STATES), 0.0) | dict(states), "state")
    codes = dict.fromkeys(((code,) for code in (*map(str, FAILED_DELIVERIES), OTHER)), 0.0)
    yield counter("delivery_failures", "Replies that failed, by Meta's code.", codes | dict(failures), "code")


def precache_families(sums: Mapping[str, float]) -> Iterator[Metric]:
    """Yields replies made ahead, those that somebody then asked for, and what all of them cost."""
    yield counter("precache_replies", "Replies made before anybody had asked.", sums.get("precache_replies", 0))
    told = "Replies made ahead that somebody then asked for, each once."
    yield counter("precache_hits", told, sums.get("precache_hits", 0))
    cost = usd(int(sums.get("precache_cost_microusd", 0)))
    yield counter("precache_cost_dollars", "What replies made ahead have cost; part of cost_dollars.", cost)


def reply_latency(counts: Mapping[tuple[str, ...], int], sums_ms: Mapping[tuple[str, ...], int]) -> Metric:
    """Returns replies by source and time; the counts are by bound in ms (None: beyond the last) and source."""
    times = {
        source: (
            [counts.get((str(bound), source), 0) for bound in (*REPLY_BUCKETS_MS, None)],
            sums_ms.get((source,), 0),
        )
        for source in sorted({*REPLY_SOURCES, *(source for _, source in counts)})
    }
    told = "From acceptance of a turn's oldest message to publication."
    return histogram("reply_latency_seconds", told, REPLY_BUCKETS_MS, times, "source")


def cache_families(part: CacheUse) -> Iterator[Metric]:
    """Yields hits and misses of this UTC day by layer."""
    hits = {(layer.name, "hit"): layer.hits for layer in part.layers}
    misses = {(layer.name, "miss"): layer.misses for layer in part.layers}
    yield counter("cache_requests", "Keys asked for by layer and result.", hits | misses, "layer", "result")
    told = "Customers who were told that they have had all replies of an hour."
    yield counter("replies_limited", told, part.limited_customers)
    told = "Messages whose answer nobody else may get, by the reason that `chasqui explain` tells."
    yield counter("unshared", told, {reason: part.unshared.get(reason, 0) for reason in REASONS}, "reason")
