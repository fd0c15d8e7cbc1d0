"""What somebody should look at now, in words; the headline figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from worker.operate.dashboard.circuits import standing
from worker.operate.dashboard.economy import NEARLY_SPENT, used_share
from worker.operate.dashboard.feed import Snapshot
from worker.operate.dashboard.parts import Tile
from worker.operate.dashboard.wording import NONE, count, dollars, duration, milliseconds, per_minute, rate, spoken
from worker.settings import Settings

Json = dict[str, Any]
#: Waiting longer than this is not how it should be: a turn has 30 s for the model, and seconds for the rest.
LONG_WAIT_S = 60.0
#: Intake reads within a second; a payload that lies this long is not being read.
UNREAD_S = 15.0
#: One reply in twenty made without a model.
MANY_FALLBACKS = 5.0


@dataclass(frozen=True, slots=True)
class Concern:
    """Something to look at. `mood`: warn or bad."""

    text: str
    mood: str


def concerns(snapshot: Snapshot, settings: Settings) -> list[Concern]:
    """All there is to worry about, the worst first; nothing where all is well."""
    found = [*_servers(snapshot), *_circuits(snapshot), *_waiting(snapshot), *_money(snapshot, settings)]
    return sorted([*found, *_answers(snapshot)], key=lambda concern: concern.mood != "bad")


def _servers(snapshot: Snapshot) -> Iterator[Concern]:
    for trouble in snapshot.troubles:
        yield Concern(trouble, "bad")


def _circuits(snapshot: Snapshot) -> Iterator[Concern]:
    if not (durable := snapshot.durable):
        return
    providers = [circuit for circuit in durable.circuits if not circuit.model]
    models = [circuit for circuit in durable.circuits if circuit.model]
    for circuits in (providers, models):
        shut = [circuit for circuit in circuits if circuit.state != "closed"]
        mood = "bad" if len(shut) == len(circuits) else "warn"
        for circuit in shut:
            state, words = spoken(circuit.state), standing(circuit, durable.at)
            yield Concern(f"{circuit.name} is left alone: circuit {state} {words}.", mood)
    for circuit in models:
        if circuit.answered_by:
            yield Concern(f"{circuit.name} is answered by {circuit.answered_by}, at another price.", "warn")


def _waiting(snapshot: Snapshot) -> Iterator[Concern]:
    streams, waiting = snapshot.durable and snapshot.durable.streams, snapshot.waiting
    if streams and (streams.oldest_s or 0) > UNREAD_S:
        age = duration(streams.oldest_s)
        yield Concern(f"The inbound stream is not read fast enough: its oldest entry is {age} old.", "bad")
    if waiting and (waiting.oldest_s or 0) > LONG_WAIT_S:
        age = duration(waiting.oldest_s)
        yield Concern(f"{count(waiting.unanswered)} unanswered, the oldest for {age}: are the workers running?", "bad")
    if waiting and waiting.dead:
        letters = "dead letter waits" if waiting.dead == 1 else "dead letters wait"
        yield Concern(f"{count(waiting.dead)} {letters} for a decision.", "warn")


def _money(snapshot: Snapshot, settings: Settings) -> Iterator[Concern]:
    if not snapshot.spent:
        return
    budgets = (settings.ai_daily_budget_usd, settings.ai_monthly_budget_usd)
    for name, budget, spent in zip(("day", "month"), budgets, snapshot.spent, strict=True):
        share = used_share(spent, None if budget is None else float(budget))
        if share >= 1:
            yield Concern(f"The budget of this {name} is used up: fallbacks answer.", "bad")
        elif share >= NEARLY_SPENT:
            yield Concern(f"{rate(share * 100)} of the budget of this {name} is spent.", "warn")


def _answers(snapshot: Snapshot) -> Iterator[Concern]:
    share = snapshot.figures.report["ai"]["fallback_usage"] if snapshot.figures else 0.0
    if share > MANY_FALLBACKS:
        yield Concern(f"{rate(share)} of the replies were fallbacks in this time.", "warn")


class Headlines:
    """The row of tiles."""

    def __init__(self) -> None:
        self._messages, self._time = Tile("Messages answered"), Tile("Reply time p95")
        self._hits, self._cost = Tile("Replies from the cache"), Tile("Cost")
        self._sessions, self._waiting = Tile("Active sessions"), Tile("Waiting now")

    def show(self, snapshot: Snapshot) -> None:
        """The figures of the report, and what waits now."""
        if figures := snapshot.figures:
            report, window_s = figures.report, figures.range.window_s
            self._show_answers(report, window_s)
            self._show_economy(report)
        self._show_waiting(snapshot)

    def _show_answers(self, report: Json, window_s: int) -> None:
        messages, times = report["messages"], report["latency_ms"]
        self._messages.show(count(messages), per_minute(messages, window_s))
        if messages:
            p50, p99 = milliseconds(times["p50"]), milliseconds(times["p99"])
            self._time.show(milliseconds(times["p95"]), f"p50 {p50} · p99 {p99}")
        else:
            self._time.show(NONE, "")

    def _show_economy(self, report: Json) -> None:
        ai, sessions, costs = report["ai"], report["sessions"], report["costs"]
        cost, baseline, active = costs["total_usd"], costs["baseline_usd"], sessions["active_sessions"]
        known = bool(report["messages"])
        self._hits.show(
            rate(ai["ai_cache_hit_rate"] if known else None),
            f"session cache {rate(sessions['session_cache_hit_rate'])}" if known else "",
        )
        self._cost.show(dollars(cost), f"{rate(costs['reduction'])} saved of {dollars(baseline)}" if baseline else "")
        lasted = duration(sessions["average_session_duration_s"])
        self._sessions.show(count(active), f"{lasted} mean duration" if active else "")

    def _show_waiting(self, snapshot: Snapshot) -> None:
        waiting, streams = snapshot.waiting, snapshot.durable and snapshot.durable.streams
        if waiting is None and streams is None:
            return
        number = (waiting.unanswered if waiting else 0) + (streams.inbound if streams else 0)
        oldest = max((waiting and waiting.oldest_s) or 0.0, (streams and streams.oldest_s) or 0.0)
        mood = "bad" if oldest > LONG_WAIT_S else ""
        self._waiting.show(count(number), f"oldest {duration(oldest)}" if number else "nothing waits", mood)
