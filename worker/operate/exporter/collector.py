"""What Prometheus scrapes: one look at the servers as metric families. `docs/monitoring.md` explains every one; the
values of every label are few and known beforehand.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from db.monitoring import REPLY_BUCKETS_MS, Total
from worker import __version__
from worker.operate.exporter.sources import Database, Durable, Sources, View
from worker.providers.circuit_states import Circuit
from worker.providers.models import Provider
from worker.providers.pricing import YARDSTICK_NAME
from worker.providers.probe import Probe
from worker.redisdb.keys import LAYERS, LIMITED
from worker.telemetry.recording import ANSWERED, CALL_BUCKETS_MS, FAILURES

MICRO = 1_000_000
#: Where replies come from, and how messages end; counted from zero, because Prometheus does not see the first increase
#: of a counter that appears with it.
REPLY_SOURCES = ("ai", "cache", "fallback", "canned")
ENDINGS = (*(("answered", source) for source in REPLY_SOURCES), ("closed", "closed"), ("dead", "canned"))
OUTCOMES = (ANSWERED, *FAILURES)
CIRCUIT_STATES = ("closed", "half_open", "open", "forced_open")
#: Values of the labels of one sample, and its own.
Samples = Iterable[tuple[Sequence[str], float]]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known without asking a server: the providers, and the budgets in dollars by period, if any."""

    providers: tuple[Provider, ...]
    budgets_usd: Mapping[str, Decimal]


class Exporter(Collector):
    """Looks at the servers whenever Prometheus asks."""

    def __init__(self, sources: Sources, known: Known) -> None:
        self._sources = sources
        self._known = known

    def collect(self) -> Iterator[Metric]:
        """All families of which something is known now."""
        return families(self._sources.view(), self._known)


def families(view: View, known: Known) -> Iterator[Metric]:
    """The view as metric families; what a server that is away would have told is left out."""
    yield gauge("build_info", "Version of the exporter; always 1.", [((__version__,), 1)], "version")
    servers = {"postgresql": view.postgresql, "redis": view.redis, "cache": view.cache, "broker": view.broker}
    up = [((name,), float(seen is not None)) for name, seen in servers.items()]
    yield gauge("up", "Whether the server answered this scrape.", up, "what")
    yield gauge("oldest_waiting_seconds", "Age of the oldest message that nobody has answered.", waiting(view), "place")
    if view.postgresql is not None:
        yield from of_database(view.postgresql, known)
    if view.redis is not None:
        yield from of_circuits(view.redis)
        yield from of_calls(view.redis.calls, known)
        yield from of_models(view.redis, known)
        yield from of_budgets(view.redis, known)
        yield from of_streams(view.redis)
    if view.cache is not None:
        yield cache_requests(view.cache)
        told = "Customers who were told that they have had all replies of an hour."
        yield counter("replies_limited", told, [((), view.cache.get(LIMITED, 0))])
    if view.broker is not None:
        tasks = [((queue,), length) for queue, length in view.broker.items()]
        yield gauge(
            "queue_tasks", "Tasks that wait on the queue; on flow and ai each is a batch of turns.", tasks, "queue"
        )


def waiting(view: View) -> Samples:
    """Ages by where the oldest message waits: still in the inbound stream, or accepted into PostgreSQL."""
    if view.redis is not None:
        yield ("stream",), view.redis.oldest_inbound_s
    if view.postgresql is not None:
        yield ("database",), view.postgresql.unfinished.oldest_waiting_s


def of_database(seen: Database, known: Known) -> Iterator[Metric]:
    """What PostgreSQL knows: what is unfinished now, and what was counted since ever."""
    now = seen.unfinished
    yield one("messages_waiting", "Messages accepted into PostgreSQL and not answered yet.", now.waiting)
    yield one("dead_letters", "Messages given up and neither replayed nor discarded.", now.dead)
    yield one("unpublished_replies", "Replies committed and not recorded as published.", now.unpublished)
    yield one("oldest_unpublished_seconds", "Age of the oldest of them.", now.oldest_unpublished_s)
    leases = [(("under_way",), now.turns_under_way), (("overdue",), now.turns_overdue)]
    yield gauge("turns", "Turns being answered, and those whose lease has ended.", leases, "lease")
    yield one("active_sessions", "Sessions that have not expired.", now.active_sessions)
    yield one("lock_seconds", "How long the oldest open transaction has held rows of ours; 0 for none.", seen.locked_s)
    yield one("intake_active", "Whether an intake holds the lock and reads the inbound stream.", now.intake_active)
    yield from of_totals(seen.totals, known)


def of_totals(totals: Iterable[Total], known: Known) -> Iterator[Metric]:
    """The sums that the database keeps (`count_metrics_v3.sql`)."""
    sums: dict[str, dict[tuple[str, ...], int]] = defaultdict(dict)
    for total in totals:
        sums[total.name][tuple(str(total.labels[name]) for name in sorted(total.labels))] = total.value
    ended = dict.fromkeys(((source, state) for state, source in ENDINGS), 0) | sums["messages_ended"]
    told = "Messages by how they ended and where the reply came from."
    yield counter("messages_ended", told, ended.items(), "source", "state")
    yield latency(sums["reply_latency"], sums["reply_latency_ms"])
    cost = {(provider.name,): 0 for provider in known.providers} | sums["cost_microusd"]
    yield counter("cost_dollars", "What calls have cost.", dollars(cost).items(), "provider")
    baseline = dollars({(): 0} | sums["baseline_microusd"])
    yield counter(
        "model_cost_dollars",
        "Cost of a model's calls.",
        dollars(sums["model_cost_microusd"]).items(),
        "model",
        "provider",
    )
    told = "Tokens billed by model; cached: the part of prompt that the provider had in its prompt cache."
    yield counter("model_tokens", told, sums["model_tokens"].items(), "kind", "model", "provider")
    told = f"Cost of the same messages with {YARDSTICK_NAME}, uncached."
    yield counter("baseline_cost_dollars", told, baseline.items())


def latency(counts: Mapping[tuple[str, ...], int], sums_ms: Mapping[tuple[str, ...], int]) -> Metric:
    """Replies by source and time. counts: by bound in milliseconds (`None`: beyond the last) and source."""
    family = histogram("reply_latency_seconds", "From acceptance of a turn's oldest message to publication.", "source")
    for source in sorted({*REPLY_SOURCES, *(source for _, source in counts)}):
        numbers = [counts.get((str(bound), source), 0) for bound in (*REPLY_BUCKETS_MS, None)]
        family.add_metric([source], cumulated(REPLY_BUCKETS_MS, numbers), sums_ms.get((source,), 0) / 1000)
    return family


def of_circuits(seen: Durable) -> Iterator[Metric]:
    """The circuits of the providers that have been called within 7 days."""
    states = [
        ((circuit.provider, state), float(state == circuit.state))
        for circuit in seen.circuits
        for state in CIRCUIT_STATES
    ]
    yield gauge("circuit_state", "1 for the state that the provider's circuit is in.", states, "provider", "state")
    trips = [((circuit.provider,), circuit.trips) for circuit in seen.circuits]
    yield counter("circuit_trips", "How often the circuit has opened.", trips, "provider")


def of_calls(calls: Mapping[str, int], known: Known) -> Iterator[Metric]:
    """Calls of this UTC day; at midnight the counters begin again, as those of a restarted process do."""
    outcomes = [
        ((provider.name, model.id, kind), calls.get(f"{provider.name}/{model.id}:{kind}", 0))
        for provider in known.providers
        for model in provider.models
        for kind in OUTCOMES
    ]
    yield counter("provider_calls", "Calls by model and outcome.", outcomes, "provider", "model", "outcome")
    family = histogram("provider_latency_seconds", "How long calls took that brought an answer.", "provider")
    for name in (provider.name for provider in known.providers):
        numbers = [calls.get(f"{name}:le:{bound}", 0) for bound in (*CALL_BUCKETS_MS, "inf")]
        family.add_metric([name], cumulated(CALL_BUCKETS_MS, numbers), calls.get(f"{name}:ms", 0) / 1000)
    yield family


def of_models(seen: Durable, known: Known) -> Iterator[Metric]:
    """Circuits and probes of the models that were asked lately, and the announced ends of all."""
    configured = {(provider.name, model.id) for provider in known.providers for model in provider.models}
    probes = {(each.provider, each.model): each for each in seen.probes if (each.provider, each.model) in configured}
    circuits = {(each.provider, each.model): each for each in seen.models if _is_used(each, seen.calls, probes)}
    states = [
        ((*name, state), float(state == each.state)) for name, each in circuits.items() for state in CIRCUIT_STATES
    ]
    yield gauge("model_state", "1 for the state of the model's circuit.", states, "provider", "model", "state")
    rerouted = [(name, float(bool(each.answered_by or _rerouted(probes.get(name))))) for name, each in circuits.items()]
    told = "Whether another model than the one that is asked has answered within the hour, or the latest probe."
    yield gauge("model_rerouted", told, rerouted, "provider", "model")
    results = [((*name, kind), float(probe.outcome == kind)) for name, probe in probes.items() for kind in OUTCOMES]
    yield gauge("model_probe_outcome", "1 for how the latest probe ended.", results, "provider", "model", "outcome")
    times = [(name, probe.at_s) for name, probe in probes.items()]
    yield gauge("model_probe_timestamp_seconds", "When the model was last probed.", times, "provider", "model")
    ends = [
        ((provider.name, model.id), datetime.combine(model.ends, time(), UTC).timestamp())
        for provider in known.providers
        for model in provider.models
        if model.ends
    ]
    yield gauge("model_end_timestamp_seconds", "When the model will be withdrawn.", ends, "provider", "model")


def _is_used(circuit: Circuit, calls: Mapping[str, int], probes: Container[tuple[str, str]]) -> bool:
    """Whether the model was probed, called today, or has a circuit that has changed."""
    name = f"{circuit.provider}/{circuit.model}"
    called = any(calls.get(f"{name}:{kind}") for kind in OUTCOMES)
    return called or (circuit.provider, circuit.model) in probes or circuit.since is not None


def _rerouted(probe: Probe | None) -> bool:
    return probe is not None and bool(probe.answered_by)


def of_budgets(seen: Durable, known: Known) -> Iterator[Metric]:
    """Money by period (UTC): spent always, the others where there is a budget."""
    spent = {period: microusd / MICRO for period, microusd in seen.spent_microusd.items()}
    limits = {period: float(limit) for period, limit in known.budgets_usd.items()}
    yield gauge("budget_spent_dollars", "Spent in this period.", by_period(spent), "period")
    yield gauge("budget_limit_dollars", "The budget of this period.", by_period(limits), "period")
    left = {period: limit - spent[period] for period, limit in limits.items()}
    yield gauge("budget_left_dollars", "What is left of it.", by_period(left), "period")


def of_streams(seen: Durable) -> Iterator[Metric]:
    """The gateway's streams, and beat's sign of life."""
    entries = [((stream,), length) for stream, length in seen.stream_entries.items()]
    yield gauge("stream_entries", "Entries in the stream; in inbound: not accepted yet.", entries, "stream")
    told = "Customers who wait because somebody else holds rows of theirs."
    yield one("locked_customers", told, seen.locked_customers)
    yield one("last_cleanup_timestamp_seconds", "When beat last had sessions cleaned up.", seen.last_cleanup_at_s)


def cache_requests(counts: Mapping[str, int]) -> Metric:
    """Hits and misses of this UTC day by layer."""
    requests = [
        ((layer.name, result), counts.get(f"{layer.name}:{plural}", 0))
        for layer in LAYERS
        for result, plural in (("hit", "hits"), ("miss", "misses"))
    ]
    return counter("cache_requests", "Keys asked for by layer and result.", requests, "layer", "result")


def gauge(name: str, told: str, samples: Samples, *labels: str) -> Metric:
    """A family of gauges."""
    return filled(GaugeMetricFamily(f"chasqui_{name}", told, labels=labels), samples)


def one(name: str, told: str, value: float) -> Metric:
    """A gauge without labels."""
    return gauge(name, told, [((), value)])


def counter(name: str, told: str, samples: Samples, *labels: str) -> Metric:
    """A family of counters; the library adds `_total` to the name."""
    return filled(CounterMetricFamily(f"chasqui_{name}", told, labels=labels), samples)


def filled(family: GaugeMetricFamily | CounterMetricFamily, samples: Samples) -> Metric:
    """The family with these samples in it."""
    for values, value in samples:
        family.add_metric(values, value)
    return family


def histogram(name: str, told: str, label: str) -> HistogramMetricFamily:
    """A family of histograms with one label."""
    return HistogramMetricFamily(f"chasqui_{name}", told, labels=[label])


def cumulated(bounds_ms: Sequence[int], numbers: Sequence[int]) -> list[tuple[str, float]]:
    """Buckets as Prometheus wants them: bounds in seconds, each with all that lies below. The last number has none."""
    bounds = [*(str(bound / 1000) for bound in bounds_ms), "+Inf"]
    return [(bound, sum(numbers[: place + 1])) for place, bound in enumerate(bounds)]


def dollars(sums: Mapping[tuple[str, ...], int]) -> dict[tuple[str, ...], float]:
    """Sums of micro-dollars as dollars."""
    return {labels: microusd / MICRO for labels, microusd in sums.items()}


def by_period(amounts: Mapping[str, float]) -> Samples:
    """Amounts as samples."""
    return [((period,), amount) for period, amount in amounts.items()]
