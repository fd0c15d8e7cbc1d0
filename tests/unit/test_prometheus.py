"""What is told to Prometheus of a look at the servers, and how a server that hangs is left alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from threading import Event
from typing import Any

import pytest
from helpers.basics import GUARD_S
from helpers.scraped import Scraped
from prometheus_client import Metric
from prometheus_client.registry import Collector
from structlog.testing import capture_logs

from db.monitoring import REPLY_BUCKETS_MS, Total, Unfinished
from worker import __version__
from worker.errors import GivenUp, ModelFault, ProviderError
from worker.operate import background_read
from worker.operate.background_read import BackgroundRead, settle, value_of
from worker.operate.exporter.collector import CIRCUIT_STATES, OUTCOMES, Exporter
from worker.operate.exporter.server import application
from worker.operate.snapshot import (
    CacheLayer,
    CacheUse,
    DatabaseState,
    LiveCounters,
    RedisState,
    Snapshot,
    StreamLengths,
    entry_time_s,
)
from worker.providers.circuit_states import Circuit
from worker.providers.models import Model, Provider
from worker.providers.probe import Probe


def model(name: str, ends: date | None = None) -> Model:
    """A model of this name."""
    return Model(name, (), ends=ends)


def provider(name: str, *models: Model) -> Provider:
    """A provider that has these models."""
    return Provider(name, "openai", "http://127.0.0.1:1", "", None, None, None, (), 1.0, 1.0, models)


PROVIDERS = (
    provider("deepseek", model("deepseek-flash", ends=date(2027, 5, 7)), model("deepseek-v4-pro")),
    provider("gpt", model("gpt-6-luna")),
)
NAMES = [(known.name, each.id) for known in PROVIDERS for each in known.models]
BUDGETS = {"month": Decimal(100), "day": Decimal("0.5")}
NOW = Unfinished(
    waiting=3,
    oldest_waiting_s=12.5,
    unpublished=2,
    oldest_unpublished_s=7.25,
    dead=1,
    turns_under_way=4,
    turns_overdue=5,
    active_sessions=6,
    intake_active=True,
    people_waiting=7,
    people_unattended=8,
    oldest_person_s=95.5,
    orders_unattended=7,
    oldest_unattended_s=905.5,
)
TOTALS = (
    Total("messages_ended", {"state": "answered", "source": "ai"}, 10),
    Total("messages_ended", {"state": "dead", "source": "canned"}, 1),
    Total("deliveries", {"state": "sent"}, 9),
    Total("deliveries", {"state": "failed"}, 3),
    Total("delivery_failures", {"code": "131047"}, 2),
    Total("delivery_failures", {"code": "other"}, 1),
    Total("reply_latency", {"source": "ai", "le_ms": 25}, 1),
    Total("reply_latency", {"source": "ai", "le_ms": 500}, 2),
    Total("reply_latency", {"source": "ai", "le_ms": None}, 4),
    Total("reply_latency_ms", {"source": "ai"}, 7_300_123),
    Total("cost_microusd", {"provider": "deepseek"}, 1_234_567),
    Total("cost_microusd", {"provider": "none"}, 5),
    Total("channel_messages", {"channel": "shop-1"}, 9),
    Total("baseline_microusd", {}, 2_000_000),
    Total("model_tokens", {"provider": "deepseek", "model": "deepseek-flash", "kind": "prompt"}, 5_000),
    Total("model_tokens", {"provider": "deepseek", "model": "deepseek-flash", "kind": "cached"}, 4_000),
    Total("model_cost_microusd", {"provider": "deepseek", "model": "deepseek-flash"}, 1_200_000),
)
COUNTERS = LiveCounters(
    at_s=1_763_800_300.0,
    calls={
        "deepseek/deepseek-flash:ok": 1,
        "deepseek/deepseek-v4-pro:ok": 2,
        "deepseek/deepseek-flash:denied": 2,
        "deepseek:le:250": 2,
        "deepseek:le:inf": 1,
        "deepseek:ms": 40_400,
    },
    spent_microusd={"month": 75_000_000, "day": 600_000},
    last_cleanup_at_s=1_763_800_000.0,
    locked_customers=2,
)
DURABLE = RedisState(
    StreamLengths(1, 2, 3, oldest_inbound_s=30.0),
    COUNTERS,
    providers=(Circuit("deepseek", "open", trips=3),),
    models=(
        Circuit("deepseek", "open", "deepseek-flash", reason="model_gone", since=datetime(2026, 11, 29, tzinfo=UTC)),
        Circuit("deepseek", "closed", "deepseek-v4-pro", answered_by="deepseek-flash"),
        Circuit("gpt", "closed", "gpt-6-luna"),
    ),
    probes=(Probe("deepseek", "deepseek-flash", 1_763_800_000.0, "model_gone", "told"),),
)
LAYERS = (("session", 8, 0), ("ai_response", 0, 9), ("categories", 0, 0), ("product_search", 0, 0))
SNAPSHOT = Snapshot(
    DatabaseState(NOW, TOTALS, 42.5),
    DURABLE,
    CacheUse(tuple(CacheLayer(*layer) for layer in LAYERS), 4, {"leans": 6, "unknown": 2}),
    {"flow": 7, "ai": 0},
)


def families(snapshot: Snapshot, budgets_usd: Mapping[str, Decimal] = BUDGETS) -> Iterable[Metric]:
    """What is exported of a snapshot."""
    return Exporter(lambda: snapshot, PROVIDERS, budgets_usd).collect()


def told(snapshot: Snapshot, budgets_usd: Mapping[str, Decimal] = BUDGETS) -> Scraped:
    """The samples of a snapshot."""
    return Scraped.of(families(snapshot, budgets_usd))


def with_models(counters: LiveCounters = COUNTERS, **changes: Any) -> Snapshot:
    """The snapshot with other states of models."""
    return replace(SNAPSHOT, redis=replace(DURABLE, counters=counters, **changes))


def test_what_is_unfinished() -> None:
    """Every figure of PostgreSQL under its own name."""
    seen = told(SNAPSHOT)
    assert {name: seen.value(name) for name in ("messages_waiting", "unpublished_replies", "dead_letters")} == {
        "messages_waiting": 3,
        "unpublished_replies": 2,
        "dead_letters": 1,
    }
    assert seen.all("turns") == {("under_way",): 4, ("overdue",): 5}
    assert seen.all("oldest_waiting_seconds") == {("stream",): 30.0, ("database",): 12.5}
    assert seen.value("oldest_unpublished_seconds") == 7.25
    assert (seen.value("orders_unattended"), seen.value("orders_unattended_oldest_seconds")) == (7, 905.5)
    assert (seen.value("active_sessions"), seen.value("intake_active")) == (6, 1)
    assert (seen.value("people_waiting"), seen.value("people_unattended")) == (7, 8)
    assert seen.value("people_waiting_oldest_seconds") == 95.5
    assert seen.value("replies_limited_total") == 4
    reasons = {"leans": 6, "unknown": 2, "tells": 0, "too_long": 0, "no_frame": 0}
    assert seen.all("unshared_total") == {(reason,): count for reason, count in reasons.items()}
    assert (seen.value("locked_customers"), seen.value("lock_seconds")) == (2, 42.5)


def test_totals_begin_at_zero() -> None:
    """What has not happened yet is there as 0, so that Prometheus sees its first increase."""
    seen = told(SNAPSHOT)
    assert seen.all("messages_ended_total") == {
        ("ai", "answered"): 10,
        ("cache", "answered"): 0,
        ("fallback", "answered"): 0,
        ("canned", "answered"): 0,
        ("closed", "closed"): 0,
        ("answered_by_person", "closed"): 0,
        ("revoked", "closed"): 0,
        ("too_late", "closed"): 0,
        ("canned", "dead"): 1,
    }
    assert seen.all("cost_dollars_total") == {("deepseek",): 1.234567, ("gpt",): 0, ("none",): 0.000005}
    assert seen.value("baseline_cost_dollars_total") == 2.0
    assert seen.all("deliveries_total") == {("sent",): 9, ("delivered",): 0, ("read",): 0, ("failed",): 3}
    failures = seen.all("delivery_failures_total")
    assert {code: count for code, count in failures.items() if count} == {("131047",): 2, ("other",): 1}
    assert ("131056",) in failures
    empty = told(Snapshot(DatabaseState(NOW, ())))
    assert empty.value("baseline_cost_dollars_total") == 0
    assert empty.value("reply_latency_seconds_count", source="fallback") == 0


def test_reply_latency_is_a_histogram() -> None:
    """Buckets hold all that lies below; the last one is the count; milliseconds have become seconds."""
    seen = told(SNAPSHOT)
    buckets = {labels[0]: value for labels, value in seen.all("reply_latency_seconds_bucket").items() if "ai" in labels}
    assert list(buckets) == [*(str(bound / 1000) for bound in REPLY_BUCKETS_MS), "+Inf"]
    assert (buckets["0.025"], buckets["0.25"], buckets["0.5"], buckets["1800.0"], buckets["+Inf"]) == (1, 1, 3, 3, 7)
    assert seen.value("reply_latency_seconds_count", source="ai") == 7
    assert seen.value("reply_latency_seconds_sum", source="ai") == 7_300.123


def test_calls_of_providers() -> None:
    """Every outcome of every known model, and how long a provider's answers took."""
    seen = told(SNAPSHOT)
    calls = seen.all("provider_calls_total")
    assert set(calls) == {(each, outcome, name) for name, each in NAMES for outcome in OUTCOMES}
    assert {labels: value for labels, value in calls.items() if value} == {
        ("deepseek-flash", "ok", "deepseek"): 1,
        ("deepseek-v4-pro", "ok", "deepseek"): 2,
        ("deepseek-flash", "denied", "deepseek"): 2,
    }
    assert seen.value("provider_latency_seconds_bucket", provider="deepseek", le="0.1") == 0
    assert seen.value("provider_latency_seconds_bucket", provider="deepseek", le="0.25") == 2
    assert seen.value("provider_latency_seconds_bucket", provider="deepseek", le="+Inf") == 3
    assert seen.value("provider_latency_seconds_sum", provider="deepseek") == 40.4


def test_tokens_and_costs_of_models() -> None:
    """As the database has summed them up; a model that was never paid has none."""
    seen = told(SNAPSHOT)
    assert seen.all("model_tokens_total") == {
        ("prompt", "deepseek-flash", "deepseek"): 5_000,
        ("cached", "deepseek-flash", "deepseek"): 4_000,
    }
    assert seen.all("model_cost_dollars_total") == {("deepseek-flash", "deepseek"): 1.2}


def test_models_that_are_used() -> None:
    """Circuits of those that were probed, called today, or have changed; a model that nobody has asked is not told."""
    seen = told(SNAPSHOT)
    flash, pro = ("deepseek-flash", "deepseek"), ("deepseek-v4-pro", "deepseek")
    states = seen.all("model_state")
    assert states == {(*flash, state): float(state == "open") for state in CIRCUIT_STATES} | {
        (*pro, state): float(state == "closed") for state in CIRCUIT_STATES
    }
    assert seen.all("model_rerouted") == {flash: 0, pro: 1}
    outcomes = seen.all("model_probe_outcome")
    assert outcomes == {("deepseek-flash", kind, "deepseek"): float(kind == "model_gone") for kind in OUTCOMES}
    assert seen.all("model_probe_timestamp_seconds") == {flash: 1_763_800_000}
    assert seen.all("model_end_timestamp_seconds") == {flash: datetime(2027, 5, 7, tzinfo=UTC).timestamp()}
    called = with_models(replace(COUNTERS, calls={"gpt/gpt-6-luna:timeout": 1}))
    for used in (called, with_models(probes=(Probe("gpt", "gpt-6-luna", 1.0, "ok"),))):
        assert ("gpt-6-luna", "gpt") in told(used).all("model_rerouted")
    by_probe = with_models(probes=(Probe("gpt", "gpt-6-luna", 1.0, "ok", answered_by="gpt-6.1-terra"),))
    assert told(by_probe).value("model_rerouted", provider="gpt", model="gpt-6-luna") == 1
    changed = replace(DURABLE.models[2], since=datetime(2026, 11, 29, tzinfo=UTC))
    assert ("gpt-6-luna", "gpt") in told(with_models(models=(changed,))).all("model_rerouted")


def test_outcomes_are_the_kinds_of_errors() -> None:
    """A new kind of ProviderError must not go uncounted."""
    kinds, waiting = set[type[ProviderError]](), list(ProviderError.__subclasses__())
    while waiting:
        kind = waiting.pop()
        kinds.add(kind)
        waiting += kind.__subclasses__()
    # These two only hold others together; nobody raises them.
    assert set(OUTCOMES) == {"ok"} | {each.kind for each in kinds - {GivenUp, ModelFault}}


def test_circuits_and_money() -> None:
    """One state of four is 1; what is left of a budget may be less than nothing; no budget is no sample."""
    seen = told(SNAPSHOT)
    states = seen.all("circuit_state")
    assert states == {("deepseek", state): float(state == "open") for state in CIRCUIT_STATES}
    assert seen.all("circuit_trips_total") == {("deepseek",): 3}
    assert seen.all("budget_spent_dollars") == {("month",): 75.0, ("day",): 0.6}
    assert seen.all("budget_limit_dollars") == {("month",): 100.0, ("day",): 0.5}
    assert seen.all("budget_left_dollars") == {("month",): 25.0, ("day",): pytest.approx(-0.1)}
    unlimited = told(SNAPSHOT, {})
    assert unlimited.all("budget_left_dollars") == unlimited.all("budget_limit_dollars") == {}
    assert unlimited.all("budget_spent_dollars")


def test_streams_caches_and_queues() -> None:
    """The rest of what Redis and the broker tell."""
    seen = told(SNAPSHOT)
    assert seen.all("stream_entries") == {("inbound",): 1, ("outbound",): 2, ("rejected",): 3}
    assert seen.value("last_cleanup_timestamp_seconds") == 1_763_800_000
    assert seen.value("cache_requests_total", layer="session", result="hit") == 8
    assert seen.value("cache_requests_total", layer="ai_response", result="miss") == 9
    assert len(seen.all("cache_requests_total")) == 8
    assert seen.all("queue_tasks") == {("flow",): 7, ("ai",): 0}
    assert seen.value("build_info", version=__version__) == 1


@pytest.mark.parametrize(
    ("away", "gone"),
    [
        ("postgresql", {"dead_letters", "messages_ended_total", "reply_latency_seconds_count", "turns"}),
        ("redis", {"circuit_state", "provider_calls_total", "budget_left_dollars", "stream_entries"}),
        ("cache", {"cache_requests_total"}),
        ("broker", {"queue_tasks"}),
    ],
)
def test_a_server_that_is_away_takes_its_metrics_with_it(away: str, gone: set[str]) -> None:
    """It is said to be away, nothing is said to be 0, and the others are told as ever."""
    given = {name: getattr(SNAPSHOT, name) for name in ("postgresql", "redis", "cache", "broker")}
    seen, all_of_it = told(Snapshot(**given | {away: None})), told(SNAPSHOT)
    assert seen.all("up") == {(name,): float(name != away) for name in given}
    assert gone <= all_of_it.names()
    assert not gone & seen.names()
    different = seen.values.items() - all_of_it.values.items()
    assert different == {(("chasqui_up", frozenset({("what", away)})), 0.0)}


class Told(Collector):
    """The snapshot as a registry wants it."""

    def collect(self) -> Iterator[Metric]:
        """All families."""
        return families(SNAPSHOT)


def test_labels_name_no_person() -> None:
    """Only these labels, and no value that could be a phone number."""
    labels = {label for _, found in told(SNAPSHOT).values for label in found}
    known = {"what", "version", "place", "lease", "reason", "source", "state", "le", "provider", "outcome", "period"}
    named = {"stream", "layer", "result", "queue", "model", "kind", "code", "channel"}
    assert {name for name, _ in labels} == known | named
    assert not [value for _, value in labels if re.search(r"\d{7,}", value)]


def test_the_age_of_an_entry_stands_in_its_id() -> None:
    """In milliseconds."""
    assert entry_time_s(b"1763800000123-4") == 1_763_800_000.123


def test_a_look_that_hangs_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits longer than the patience, no second look is begun beside it, and its end is the next answer."""
    monkeypatch.setattr(background_read, "PATIENCE_S", 0.05)
    answers, looks = Event(), list[int]()

    def look() -> int:
        looks.append(1)
        answers.wait(GUARD_S)
        return len(looks)

    running = BackgroundRead("server", look)
    for _ in range(2):
        latest = running.begin()
        settle(latest)
        assert value_of("server", latest) is None
    assert looks == [1]
    answers.set()
    assert latest.result(GUARD_S) == 1
    later = running.begin()
    assert later.result(GUARD_S) == 2


def test_a_look_that_fails_is_no_answer_and_the_next_may_be() -> None:
    """The error does not reach the scrape, nor its words the log."""
    errors = [ValueError("redis://:hunter2@host")]

    def look() -> str:
        if errors:
            raise errors.pop()
        return "seen"

    running = BackgroundRead("server", look)
    failed = running.begin()
    settle(failed)
    with capture_logs() as logs:
        assert value_of("server", failed) is None
    assert logs == [{"event": "server_not_seen", "server": "server", "error": "ValueError", "log_level": "warning"}]
    again = running.begin()
    settle(again)
    assert value_of("server", again) == "seen"


class NoServer:
    """A readiness that may not be asked."""

    def reasons(self) -> list[str]:
        """Never."""
        raise AssertionError


def page(path: str, method: str = "GET") -> tuple[str, bytes]:
    """Status and text of a page that asks no server."""
    statuses: list[str] = []

    def start(status: str, _headers: list[tuple[str, str]]) -> None:
        statuses.append(status)

    def metrics(_environ: Any, _start: Any) -> list[bytes]:
        raise AssertionError

    pages = application(metrics, NoServer())  # type: ignore[arg-type]  # not asked
    text = b"".join(pages({"PATH_INFO": path, "REQUEST_METHOD": method}, start))
    return statuses[0], text


def test_healthz_asks_nobody() -> None:
    """It tells whether this process lives, and nothing else."""
    assert page("/healthz") == ("200 OK", b'{"alive":true}')


@pytest.mark.parametrize(("path", "method", "status"), [("/", "GET", "404"), ("/metrics", "POST", "405")])
def test_other_pages_are_refused(path: str, method: str, status: str) -> None:
    """With the status that says why."""
    assert page(path, method)[0].startswith(status)
