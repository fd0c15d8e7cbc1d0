"""The parts of the page about answers: how many, how fast, from where, for how much."""

from __future__ import annotations

from decimal import Decimal

from nicegui import ui

from worker.operate.dashboard import charts
from worker.operate.dashboard.feed import Snapshot
from worker.operate.dashboard.figures import Figures, Spent
from worker.operate.dashboard.parts import Chart, Meter, Meters, card, tone
from worker.operate.dashboard.wording import count, dollars, milliseconds, rate, spoken
from worker.telemetry.report import percent

#: From this share of a budget on it is time to look (design: the warning of the budget's books).
NEARLY_SPENT = 0.8
NO_MESSAGES = "No messages in this time."


def _nothing(figures: Figures) -> bool:
    return not any(bucket.messages for bucket in figures.buckets)


class Traffic:
    """Messages per minute by where the reply came from."""

    def __init__(self) -> None:
        with card("Messages per minute", "wide"):
            self._chart = Chart("Messages per minute", charts.MESSAGES, NO_MESSAGES)

    def show(self, snapshot: Snapshot) -> None:
        """Draws the figures, if there are any."""
        if figures := snapshot.figures:
            self._chart.show(charts.messages(figures), is_empty=_nothing(figures))


class ReplyTime:
    """From acceptance to the published reply."""

    def __init__(self) -> None:
        with card("Reply time", "half"):
            self._chart = Chart("Reply time", charts.REPLY_TIME, NO_MESSAGES)

    def show(self, snapshot: Snapshot) -> None:
        """Draws the figures, if there are any."""
        if figures := snapshot.figures:
            empty = all(bucket.p50_ms is None for bucket in figures.buckets)
            self._chart.show(charts.reply_time(figures), is_empty=empty)


class Providers:
    """Who made the replies that no cache had."""

    def __init__(self) -> None:
        with card("Providers", "third", "of the replies that a model made"):
            self._meters = Meters("No model was asked in this time.")

    def show(self, snapshot: Snapshot) -> None:
        """Share, mean time and cost of each, as in the report."""
        if not snapshot.figures:
            return
        ai, costs = snapshot.figures.report["ai"], snapshot.figures.report["costs"]["by_provider_usd"]
        times = ai["average_response_time_ms"]
        shares = sorted(ai["ai_provider_distribution"].items(), key=lambda entry: -entry[1])
        self._meters.show(
            [
                Meter(name, rate(share), share / 100, f"{milliseconds(times[name])} mean · {dollars(costs[name])}")
                for name, share in shares
            ]
        )


class Caches:
    """Hit rates over the time, and of each layer today."""

    def __init__(self) -> None:
        with card("Cache hits", "half"):
            self._chart = Chart("Cache hits", charts.HIT_RATES, NO_MESSAGES)
            ui.label("By layer, today (UTC)").classes("note subhead")
            self._layers = Meters("The cache Redis has not been seen yet.")

    def show(self, snapshot: Snapshot) -> None:
        """The chart from PostgreSQL, the layers from the cache Redis."""
        if figures := snapshot.figures:
            nothing = all(b.cache_hit_rate is None and b.session_hit_rate is None for b in figures.buckets)
            self._chart.show(charts.hit_rates(figures), is_empty=nothing)
        self._layers.show(
            [
                Meter(
                    spoken(layer.name),
                    rate(layer.hit_rate),
                    (layer.hit_rate or 0) / 100,
                    f"{count(layer.hits)} of {count(layer.wanted)}" if layer.wanted else "nothing looked for yet",
                )
                for layer in snapshot.layers or ()
            ]
        )


class Money:
    """Cost against what it would have been."""

    def __init__(self) -> None:
        with card("Cost", "wide", "baseline: every message sent to gpt-3.5-turbo at its last prices, nothing cached"):
            self._chart = Chart("Cost", charts.MONEY, NO_MESSAGES)

    def show(self, snapshot: Snapshot) -> None:
        """Draws the figures, if there are any."""
        if figures := snapshot.figures:
            nothing = not any(bucket.cost_usd or bucket.baseline_usd for bucket in figures.buckets)
            self._chart.show(charts.money(figures), is_empty=nothing)


class _Purse:
    """One day or month: spent, of which budget, instead of what."""

    def __init__(self, title: str, budget_usd: Decimal | None) -> None:
        self._budget_usd = None if budget_usd is None else float(budget_usd)
        with ui.element("div").classes("purse"):
            ui.label(title).classes("fact-name")
            with ui.element("div").classes("purse-line"):
                self._spent = ui.label("–").classes("purse-value")
                self._of = ui.label("").classes("note")
            with ui.element("div").classes("track") as self._track:
                self._fill = ui.element("div").classes("fill")
            self._track.set_visibility(budget_usd is not None)
            self._baseline = ui.label("").classes("note")

    def show(self, spent: Spent) -> None:
        self._spent.set_text(dollars(spent.cost_usd))
        self._of.set_text(self._against_budget(spent))
        share = used_share(spent, self._budget_usd)
        self._fill.style(f"width: {min(share, 1.0) * 100:.1f}%")
        tone(self._fill, "bad" if share >= 1 else "warn" if share >= NEARLY_SPENT else "")
        baseline = f"baseline {dollars(spent.baseline_usd)}"
        self._baseline.set_text(f"{baseline} · {rate(spent.saved_percent)} saved" if spent.baseline_usd else baseline)

    def _against_budget(self, spent: Spent) -> str:
        if self._budget_usd is None:
            return "no budget set"
        return f"of {dollars(self._budget_usd)} · {rate(percent(spent.cost_usd, self._budget_usd))}"


def used_share(spent: Spent, budget_usd: float | None) -> float:
    """How much of a budget is gone, 0..; 0 where there is no budget, all of it where the budget is nothing."""
    if budget_usd is None:
        return 0.0
    return spent.cost_usd / budget_usd if budget_usd else 1.0


class Purses:
    """Today's and this month's money."""

    def __init__(self, day_usd: Decimal | None, month_usd: Decimal | None) -> None:
        with card("Spending", "third", "days and months are UTC"):
            self._day, self._month = _Purse("Today", day_usd), _Purse("This month", month_usd)

    def show(self, snapshot: Snapshot) -> None:
        """What was spent, if it is known."""
        if snapshot.spent:
            self._day.show(snapshot.spent[0])
            self._month.show(snapshot.spent[1])
