"""What the page says needs a look: everything that does, the worst first, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from worker.operate.dashboard.live import Durable, Streams
from worker.operate.dashboard.ranges import DEFAULT
from worker.operate.dashboard.status import concerns

from worker.operate.dashboard.feed import Snapshot
from worker.operate.dashboard.figures import Spent, Waiting
from worker.providers.circuit_states import Circuit
from worker.settings import Settings

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
BUDGETS = Settings.model_validate({"ai_daily_budget_usd": 10, "ai_monthly_budget_usd": 100})
CLOSED = (Circuit("deepseek", "closed"), Circuit("gemini-flash", "closed"))
OPEN = Circuit("gpt", "open", reason="timeout", since=NOON - timedelta(minutes=2), open_s=30.0)
WELL = Snapshot(
    range=DEFAULT,
    figures=None,
    spent=(Spent(1.0, 20.0), Spent(10.0, 200.0)),
    waiting=Waiting(unanswered=3, oldest_s=5.0, dead=0, dead_letters=()),
    durable=Durable(NOON, CLOSED, Streams(inbound=2, oldest_s=1.0, rejected=7)),
    layers=(),
    troubles=(),
    read_at=NOON,
)


def said(settings: Settings = BUDGETS, **changes: Any) -> list[tuple[str, str]]:
    """Mood and text of all concerns of a snapshot that is well but for these parts."""
    return [(concern.mood, concern.text) for concern in concerns(replace(WELL, **changes), settings)]


def test_all_is_well() -> None:
    """Ordinary waiting, refused payloads and spending are no concern; nor is what is not known yet."""
    assert said() == []
    assert said(spent=None, waiting=None, durable=None, layers=None) == []


def test_an_open_circuit() -> None:
    """One of several is a warning, all of them are bad."""
    text = "gpt is left alone: circuit open for 2 min (timeout) · next try in 30 s."
    assert said(durable=Durable(NOON, (*CLOSED, OPEN), Streams(0, None, 0))) == [("warn", text)]
    assert said(durable=Durable(NOON, (OPEN,), Streams(0, None, 0))) == [("bad", text)]


GONE = Circuit(
    "gpt", "open", "gpt-6-luna", reason="model_gone", since=NOON - timedelta(minutes=2), open_s=3_480.0, told="Gone."
)
WELL_TOO = Circuit("gpt", "closed", "gpt-6.1-terra")


def test_a_model_that_is_gone() -> None:
    """In its provider's words; a warning as long as another model is left, whatever the providers' own circuits say."""
    text = "gpt/gpt-6-luna is left alone: circuit open for 2 min (model gone) · next try in 58 min · “Gone.”."
    assert said(durable=Durable(NOON, (*CLOSED, GONE, WELL_TOO), Streams(0, None, 0))) == [("warn", text)]
    assert said(durable=Durable(NOON, (*CLOSED, GONE), Streams(0, None, 0))) == [("bad", text)]


def test_a_model_that_another_one_answers_for() -> None:
    """It is asked on; somebody should look at what it costs."""
    rerouted = replace(WELL_TOO, answered_by="gpt-7")
    assert said(durable=Durable(NOON, (*CLOSED, rerouted), Streams(0, None, 0))) == [
        ("warn", "gpt/gpt-6.1-terra is answered by gpt-7, at another price.")
    ]


def test_messages_that_wait_too_long() -> None:
    """In the stream, and after they were accepted."""
    slow = said(
        durable=Durable(NOON, CLOSED, Streams(inbound=4, oldest_s=90.0, rejected=0)),
        waiting=Waiting(unanswered=12, oldest_s=180.0, dead=0, dead_letters=()),
    )
    assert slow == [
        ("bad", "The inbound stream is not read fast enough: its oldest entry is 1.5 min old."),
        ("bad", "12 unanswered, the oldest for 3 min: are the workers running?"),
    ]


@pytest.mark.parametrize(("dead", "words"), [(1, "1 dead letter waits"), (1_200, "1,200 dead letters wait")])
def test_dead_letters(dead: int, words: str) -> None:
    """However many there are."""
    assert said(waiting=Waiting(0, None, dead, ())) == [("warn", f"{words} for a decision.")]


def test_budgets() -> None:
    """From four fifths on a warning, used up it is bad; without a budget there is nothing to say."""
    spent = (Spent(10.0, 20.0), Spent(80.0, 200.0))
    assert said(spent=spent) == [
        ("bad", "The budget of this day is used up: fallbacks answer."),
        ("warn", "80.0 % of the budget of this month is spent."),
    ]
    assert said(Settings(), spent=spent) == []
    nothing = Settings.model_validate({"ai_daily_budget_usd": 0})
    assert said(nothing, spent=(Spent(0.0, 0.0), Spent(0.0, 0.0)))[0][0] == "bad"


def test_the_worst_comes_first() -> None:
    """A server that does not answer before anything that only deserves a look."""
    found = said(troubles=("Redis does not answer.",), waiting=Waiting(0, None, 2, ()))
    assert found == [("bad", "Redis does not answer."), ("warn", "2 dead letters wait for a decision.")]
