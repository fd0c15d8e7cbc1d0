"""What a turn's calls have cost, in all and by provider and model, on its way to `ai_metrics`."""

from __future__ import annotations

from helpers.turns import MILK, planned, turn_from_dict, turn_of, turn_to_dict
from msgspec.structs import replace

from worker.providers.pricing import shares, summed, with_costs
from worker.session.outcome import Decision, Outcome
from worker.telemetry.recording import metrics_row
from worker.usage import ModelCalls, Usage

USAGE = Usage(prompt_tokens=1_000, completion_tokens=100)
GEMINI = ModelCalls("gemini-flash", "gemini-3.5-flash-lite", "ok", 1, USAGE, 550)
DEEPSEEK = ModelCalls("deepseek", "deepseek-flash", "ok", 1, USAGE, 210)
FREE = ModelCalls("deepseek", "deepseek-flash", "unavailable", 1, Usage(), 0)


def test_costs_add_up_by_provider() -> None:
    """Each provider's calls on its own account; those that cost nothing are not there."""
    outcome = with_costs(Outcome("ai"), [GEMINI, DEEPSEEK, GEMINI])
    assert (outcome.calls, outcome.cost_microusd) == (3, 550 + 210 + 550)
    assert (outcome.prompt_tokens, outcome.completion_tokens) == (3_000, 300)
    assert outcome.cost_by_provider == {"gemini-flash": 1_100, "deepseek": 210}
    assert with_costs(Outcome("ai"), [GEMINI, FREE]).cost_by_provider == {"gemini-flash": 550}
    assert with_costs(Outcome("ai"), [FREE]).cost_by_provider is None
    assert with_costs(Outcome("ai"), []).cost_by_provider is None


def test_shares_are_kept_only_where_somebody_else_was_paid() -> None:
    """The usual turn has nothing to add to its provider and its cost."""
    assert shares([GEMINI], "gemini-flash") is None
    assert shares([], "gemini-flash") is None
    assert shares([GEMINI], "deepseek") == shares([GEMINI], None) == {"gemini-flash": 550}
    assert shares([GEMINI, DEEPSEEK], "deepseek") == {"gemini-flash": 550, "deepseek": 210}


def test_calls_are_summed_by_model_and_outcome() -> None:
    """A failed call stays apart from a good one, and one model from another."""
    pro = replace(DEEPSEEK, model="deepseek-v4-pro")
    twice = replace(DEEPSEEK, calls=2, usage=USAGE + USAGE, cost_microusd=420)
    assert summed([DEEPSEEK, FREE, pro, DEEPSEEK]) == (twice, FREE, pro)


def test_shares_reach_the_row_that_is_recorded() -> None:
    """Through the chain's JSON and what is kept with the reply."""
    given = {"gemini-flash": 140, "deepseek": 322}
    outcome = Outcome("ai", Decision("greeting"), "deepseek", cost_microusd=462, cost_by_provider=given)
    turn = turn_from_dict(turn_to_dict(replace(planned(turn_of(), MILK), outcome=outcome)))
    assert metrics_row("id", turn.stored_outcome(), 1, committed=True)["cost_by_provider"] == given


def test_calls_reach_the_row_that_is_recorded() -> None:
    """Each model with what became of it, through the chain's JSON and what is kept with the reply."""
    outcome = with_costs(Outcome("ai", Decision("greeting"), "deepseek"), [GEMINI, FREE, DEEPSEEK])
    turn = turn_from_dict(turn_to_dict(replace(planned(turn_of(), MILK), outcome=outcome)))
    assert turn.decided().calls_made == (GEMINI, FREE, DEEPSEEK)
    row = metrics_row("id", turn.stored_outcome(), 1, committed=True)
    assert row["cost_microusd"] == 760
    assert row["cost_by_provider"] == {"gemini-flash": 550, "deepseek": 210}
