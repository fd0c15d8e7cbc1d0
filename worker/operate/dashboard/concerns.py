"""Concerns: what somebody should look at now, in words, the worst first."""

from collections.abc import Iterator
from dataclasses import dataclass

from worker.messages.delivery import FAILURES
from worker.operate.dashboard.feed import View
from worker.operate.dashboard.figures import Costs
from worker.operate.display import duration, number, rate, spoken, standing, waited
from worker.settings import Settings

#: Waiting longer than this is not how it should be: a turn has 30 s for the model, and seconds for the rest.
LONG_WAIT_S = 60.0
#: A customer was told that somebody will answer as soon as possible; the alert ChasquiPersonUnattended says the same.
LONG_WAIT_FOR_PERSON_S = 600.0
#: Intake reads within a second; a payload that lies this long is not being read.
UNREAD_S = 15.0
#: One reply in twenty made without a model.
MANY_FALLBACKS = 5.0
#: From this share of a budget on it is time to look (design: the warning of the budget's books).
NEARLY_SPENT = 0.8


@dataclass(frozen=True, slots=True)
class Concern:
    """Something to look at. mood: warn or bad."""

    text: str
    mood: str


def concerns(view: View, settings: Settings) -> list[Concern]:
    """Returns all there is to worry about, the worst first; nothing where all is well."""
    troubles = [Concern(trouble, "bad") for trouble in view.troubles]
    found = [*troubles, *_circuits(view), *_waiting(view), *_money(view, settings), *_answers(view)]
    return sorted(found, key=lambda concern: concern.mood != "bad")


def used_share(costs: Costs, budget_usd: float | None) -> float:
    """Returns how much of a budget is gone, 0..; 0 where there is no budget, all of it where the budget is nothing."""
    if budget_usd is None:
        return 0.0
    return float(costs["total_usd"]) / budget_usd if budget_usd else 1.0


def budgets(settings: Settings) -> list[float | None]:
    """Returns the budgets of a day and of a month, in US dollars."""
    given = (settings.ai_daily_budget_usd, settings.ai_monthly_budget_usd)
    return [None if budget is None else float(budget) for budget in given]


def _circuits(view: View) -> Iterator[Concern]:
    found = (view.circuits or {}).values()
    for circuits in ([circuit for circuit in found if not circuit.model], [c for c in found if c.model]):
        shut = [circuit for circuit in circuits if circuit.state != "closed"]
        mood = "bad" if len(shut) == len(circuits) else "warn"
        for circuit in shut:
            words = f"circuit {spoken(circuit.state)} {standing(circuit, view.now)}"
            yield Concern(f"{circuit.name} is left alone: {words}.", mood)
    for circuit in found:
        if circuit.answered_by:
            yield Concern(f"{circuit.name} is answered by {circuit.answered_by}, at another price.", "warn")


def _waiting(view: View) -> Iterator[Concern]:
    if view.streams and (view.streams.oldest_inbound_s or 0) > UNREAD_S:
        age = duration(view.streams.oldest_inbound_s)
        yield Concern(f"The inbound stream is not read fast enough: its oldest entry is {age} old.", "bad")
    if not view.waiting:
        return
    unfinished, _ = view.waiting
    if unfinished.oldest_waiting_s > LONG_WAIT_S:
        found = f"{number(unfinished.waiting)} unanswered, the oldest for {duration(unfinished.oldest_waiting_s)}"
        yield Concern(f"{found}: are the workers running?", "bad")
    if unfinished.dead:
        letters = "dead letter waits" if unfinished.dead == 1 else "dead letters wait"
        yield Concern(f"{number(unfinished.dead)} {letters} for a decision.", "warn")
    if unfinished.oldest_person_s > LONG_WAIT_FOR_PERSON_S:
        who = "customer waits" if unfinished.people_waiting == 1 else "customers wait"
        since = waited(unfinished.oldest_person_s)
        yield Concern(f"{number(unfinished.people_waiting)} {who} for a person, the first for {since}.", "warn")


def _money(view: View, settings: Settings) -> Iterator[Concern]:
    for name, budget_usd, costs in zip(("day", "month"), budgets(settings), view.costs or (), strict=False):
        share = used_share(costs, budget_usd)
        if share >= 1:
            yield Concern(f"The budget of this {name} is used up: fallbacks answer.", "bad")
        elif share >= NEARLY_SPENT:
            yield Concern(f"{rate(share * 100)} of the budget of this {name} is spent.", "warn")


def _answers(view: View) -> Iterator[Concern]:
    if not view.figures:
        return
    share, failed = view.figures.report["ai"]["fallback_usage"], view.figures.report["delivery"]["failed"]
    if share > MANY_FALLBACKS:
        yield Concern(f"{rate(share)} of the replies were fallbacks in this time.", "warn")
    if failed:
        most = max(failed, key=lambda code: int(failed[code]))
        why = FAILURES.get(int(most), "for a reason of Meta's").partition(":")[0]
        replies = "reply was" if sum(failed.values()) == 1 else "replies were"
        yield Concern(
            f"{number(sum(failed.values()))} {replies} not delivered in this time, most: {why} ({most}).", "warn"
        )
