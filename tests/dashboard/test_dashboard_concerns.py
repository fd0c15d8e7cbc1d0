"""What the page says needs a look: everything that does, the worst first, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db.monitoring import Unfinished
from worker.operate.dashboard.concerns import concerns
from worker.operate.dashboard.feed import View
from worker.operate.dashboard.figures import DEFAULT, Costs, Figures
from worker.operate.snapshot import StreamLengths
from worker.providers.circuit_states import Circuit
from worker.settings import Settings

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
BUDGETS = Settings.model_validate({"ai_daily_budget_usd": 10, "ai_monthly_budget_usd": 100})
CLOSED = (Circuit("deepseek", "closed"), Circuit("gemini-flash", "closed"))
OPEN = Circuit("gpt", "open", reason="timeout", since=NOON - timedelta(minutes=2), open_s=30.0)


def by_name(*circuits: Circuit) -> dict[str, Circuit]:
    """Circuits as a view has them."""
    return {circuit.name: circuit for circuit in circuits}


def cost(day_usd: float, month_usd: float) -> tuple[Costs, Costs]:
    """Costs of a day and of a month."""
    return {"total_usd": day_usd}, {"total_usd": month_usd}


def streams(inbound: int = 0, oldest_s: float | None = None) -> StreamLengths:
    """The inbound stream, seven payloads refused."""
    return StreamLengths(inbound, 0, 7, oldest_s)


def waiting(messages: int, oldest_s: float = 0.0, dead: int = 0) -> tuple[Unfinished, tuple[()]]:
    """Unanswered messages, and how many dead letters there are."""
    return Unfinished(messages, oldest_s, 0, 0.0, dead, 0, 0, 0, intake_active=True), ()


WELL = View(
    range=DEFAULT,
    now=NOON,
    costs=cost(1.0, 10.0),
    waiting=waiting(3, 5.0),
    circuits=by_name(*CLOSED),
    streams=streams(2, 1.0),
)


def said(settings: Settings = BUDGETS, **changes: Any) -> list[tuple[str, str]]:
    """Mood and text of all concerns of a snapshot that is well but for these parts."""
    return [(concern.mood, concern.text) for concern in concerns(replace(WELL, **changes), settings)]


def people(number: int, oldest_s: float) -> tuple[Unfinished, tuple[()]]:
    """Customers who wait for a person."""
    return replace(waiting(0)[0], people_waiting=number, oldest_person_s=oldest_s), ()


@pytest.mark.parametrize(("number", "words"), [(1, "1 customer waits"), (3, "3 customers wait")])
def test_nobody_has_come_to_a_customer(number: int, words: str) -> None:
    """Ten minutes are no concern, and those for whom it is too late are none either."""
    assert said(waiting=people(number, 600.0)) == []
    assert said(waiting=people(number, 725.0)) == [("warn", f"{words} for a person, the first for 12 min.")]


@pytest.mark.parametrize(
    ("failed", "words"),
    [
        ({"131047": 1}, "1 reply was not delivered in this time, most: outside the 24-hour window (131047)."),
        ({"131047": 1, "7": 4}, "5 replies were not delivered in this time, most: for a reason of Meta's (7)."),
    ],
)
def test_replies_are_not_delivered(failed: dict[str, int], words: str) -> None:
    """As WhatsApp reports it."""
    report = {"ai": {"fallback_usage": 0.0}, "delivery": {"failed": failed}}
    figures = Figures(DEFAULT, NOON, NOON, report, (), (), [], (), {}, 0, 0.0)
    assert said(figures=figures) == [("warn", words)]


def test_all_is_well() -> None:
    """Ordinary waiting, refused payloads and spending are no concern; nor is what is not known yet."""
    assert said() == []
    assert said(costs=None, waiting=None, circuits=None, streams=None) == []


def test_an_open_circuit() -> None:
    """One of several is a warning, all of them are bad."""
    text = "gpt is left alone: circuit open for 2 min (timeout) · next try in 30 s."
    assert said(circuits=by_name(*CLOSED, OPEN)) == [("warn", text)]
    assert said(circuits=by_name(OPEN)) == [("bad", text)]


GONE = Circuit(
    "gpt", "open", "gpt-6-luna", reason="model_gone", since=NOON - timedelta(minutes=2), open_s=3_480.0, told="Gone."
)
WELL_TOO = Circuit("gpt", "closed", "gpt-6.1-terra")


def test_a_model_that_is_gone() -> None:
    """In its provider's words; a warning as long as another model is left, whatever the providers' own circuits say."""
    text = "gpt/gpt-6-luna is left alone: circuit open for 2 min (model gone) · next try in 58 min · “Gone.”."
    assert said(circuits=by_name(*CLOSED, GONE, WELL_TOO)) == [("warn", text)]
    assert said(circuits=by_name(*CLOSED, GONE)) == [("bad", text)]


def test_a_model_that_another_one_answers_for() -> None:
    """It is asked on; somebody should look at what it costs."""
    rerouted = replace(WELL_TOO, answered_by="gpt-7")
    assert said(circuits=by_name(*CLOSED, rerouted)) == [
        ("warn", "gpt/gpt-6.1-terra is answered by gpt-7, at another price.")
    ]


def test_messages_that_wait_too_long() -> None:
    """In the stream, and after they were accepted."""
    slow = said(
        streams=streams(4, 90.0),
        waiting=waiting(12, 180.0),
    )
    assert slow == [
        ("bad", "The inbound stream is not read fast enough: its oldest entry is 1.5 min old."),
        ("bad", "12 unanswered, the oldest for 3 min: are the workers running?"),
    ]


@pytest.mark.parametrize(("dead", "words"), [(1, "1 dead letter waits"), (1_200, "1,200 dead letters wait")])
def test_dead_letters(dead: int, words: str) -> None:
    """However many there are."""
    assert said(waiting=waiting(0, dead=dead)) == [("warn", f"{words} for a decision.")]


def test_budgets() -> None:
    """From four fifths on a warning, used up it is bad; without a budget there is nothing to say."""
    costs = cost(10.0, 80.0)
    assert said(costs=costs) == [
        ("bad", "The budget of this day is used up: fallbacks answer."),
        ("warn", "80.0 % of the budget of this month is spent."),
    ]
    assert said(Settings(), costs=costs) == []
    nothing = Settings.model_validate({"ai_daily_budget_usd": 0})
    assert said(nothing, costs=cost(0.0, 0.0))[0][0] == "bad"


def test_the_worst_comes_first() -> None:
    """A server that does not answer before anything that only deserves a look."""
    found = said(troubles=("Redis does not answer.",), waiting=waiting(0, dead=2))
    assert found == [("bad", "Redis does not answer."), ("warn", "2 dead letters wait for a decision.")]
